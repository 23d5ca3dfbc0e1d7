package git

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckout(t *testing.T) {
	o := newOrigin(t)
	o.link("../compose.yaml", "inside")
	require.NoError(t, os.Mkdir(filepath.Join(o.folder, "deploy"), 0o755))
	o.link("../compose.yaml", "deploy/inside")
	o.link(".env.production", "later")
	o.link("/etc/passwd", "absolute")
	o.link("../../../../../../../../etc", "folder-out")
	o.link("folder-out/passwd", "through")
	o.commit("first", ".gitattributes", "secret export-ignore\n*.crlf text eol=crlf\n", "compose.yaml", "services: {}\n",
		"secret", "exported all the same\n", "deploy/run.sh", "#!/bin/sh\n", "lines.crlf", "a\n")
	o.git("update-index", "--chmod=+x", "deploy/run.sh")
	o.git("commit", "--quiet", "--message", "executable")
	commit := o.git("rev-parse", "HEAD")
	r := o.open("main")
	require.NoError(t, r.Fetch(t.Context(), commit))
	into := filepath.Join(t.TempDir(), "tree")
	require.NoError(t, r.Checkout(t.Context(), commit, into))
	for path, want := range map[string]string{
		"compose.yaml": "services: {}\n", "secret": "exported all the same\n", "deploy/inside": "services: {}\n", "lines.crlf": "a\r\n",
	} {
		got, err := os.ReadFile(filepath.Join(into, path))
		require.NoError(t, err, path)
		assert.Equal(t, want, string(got), path)
	}
	info, err := os.Stat(filepath.Join(into, "deploy/run.sh"))
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o100)
	info, err = os.Stat(into)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	_, err = os.Lstat(filepath.Join(into, "later"))
	assert.NoError(t, err)
	for _, path := range []string{"inside", "absolute", "folder-out", "through"} {
		_, err := os.Stat(filepath.Join(into, path))
		assert.ErrorIs(t, err, fs.ErrNotExist, path)
	}

	links, err := r.Links(t.Context(), commit)
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"inside", "deploy/inside", "later", "absolute", "folder-out", "through"}, links)

	o.vanish()
	require.NoError(t, r.Checkout(t.Context(), commit, into+"2"), "the files were fetched once")
	assert.ErrorIs(t, r.Checkout(t.Context(), commit, into), fs.ErrExist)
	assert.FileExists(t, filepath.Join(into, "compose.yaml"), "a folder that stood there stays")
	assert.ErrorIs(t, r.Checkout(t.Context(), strings.Repeat("a", 40), into+"3"), ErrUnknownCommit)
	assert.NoDirExists(t, into+"3")
}

func TestCheckoutWithoutTheHost(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first", "a.txt", "a\n")
	r := o.open("main")
	require.NoError(t, r.Fetch(t.Context(), commit))
	o.vanish()
	into := filepath.Join(t.TempDir(), "tree")
	assert.ErrorContains(t, r.Checkout(t.Context(), commit, into), "fetch its files from "+o.url())
	assert.NoDirExists(t, into)
}
