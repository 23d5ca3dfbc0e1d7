package git

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

func TestPickResolvesAsGitDoes(t *testing.T) {
	sha := func(digit string) string { return strings.Repeat(digit, 40) }
	listing := sha("a") + "\trefs/heads/main\n" + sha("b") + "\trefs/tags/v1\n" + sha("c") + "\trefs/tags/v1^{}\n" +
		sha("d") + "\trefs/tags/light\n" + sha("e") + "\trefs/heads/v2\n" + sha("f") + "\trefs/tags/v2\nwarning: noise\n"
	for ref, want := range map[string]string{
		"main": sha("a"), "v1": sha("c"), "light": sha("d"), "v2": sha("e"), "refs/tags/v2": sha("f"), "aaaaaaa": sha("a"),
	} {
		got, err := pick(listing, ref)
		require.NoError(t, err, ref)
		assert.Equal(t, want, got, ref)
	}
	for _, ref := range []string{"mai", "aaaaaa", "absent", "heads"} {
		_, err := pick(listing, ref)
		assert.ErrorContains(t, err, "pulumi config set berth:ref main", ref)
	}
}

func TestResolveAsksTheRepository(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first")
	o.git("tag", "--annotate", "--message", "one", "v1")
	o.commit("second")
	for ref, want := range map[string]string{"main": o.git("rev-parse", "HEAD"), "v1": commit} {
		got, err := o.open(ref).Resolve(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// TestKnownIsWhatWasFetchedLast, and asks nobody.
func TestKnownIsWhatWasFetchedLast(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first")
	o.git("tag", "--annotate", "--message", "one", "v1")
	r := o.open("main")
	assert.Empty(t, r.Known(t.Context()), "nothing was fetched yet")
	require.NoError(t, r.Fetch(t.Context(), commit))
	for ref, want := range map[string]string{"main": commit, "v1": commit, "mai": "", "absent": "", commit: ""} {
		assert.Equal(t, want, o.open(ref).Known(t.Context()), ref)
	}
	o.commit("second")
	assert.Equal(t, commit, r.Known(t.Context()))
}

func TestResolveTakesAFullSHAAsItIs(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	full := strings.Repeat("a", 40)
	commit, err := open(t, &config.Config{Repository: "/nowhere", Ref: full}).Resolve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, full, commit)
}

func TestResolveSaysWhatToTry(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	absent := filepath.Join(t.TempDir(), "absent; touch pwned")
	_, err := open(t, &config.Config{Repository: absent, Ref: "main"}).Resolve(t.Context())
	assert.ErrorContains(t, err, "try it by hand: git ls-remote '"+absent+"'")
	assert.NotContains(t, err.Error(), "\n")
}

func TestHostileNamesAreNothingButNames(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first", "a.txt", "a\n")
	t.Chdir(t.TempDir())
	for _, name := range hostile {
		_, err := o.open(name).Resolve(t.Context())
		assert.ErrorContains(t, err, "there is no branch or tag", name)
		r := o.open("main")
		require.NoError(t, r.Fetch(t.Context(), commit))
		assert.ErrorContains(t, r.Fetch(t.Context(), name), "full SHA", name)
		_, err = r.File(t.Context(), name, "a.txt")
		assert.ErrorContains(t, err, "full SHA", name)
		_, err = r.File(t.Context(), commit, name)
		assert.Error(t, err, name)
		_, ok, _ := r.Tree(t.Context(), commit, name)
		assert.False(t, ok, name)
		_, err = r.Log(t.Context(), commit, name, 3)
		assert.ErrorContains(t, err, "full SHA", name)
		assert.ErrorContains(t, r.Checkout(t.Context(), name, "into"), "full SHA", name)
	}
	for _, repository := range []string{"--upload-pack=touch pwned", "ext::sh -c touch% pwned", "-x", "$(touch pwned)"} {
		r := open(t, &config.Config{Repository: repository, Ref: "main"})
		_, err := r.Resolve(t.Context())
		assert.Error(t, err, repository)
		assert.Error(t, r.Fetch(t.Context(), commit), repository)
	}
	left, err := filepath.Glob("*")
	require.NoError(t, err)
	assert.Empty(t, left)
}

// hostile names mean something to git, to a shell or to a file system.
var hostile = []string{
	"--upload-pack=touch pwned", "--output=pwned", "-z", "$(touch pwned)", "; touch pwned", "HEAD^{/first}", "main:a.txt", ":/first",
	"../../../etc/passwd", "/etc/passwd", "a.txt/../a.txt", "./a.txt", ":(glob)*", "*", "a.txt\npwned", "a.txt\x00", ".git/config", "a.txt/", "@{-1}",
}
