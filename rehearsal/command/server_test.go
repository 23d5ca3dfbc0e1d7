package command

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// sshServer is an SSH server that runs commands with /bin/sh, serves SFTP and forwards connections.
type sshServer struct {
	// user, key and password are what it lets in.
	user, key, password string
	// accepted names the variables it takes, as AcceptEnv does.
	accepted []string

	host     ssh.Signer
	client   ssh.PublicKey
	address  string
	listener net.Listener

	lock  sync.Mutex
	conns []net.Conn
	// forwarded are the addresses it was asked to connect on to.
	forwarded []string
}

// newKey makes a key, in the form that privateKey takes and as a signer.
func newKey(t *testing.T) (string, ssh.Signer) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	return encode(t, private, ""), signer
}

// encode writes a private key, encrypted where there is a password.
func encode(t *testing.T, private crypto.PrivateKey, password string) string {
	block, err := ssh.MarshalPrivateKey(private, "")
	if password != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(password))
	}
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block))
}

// startServer starts a server on a free port of the loopback interface.
func startServer(t *testing.T) *sshServer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := newServer(t, listener.Addr().String())
	s.serve(t, listener)
	return s
}

// newServer makes a server that does not listen yet.
func newServer(t *testing.T, address string) *sshServer {
	t.Setenv("SSH_AUTH_SOCK", "") // The developer's own agent has no part in the tests.
	s := &sshServer{user: "admin", password: "pass word", address: address}
	key, client := newKey(t)
	s.key, s.client = key, client.PublicKey()
	_, s.host = newKey(t)
	return s
}

func (s *sshServer) serve(t *testing.T, listener net.Listener) {
	s.listener = listener
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // The listener is closed.
			}
			s.lock.Lock()
			s.conns = append(s.conns, conn)
			s.lock.Unlock()
			done.Go(func() { s.answer(conn) })
		}
	})
	t.Cleanup(func() {
		assert.NoError(t, listener.Close())
		s.lock.Lock()
		for _, conn := range s.conns {
			_ = conn.Close()
		}
		s.lock.Unlock()
		done.Wait()
	})
}

func (s *sshServer) answer(conn net.Conn) {
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if meta.User() == s.user && string(key.Marshal()) == string(s.client.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("unknown key")
		},
		PasswordCallback: func(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if meta.User() == s.user && string(password) == s.password {
				return nil, nil
			}
			return nil, errors.New("wrong password")
		},
	}
	config.AddHostKey(s.host)
	secured, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		_ = conn.Close()
		return
	}
	defer func() { _ = secured.Close() }()
	go ssh.DiscardRequests(requests)
	// Unlike sshd, the test's server leaves no process behind when a client goes.
	ctx, cancel := context.WithCancel(context.Background())
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer cancel()
	for offered := range channels {
		switch offered.ChannelType() {
		case "session":
			channel, requests, err := offered.Accept()
			if err == nil {
				sessions.Go(func() { s.session(ctx, channel, requests) })
			}
		case "direct-tcpip":
			sessions.Go(func() { s.forward(offered) })
		default:
			_ = offered.Reject(ssh.UnknownChannelType, "unknown")
		}
	}
}

func (s *sshServer) session(ctx context.Context, channel ssh.Channel, requests <-chan *ssh.Request) {
	defer func() { _ = channel.Close() }()
	var environment []string
	for request := range requests {
		switch request.Type {
		case "env":
			var variable struct{ Name, Value string }
			accepted := ssh.Unmarshal(request.Payload, &variable) == nil && slices.Contains(s.accepted, variable.Name)
			if accepted {
				environment = append(environment, variable.Name+"="+variable.Value)
			}
			_ = request.Reply(accepted, nil)
		case "exec":
			var command struct{ Line string }
			_ = request.Reply(ssh.Unmarshal(request.Payload, &command) == nil, nil)
			status := execute(ctx, channel, environment, command.Line)
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
			return
		case "subsystem":
			_ = request.Reply(true, nil)
			if server, err := sftp.NewServer(channel); err == nil {
				_ = server.Serve()
			}
			return
		default:
			_ = request.Reply(false, nil)
		}
	}
}

func execute(ctx context.Context, channel ssh.Channel, environment []string, line string) uint32 {
	process := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	process.Env = append(os.Environ(), environment...)
	process.Stdout, process.Stderr = channel, channel.Stderr()
	// A pipe, since a plain reader would be waited for, although its client sends no more.
	stdin, err := process.StdinPipe()
	if err != nil {
		return 255
	}
	go func() {
		_, _ = io.Copy(stdin, channel)
		_ = stdin.Close()
	}()
	var exit *exec.ExitError
	if err := process.Run(); errors.As(err, &exit) {
		return uint32(exit.ExitCode())
	} else if err != nil {
		return 255
	}
	return 0
}

func (s *sshServer) forward(offered ssh.NewChannel) {
	var target struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if ssh.Unmarshal(offered.ExtraData(), &target) != nil {
		_ = offered.Reject(ssh.ConnectionFailed, "malformed")
		return
	}
	address := net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port)))
	s.lock.Lock()
	s.forwarded = append(s.forwarded, address)
	s.lock.Unlock()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		_ = offered.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(channel, conn); _ = channel.Close() })
	both.Go(func() { _, _ = io.Copy(conn, channel); _ = conn.Close() })
	both.Wait()
}

// hostLine is the server's host key as hostKey takes it.
func (s *sshServer) hostLine() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.host.PublicKey())))
}

// connection is how the server is reached with its key, one property changed or added for each pair.
func (s *sshServer) connection(t *testing.T, changes ...any) map[string]any {
	host, port, err := net.SplitHostPort(s.address)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	connection := map[string]any{
		"host": host, "port": float64(number), "user": s.user, "privateKey": s.key,
		"hostKey": s.hostLine(), "dialErrorLimit": 0.0, "perDialTimeout": 5.0,
	}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(connection, changes[i].(string))
		} else {
			connection[changes[i].(string)] = changes[i+1]
		}
	}
	return connection
}

// secret marks a value, for property maps made of plain ones.
func secret(value any) resource.PropertyValue {
	return resource.MakeSecret(resource.NewPropertyValue(value))
}
