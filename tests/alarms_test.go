package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// quiet reads the health until no alarm is on, and returns how many mails were sent by then: an alarm that an earlier
// fault left on would not be mailed again.
func quiet(r *harness.Rehearsal) int {
	r.T().Helper()
	require.Eventually(r.T(), func() bool {
		r.SSH("sudo systemctl start berth-health.service")
		on := map[string]bool{}
		for _, mail := range r.Mails() {
			state, alarm, _ := strings.Cut(mail, ": ")
			on[alarm] = state == "ALARM"
		}
		return !slices.Contains(slices.Collect(maps.Values(on)), true)
	}, 6*time.Minute, 3*time.Second, "an alarm stays on")
	return len(r.Mails())
}

// mailed reads the health until alarms were mailed with a state, after so many mails. Alarms evaluate
// up to three whole periods.
func mailed(r *harness.Rehearsal, after int, state string, alarms ...string) {
	r.T().Helper()
	require.Eventuallyf(r.T(), func() bool {
		r.SSH("sudo systemctl start berth-health.service")
		mails := r.Mails()[after:]
		return !slices.ContainsFunc(alarms, func(alarm string) bool {
			return !slices.Contains(mails, fmt.Sprintf("%s: %q in eu-central-1 to ops@example.test", state, harness.Domain+" "+alarm))
		})
	}, 6*time.Minute, 3*time.Second, "%s: %v", state, alarms)
}

// sent are those that came from the server, each with its dimensions.
func sent(r *harness.Rehearsal) map[string]map[string]any {
	r.T().Helper()
	var points []struct {
		Namespace, Metric string
		Dimensions        map[string]any
	}
	require.NoError(r.T(), json.Unmarshal([]byte(r.File("cloudwatch/metrics.json")), &points))
	metrics := map[string]map[string]any{}
	for _, point := range points {
		metrics[point.Namespace+" "+point.Metric] = point.Dimensions
	}
	return metrics
}

// alarmsOn turns alarms on where they are not.
func alarmsOn(r *harness.Rehearsal) {
	r.T().Helper()
	if kept, err := os.ReadFile(filepath.Join(r.Dir, "settings.json")); err != nil || !strings.Contains(string(kept), "alarmEmail") {
		require.Contains(r.T(), r.Run("up", "--set", "alarmEmail=ops@example.test"), "dashboard")
	}
}

func alarmsHaveMetrics(t *testing.T, s scene) {
	r := s.r
	alarmsOn(r)
	r.SSH("sudo systemctl start berth-dump.service berth-health.service")
	metrics, alarms := sent(r), 0
	for _, alarm := range r.Account().All("aws:cloudwatch/metricAlarm:MetricAlarm") {
		if alarm.Output("namespace") == "Berth" {
			alarms++
			assert.Equal(t, alarm.Outputs["dimensions"], metrics["Berth "+alarm.Output("metricName")], alarm.ID)
		}
	}
	assert.Equal(t, 7, alarms)
}

func stoppedContainerMailed(t *testing.T, s scene) {
	r := s.r
	alarmsOn(r)
	before := quiet(r)
	r.SSH("sudo find /data/dumps -type f -exec touch --date '27 hours ago' {} +")
	r.SSH("sudo docker stop $(sudo docker ps --quiet --filter label=com.docker.compose.service=web)")
	mailed(r, before, "ALARM", "containers", "health", "backup")
	r.SSH("sudo /opt/berth/deploy.sh && sudo systemctl start berth-dump.service")
	mailed(r, before, "OK", "containers", "health", "backup")
}

// fillDisk leaves 50 MiB, with 300 MiB of it in build cache that nothing needs.
const fillDisk = `sudo bash -euc '
mkdir -p /root/cache && cd /root/cache
printf "FROM debian:13-slim\nRUN head -c 300M /dev/urandom >/big\n" >Dockerfile
docker build --quiet --tag filler . && docker image rm filler
fallocate -l $(($(df --output=avail --block-size=1 /data | tail -n 1) - 52428800)) /data/fill' >/dev/null`

