package attackers

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

// intercept redirects new connections from the operator to the impostor, which then answers at the server's address.
const intercept = `set -eu
rm -f /run/visits
systemd-run --quiet --collect --unit impostor /usr/local/bin/probe impostor :2222 /run/visits
timeout 10 sh -c 'until [ -e /run/visits ]; do sleep 0.1; done'
nft 'table inet impostor { chain before { type nat hook prerouting priority dstnat - 10; iifname "eth*" tcp dport 22 redirect to :2222; }; }'
`

const letGo = `nft delete table inet impostor; systemctl stop impostor`

// visitors is what the impostor wrote down.
func (s *Scene) visitors(t *testing.T) (visits struct{ Connected, LoggedIn int }) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(docker(t, "exec", s.host, "cat", "/run/visits")), &visits))
	return visits
}

// Impostor puts another SSH server in the server's place and has the operator connect in every way there is.
func (s *Scene) Impostor(t *testing.T) {
	r := s.rehearsal.In(t)
	r.SSH("true") // Leaves the key and the server's where the next one finds them.
	docker(t, "cp", s.probe, s.host+":/usr/local/bin/probe")
	docker(t, "exec", s.host, "sh", "-c", intercept)
	end := sync.OnceFunc(func() { docker(t, "exec", s.host, "sh", "-c", letGo) })
	defer end()

	// Whoever takes any key is let in, so the others are refused because of theirs.
	careless := exec.CommandContext(t.Context(), "ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
		"-i", filepath.Join(r.Dir, "ssh_key"), "admin@"+s.address, "true")
	_ = careless.Run() // The impostor has no shell.
	require.Equal(t, 1, s.visitors(t).LoggedIn)

	tried := 0
	for step, setting := range map[string]string{"release": "environment.LEVEL=debug", "operations": "alarmEmail=ops@example.test", "edge": "aliases[1]=also.app.example.test"} {
		before := s.visitors(t).Connected
		output, err := r.Try("up", "--set", setting)
		require.Errorf(t, err, "%s ran", step)
		assert.Containsf(t, output, s.address+" shows the SSH host key SHA256:", step)
		assert.Containsf(t, output, "nothing was sent", step)
		assert.Containsf(t, output, "docs/runbook/server-gone.md", step)
		connections := s.visitors(t).Connected - before
		require.NotZero(t, connections)
		tried += connections
	}
	for range 3 {
		output, err := r.TrySSH("sudo cat /etc/berth/app.env", "")
		require.Error(t, err)
		assert.Contains(t, output, "Host key verification failed")
		tried++
	}
	visits := s.visitors(t)
	assert.Equal(t, 1, visits.LoggedIn, "only the careless one sent anything")
	assert.Equal(t, tried+1, visits.Connected)
	report.Add(t, section, "Connections to a server with another SSH host key, refused before anything was sent", fmt.Sprintf("%d of %d", tried+1-visits.LoggedIn, tried))
	end()
	assert.ElementsMatch(t, []string{"release", "operations", "edge", "certificate"}, steps(r.Run("up")), "what was refused is made up for")
}

// steps are the resources of an up that are steps on the server.
func steps(output string) []string {
	var found []string
	for _, name := range harness.Changed(output) {
		switch name {
		case "release", "operations", "edge", "certificate":
			found = append(found, name)
		}
	}
	return found
}

// GitImpostor gives the git host another key. The operator's machine refuses it, and so does the server.
func (s *Scene) GitImpostor(t *testing.T) {
	r := s.rehearsal.In(t)
	git := r.Name + "-git"
	swap := func(command string) {
		docker(t, "exec", git, "sh", "-c", command+" && kill -HUP 1")
	}
	swap("cp -p /etc/ssh/ssh_host_ed25519_key /root/kept && rm /etc/ssh/ssh_host_ed25519_key && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key")
	defer swap("cp -p /root/kept /etc/ssh/ssh_host_ed25519_key")

	output, err := r.Try("up", "--set", "environment.LEVEL=info")
	require.Error(t, err)
	assert.Contains(t, output, "does not show the SSH host key of berth:repositoryHostKey (SHA256:")
	assert.Contains(t, output, "pulumi config set berth:repositoryHostKey")

	before := r.SSH("sudo readlink /data/releases/current")
	output, err = r.TrySSH("sudo mv /data/app.git /data/app.git.kept; sudo /opt/berth/deploy.sh; code=$?; sudo rm -rf /data/app.git; sudo mv /data/app.git.kept /data/app.git; exit $code", "")
	require.Error(t, err)
	assert.Contains(t, output, "does not show the SSH host key of berth:repositoryHostKey")
	assert.Contains(t, output, "nothing was sent")
	assert.Equal(t, before, r.SSH("sudo readlink /data/releases/current"), "the site is as it was")
	report.Add(t, section, "A git host with another key, asked by the operator's machine and by the server", "refused by both")
}
