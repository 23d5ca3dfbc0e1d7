package command

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"
)

// The real provider's defaults and cap. Source: pulumi-command v1.1, provider/pkg/provider/remote/connection.go.
const (
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15
	longestPause          = 5 * time.Second
)

// result is what a finished command printed, without a final newline.
type result struct{ stdout, stderr string }

func (p *Provider) execute(ctx context.Context, urn string, inputs resource.PropertyMap, verb string, olds resource.PropertyMap) (result, error) {
	connection := reveal(inputs["connection"])
	if !connection.IsObject() {
		return result{}, fmt.Errorf("run %s: the connection is missing", verb)
	}
	client, err := p.dial(ctx, connection.ObjectValue())
	if err != nil {
		return result{}, err
	}
	defer client.Close()
	// A cancelled update closes the connection; what runs on the other side is not told.
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return result{}, fmt.Errorf("open a session: %w", err)
	}
	defer session.Close()
	if err := setEnvironment(session, inputs, olds); err != nil {
		return result{}, err
	}
	if stdin := text(inputs, "stdin"); stdin != "" {
		session.Stdin = strings.NewReader(stdin)
	}
	return p.stream(ctx, urn, session, text(inputs, resource.PropertyKey(verb)), text(inputs, "logging"))
}

// stream runs the command and shows its lines as they come.
func (p *Provider) stream(ctx context.Context, urn string, session *ssh.Session, command, logging string) (result, error) {
	var stdout, stderr, both lockedBuffer
	var readers sync.WaitGroup
	attach := func(own *lockedBuffer, logged bool) io.WriteCloser {
		reader, writer := io.Pipe()
		readers.Go(func() {
			lines := bufio.NewReader(reader)
			for {
				line, err := lines.ReadString('\n')
				own.add(line)
				both.add(line)
				if trimmed := strings.TrimRight(line, "\r\n"); logged && trimmed != "" {
					p.log(ctx, urn, trimmed)
				}
				if err != nil {
					return
				}
			}
		})
		return writer
	}
	out := attach(&stdout, logging == "" || logging == "stdout" || logging == "stdoutAndStderr")
	err1 := attach(&stderr, logging == "" || logging == "stderr" || logging == "stdoutAndStderr")
	session.Stdout, session.Stderr = out, err1
	err := session.Run(command)
	_, _ = out.Close(), err1.Close() // Closing the writing end of a pipe in memory cannot fail.
	readers.Wait()
	if err != nil {
		return result{}, fmt.Errorf("%w: running %q:\n%s", err, command, both.text())
	}
	return result{stdout: strings.TrimSuffix(stdout.text(), "\n"), stderr: strings.TrimSuffix(stderr.text(), "\n")}, nil
}

// lockedBuffer collects lines from two streams.
type lockedBuffer struct {
	lock   sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) add(line string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.buffer.WriteString(line)
}

func (b *lockedBuffer) text() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.buffer.String()
}

// setEnvironment passes variables as SSH does, which the server has to accept.
func setEnvironment(session *ssh.Session, inputs, olds resource.PropertyMap) error {
	variables := map[string]string{}
	if environment := reveal(inputs["environment"]); environment.IsObject() {
		for name, value := range environment.ObjectValue() {
			variables[string(name)] = value.StringValue()
		}
	}
	previous := reveal(inputs["addPreviousOutputInEnv"])
	if !previous.IsBool() || previous.BoolValue() {
		for name, key := range map[string]resource.PropertyKey{"PULUMI_COMMAND_STDOUT": "stdout", "PULUMI_COMMAND_STDERR": "stderr"} {
			if value := text(olds, key); value != "" {
				variables[name] = value
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if err := session.Setenv(name, variables[name]); err != nil {
			return fmt.Errorf("could not set environment variable %q: %w; the SSH server has to name it in AcceptEnv", name, err)
		}
	}
	return nil
}

// dial connects, trying again while the server is not there yet.
func (p *Provider) dial(ctx context.Context, connection resource.PropertyMap) (*ssh.Client, error) {
	config, err := clientConfig(connection)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(text(connection, "host"), fmt.Sprint(integer(connection, "port", 22)))
	limit := integer(connection, "dialErrorLimit", defaultDialErrorLimit)
	pause := time.Second
	for attempt := 1; ; attempt++ {
		client, err := p.connect(ctx, address, config)
		if err == nil {
			p.connections.Add(1)
			return client, nil
		}
		if attempt >= limit {
			return nil, fmt.Errorf("after %d failed attempts: connect to %s: %w", attempt, address, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to %s: %w", address, ctx.Err())
		case <-time.After(pause):
		}
		pause = min(pause*3/2, longestPause)
	}
}

func (p *Provider) connect(ctx context.Context, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	stream, err := (&net.Dialer{Timeout: config.Timeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	connection, channels, requests, err := ssh.NewClientConn(stream, address, config)
	if err != nil {
		_ = stream.Close() // The handshake's error is the one that matters.
		return nil, err
	}
	return ssh.NewClient(connection, channels, requests), nil
}

func clientConfig(connection resource.PropertyMap) (*ssh.ClientConfig, error) {
	for _, unsupported := range []resource.PropertyKey{"proxy", "agentSocketPath"} {
		if _, ok := connection[unsupported]; ok {
			return nil, fmt.Errorf("connect: the rehearsal's command provider has no %s", unsupported)
		}
	}
	config := &ssh.ClientConfig{
		User: text(connection, "user"), HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // As the real provider, without hostKey.
		Timeout: time.Duration(integer(connection, "perDialTimeout", defaultPerDialTimeout)) * time.Second,
	}
	if config.User == "" {
		config.User = "root"
	}
	if line := text(connection, "hostKey"); line != "" {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("read hostKey: %w", err)
		}
		config.HostKeyCallback, config.HostKeyAlgorithms = ssh.FixedHostKey(key), []string{key.Type()}
	}
	if key := text(connection, "privateKey"); key != "" {
		signer, err := signerOf(key, text(connection, "privateKeyPassword"))
		if err != nil {
			return nil, fmt.Errorf("read privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if password := text(connection, "password"); password != "" {
		config.Auth = append(config.Auth, ssh.Password(password))
	}
	return config, nil
}

func signerOf(key, password string) (ssh.Signer, error) {
	if password == "" {
		return ssh.ParsePrivateKey([]byte(key))
	}
	return ssh.ParsePrivateKeyWithPassphrase([]byte(key), []byte(password))
}

func integer(properties resource.PropertyMap, name resource.PropertyKey, fallback int) int {
	if value := properties[name]; value.IsNumber() {
		return int(value.NumberValue())
	}
	return fallback
}

func newID() string { return strings.ToLower(rand.Text()[:12]) }
