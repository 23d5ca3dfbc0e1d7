package provision

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/crypto/ssh"
)

// A key that is not the pinned one has to stay so for this long, since a server that boots for the first time gets its
// key while sshd may be up.
const (
	impostorFor   = 10 * time.Second
	impostorPause = time.Second
)

// errOtherKey is the end of a handshake with whoever does not hold the pinned key.
var errOtherKey = errors.New("another host key")

// guard has every step that is about to run look who answers at the server's address. The command provider refuses
// another host key as well, but tries for minutes and then says no more than "host key mismatch".
func guard(ctx *pulumi.Context) (*pulumi.ResourceHookBinding, error) {
	hook, err := ctx.RegisterResourceHook("the server's host key", func(args *pulumi.ResourceHookArgs) error {
		return refuseImpostor(plain(args.NewInputs["connection"]), impostorFor)
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("declare the look at the server's host key: %w", err)
	}
	hooks := []*pulumi.ResourceHook{hook}
	return &pulumi.ResourceHookBinding{BeforeCreate: hooks, BeforeUpdate: hooks}, nil
}

// refuseImpostor returns an error where the server of a connection shows another key than the connection's for as long
// as patience lasts. Nothing is sent to whoever does. A server that does not answer is the provider's to wait for.
func refuseImpostor(connection resource.PropertyMap, patience time.Duration) error {
	host, pinned := word(connection, "host"), word(connection, "hostKey")
	for began := time.Now(); ; time.Sleep(impostorPause) {
		shown, err := logIn(host, pinned, word(connection, "user"), word(connection, "privateKey"))
		switch {
		case !errors.Is(err, errOtherKey):
			return nil
		case time.Since(began) >= patience:
			return fmt.Errorf("%s shows the SSH host key %s, not the stack's %s, so somebody else answers there, or the server got another key by hand: nothing was sent; "+
				"look from another network (ssh-keyscan -t ed25519 %s); an address that was taken over: pulumi refresh; a server that is no longer to be trusted: docs/runbook/server-gone.md",
				host, shown, fingerprintOf(pinned), host)
		}
	}
}

// logIn connects as a step does and ends at once: sshd counts against whoever goes without logging in. It returns the
// fingerprint of the key that was shown.
func logIn(host, pinned, user, private string) (shown string, err error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(pinned))
	if err != nil {
		return "", fmt.Errorf("read the stack's host key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		return "", fmt.Errorf("read the stack's SSH key: %w", err)
	}
	target := host
	if _, _, err := net.SplitHostPort(host); err != nil {
		target = net.JoinHostPort(host, "22")
	}
	conn, err := net.DialTimeout("tcp", target, perDialTimeout*time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // The client's end is its end, too.
	if err := conn.SetDeadline(time.Now().Add(perDialTimeout * time.Second)); err != nil {
		return "", err
	}
	client, channels, requests, err := ssh.NewClientConn(conn, target, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		// The pinned kind first; whoever has another kind alone is to show it.
		HostKeyAlgorithms: []string{key.Type(), ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
		HostKeyCallback: func(_ string, _ net.Addr, answered ssh.PublicKey) error {
			shown = ssh.FingerprintSHA256(answered)
			if shown != ssh.FingerprintSHA256(key) {
				return errOtherKey
			}
			return nil
		},
	})
	if err != nil {
		return shown, err
	}
	return shown, ssh.NewClient(client, channels, requests).Close()
}

func fingerprintOf(line string) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return line
	}
	return ssh.FingerprintSHA256(key)
}

// plain takes an object out of the wrappings of secrets and outputs.
func plain(value resource.PropertyValue) resource.PropertyMap {
	if value = unwrapped(value); value.IsObject() {
		return value.ObjectValue()
	}
	return nil
}

func unwrapped(value resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case value.IsSecret():
			value = value.SecretValue().Element
		case value.IsOutput():
			value = value.OutputValue().Element
		default:
			return value
		}
	}
}

func word(properties resource.PropertyMap, key resource.PropertyKey) string {
	if value := unwrapped(properties[key]); value.IsString() {
		return value.StringValue()
	}
	return ""
}
