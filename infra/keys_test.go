package infra

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"testing"

	"berth/internal/config"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func TestKeysAreMadeForTheStack(t *testing.T) {
	var keys *Keys
	var hostPublic, clientPublic, clientPrivate string
	c := declare(t, nil, func(env *Environment) {
		keys = env.Keys
		read(t, keys.HostPublic, &hostPublic)
		read(t, keys.ClientPublic, &clientPublic)
		read(t, keys.ClientPrivate, &clientPrivate)
	})
	for _, args := range c.declared {
		if args.TypeToken == "tls:index/privateKey:PrivateKey" {
			assert.Equal(t, "ED25519", text(args, "algorithm"))
		}
	}
	assert.Regexp(t, `^ssh-ed25519 \S+$`, hostPublic)
	assert.NotEqual(t, hostPublic, clientPublic, "host and client have a key each")
	assert.Equal(t, c.private["client-key"], clientPrivate)
	signer, err := ssh.ParsePrivateKey([]byte(clientPrivate))
	require.NoError(t, err)
	assert.Equal(t, clientPublic+"\n", string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	assert.True(t, pulumi.IsSecret(keys.HostPrivate))
	assert.True(t, pulumi.IsSecret(keys.ClientPrivate))
	assert.False(t, pulumi.IsSecret(keys.HostPublic))
}

func TestOperatorsKeyIsTaken(t *testing.T) {
	private, public, err := newKey()
	require.NoError(t, err)
	var keys *Keys
	var clientPrivate, clientPublic string
	c := declare(t, func(cfg *config.Config) { cfg.SSHPrivateKey = private }, func(env *Environment) {
		keys = env.Keys
		read(t, keys.ClientPrivate, &clientPrivate)
		read(t, keys.ClientPublic, &clientPublic)
	})
	assert.Equal(t, private, clientPrivate)
	assert.Equal(t, public, clientPublic)
	assert.True(t, pulumi.IsSecret(keys.ClientPrivate))
	assert.NotContains(t, c.private, "client-key")
	assert.Contains(t, c.private, "host-key", "the host key is the stack's own all the same")
}

func TestUnusableKeyIsRefused(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("passphrase"))
	require.NoError(t, err)
	for _, test := range []struct{ name, key, want string }{
		{"with a passphrase", string(pem.EncodeToMemory(block)), "it has a passphrase"},
		{"no key", "SENTINEL", "read berth:sshPrivateKey: ssh: no key found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := production()
			cfg.SSHPrivateKey = test.key
			err := newCloud().run(cfg, nil)
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "pulumi config set --secret berth:sshPrivateKey")
			assert.NotContains(t, err.Error(), "SENTINEL")
		})
	}
}
