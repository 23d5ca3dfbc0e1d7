package config

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func TestKeysAreEd25519WithoutPassphrase(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("passphrase"))
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	curve, err := ssh.MarshalPrivateKey(other, "")
	require.NoError(t, err)
	for reason, key := range map[string]string{
		"passphrase":                string(pem.EncodeToMemory(locked)),
		"OpenSSH's format":          string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"of type ecdsa-sha2-nistp2": string(pem.EncodeToMemory(curve)),
		"no private key":            "ssh-ed25519 AAAA",
	} {
		for _, setting := range []string{"deployKey", "sshPrivateKey"} {
			_, err := Load(with(setting, key), allSecret)
			require.ErrorContains(t, err, "berth:"+setting)
			assert.ErrorContains(t, err, reason)
			assert.ErrorContains(t, err, "pulumi config set --secret berth:"+setting)
		}
	}
}

func TestKeysFromWindowsLoseTheirCarriageReturns(t *testing.T) {
	key := newKey(t)
	cfg, err := Load(with("deployKey", strings.ReplaceAll(key, "\n", "\r\n"), "sshPrivateKey", key), allSecret)
	require.NoError(t, err)
	assert.Equal(t, key, cfg.DeployKey)
	assert.Equal(t, key, cfg.SSHPrivateKey)
}
