// Package report keeps a document's figures true: a run that measures one writes it into the row that says what it is.
package report

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Add logs a figure and writes it, with today's date, into the document that BERTH_FIGURES names, as make test-faults
// does: into the row of the section's table, which is made where there is none. A section is a heading of level two.
func Add(t *testing.T, section, row, figure string) {
	t.Helper()
	t.Logf("%s: %s: %s", section, row, figure)
	document := os.Getenv("BERTH_FIGURES")
	if document == "" {
		return
	}
	file, err := os.OpenFile(document, os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	// Tests of several packages write at the same time; closing lets go.
	require.NoError(t, syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(document, []byte(put(string(text), section, row, figure, time.Now())), 0o644))
}

// put returns the document with the row's figure replaced or added.
func put(document, section, row, figure string, at time.Time) string {
	lines := strings.Split(strings.TrimRight(document, "\n"), "\n")
	line := fmt.Sprintf("| %s | %s | %s |", row, figure, at.UTC().Format(time.DateOnly))
	begin := slices.Index(lines, "## "+section)
	if begin < 0 {
		lines = append(lines, "", "## "+section, "", "| What | Figure | Measured |", "|---|---|---|", line)
		return strings.Join(lines, "\n") + "\n"
	}
	end := len(lines)
	for i := begin + 1; i < len(lines) && end == len(lines); i++ {
		if strings.HasPrefix(lines[i], "## ") {
			end = i
		}
	}
	last := -1
	for i := begin; i < end; i++ {
		if strings.HasPrefix(lines[i], "| "+row+" |") {
			lines[i] = line
			return strings.Join(lines, "\n") + "\n"
		}
		if strings.HasPrefix(lines[i], "|") {
			last = i
		}
	}
	if last < 0 {
		for end > begin+1 && lines[end-1] == "" {
			end--
		}
		lines = slices.Insert(lines, end, "", "| What | Figure | Measured |", "|---|---|---|")
		last = end + 2
	}
	return strings.Join(slices.Insert(lines, last+1, line), "\n") + "\n"
}
