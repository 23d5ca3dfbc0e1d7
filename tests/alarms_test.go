package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// quiet looks at the health until no alarm is on, and tells how many mails were sent by then: an alarm that an earlier
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

// mailed looks at the health until alarms were mailed with a state, after so many mails. Alarms look at
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

// testAlarms brings about what a server can bring about of what the alarms are for. Alarms are on.
func testAlarms(t *testing.T, r *harness.Rehearsal) {
	t.Run("every alarm on the server looks at a metric that the server sends", func(t *testing.T) {
		r := r.In(t)
		r.SSH("sudo systemctl start berth-dump.service berth-health.service")
		metrics, alarms := sent(r), 0
		for _, alarm := range r.Account().All("aws:cloudwatch/metricAlarm:MetricAlarm") {
			if alarm.Output("namespace") == "Berth" {
				alarms++
				assert.Equal(t, alarm.Outputs["dimensions"], metrics["Berth "+alarm.Output("metricName")], alarm.ID)
			}
		}
		assert.Equal(t, 7, alarms)
	})
	t.Run("a stopped container and a night without a dump are mailed, and that they are over", func(t *testing.T) {
		r := r.In(t)
		before := quiet(r)
		r.SSH("sudo find /data/dumps -type f -exec touch --date '27 hours ago' {} +")
		r.SSH("sudo docker stop $(sudo docker ps --quiet --filter label=com.docker.compose.service=web)")
		mailed(r, before, "ALARM", "containers", "health", "backup")
		r.SSH("sudo /opt/berth/deploy.sh && sudo systemctl start berth-dump.service")
		mailed(r, before, "OK", "containers", "health", "backup")
	})
}

// testResident looks at what stays in memory: timers, and no process of Berth's.
func testResident(t *testing.T, r *harness.Rehearsal) {
	t.Run("nothing of Berth's stays in memory beside Docker and nginx", func(t *testing.T) {
		r := r.In(t)
		// What Debian's cloud image runs, and the two that the site is made of.
		own := `^(containerd|docker|nginx|ssh|dbus|systemd-.*|polkit|getty@.*|serial-getty@.*|user@.*|cron|chrony)\.service$`
		// A run of a timer's unit may be under way, and is over soon.
		assert.Eventually(t, func() bool {
			return r.SSH("systemctl list-units --type=service --state=running,activating --no-legend --plain | cut -d ' ' -f 1 | grep -vE '"+own+"' || true") == ""
		}, 30*time.Second, 500*time.Millisecond, "%s", r.SSH("systemctl list-units --type=service --state=running,activating --no-legend --plain"))
		assert.Eventually(t, func() bool {
			return r.SSH("ps -eo args | grep -E '[/]opt/berth|[u]nattended|[c]ertbot' || true") == ""
		}, 30*time.Second, 500*time.Millisecond)
		for _, timer := range []string{"berth-health", "berth-dump", "berth-certificate"} {
			assert.Equal(t, "active", r.SSH("systemctl is-active "+timer+".timer"))
		}
	})
}
