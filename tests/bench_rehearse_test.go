package tests

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// TestBenchRehearse prints how long the first commands take where everything is built: make rehearse from nothing, make rehearse without a
// change, and a whole preview. Run it with make bench.
func TestBenchRehearse(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("BERTH_BENCH"))
	if err != nil {
		t.Skip("a benchmark, not a test; run it with: make bench")
	}
	run := func(target string) float64 {
		t.Helper()
		args := append([]string{"--no-print-directory", "NAME=bench-first"}, strings.Fields(target)...)
		command := exec.CommandContext(t.Context(), "make", args...) //nolint:gosec // A target of the Makefile's.
		command.Dir = harness.Project(t)
		began := time.Now()
		output, err := command.CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
		return time.Since(began).Seconds()
	}
	defer run("rehearse-clean")
	// What is built once is no part of it.
	run("rehearse-clean")
	run("rehearse")
	rows := []struct {
		row, goal, target string
		took              []float64
	}{
		{"make rehearse, from nothing to a site over HTTPS", "45", "rehearse", nil},
		{"make rehearse, without a change", "2", "rehearse", nil},
		{"make rehearse-preview", "15", "rehearse-preview", nil},
		{"make rehearse BARE=yes, from nothing, with the installation of packages", "none", "rehearse BARE=yes", nil},
	}
	for range rounds {
		for i, row := range rows {
			if i == 0 || i == len(rows)-1 {
				run("rehearse-clean")
			}
			rows[i].took = append(rows[i].took, run(row.target))
		}
	}
	fmt.Printf("\nThe first commands, where everything is built; medians of %d rounds.\n\n| command | seconds | goal |\n|---|---|---|\n", rounds)
	for _, row := range rows {
		fmt.Printf("| %s | %.1f | %s |\n", row.row, middle(row.took), row.goal)
	}
}
