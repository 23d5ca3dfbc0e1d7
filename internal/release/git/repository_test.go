package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// origin is a repository on a git host.
type origin struct {
	t      *testing.T
	folder string
}

// newOrigin makes a repository that gives parts of itself, as the big git hosts do, with a cache of its own.
func newOrigin(t *testing.T) *origin {
	t.Setenv("BERTH_CACHE", t.TempDir())
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	o := &origin{t: t, folder: filepath.Join(t.TempDir(), "origin")}
	require.NoError(t, os.Mkdir(o.folder, 0o755))
	o.git("init", "--quiet", "--initial-branch=main")
	o.git("config", "uploadpack.allowFilter", "true")
	return o
}

func (o *origin) url() string { return "file://" + o.folder }

func (o *origin) git(args ...string) string {
	o.t.Helper()
	command := exec.CommandContext(o.t.Context(), "git", append([]string{"-C", o.folder, "-c", "user.name=T", "-c", "user.email=t@example.test"}, args...)...)
	output, err := command.CombinedOutput()
	require.NoErrorf(o.t, err, "git %v: %s", args, output)
	return strings.TrimSpace(string(output))
}

// commit writes files, of names and contents in turn, and returns the commit.
func (o *origin) commit(subject string, files ...string) string {
	o.t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(o.folder, files[i])
		require.NoError(o.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(o.t, os.WriteFile(path, []byte(files[i+1]), 0o644))
	}
	o.git("add", "--all")
	o.git("commit", "--quiet", "--allow-empty", "--message", subject)
	return o.git("rev-parse", "HEAD")
}

func (o *origin) link(target, name string) {
	o.t.Helper()
	require.NoError(o.t, os.Symlink(target, filepath.Join(o.folder, name)))
}

// vanish takes the origin away: what works from then on works without it.
func (o *origin) vanish() {
	o.t.Helper()
	require.NoError(o.t, os.RemoveAll(o.folder))
}

func (o *origin) open(ref string) *Repository {
	o.t.Helper()
	return open(o.t, &config.Config{Repository: o.url(), Ref: ref})
}

func open(t *testing.T, cfg *config.Config) *Repository {
	t.Helper()
	r, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func TestOpenKeepsOnePrivateCopyPerRepository(t *testing.T) {
	o := newOrigin(t)
	first, second := o.open("main"), o.open("other")
	assert.Equal(t, first.mirror, second.mirror)
	assert.NotEqual(t, first.mirror, open(t, &config.Config{Repository: o.url() + "/"}).mirror)
	assert.Equal(t, filepath.Join(os.Getenv("BERTH_CACHE"), "repositories"), filepath.Dir(first.mirror))
	assert.Regexp(t, "^[0-9a-f]{16}$", filepath.Base(first.mirror))
	for _, folder := range []string{first.mirror, filepath.Dir(first.mirror)} {
		info, err := os.Stat(folder)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	}
	entries, err := os.ReadDir(filepath.Dir(first.mirror))
	require.NoError(t, err)
	assert.Len(t, entries, 2, "nothing is left beside the copies")
}

func TestOpenStandsInTheUsersCache(t *testing.T) {
	t.Setenv("BERTH_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	r := open(t, &config.Config{Repository: "https://git.example.com/app.git"})
	folder, err := os.UserCacheDir()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(folder, "berth", "repositories"), filepath.Dir(r.mirror))
}

func TestOpenSaysThatGitIsMissing(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := Open(&config.Config{Repository: "https://git.example.com/app.git"})
	assert.ErrorContains(t, err, "install it")
}

// TestTheOperatorsGitIsLeftAlone: a hook runs with variables that name its own repository, and a configuration may
// hold hooks and filters.
func TestTheOperatorsGitIsLeftAlone(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first", ".gitattributes", "* filter=shout\n", "a.txt", "quiet\n")
	mine := filepath.Join(t.TempDir(), "config")
	pwned := filepath.Join(t.TempDir(), "pwned")
	hooks := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(hooks, "reference-transaction"), []byte("#!/bin/sh\ntouch "+pwned+"\n"), 0o755))
	require.NoError(t, os.WriteFile(mine, []byte("[filter \"shout\"]\n\tsmudge = tr a-z A-Z\n\trequired = true\n[core]\n\thooksPath = "+hooks+"\n"), 0o600))
	t.Setenv("GIT_CONFIG_GLOBAL", mine)
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "elsewhere"))
	t.Setenv("GIT_INDEX_FILE", "/nowhere/index")
	r := o.open("main")
	require.NoError(t, r.Fetch(t.Context(), commit))
	into := filepath.Join(t.TempDir(), "tree")
	require.NoError(t, r.Checkout(t.Context(), commit, into))
	content, err := os.ReadFile(filepath.Join(into, "a.txt"))
	require.NoError(t, err)
	assert.Equal(t, "quiet\n", string(content))
	assert.NoFileExists(t, pwned)
	assert.NoDirExists(t, os.Getenv("GIT_DIR"))
}
