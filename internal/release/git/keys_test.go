package git

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

func TestKnownHosts(t *testing.T) {
	for repository, want := range map[string]string{
		"git@git.example.com:app.git":              "git.example.com ssh-ed25519 AAAA",
		"ssh://git@git.example.com/a.git":          "git.example.com ssh-ed25519 AAAA",
		"ssh://git@git.example.com:22/a.git":       "git.example.com ssh-ed25519 AAAA",
		"ssh://git@git.example.com:2222/a.git":     "[git.example.com]:2222 ssh-ed25519 AAAA",
		"https://git.example.com/a.git":            "",
		"file:///srv/a.git":                        "",
		"/srv/a.git":                               "",
		"https://git.example.com/user@host:repo/a": "",
	} {
		assert.Equal(t, want, KnownHosts(&config.Config{Repository: repository, RepositoryHostKey: "ssh-ed25519 AAAA"}), repository)
	}
}

// TestTheDeployKeyOpensTheRepository puts another ssh into the way, which notes its arguments and forwards to the
// origin.
func TestTheDeployKeyOpensTheRepository(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first", "compose.yaml", "services: {}\n")
	folder := t.TempDir()
	notes, temporary := filepath.Join(folder, "notes"), filepath.Join(folder, "temp with space")
	require.NoError(t, os.Mkdir(temporary, 0o700))
	ssh := fmt.Sprintf(`#!/bin/bash
printf '%%s\n' "$*" >>%[1]q
while [ $# -gt 1 ]; do
  [ "$1" != -i ] || { stat -c %%a "$2"; cat "$2"; cat "$(dirname "$2")/known_hosts"; } >>%[1]q
  shift
done
exec git-upload-pack %[2]q
`, notes, o.folder)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ssh"), []byte(ssh), 0o755))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", temporary)
	t.Setenv("GIT_SSH_COMMAND", "/nowhere/the-operators-own")
	r := open(t, &config.Config{
		Repository: "ssh://git@git.example.com:2222/app.git", Ref: "main",
		DeployKey: "\nkey\nof lines\n\n", RepositoryHostKey: "ssh-ed25519 AAAA",
	})
	resolved, err := r.Resolve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, commit, resolved)
	require.NoError(t, r.Fetch(t.Context(), commit))
	content, err := r.File(t.Context(), commit, "compose.yaml")
	require.NoError(t, err)
	assert.Equal(t, "services: {}\n", string(content))

	noted, err := os.ReadFile(notes)
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(string(noted), "600\nkey\nof lines\n[git.example.com]:2222 ssh-ed25519 AAAA\n"), "asked, fetched, read: %s", noted)
	assert.Contains(t, string(noted), "-F none -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=15 -o StrictHostKeyChecking=yes -i "+temporary)
	arguments, err := os.ReadFile(filepath.Join(r.mirror, "config"))
	require.NoError(t, err)
	assert.NotContains(t, string(arguments), "of lines")
	r.Close()
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	assert.Empty(t, left)
}
