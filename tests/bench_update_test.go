package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// emptyProgram declares nothing, or, where $RESOURCES is set, so many resources of the cheapest kind: components, which have
// no provider and depend on nothing.
const emptyProgram = `package main

import (
	"os"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	count, _ := strconv.Atoi(os.Getenv("RESOURCES"))
	pulumi.Run(func(ctx *pulumi.Context) error {
		for i := range count {
			var one pulumi.ResourceState
			if err := ctx.RegisterComponentResource("bench:index:Nothing", strconv.Itoa(i), &one); err != nil {
				return err
			}
		}
		return nil
	})
}
`

// timeUpdates runs pulumi up in Berth's folder, in the empty project's and in that of as many components, in turn, and prints
// the seconds of each.
const timeUpdates = `set -euo pipefail
pulumi up --yes --skip-preview >"$BENCH/said"
count=$(sed -nE 's/^ *([0-9]+) unchanged.*/\1/p' "$BENCH/said")
declare -A folder=([berth]=$PWD [sha]=$PWD [empty]=$BENCH/empty [components]=$BENCH/components)
declare -A resources=([berth]=0 [sha]=0 [empty]=0 [components]=$((count - 1))) # The stack is one, too.
declare -A ref=([berth]=main [sha]=$(pulumi stack output commit))
for project in empty components; do
  mkdir -p "${folder[$project]}/bin" && cp "$PROGRAM" "${folder[$project]}/bin/berth"
  cd "${folder[$project]}"
  printf 'name: %s\nruntime: go\n' "$project" >Pulumi.yaml
  pulumi stack init --secrets-provider passphrase rehearsal >/dev/null
  RESOURCES=${resources[$project]} pulumi up --yes --skip-preview >/dev/null
done
once() {
  local began
  cd "${folder[$1]}"
  [ -z "${ref[$1]:-}" ] || pulumi config set berth:ref "${ref[$1]}"
  began=$EPOCHREALTIME
  RESOURCES=${resources[$1]} pulumi up --yes --skip-preview >"$BENCH/said"
  echo "took $1 $(awk "BEGIN { print $EPOCHREALTIME - $began }")"
  echo "$1: $(grep -F unchanged "$BENCH/said")"
}
for _ in $(seq "$ROUNDS"); do
  for project in berth sha empty components; do once "$project"; done
done
rm -rf "$BENCH"`

// TestBenchUpdate prints how long an update takes that changes nothing, beside one of a program that declares nothing, and
// beside one that declares as many resources and nothing else, with the same Pulumi command. Run it with make bench.
func TestBenchUpdate(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("BERTH_BENCH"))
	if err != nil {
		t.Skip("a benchmark, not a test; run it with: make bench")
	}
	r := harness.New(t, "berth-bench")
	r.Run("up")
	bench := filepath.Join(r.Dir, "bench")
	require.NoError(t, os.MkdirAll(bench, 0o700))
	output, err := r.Try("shell", "--", "env", "ROUNDS="+strconv.Itoa(5*rounds), "BENCH="+bench, "PROGRAM="+buildEmpty(t, r.Project),
		"bash", "-c", timeUpdates)
	require.NoError(t, err, output)
	took := map[string][]float64{}
	for line := range strings.Lines(output) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "took" {
			continue
		}
		seconds, err := strconv.ParseFloat(words[2], 64)
		require.NoError(t, err)
		took[words[1]] = append(took[words[1]], seconds)
	}
	unchanged := regexp.MustCompile(`(?m)^(?:berth|sha|components): +(\d+) unchanged$`).FindAllStringSubmatch(output, -1)
	require.Len(t, unchanged, 3*5*rounds)
	for _, count := range unchanged {
		assert.Equal(t, unchanged[0][1], count[1], "as many resources, none of them changed")
	}
	fmt.Printf("\npulumi up with nothing to change, %d times each in turn; medians.\n\n| program | seconds | times as many components | goal |\n|---|---|---|---|\n", 5*rounds)
	for _, program := range []struct{ name, row, goal string }{
		{"empty", "a program that declares nothing", ""}, {"components", "as many components, and nothing else", ""},
		{"berth", "Berth's, of a branch", "2.0"}, {"sha", "Berth's, of a commit's full SHA", "1.6"},
	} {
		require.Len(t, took[program.name], 5*rounds)
		var ratios []float64
		for i, seconds := range took[program.name] {
			ratios = append(ratios, seconds/took["components"][i])
		}
		fmt.Printf("| %s | %.2f | %.2f | %s |\n", program.row, middle(took[program.name]), middle(ratios), program.goal)
	}
}

func middle(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// buildEmpty builds emptyProgram, with the versions that Berth's is built with.
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
