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

// patience is how long a step waits before it says that it is not the server that answers.
type patience struct {
	// impostor is for a key that is not the pinned one: a server that boots for the first time gets its key while sshd
	// may be up. silence is for no answer at all: a new server takes a minute, a small one that stops and starts two.
	impostor, silence time.Duration
}

var usual = patience{impostor: 10 * time.Second, silence: 4 * time.Minute}

const guardPause = time.Second

// errOtherKey is the end of a handshake with whoever does not hold the pinned key.
var errOtherKey = errors.New("another host key")

// guard has every step check who answers at the server's address before it runs. The command provider refuses
// another host key as well, but tries for minutes and then says no more than "host key mismatch"; for a server that does
// not answer at all it waits a quarter of an hour.
func guard(ctx *pulumi.Context) (*pulumi.ResourceHookBinding, error) {
	hook, err := ctx.RegisterResourceHook("the server's host key", func(args *pulumi.ResourceHookArgs) error {
		return lookWhoAnswers(plain(args.NewInputs["connection"]), usual)
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("declare the check of the server's host key: %w", err)
	}
	hooks := []*pulumi.ResourceHook{hook}
	return &pulumi.ResourceHookBinding{BeforeCreate: hooks, BeforeUpdate: hooks}, nil
}

// lookWhoAnswers returns an error where the server of a connection shows another key than the connection's, or nothing
// answers, for as long as patience lasts. Nothing is sent to whoever shows another key.
func lookWhoAnswers(connection resource.PropertyMap, patience patience) error {
	host, pinned := word(connection, "host"), word(connection, "hostKey")
	for began := time.Now(); ; time.Sleep(guardPause) {
		shown, err := logIn(host, pinned, word(connection, "user"), word(connection, "privateKey"))
		switch {
		case errors.Is(err, errOtherKey):
			if time.Since(began) >= patience.impostor {
				return fmt.Errorf("%s shows the SSH host key %s, not the stack's %s, so another host answers there, or the server's key was replaced manually: nothing was sent; "+
					"look from another network (ssh-keyscan -t ed25519 %s); an address that was taken over: pulumi refresh; a server that is no longer to be trusted: docs/runbook/server-gone.md",
					host, shown, fingerprintOf(pinned), host)
			}
		case unanswered(err):
			if time.Since(began) >= patience.silence {
				return fmt.Errorf("%s does not answer over SSH, for %s: where the site does not answer either, the server is stopped or gone, or its address or a rule was taken away by hand: "+
					"see how it is and start it (docs/runbook/server-gone.md), and what AWS no longer has comes back by: pulumi refresh, then pulumi up; "+
					"where the site answers, this machine's address is not among berth:operatorCidrs (docs/runbook/locked-out-of-ssh.md)", host, patience.silence)
			}
		default:
			return nil // Whatever else is wrong, the provider says.
		}
	}
}

// unanswered says whether a login failed before any server answered.
func unanswered(err error) bool {
	var failed *net.OpError
	return errors.As(err, &failed) && failed.Op == "dial"
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
