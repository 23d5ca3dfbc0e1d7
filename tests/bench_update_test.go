package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/rehearsed"
)

const emptyProgram = `package main

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

func main() { pulumi.Run(func(*pulumi.Context) error { return nil }) }
`

// timeUpdates runs pulumi up in Berth's folder and in the empty project's, in turn, and prints the seconds of each.
const timeUpdates = `set -euo pipefail
mkdir -p "$EMPTY/bin" && cp "$PROGRAM" "$EMPTY/bin/berth"
printf 'name: empty\nruntime: go\n' >"$EMPTY/Pulumi.yaml"
(cd "$EMPTY" && pulumi stack init --secrets-provider passphrase rehearsal && pulumi up --yes) >/dev/null
once() {
  local began=$EPOCHREALTIME
  (cd "$1" && pulumi up --yes --skip-preview) >"$EMPTY/said"
  echo "took ${1##*/} $(awk "BEGIN { print $EPOCHREALTIME - $began }")"
}
once "$PWD"; once "$EMPTY"
for _ in $(seq "$ROUNDS"); do once "$PWD"; grep -F unchanged "$EMPTY/said"; once "$EMPTY"; done
rm -rf "$EMPTY"`

// TestBenchUpdate prints how long an update takes that changes nothing, beside one of a program that declares nothing, with
// the same Pulumi command. Run it with make bench.
func TestBenchUpdate(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("BERTH_BENCH"))
	if err != nil {
		t.Skip("a benchmark, not a test; run it with: make bench")
	}
	r := rehearsed.New(t, "berth-bench")
	r.Run("up")
	output, err := r.Try("shell", "--", "env", "ROUNDS="+strconv.Itoa(5*rounds), "EMPTY="+filepath.Join(r.Dir, "empty"), "PROGRAM="+buildEmpty(t, r.Project),
		"bash", "-c", timeUpdates)
	require.NoError(t, err, output)
	took := map[string][]float64{}
	var ratios []float64
	for line := range strings.Lines(output) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "took" {
			continue
		}
		seconds, err := strconv.ParseFloat(words[2], 64)
		require.NoError(t, err)
		took[words[1]] = append(took[words[1]], seconds)
	}
	require.Len(t, took["operator"], 5*rounds+1)
	assert.NotContains(t, output, "created")
	// The first of each warms up.
	berth, empty := took["operator"][1:], took["empty"][1:]
	for i := range berth {
		ratios = append(ratios, berth[i]/empty[i])
	}
	fmt.Printf("\npulumi up with nothing to change, %d times each in turn; medians.\n\n| program | seconds | times the empty one |\n|---|---|---|\n| empty | %.2f | 1.0 |\n| Berth's | %.2f | %.2f |\n",
		len(berth), middle(empty), middle(berth), middle(ratios))
}

func middle(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// buildEmpty builds a program that declares nothing, with the versions that Berth's is built with.
func buildEmpty(t *testing.T, project string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(project, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "main.go"), []byte(emptyProgram), 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "program", ".")
	build.Dir = folder
	output, err := build.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	return filepath.Join(folder, "program")
}
