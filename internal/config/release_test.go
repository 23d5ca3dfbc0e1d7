package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRepositoriesThatAreReached(t *testing.T) {
	const own = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf"
	key := newKey(t)
	for _, test := range []struct{ repository, set, hostKey string }{
		{"https://github.com/you/app", "", ""},
		{"https://git.example.com:8443/you/app.git", own, ""},
		{"git@github.com:you/app.git", "", knownHosts["github.com"]},
		{"ssh://git@gitlab.com/you/app.git", "", knownHosts["gitlab.com"]},
		{"ssh://git@GitHub.com/you/app.git", "", knownHosts["github.com"]},
		{"git@github.com:you/app.git", own + " a comment", own},
		{"ssh://git@git.example.com:2222/~you/app.git", own, own},
	} {
		cfg, err := Load(with("repository", test.repository, "repositoryHostKey", test.set, "deployKey", key), allSecret)
		require.NoError(t, err, test.repository)
		assert.Equal(t, test.repository, cfg.Repository)
		assert.Equal(t, test.hostKey, cfg.RepositoryHostKey, test.repository)
	}
	for _, bad := range []string{"AAAA", own + "\n" + own, "ssh-rsa AAAA", "@cert-authority * " + own} {
		_, err := Load(with("repository", "git@git.example.com:a.git", "repositoryHostKey", bad, "deployKey", key), allSecret)
		assert.ErrorContains(t, err, "berth:repositoryHostKey", bad)
	}
}

func TestRefsThatAreReleased(t *testing.T) {
	for _, ref := range []string{"main", "feature/x-1", "v1.2.3", "release@2026", "0123abc", "0123456789abcdef0123456789abcdef01234567", "refs/tags/v1"} {
		cfg, err := Load(with("ref", ref), allSecret)
		require.NoError(t, err, ref)
		assert.Equal(t, ref, cfg.Ref)
	}
	for _, ref := range []string{"-x", "a..b", "a//b", "a/.b", "a.lock", "a.lock/b", "a/", "a.", "a@{0}", "a~1", "a^", "a:b", "a?", "a*", "a[", `a\b`, "a\x7f", "/a", "@"} {
		_, err := Load(with("ref", ref), allSecret)
		assert.ErrorContains(t, err, "berth:ref", ref)
	}
}
