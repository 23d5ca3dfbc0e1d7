package command

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func TestConnecting(t *testing.T) {
	server := startServer(t)
	stranger, strangerSigner := newKey(t)
	_, agentSigner := newKey(t)
	strangerLine := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(strangerSigner.PublicKey())))
	locked := lock(t, server.key, "open sesame")
	for _, test := range []struct {
		name    string
		changes []any
		want    string
	}{
		{"by key, host key pinned", nil, ""},
		{"by key, host key not checked", []any{"hostKey", nil}, ""},
		{"by password", []any{"privateKey", nil, "password", server.password}, ""},
		{"by a locked key", []any{"privateKey", locked, "privateKeyPassword", "open sesame"}, ""},
		{"with the defaults of timeout", []any{"perDialTimeout", nil}, ""},
		{"another host key", []any{"hostKey", strangerLine}, "host key mismatch"},
		{"a host key that is none", []any{"hostKey", "AAAA"}, "read the connection's hostKey"},
		{"another key", []any{"privateKey", stranger}, "unable to authenticate"},
		{"another password", []any{"privateKey", nil, "password", "x"}, "unable to authenticate"},
		{"a locked key without its password", []any{"privateKey", locked}, "passphrase protected"},
		{"root, the default user", []any{"user", nil}, "unable to authenticate"},
		{"an agent that is not there", []any{"agentSocketPath", "/nonexistent"}, "connect to the SSH agent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _ := attached(t)
			_, err := create(t, p, remoteURN, properties{"connection": server.connection(t, test.changes...), "create": "true"})
			if test.want == "" {
				require.NoError(t, err)
				assert.EqualValues(t, 1, p.Connections())
				return
			}
			require.ErrorContains(t, err, test.want)
			assert.Zero(t, p.Connections())
			assert.NotContains(t, err.Error(), "PRIVATE KEY")
		})
	}

	t.Run("by an agent", func(t *testing.T) {
		server.client = agentSigner.PublicKey()
		p, _ := attached(t)
		_, err := create(t, p, remoteURN, properties{
			"connection": server.connection(t, "privateKey", nil, "agentSocketPath", startAgent(t)), "create": "true"})
		require.Error(t, err, "the agent does not hold the key")
		server.client = publicKey(t, stranger)
		_, err = create(t, p, remoteURN, properties{
			"connection": server.connection(t, "privateKey", nil, "agentSocketPath", startAgent(t, stranger)), "create": "true"})
		require.NoError(t, err)
	})
}

func TestDialErrorLimit(t *testing.T) {
	server := newServer(t, freeAddress(t))
	p, log := attached(t)
	begun := time.Now()
	_, err := create(t, p, remoteURN, properties{"connection": server.connection(t, "dialErrorLimit", 3.0), "create": "true"})
	require.ErrorContains(t, err, "after 3 failed attempts: dial tcp")
	require.ErrorContains(t, err, "connection refused")
	// 0.1 s, 0.15 s and 0.225 s.
	assert.GreaterOrEqual(t, time.Since(begun), 470*time.Millisecond)
	assert.Equal(t, []string{"Dial 1/3 failed: retrying", "Dial 2/3 failed: retrying", "Dial 3/3 failed: retrying"}, log.lines(remoteURN))
}

func TestServerThatComesUpLate(t *testing.T) {
	for _, limit := range []float64{10, -1} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			server := newServer(t, freeAddress(t))
			p, log := attached(t)
			log.notify = make(chan string, 100)
			done := make(chan error)
			go func() {
				_, err := create(t, p, remoteURN, properties{"connection": server.connection(t, "dialErrorLimit", limit), "create": "true"})
				done <- err
			}()
			assert.Contains(t, <-log.notify, "failed: retrying")
			listener, err := net.Listen("tcp", server.address)
			require.NoError(t, err)
			server.serve(t, listener)
			require.NoError(t, <-done)
			assert.EqualValues(t, 1, p.Connections(), "attempts that failed opened none")
		})
	}
}

func TestConnectingThroughAProxy(t *testing.T) {
	inner, outer := startServer(t), startServer(t)
	p, _ := attached(t)
	inputs := properties{"connection": inner.connection(t, "proxy", outer.connection(t)), "create": "echo inside"}
	state, err := create(t, p, remoteURN, inputs)
	require.NoError(t, err)
	assert.Equal(t, "inside", text(state, "stdout"))
	assert.Equal(t, []string{inner.address}, outer.forwarded)
	assert.EqualValues(t, 2, p.Connections())

	inputs["connection"] = inner.connection(t, "proxy", outer.connection(t, "hostKey", inner.hostLine()))
	_, err = create(t, p, remoteURN, inputs)
	require.ErrorContains(t, err, "connect to the proxy "+outer.address, "the proxy's key is checked")
	inputs["connection"] = inner.connection(t, "hostKey", outer.hostLine(), "proxy", outer.connection(t))
	_, err = create(t, p, remoteURN, inputs)
	require.ErrorContains(t, err, "host key mismatch", "and so is the server's behind it")
}

// freeAddress is an address that nothing listens on.
func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { assert.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}

// startAgent serves an SSH agent that holds the keys, and gives the path of its socket.
func startAgent(t *testing.T, keys ...string) string {
	keyring := agent.NewKeyring()
	for _, key := range keys {
		private, err := ssh.ParseRawPrivateKey([]byte(key))
		require.NoError(t, err)
		require.NoError(t, keyring.Add(agent.AddedKey{PrivateKey: private}))
	}
	// A socket's path may be about 100 bytes long, which the test's own folder would exceed.
	folder, err := os.MkdirTemp("", "agent")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	listener, err := net.Listen("unix", filepath.Join(folder, "socket"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // The listener is closed.
			}
			go func() {
				_ = agent.ServeAgent(keyring, conn) // It ends with the client.
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func publicKey(t *testing.T, key string) ssh.PublicKey {
	signer, err := ssh.ParsePrivateKey([]byte(key))
	require.NoError(t, err)
	return signer.PublicKey()
}

// lock encrypts a private key with a password.
func lock(t *testing.T, key, password string) string {
	private, err := ssh.ParseRawPrivateKey([]byte(key))
	require.NoError(t, err)
	return encode(t, private, password)
}
