package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWebServersReachWhatIsForThem and nothing else of the first server: neither its SSH, which operators reach, nor the containers that
// are in other networks, whatever Docker itself lets through.
func TestWebServersReachWhatIsForThem(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	r := several(t)
	said, err := r.inServers(`host_rules 10.0.0.0/16 "ip6 saddr 2001:db8:1::/56 jump from_network" '["10.0.9.0/24","10.0.9.9/32","2001:db8::/32"]' >"$DIR/rules"
iptables() { case $* in *" -C "*) return 1 ;; *) echo "$*" >>"$DIR/iptables" ;; esac; }
reach_rules 10.0.0.0/16`)
	require.NoError(t, err, said)
	output, err := exec.CommandContext(t.Context(), "unshare", "--net", "--mount", "bash", "testdata/servers_firewall.sh", filepath.Join(r.dir, "rules"), filepath.Join(r.dir, "iptables")).CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	assert.Equal(t, `port 22 from a web server: closed
port 22 from an operator: reached
port 80 from a web server: reached
port 80 from an operator: reached
port 5001 from a web server: closed
port 5001 from an operator: closed
what is for web servers: reached
another network's container: closed
its published port: reached
the network from another network's container: reached
the network through what is for web servers: closed
`, string(output))
}
