package compose

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile values mean something to a shell, to Compose or to a terminal.
var hostile = []string{
	`$(touch pwned)`, "`touch pwned`", `'; touch pwned; '`, `"; touch pwned; "`, `$HOME`, `${X:-y}`, `a # b`, `back\slash`,
	`ends with \`, `'quoted'`, `\'`, `"`, ` spaced `, "tab\there", `ü☃`, `!history`, `%s`, `$$`, "\x1b[31m", "",
}

func TestEnvironmentIsReadAsItIs(t *testing.T) {
	assert.Equal(t, "A=\"it's\"\nB='$(touch pwned)'\n", Environment(map[string]string{"B": hostile[0], "A": "it's"}))
	assert.Empty(t, Environment(nil))
	for _, value := range hostile {
		read, err := dotenv.UnmarshalWithLookup(Environment(map[string]string{"A": value, "B": "b"}), nil)
		require.NoError(t, err, value)
		assert.Equal(t, map[string]string{"A": value, "B": "b"}, read)
	}
}

func TestWriteEnvironmentFollowsNoLink(t *testing.T) {
	folder := t.TempDir()
	target, path := filepath.Join(folder, "target"), filepath.Join(folder, ".env.production")
	require.NoError(t, os.WriteFile(target, []byte("mine"), 0o600))
	require.NoError(t, os.Symlink(target, path))
	require.NoError(t, writeEnvironment(path, map[string]string{"A": "1"}))
	content, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(content))
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
}
