package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth/provision/scripts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheFirewallClosesWhatItDoesNotKnow: containers on a bridge reach the site and the world; a network of a kind that the
// packet filter does not know reaches nothing, and nothing reaches it.
func TestTheFirewallClosesWhatItDoesNotKnow(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	rules, err := scripts.Read("edge/firewall.nft")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "firewall.nft")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(rules, "OWN", `"lo", "up0"`)), 0o600))
	output, err := exec.CommandContext(t.Context(), "unshare", "--net", "--mount", "bash", "testdata/firewall.sh", file).CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	assert.Equal(t, `SSH from the world: reached
SSH from bridge: closed
the site from bridge: reached
metadata from bridge: closed
the world from bridge: reached
SSH from veth: closed
the site from veth: closed
metadata from veth: closed
the world from veth: closed
the server's loopback from bridge: closed
bridge from the world: reached
veth from the world: closed
`, string(output))
}
