package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"golang.org/x/crypto/ssh"
)

// keys checks the stack's keys, and that no key file in the folder is readable by others.
func (d *doctor) keys(ctx context.Context) finding {
	if open := openKey(ctx, d.folder); open != nil {
		return *open
	}
	cfg, _, skipped := d.sound(ctx, "deployKey", "repositoryHostKey", "sshPrivateKey", "repository")
	if skipped != nil {
		return *skipped
	}
	said := []string{"the repository needs no deploy key", "the server's key is made for the stack"}
	if cfg.DeployKey != "" {
		print, err := fingerprint(cfg.DeployKey)
		if err != nil {
			return fail("deploy-key-unreadable", "", "berth:deployKey cannot be read: %s", err)
		}
		said[0] = "the deploy key is " + print
	}
	if cfg.SSHPrivateKey != "" {
		print, err := fingerprint(cfg.SSHPrivateKey)
		if err != nil {
			return fail("ssh-key-unreadable", "", "berth:sshPrivateKey cannot be read: %s", err)
		}
		said[1] = "the server's is your own, " + print
	}
	return fine("%s", strings.Join(said, "; "))
}

// fingerprint is that of a private key's public half, as ssh-keygen and git hosts show it.
func fingerprint(private string) (string, error) {
	signer, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(signer.PublicKey()), nil
}

// openKey finds a private key in the folder that others on this machine can read, or that git would take along.
func openKey(ctx context.Context, folder string) *finding {
	entries, err := os.ReadDir(folder)
	if err != nil {
		broken := fail("key-files-not-checked", "", "look for key files: %s", err)
		return &broken
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || !isPrivateKey(filepath.Join(folder, entry.Name())) {
			continue
		}
		name := shellescape.Quote(entry.Name())
		if info.Mode().Perm()&0o077 != 0 {
			found := fail("key-file-readable-by-others", "chmod 600 "+name, "the private key in %s can be read by others on this machine", entry.Name())
			return &found
		}
		if _, err := run(ctx, folder, nil, "git", "check-ignore", "--quiet", entry.Name()); err != nil && inRepository(ctx, folder) {
			found := warn("key-file-not-ignored", fmt.Sprintf("echo %s >>.git/info/exclude", shellescape.Quote("/"+entry.Name())), "the private key in %s is not ignored by git, and would go along with git add", entry.Name())
			return &found
		}
	}
	return nil
}

func inRepository(ctx context.Context, folder string) bool {
	_, err := run(ctx, folder, nil, "git", "rev-parse", "--git-dir")
	return err == nil
}

func isPrivateKey(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(file, head)
	if err != nil && n == 0 {
		return false
	}
	return bytes.HasPrefix(head[:n], []byte("-----BEGIN ")) && bytes.Contains(head[:n], []byte("PRIVATE KEY-----"))
}
