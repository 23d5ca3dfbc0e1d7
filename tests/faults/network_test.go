package faults

import (
	"os/exec"

	"github.com/stretchr/testify/require"

	"berth/tests/rehearsed"
)

// networkOf takes a service of the rehearsal's off its internet, or puts it back at its address.
func networkOf(r *rehearsed.Rehearsal, service, address string, there bool) {
	args := []string{"network", "disconnect", r.Name + "-internet", r.Name + "-" + service}
	if there {
		args = []string{"network", "connect", "--ip", address, r.Name + "-internet", r.Name + "-" + service}
	}
	onThisMachine(r, "docker", args...)
}

// unreachable keeps the server from what an expression of nftables matches, outside of its own firewall, until reachable
// ends it: it hears no answer, as from a host that is down.
func unreachable(r *rehearsed.Rehearsal, match string) {
	inNetworkOf(r, "nft", "table inet cut { chain out { type filter hook output priority 0; "+match+" drop; }; chain through { type filter hook forward priority 0; "+match+" drop; }; }")
}

func reachable(r *rehearsed.Rehearsal) { inNetworkOf(r, "nft", "delete table inet cut") }

// inNetworkOf runs a command in the network of the server, which outlives it.
func inNetworkOf(r *rehearsed.Rehearsal, command ...string) {
	instance := r.Account().Only("aws:ec2/instance:Instance").ID
	onThisMachine(r, "docker", append([]string{"exec", r.Name + "-eni-" + instance}, command...)...)
}

func onThisMachine(r *rehearsed.Rehearsal, name string, args ...string) string {
	r.T().Helper()
	output, err := exec.CommandContext(r.T().Context(), name, args...).CombinedOutput()
	require.NoErrorf(r.T(), err, "%s %v: %s", name, args, output)
	return string(output)
}
