package provision

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"sync/atomic"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return signer, string(pem.EncodeToMemory(block))
}

// sshd answers on loopback with a key and counts who gets as far as logging in.
func sshd(t *testing.T, key ssh.Signer) (address string, loggedIn *atomic.Int64) {
	t.Helper()
	loggedIn = &atomic.Int64{}
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		loggedIn.Add(1)
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(key)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				if server, _, _, err := ssh.NewServerConn(conn, config); err == nil {
					_ = server.Wait()
				}
			}()
		}
	}()
	return listener.Addr().String(), loggedIn
}

func TestAnImpostorIsRefusedBeforeAnythingIsSent(t *testing.T) {
	own, _ := newKey(t)
	other, _ := newKey(t)
	_, private := newKey(t)
	pinned := string(ssh.MarshalAuthorizedKey(own.PublicKey()))
	connection := func(host string) resource.PropertyMap {
		return resource.PropertyMap{
			"host": resource.NewProperty(host), "user": resource.NewProperty("admin"), "hostKey": resource.NewProperty(pinned),
			"privateKey": resource.MakeSecret(resource.NewProperty(private)),
		}
	}

	impostor, loggedIn := sshd(t, other)
	err := lookWhoAnswers(connection(impostor), patience{})
	require.ErrorContains(t, err, ssh.FingerprintSHA256(other.PublicKey()))
	require.ErrorContains(t, err, ssh.FingerprintSHA256(own.PublicKey()))
	assert.ErrorContains(t, err, "nothing was sent")
	assert.Zero(t, loggedIn.Load())

	server, loggedIn := sshd(t, own)
	require.NoError(t, lookWhoAnswers(plain(resource.MakeSecret(resource.NewProperty(connection(server)))), patience{}))
	assert.NotZero(t, loggedIn.Load(), "sshd counts against whoever goes without logging in")

	err = lookWhoAnswers(connection("127.0.0.1:1"), patience{})
	require.ErrorContains(t, err, "127.0.0.1:1 does not answer over SSH")
	require.ErrorContains(t, err, "pulumi refresh, then pulumi up")
	assert.ErrorContains(t, err, "docs/runbook/locked-out-of-ssh.md")
}
