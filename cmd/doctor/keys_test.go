package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeys(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, finding{Reason: "the repository needs no deploy key; the server's key is made for the stack"}, b.look((*doctor).keys))
	key := newKey(t)
	print, err := fingerprint(key)
	require.NoError(t, err)
	b.set("repository", "git@github.com:you/app.git", "!deployKey", key, "!sshPrivateKey", key)
	assert.Equal(t, finding{Reason: "the deploy key is " + print + "; the server's is your own, " + print}, b.look((*doctor).keys))
	b.set("!deployKey", "nonsense")
	assert.Contains(t, b.look((*doctor).keys).Reason, "skipped, because berth:deployKey is wrong")
}

func TestKeyFilesThatLieOpen(t *testing.T) {
	b := newBench(t)
	b.write("deploy_key", newKey(t))
	assert.Equal(t, ok, b.look((*doctor).keys).Verdict, "it is the operator's alone, and in no repository")
	require.NoError(t, os.Chmod(filepath.Join(b.folder, "deploy_key"), 0o644))
	assert.Equal(t, finding{ID: "key-file-readable-by-others", Verdict: fails, Reason: "the private key in deploy_key can be read by others on this machine", Fix: "chmod 600 deploy_key"}, b.look((*doctor).keys))
	require.NoError(t, os.Chmod(filepath.Join(b.folder, "deploy_key"), 0o600))

	_, err := run(t.Context(), b.folder, nil, "git", "init", "--quiet")
	require.NoError(t, err)
	found := b.look((*doctor).keys)
	assert.Equal(t, warning, found.Verdict)
	assert.Contains(t, found.Reason, "is not ignored by git")
	_, err = run(t.Context(), b.folder, nil, "sh", "-c", found.Fix)
	require.NoError(t, err)
	assert.Equal(t, ok, b.look((*doctor).keys).Verdict)

	b.write("deploy_key.pub", "ssh-ed25519 AAAA")
	b.write("empty", "")
	assert.Equal(t, ok, b.look((*doctor).keys).Verdict)
}