func healthCheck(t *testing.T, s scene) {
	r := s.r
	r.SSH("sudo systemctl start berth-dump.service")
	verdicts := r.Health()
	for _, check := range []string{"release", "containers", "database", "site", "certificate", "backup", "disk", "clock", "reboot", "units"} {
		assert.Equal(t, "ok", verdicts[check], check)
	}
	// What the machine around the host is busy with is its own affair.
	for _, check := range []string{"root", "memory", "swap", "load"} {
		assert.NotEmpty(t, verdicts[check], check)
	}
	output, _ := r.TrySSH("sudo /opt/berth/health-check.sh", "")
	assert.Regexp(t, `(?m)^ok +database +db answers a query$`, output)
	assert.NotContains(t, output, "\x1b")
	r.SSH("sudo docker stop $(sudo docker ps --quiet --filter label=com.docker.compose.service=db)")
	verdicts = r.Health()
	assert.Equal(t, "critical", verdicts["containers"])
	assert.Equal(t, "critical", verdicts["database"])
	_, err := r.TrySSH("sudo /opt/berth/health-check.sh", "")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 2, exit.ExitCode())
	// Releasing again heals.
	r.SSH("sudo /opt/berth/deploy.sh")
	verdicts = r.Health()
	assert.Equal(t, "ok", verdicts["containers"])
	assert.Equal(t, "ok", verdicts["database"])
	assert.Contains(t, r.SSH("systemctl list-timers --all --no-legend"), "berth-health.timer")
}

func fullDisk(t *testing.T, s scene) {
	r, site := s.r, s.site
	alarmsOn(r)
	r.SSH("sudo systemctl start berth-health.service")
	assert.NotContains(t, r.Mails(), "ALARM: \"app.example.test disk\" in eu-central-1 to ops@example.test")
	r.SSH(fillDisk)
	r.SSH("sudo systemctl start berth-health.service")
	assert.Contains(t, r.Mails(), "ALARM: \"app.example.test disk\" in eu-central-1 to ops@example.test")
	output, err := r.TrySSH("sudo /opt/berth/health-check.sh", "")
	require.Error(t, err)
	assert.Regexp(t, `(?m)^critical +disk +/data is \d+ % full; see what takes it`, output)
	site.Write("written with the disk full")
	assert.Contains(t, site.Notes(), "written with the disk full")
	assert.Contains(t, r.SSH("sudo /opt/berth/log-monitor.sh sizes"), "dumps of the databases")
	before := r.SSH("df --output=avail --block-size=1M /data | tail -n 1")
	assert.Regexp(t, `freed \d{3,} MiB`, r.SSH("sudo /opt/berth/log-monitor.sh clean"))
	t.Logf("free: %s MiB, then %s MiB", before, r.SSH("df --output=avail --block-size=1M /data | tail -n 1"))
	assert.Contains(t, site.Notes(), kept)
	r.SSH("sudo rm /data/fill")
	// The alarm evaluates a period: what is pushed in the next one ends it.
	assert.Eventually(t, func() bool {
		r.SSH("sudo systemctl start berth-health.service")
		return slices.Contains(r.Mails(), "OK: \"app.example.test disk\" in eu-central-1 to ops@example.test")
	}, 3*time.Minute, 5*time.Second)
	view := r.SSH("sudo /opt/berth/log-monitor.sh view web --since 1h --grep 'get / '")
	for line := range strings.Lines(view) {
		assert.Regexp(t, `^web \| \S+ .*GET / `, line)
	}
	assert.NotEmpty(t, view)
	assert.Contains(t, r.SSH("sudo /opt/berth/log-monitor.sh view --since 1h"), "db | ")
	assert.Contains(t, r.SSH("sudo /opt/berth/log-monitor.sh rotate"), "new log files")
}
