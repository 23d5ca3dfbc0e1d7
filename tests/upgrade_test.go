package tests

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
)

// TestAnUpgrade: a stack and its kept release that the newest tagged version made are updated and rolled back by this checkout. The server,
// the volume and the data stay, and no visitor notices. BERTH_FROM names another tag or commit.
func TestAnUpgrade(t *testing.T) {
	harness.Long(t)
	r := harness.New(t, "berth-upgrade")
	from := os.Getenv("BERTH_FROM")
	if from == "" {
		tag, err := exec.CommandContext(t.Context(), "git", "-C", r.Project, "describe", "--tags", "--abbrev=0", "--match", "v*.*.*").Output()
		if err != nil {
			t.Skip("no version has been tagged yet")
		}
		from = strings.TrimSpace(string(tag))
	}
	before := tagged(t, r, from)
	settings := r.LoadApp()
	before.App = r.App
	r.Commit(map[string]string{"VERSION": "v1"})
	before.Run(append([]string{"up"}, settings...)...)
	r.Commit(map[string]string{"VERSION": "v2"})
	before.Run("up")
	ask := func(path string, more ...string) string {
		return r.SSH("curl --silent --show-error --fail --insecure --resolve " + harness.Domain + ":443:127.0.0.1 " + strings.Join(more, " ") + " https://" + harness.Domain + path)
	}
	for range 3 {
		ask("/count", "--request", "POST")
	}
	count := ask("/count")
	account := r.Account()
	const instance, volume, address = "aws:ec2/instance:Instance", "aws:ebs/volume:Volume", "aws:ec2/eip:Eip"
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.File("root.pem"))))
	run := load.Start(t.Context(), load.Target{Domain: harness.Domain, Address: account.Only(address).Output("publicIp"), Roots: roots}, load.Plan{Rate: 50, Request: "/work?ms=20", WebSockets: 2, SocketPath: "/ws"})
	r.Run("up")
	assert.Equal(t, "v2", ask("/"))
	rollback := r.SSH("sudo /opt/berth/deploy.sh rollback")
	report := run.Stop()
	assert.Zero(t, report.Failed, "requests that failed: %v", report.Reasons)
	assert.Zero(t, report.Sockets.Cut)
	assert.Contains(t, rollback, "released ")
	assert.Equal(t, "v1", ask("/"))
	assert.Equal(t, count, ask("/count"))
	now := r.Account()
	for _, kind := range []string{instance, volume, address} {
		assert.Equal(t, account.Only(kind).ID, now.Only(kind).ID, kind)
	}
	r.Commit(map[string]string{"VERSION": "v3"})
	r.Run("up")
	assert.Equal(t, "v3", ask("/"))
	assert.Equal(t, count, ask("/count"))
	for check, verdict := range r.Health() {
		assert.NotEqual(t, "critical", verdict, check)
	}
}

// tagged is the rehearsal with the program, the scripts and the stand-ins of a tag or commit.
func tagged(t *testing.T, r *harness.Rehearsal, from string) *harness.Rehearsal {
	t.Helper()
	before := r.In(t)
	// Pulumi's SDK wants its command in a folder bin.
	before.Project, before.Bin = filepath.Join(t.TempDir(), "berth"), filepath.Join(t.TempDir(), "bin")
	for _, command := range [][]string{
		{"git", "clone", "--quiet", r.Project, before.Project},
		{"git", "-C", before.Project, "checkout", "--quiet", "--detach", from},
		{"make", "--no-print-directory", "-C", before.Project, "programs", "BIN=" + before.Bin},
	} {
		output, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
		require.NoErrorf(t, err, "%s:\n%s", strings.Join(command, " "), output)
	}
	require.NoError(t, os.Symlink(filepath.Join(r.Bin, "pulumi"), filepath.Join(before.Bin, "pulumi")))
	return before
}
