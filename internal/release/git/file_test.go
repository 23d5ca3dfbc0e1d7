package git

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFile(t *testing.T) {
	o := newOrigin(t)
	o.link("deploy", "linked")
	o.link("deploy/compose.yaml", "compose.yaml")
	o.link("/etc/passwd", "absolute")
	o.link("../../etc/passwd", "out")
	o.link("loop", "loop")
	o.link("nowhere", "dangling")
	commit := o.commit("first", "deploy/compose.yaml", "services: {}\n", "empty", "", "bytes", "\x00\xff\n",
		"ü 'quoted' $(x).yaml", "odd\n", "large", strings.Repeat("x", maxFile), "larger", strings.Repeat("x", maxFile+1))
	r := o.open("main")
	require.NoError(t, r.Fetch(t.Context(), commit))
	readFiles(t, r, commit)
	// After a checkout, what it has read tells.
	require.NoError(t, r.Checkout(t.Context(), commit, filepath.Join(t.TempDir(), "tree")))
	_, ok := r.plainFile(commit, "deploy/compose.yaml")
	assert.True(t, ok)
	readFiles(t, r, commit)
	o.vanish()
	_, err := r.File(t.Context(), commit, "compose.yaml")
	assert.NoError(t, err, "what was read once is kept")
}

func readFiles(t *testing.T, r *Repository, commit string) {
	t.Helper()
	for path, want := range map[string]string{
		"deploy/compose.yaml": "services: {}\n", "compose.yaml": "services: {}\n", "linked/compose.yaml": "services: {}\n",
		"empty": "", "bytes": "\x00\xff\n", "ü 'quoted' $(x).yaml": "odd\n", "large": strings.Repeat("x", maxFile),
	} {
		got, err := r.File(t.Context(), commit, path)
		require.NoError(t, err, path)
		assert.Equal(t, want, string(got), path)
	}
	for path, want := range map[string]string{
		"larger": "at most 1048576", "deploy": "a folder", "linked": "a folder", "absolute": "points outside the repository",
		"out": "points outside the repository", "loop": "points back", "": "not a path", ".": "not a path",
	} {
		_, err := r.File(t.Context(), commit, path)
		assert.ErrorContains(t, err, want, path)
		assert.NotErrorIs(t, err, fs.ErrNotExist, path)
	}
	for _, path := range []string{"absent", "absent/compose.yaml", "empty/below", "dangling"} {
		_, err := r.File(t.Context(), commit, path)
		assert.ErrorIs(t, err, fs.ErrNotExist, path)
	}
	_, err := r.File(t.Context(), strings.Repeat("a", 40), "compose.yaml")
	assert.ErrorIs(t, err, ErrUnknownCommit)
}

func TestTree(t *testing.T) {
	o := newOrigin(t)
	o.link("api", "linked")
	first := o.commit("first", "api/main.go", "a\n", "web/[a]*.html", "b\n")
	second := o.commit("second", "api/main.go", "changed\n")
	r := o.open("main")
	require.NoError(t, r.Fetch(t.Context(), first, second))
	want := map[string]string{}
	for _, path := range []string{"", "api", "web/[a]*.html"} {
		want[path] = o.git("rev-parse", first+":"+path)
	}
	o.vanish()
	for path, hash := range want {
		got, ok, err := r.Tree(t.Context(), first, path)
		require.NoError(t, err, path)
		assert.True(t, ok, path)
		assert.Equal(t, hash, got, path)
	}
	for path, same := range map[string]bool{"": false, "api": false, "web": true, "linked": true} {
		before, _, err := r.Tree(t.Context(), first, path)
		require.NoError(t, err)
		after, _, err := r.Tree(t.Context(), second, path)
		require.NoError(t, err)
		assert.Equal(t, same, before == after, path)
	}
	for _, path := range []string{"absent", "web/*", "linked/main.go", "web/a.html"} {
		hash, ok, err := r.Tree(t.Context(), first, path)
		require.NoError(t, err, path)
		assert.False(t, ok, path)
		assert.Empty(t, hash, path)
	}
	_, _, err := r.Tree(t.Context(), first, "../x")
	assert.ErrorContains(t, err, "not a path inside the repository")
	_, _, err = r.Tree(t.Context(), strings.Repeat("a", 40), "")
	assert.ErrorIs(t, err, ErrUnknownCommit)
}
