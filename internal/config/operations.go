package config

import (
	"fmt"
	"regexp"
)

// maxSnapshots keeps a year of daily snapshots; AWS itself would keep 1000. Source: EBS User Guide, "Considerations for
// Amazon Data Lifecycle Manager".
const maxSnapshots = 365

// maxDrill is the most days between two restore drills: what is rarer proves little. Source: a choice.
const maxDrill = 90

// maxHealthPath is how long a path may be that Route 53 asks for. Source: Route 53 API Reference, "HealthCheckConfig".
const maxHealthPath = 255

var snapshotID = regexp.MustCompile(`^snap-([0-9a-f]{8}|[0-9a-f]{17})$`)

// operations reads who is told when something is wrong, and what there is to go back to.
func (l *loader) operations() {
	c := l.config
	if c.AlarmEmail = l.raw("alarmEmail"); c.AlarmEmail != "" && !validEmail(c.AlarmEmail) {
		l.problem("alarm-email-invalid", "alarmEmail", c.AlarmEmail, "one e-mail address is required, which alarms are sent to; without one there is no monitoring", set("alarmEmail", "you@example.com"))
	}
	if c.AlarmEmail != "" && len(c.Routes) > 0 && len(c.Routes[0].Health) > maxHealthPath {
		l.problem("health-path-too-long", "routes[0].health", c.Routes[0].Health, fmt.Sprintf("the first route's health path is what Route 53 asks for, at most %d characters", maxHealthPath), set("routes[0].health", "/healthz"))
	}
	c.SnapshotsKept = l.number("snapshotsKept", 7, 0, maxSnapshots, "daily snapshots")
	c.DumpBucket = l.boolean("dumpBucket", false)
	c.RestoreDrill = l.number("restoreDrill", 7, 0, maxDrill, "days")
	if c.VolumeSnapshot = l.raw("volumeSnapshot"); c.VolumeSnapshot != "" && !snapshotID.MatchString(c.VolumeSnapshot) {
		l.problem("volume-snapshot-invalid", "volumeSnapshot", c.VolumeSnapshot, "a snapshot's id is required, snap- and 8 or 17 hexadecimal digits", remove("volumeSnapshot"))
	}
}
