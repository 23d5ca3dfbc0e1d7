package git

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"golang.org/x/crypto/ssh"

	"berth/internal/config"
)

// writeKeys puts the deploy key and the git host's key into a new folder that is closed to others, and returns it; ""
// where there is no deploy key.
func writeKeys(cfg *config.Config) (string, error) {
	if cfg.DeployKey == "" {
		return "", nil
	}
	folder, err := os.MkdirTemp("", "berth-key-")
	if err != nil {
		return "", err
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(folder, "key"), []byte(strings.TrimSpace(cfg.DeployKey)+"\n"), 0o600),
		os.WriteFile(filepath.Join(folder, "known_hosts"), []byte(KnownHosts(cfg)+"\n"), 0o600))
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, nil
}

// sshCommand is how git reaches the repository with the keys of a folder: with nothing of the operator's own.
func sshCommand(folder string) string {
	return fmt.Sprintf(
		"ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=15 -o StrictHostKeyChecking=yes -i %s -o UserKnownHostsFile=%s",
		shellescape.Quote(filepath.Join(folder, "key")), shellescape.Quote(filepath.Join(folder, "known_hosts")))
}

// KnownHosts is the git host's line for OpenSSH, "" where the repository is not reached over SSH.
func KnownHosts(cfg *config.Config) string {
	host, port, ok := sshHost(cfg.Repository)
	if !ok {
		return ""
	}
	if port != "" && port != "22" {
		host = "[" + host + "]:" + port
	}
	return host + " " + cfg.RepositoryHostKey
}

// pinnedKey is the fingerprint of the git host's key, as ssh shows it.
func pinnedKey(cfg *config.Config) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(cfg.RepositoryHostKey))
	if err != nil {
		return cfg.RepositoryHostKey
	}
	return ssh.FingerprintSHA256(key)
}

// sshHost takes the host and port out of a repository that is reached over SSH, in either of git's two spellings.
func sshHost(repository string) (host, port string, ok bool) {
	if location, err := url.Parse(repository); err == nil && location.Scheme != "" {
		return location.Hostname(), location.Port(), location.Scheme == "ssh"
	}
	_, rest, found := strings.Cut(repository, "@")
	host, _, colon := strings.Cut(rest, ":")
	return host, "", found && colon
}
