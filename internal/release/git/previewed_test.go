package git

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

func TestTheUpdateReleasesWhatItsPreviewShowed(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	at := func(ref string) *Repository {
		repo, err := Open(&config.Config{Repository: "https://git.example.com/you/app.git", Ref: ref})
		require.NoError(t, err)
		t.Cleanup(repo.Close)
		return repo
	}
	commit := strings.Repeat("a1", 20)
	assert.Empty(t, at("main").Shown(), "nothing was shown yet")
	require.NoError(t, at("main").Show(commit))
	assert.Equal(t, commit, at("main").Shown(), "the same command")
	assert.Empty(t, at("next").Shown(), "another ref")

	// Another command's preview, and files that no preview wrote.
	for _, text := range []string{`{"command":"1 since Thu Jan  1 00:00:00 1970","commit":"` + commit + `"}`, `{"commit":"` + commit + `"}`, `{`, ``} {
		require.NoError(t, os.WriteFile(at("main").shownFile(), []byte(text), 0o600))
		assert.Empty(t, at("main").Shown(), text)
	}
	require.NoError(t, at("main").Show("--upload-pack=x"))
	assert.Empty(t, at("main").Shown(), "no commit at all")
}

func TestTheCommandIsPulumis(t *testing.T) {
	const listing = `
    1     0 Tue Nov 24 08:00:00 2026 systemd
  100     1 Tue Nov 24 09:00:00 2026 bash
  200   100 Tue Nov 24 10:00:00 2026 /usr/local/bin/pulumi
  210   200 Tue Nov 24 10:00:01 2026 pulumi-language-go
  211   210 Tue Nov 24 10:00:02 2026 berth
  300   100 Tue Nov 24 11:00:00 2026 rehearsal
  no    line
  310   310 Tue Nov 24 11:00:00 2026 a circle
`
	all := parseProcesses(listing)
	assert.Equal(t, "200 since Tue Nov 24 10:00:00 2026", commandOf(211, all))
	assert.Equal(t, "300 since Tue Nov 24 11:00:00 2026", commandOf(300, all), "an inline program")
	assert.Equal(t, "310 since Tue Nov 24 11:00:00 2026", commandOf(310, all))
	assert.Empty(t, commandOf(999, all))
	assert.Contains(t, thisCommand(), " since ")
}
