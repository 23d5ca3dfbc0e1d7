package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/retry"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// The defaults of a connection. Source: the schema of pulumi-command v1.2.
const (
	defaultUser           = "root"
	defaultPort           = 22
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15 // seconds
)

// client is an SSH connection with what it uses.
type client struct {
	*ssh.Client
	below []func() error
}

// close ends the connection, and is harmless on one that has ended.
func (c *client) close() {
	_ = c.Client.Close() // An error says that the other side was quicker.
	for _, end := range c.below {
		_ = end()
	}
}

// dial connects to a resource's host, through its proxy where it has one.
func (p *Provider) dial(ctx context.Context, urn string, connection resource.PropertyMap) (*client, error) {
	if connection == nil {
		return nil, errors.New("connect: the connection is missing")
	}
	via, proxied := connection["proxy"]
	if !proxied {
		c, err := p.connect(ctx, urn, "Dial", connection, (&net.Dialer{Timeout: perDialTimeout(connection)}).DialContext)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", address(connection), err)
		}
		return c, nil
	}
	proxy, err := p.connect(ctx, urn, "Dial proxy", via.ObjectValue(), (&net.Dialer{Timeout: perDialTimeout(via.ObjectValue())}).DialContext)
	if err != nil {
		return nil, fmt.Errorf("connect to the proxy %s: %w", address(via.ObjectValue()), err)
	}
	c, err := p.connect(ctx, urn, "Dial from proxy", connection, proxy.DialContext)
	if err != nil {
		proxy.close()
		return nil, fmt.Errorf("connect to %s through the proxy %s: %w", address(connection), address(via.ObjectValue()), err)
	}
	c.below = append(c.below, proxy.Close)
	return c, nil
}

// connect tries until the connection's dialErrorLimit is reached, with the real provider's pauses: 0.1 s at first, half
// as long again each time, never above 5 s. So the default of 10 gives up after 11 s.
func (p *Provider) connect(ctx context.Context, urn, what string, connection resource.PropertyMap, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*client, error) {
	config, end, err := clientConfig(connection)
	if err != nil {
		return nil, err
	}
	defer end()
	limit := integer(connection, "dialErrorLimit", defaultDialErrorLimit)
	var opened *client
	connected, _, err := retry.Until(ctx, retry.Acceptor{Accept: func(try int, _ time.Duration) (bool, any, error) {
		conn, err := dial(ctx, "tcp", address(connection))
		if err == nil {
			opened, err = handshake(ctx, conn, config)
		}
		switch {
		case err == nil:
			return true, nil, nil
		case limit >= 0 && try >= limit:
			return false, nil, fmt.Errorf("after %d failed attempts: %w", try, err)
		}
		p.LogStatus(ctx, urn, fmt.Sprintf("%s %d/%s failed: retrying", what, try+1, limitName(limit)))
		return false, nil, nil
	}})
	if err != nil {
		return nil, err
	}
	if !connected {
		return nil, context.Cause(ctx)
	}
	p.connections.Add(1)
	return opened, nil
}

// handshake has no limit of its own: perDialTimeout bounds the TCP connect alone.
func handshake(ctx context.Context, conn net.Conn, config *ssh.ClientConfig) (*client, error) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	secured, channels, requests, err := ssh.NewClientConn(conn, conn.RemoteAddr().String(), config)
	if err != nil {
		return nil, errors.Join(err, ignoreClosed(conn.Close()))
	}
	return &client{Client: ssh.NewClient(secured, channels, requests)}, nil
}

// ignoreClosed drops the error of closing what a failed handshake has closed already.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func limitName(limit int) string {
	if limit < 0 {
		return "inf"
	}
	return strconv.Itoa(limit)
}

func address(connection resource.PropertyMap) string {
	return net.JoinHostPort(text(connection, "host"), strconv.Itoa(integer(connection, "port", defaultPort)))
}

// perDialTimeout is how long a TCP connect may take; 0 is for ever.
func perDialTimeout(connection resource.PropertyMap) time.Duration {
	return time.Duration(integer(connection, "perDialTimeout", defaultPerDialTimeout)) * time.Second
}

// clientConfig reads a connection; end lets go of its SSH agent.
func clientConfig(connection resource.PropertyMap) (config *ssh.ClientConfig, end func(), err error) {
	config = &ssh.ClientConfig{User: defaultUser}
	if user, ok := given(connection, "user"); ok {
		config.User = user
	}
	if config.HostKeyCallback, config.HostKeyAlgorithms, err = hostKey(connection); err != nil {
		return nil, nil, err
	}
	if key, ok := given(connection, "privateKey"); ok {
		signer, err := signerOf(key, connection)
		if err != nil {
			return nil, nil, fmt.Errorf("read the connection's privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if password, ok := given(connection, "password"); ok {
		config.Auth = append(config.Auth, ssh.Password(password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					answers[i] = password
				}
				return answers, nil
			}))
	}
	socket, ok := given(connection, "agentSocketPath")
	if !ok {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" {
		return config, func() {}, nil
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the SSH agent: %w; start one, or unset SSH_AUTH_SOCK", err)
	}
	config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
	return config, func() { _ = conn.Close() }, nil
}

// hostKey pins the server's key where the connection names it, in the form of an authorized_keys line. Only that key's
// own algorithm is asked for, so that a server with several keys shows the right one.
func hostKey(connection resource.PropertyMap) (ssh.HostKeyCallback, []string, error) {
	line, ok := given(connection, "hostKey")
	if !ok {
		return ssh.InsecureIgnoreHostKey(), nil, nil //nolint:gosec // As the real provider, which checks a key only where one is given.
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil, nil, fmt.Errorf("read the connection's hostKey: %w; it looks like \"ssh-ed25519 AAAA…\"", err)
	}
	return ssh.FixedHostKey(key), []string{key.Type()}, nil
}

func signerOf(key string, connection resource.PropertyMap) (ssh.Signer, error) {
	if password, ok := given(connection, "privateKeyPassword"); ok {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(key), []byte(password))
	}
	return ssh.ParsePrivateKey([]byte(key))
}
