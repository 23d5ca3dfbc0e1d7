package tests

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mailed looks at the health until alarms were mailed with a state, after so many mails. Alarms look at whole minutes, up
// to three of them.
func mailed(r *rehearsal, after int, state string, alarms ...string) {
	r.t.Helper()
	require.Eventuallyf(r.t, func() bool {
		r.ssh("sudo systemctl start berth-health.service")
		mails := r.mails()[after:]
		return !slices.ContainsFunc(alarms, func(alarm string) bool {
			return !slices.Contains(mails, fmt.Sprintf("%s: %q in eu-central-1 to ops@example.test", state, domain+" "+alarm))
		})
	}, 6*time.Minute, 5*time.Second, "%s: %v", state, alarms)
}

// metrics are those that came from the server, each with its dimensions.
func (r *rehearsal) metrics() map[string]map[string]any {
	r.t.Helper()
	var points []struct {
		Namespace, Metric string
		Dimensions        map[string]any
	}
	require.NoError(r.t, json.Unmarshal([]byte(r.file("cloudwatch/metrics.json")), &points))
	metrics := map[string]map[string]any{}
	for _, point := range points {
		metrics[point.Namespace+" "+point.Metric] = point.Dimensions
	}
	return metrics
}

// testAlarms brings about what a server can bring about of what the alarms are for. Alarms are on.
func testAlarms(t *testing.T, r *rehearsal) {
	t.Run("every alarm on the server looks at a metric that the server sends", func(t *testing.T) {
		r := r.in(t)
		r.ssh("sudo systemctl start berth-dump.service berth-health.service")
		metrics, alarms := r.metrics(), 0
		for _, alarm := range r.account().all("aws:cloudwatch/metricAlarm:MetricAlarm") {
			if alarm.output("namespace") == "Berth" {
				alarms++
				assert.Equal(t, alarm.Outputs["dimensions"], metrics["Berth "+alarm.output("metricName")], alarm.ID)
			}
		}
		assert.Equal(t, 7, alarms)
	})
	t.Run("a stopped container and a night without a dump are mailed, and that they are over", func(t *testing.T) {
		r := r.in(t)
		before := len(r.mails())
		r.ssh("sudo find /data/dumps -type f -exec touch --date '27 hours ago' {} +")
		r.ssh("sudo docker stop $(sudo docker ps --quiet --filter label=com.docker.compose.service=web)")
		mailed(r, before, "ALARM", "containers", "health", "backup")
		r.ssh("sudo /opt/berth/deploy.sh && sudo systemctl start berth-dump.service")
		mailed(r, before, "OK", "containers", "health", "backup")
	})
}

// testResident looks at what stays in memory: timers, and no process of Berth's.
func testResident(t *testing.T, r *rehearsal) {
	t.Run("nothing of Berth's stays in memory beside Docker and nginx", func(t *testing.T) {
		r := r.in(t)
		// What Debian's cloud image runs, and the two that the site is made of.
		own := `^(containerd|docker|nginx|ssh|dbus|systemd-.*|polkit|getty@.*|serial-getty@.*|user@.*|cron|chrony)\.service$`
		// A run of a timer's unit may be under way, and is over soon.
		assert.Eventually(t, func() bool {
			return r.ssh("systemctl list-units --type=service --state=running,activating --no-legend --plain | cut -d ' ' -f 1 | grep -vE '"+own+"' || true") == ""
		}, 30*time.Second, 500*time.Millisecond, "%s", r.ssh("systemctl list-units --type=service --state=running,activating --no-legend --plain"))
		assert.Eventually(t, func() bool {
			return r.ssh("ps -eo args | grep -E '[/]opt/berth|[u]nattended|[c]ertbot' || true") == ""
		}, 30*time.Second, 500*time.Millisecond)
		for _, timer := range []string{"berth-health", "berth-dump", "berth-certificate"} {
			assert.Equal(t, "active", r.ssh("systemctl is-active "+timer+".timer"))
		}
	})
}
