package infra

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/crypto/ssh"
)

// Keys are the SSH key pairs of a stack: the server's host key and the client key of whoever provisions it, and with several
// servers two more, by which the first one provisions the others. All are Ed25519, in OpenSSH's formats, the public halves without a trailing newline.
type Keys struct {
	pulumi.ResourceState

	// HostPrivate is the server's host key, a secret. It is made before the server, so that even the first
	// connection can be pinned to it.
	HostPrivate pulumi.StringOutput
	// HostPublic is the public half of the host key: "ssh-ed25519 AAAA…".
	HostPublic pulumi.StringOutput
	// ClientPrivate opens the server, a secret: the operator's own key if one is set, else one made for the stack.
	ClientPrivate pulumi.StringOutput
	// ClientPublic is the public half of the client key: "ssh-ed25519 AAAA…".
	ClientPublic pulumi.StringOutput
	// FleetPrivate, a secret, opens web servers for the first server, and FleetPublic is its public half.
	FleetPrivate, FleetPublic pulumi.StringOutput
	// WebHostPrivate, a secret, is the host key of all web servers, and WebHostPublic its public half.
	WebHostPrivate, WebHostPublic pulumi.StringOutput
}

// KeysArgs are what Keys need.
type KeysArgs struct {
	// ClientPrivate is the operator's own key, "" to have one made for the stack.
	ClientPrivate string
	// Several says whether there are web servers.
	Several bool
}

// NewKeys declares the key pairs.
func NewKeys(ctx *pulumi.Context, name string, args *KeysArgs, opts ...pulumi.ResourceOption) (*Keys, error) {
	keys := &Keys{}
	if err := ctx.RegisterComponentResource("berth:infra:Keys", name, keys, opts...); err != nil {
		return nil, fmt.Errorf("declare the keys: %w", err)
	}

	host, err := newKeyPair(ctx, "host-key", keys)
	if err != nil {
		return nil, err
	}
	keys.HostPrivate, keys.HostPublic = private(host), public(host)

	if args.ClientPrivate != "" {
		line, err := publicHalf(args.ClientPrivate)
		if err != nil {
			return nil, err
		}
		keys.ClientPrivate = pulumi.ToSecret(pulumi.String(args.ClientPrivate)).(pulumi.StringOutput)
		keys.ClientPublic = pulumi.String(line).ToStringOutput()
	} else {
		client, err := newKeyPair(ctx, "client-key", keys)
		if err != nil {
			return nil, err
		}
		keys.ClientPrivate, keys.ClientPublic = private(client), public(client)
	}

	if args.Several {
		fleet, err := newKeyPair(ctx, "fleet-key", keys)
		if err != nil {
			return nil, err
		}
		web, err := newKeyPair(ctx, "web-host-key", keys)
		if err != nil {
			return nil, err
		}
		keys.FleetPrivate, keys.FleetPublic = private(fleet), public(fleet)
		keys.WebHostPrivate, keys.WebHostPublic = private(web), public(web)
	}

	outputs := pulumi.Map{"hostPublic": keys.HostPublic, "clientPublic": keys.ClientPublic}
	if err := ctx.RegisterResourceOutputs(keys, outputs); err != nil {
		return nil, fmt.Errorf("register the keys: %w", err)
	}
	return keys, nil
}

func newKeyPair(ctx *pulumi.Context, name string, parent pulumi.Resource) (*tls.PrivateKey, error) {
	pair, err := tls.NewPrivateKey(ctx, name, &tls.PrivateKeyArgs{
		// OpenSSH's default, and the only kind for which the SSH client that runs the remote commands needs no
		// outdated signature algorithm.
		Algorithm: pulumi.String("ED25519"),
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, fmt.Errorf("declare the %s: %w", name, err)
	}
	return pair, nil
}

// private marks the key secret itself, so that the promise does not rest on the provider's schema alone.
func private(pair *tls.PrivateKey) pulumi.StringOutput {
	return pulumi.ToSecret(pair.PrivateKeyOpenssh).(pulumi.StringOutput)
}

func public(pair *tls.PrivateKey) pulumi.StringOutput {
	return pair.PublicKeyOpenssh.ApplyT(strings.TrimSpace).(pulumi.StringOutput)
}

// publicHalf derives the authorized_keys line of an OpenSSH private key. Its errors never quote the key.
func publicHalf(privateKey string) (string, error) {
	signer, err := ssh.ParsePrivateKey([]byte(privateKey))
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return "", errors.New("read berth:sshPrivateKey: it has a passphrase. " +
			"Fix: ssh-keygen -t ed25519 -N '' -f key && cat key | pulumi config set --secret berth:sshPrivateKey")
	case err != nil:
		return "", fmt.Errorf("read berth:sshPrivateKey: %w. "+
			"Fix: ssh-keygen -t ed25519 -N '' -f key && cat key | pulumi config set --secret berth:sshPrivateKey", err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), nil
}
