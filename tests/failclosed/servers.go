package failclosed

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// webServers are those of the group, by their addresses.
var webServers = map[string]string{"10.20.0.21": "i-0a1b2c3d4e5f60718", "10.20.1.22": "i-0b1b2c3d4e5f60718"}

// apart says which web servers were taken out, though all of them answer, and which serve another release than the first server.
func (w world) apart(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, asked := range w.lines("world/aws") {
		// The health check's metrics are about no server's membership.
		if strings.HasPrefix(asked, "Action=PutMetricData&") {
			continue
		}
		if !strings.Contains(asked, "CompleteLifecycleAction") || strings.Contains(asked, "ABANDON") {
			found = append(found, "taken out: "+asked)
		}
	}
	files, err := filepath.Glob(w.of("world/web/*"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		serves, _, _ := strings.Cut(string(text), " ")
		joined := false
		for _, asked := range w.lines("world/aws") {
			joined = joined || strings.Contains(asked, webServers[filepath.Base(file)])
		}
		if now := serving(t, w); serves != now && (serves != "-" || joined) {
			found = append(found, filepath.Base(file)+" serves "+serves+", and the first server "+now)
		}
	}
	return found
}

func serving(t *testing.T, w world) string {
	t.Helper()
	name, err := os.Readlink(w.of("data/releases/current"))
	require.NoError(t, err)
	return name
}
