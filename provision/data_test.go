package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDependents has what resolved a name once follow the service that has it, and databases left alone.
func TestDependents(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "abc"), 0o755))
	for name, text := range map[string]string{
		"data.json": `{"services":{"proxy":{"depends_on":{"web":{}}},"cdn":{"depends_on":{"proxy":{}}},"web":{"depends_on":{"db":{}}},"db":{},"odd":{"depends_on":{"web":{}}},"other":{}}}`,
		"plan.json": `{"stores":["db","odd"]}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "abc", name), []byte(text), 0o600))
	}
	for changed, want := range map[string]string{
		"":                           "",
		"web changes":                "cdn proxy",
		"web starts":                 "",
		"web changes\nproxy starts":  "cdn",
		"db changes":                 "cdn proxy web",
		"other changes":              "",
		"cdn changes\nproxy changes": "",
		"db changes\nweb changes":    "cdn proxy",
	} {
		command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `source scripts/lib.sh; source scripts/release/data.sh; dependents abc "$1"`, "bash", changed)
		command.Env = append(os.Environ(), "RELEASES="+folder)
		output, err := command.CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
		assert.Equal(t, want, strings.Join(strings.Fields(string(output)), " "), changed)
	}
}
