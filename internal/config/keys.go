package config

import (
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	fixDeployKey = "ssh-keygen -t ed25519 -N '' -f deploy_key && cat deploy_key | pulumi config set --secret berth:deployKey"
	fixSSHKey    = "ssh-keygen -t ed25519 -N '' -f operator_key && cat operator_key | pulumi config set --secret berth:sshPrivateKey"
)

// openSSHHeader begins the only format that every OpenSSH client reads Ed25519 keys in.
const openSSHHeader = "-----BEGIN OPENSSH PRIVATE KEY-----"

// privateKey reads a secret setting that is an Ed25519 private key without a passphrase; fix makes one and sets it.
func (l *loader) privateKey(key, fix string) string {
	// OpenSSH refuses a key with a carriage return in it, which an editor on Windows writes.
	value := strings.ReplaceAll(l.secret(key, fix), "\r\n", "\n")
	if value == "" {
		return ""
	}
	signer, err := ssh.ParsePrivateKey([]byte(value))
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		l.problem("private-key-passphrase", key, "", "it has a passphrase, which cannot be typed during an update; a key without one is required", fix)
	case err != nil || !strings.HasPrefix(strings.TrimSpace(value), openSSHHeader):
		l.problem("private-key-invalid", key, "", "it is no private key in OpenSSH's format", fix)
	case signer.PublicKey().Type() != ssh.KeyAlgoED25519:
		l.problem("private-key-not-ed25519", key, "", "it is of type "+signer.PublicKey().Type()+"; an Ed25519 key is required", fix)
	}
	return value
}
