package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// timeRelease prints the seconds from pulumi up to the sentence that the release is served, for the ref $REF, and the commit that this is.
const timeRelease = `set -euo pipefail
pulumi config set berth:ref "$REF"
began=$EPOCHREALTIME
pulumi up --yes --skip-preview | while IFS= read -r line; do
  case $line in *" is served by "*) echo "served $(awk "BEGIN { print $EPOCHREALTIME - $began }")" ;; esac
done
echo "commit $(pulumi stack output commit)"`

// TestBenchRelease prints how long a release takes from pulumi up to served, without the time in which the app itself starts: of a commit
// that changes no image, and of the one before, which is kept. Run it with make bench.
func TestBenchRelease(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("BERTH_BENCH"))
	if err != nil {
		t.Skip("a benchmark, not a test; run it with: make bench")
	}
	r := harness.New(t, "berth-bench")
	sample := r.App
	r.App = filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(r.App, os.DirFS(sample)))
	r.Run("up")
	started := regexp.MustCompile(`start ([0-9.]+)`)
	release := func(ref string) (took float64, commit string) {
		t.Helper()
		output, err := r.Try("shell", "--", "env", "REF="+ref, "bash", "-c", timeRelease)
		require.NoError(t, err, output)
		for line := range strings.Lines(output) {
			switch words := strings.Fields(line); {
			case len(words) == 2 && words[0] == "served" && took == 0:
				took, err = strconv.ParseFloat(words[1], 64)
				require.NoError(t, err)
			case len(words) == 2 && words[0] == "commit":
				commit = words[1]
			}
		}
		require.NotZero(t, took, output)
		start := started.FindStringSubmatch(r.SSH("sudo grep -a '^seconds of each step: ' /var/log/berth/release.log | tail -n 1"))
		require.NotNil(t, start)
		waited, err := strconv.ParseFloat(start[1], 64)
		require.NoError(t, err)
		return took - waited, commit
	}
	before, err := r.Try("shell", "--", "pulumi", "stack", "output", "commit")
	require.NoError(t, err, before)
	before = strings.TrimSpace(before)
	var forward, back []float64
	for round := range rounds {
		r.Commit(map[string]string{"README.md": fmt.Sprintf("round %d\n", round)})
		took, commit := release("main")
		require.NotEqual(t, before, commit)
		forward = append(forward, took)
		took, commit = release(before)
		require.Equal(t, before, commit)
		back = append(back, took)
	}
	fmt.Printf("\nFrom pulumi up to served, without the start of the app's containers; medians of %d rounds.\n\n| what | seconds | goal |\n|---|---|---|\n"+
		"| a release whose images are unchanged | %.1f | 2 |\n| back to a release that is kept | %.1f | 1 |\n", rounds, middle(forward), middle(back))
}
