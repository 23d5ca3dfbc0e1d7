package provision

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPutLeavesOneFile writes a file where a process that was killed left its half, and another one is at work.
func TestPutLeavesOneFile(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "berth.conf")
	gone := exec.CommandContext(t.Context(), "true")
	require.NoError(t, gone.Run())
	killed, working := fmt.Sprintf("%s.new-%d", file, gone.Process.Pid), fmt.Sprintf("%s.new-%d", file, os.Getpid())
	for _, name := range []string{file, killed, working} {
		require.NoError(t, os.WriteFile(name, []byte("before\n"), 0o600))
	}
	put := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", "source scripts/lib.sh; umask 077; put "+file+" 0644 <<<after")
	output, err := put.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "after\n", string(text))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode())
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 2, "the file, and what the other one is writing")
	assert.FileExists(t, working)
}

// TestShowReachesOperatorAndLog has what did not come up shown: once to whoever looks, and once in the log.
func TestShowReachesOperatorAndLog(t *testing.T) {
	folder := t.TempDir()
	operator, log := filepath.Join(folder, "operator"), filepath.Join(folder, "log")
	const script = `source scripts/lib.sh; show web <<<"no database"; [ -n "$SHOWN" ]`
	want := "bash: --- the last lines of web\nno database\nbash: ---\n"
	for redirected, files := range map[string][]string{" 3>" + operator + " >" + log: {operator, log}, " >" + log: {log}} {
		show := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", "bash -euo pipefail -c '"+script+"'"+redirected)
		output, err := show.CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, want, string(text), redirected)
		}
	}
}
