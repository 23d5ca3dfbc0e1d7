package faults

import (
	"os/exec"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// networkOf takes a service of the rehearsal's off its internet, or puts it back at its address.
func networkOf(r *harness.Rehearsal, service string, host byte, there bool) {
	args := []string{"network", "disconnect", r.Name + "-internet", r.Name + "-" + service}
	if there {
		args = []string{"network", "connect", "--ip", r.Address(host), r.Name + "-internet", r.Name + "-" + service}
	}
	onThisMachine(r, "docker", args...)
}

// unreachable has a rule of nftables for what leaves the server, outside of its own firewall, until reachable ends it:
// "ip daddr 192.0.2.1 drop" for a host that is down.
func unreachable(r *harness.Rehearsal, rule string) {
	inNetworkOf(r, "nft", "table inet cut { chain out { type filter hook output priority 0; "+rule+"; }; chain through { type filter hook forward priority 0; "+rule+"; }; }")
}

func reachable(r *harness.Rehearsal) { inNetworkOf(r, "nft", "delete table inet cut") }

// inNetworkOf runs a command in the network of the server, which outlives it.
func inNetworkOf(r *harness.Rehearsal, command ...string) {
	instance := r.Account().Only("aws:ec2/instance:Instance").ID
	onThisMachine(r, "docker", append([]string{"exec", r.Name + "-eni-" + instance}, command...)...)
}

func onThisMachine(r *harness.Rehearsal, name string, args ...string) string {
	r.T().Helper()
	output, err := exec.CommandContext(r.T().Context(), name, args...).CombinedOutput()
	require.NoErrorf(r.T(), err, "%s %v: %s", name, args, output)
	return string(output)
}
