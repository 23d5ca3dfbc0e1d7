package harness

import (
	"os/exec"
	"strings"

	"github.com/stretchr/testify/require"
)

// Orders is how many certificates the authority was ever asked for.
func (r *Rehearsal) Orders() int {
	r.T().Helper()
	log, err := exec.CommandContext(r.T().Context(), "docker", "logs", r.Name+"-acme").CombinedOutput()
	require.NoError(r.T(), err)
	return strings.Count(string(log), "Added order ")
}

// Renew runs the timer's unit, which has to succeed or has to fail, and returns its output.
func (r *Rehearsal) Renew(succeeds bool) string {
	r.T().Helper()
	// systemd starts a unit five times in ten seconds and then no more, which only a test does.
	output, err := r.TrySSH(`since=$(date +%s); sudo systemctl reset-failed berth-certificate.service
sudo systemctl start berth-certificate.service; code=$?
sudo journalctl --no-pager --output cat --unit berth-certificate.service --since @$since; exit $code`, "")
	require.Equalf(r.T(), succeeds, err == nil, "%s", output)
	return output
}
