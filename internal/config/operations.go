package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
)

// maxSnapshots keeps a year of daily snapshots; AWS itself would keep 1000. Source: EBS User Guide, "Considerations for
// Amazon Data Lifecycle Manager".
const maxSnapshots = 365

// maxDrill is the most days between two restore drills: what is rarer proves little. Source: a choice.
const maxDrill = 90

// maxHealthPath is how long a path may be that Route 53 asks for. Source: Route 53 API Reference, "HealthCheckConfig".
const maxHealthPath = 255

var snapshotID = regexp.MustCompile(`^snap-([0-9a-f]{8}|[0-9a-f]{17})$`)

// alarmEmail reads the address for alarms. With one, Route 53 requests the first route's health path.
func (l *loader) alarmEmail() {
	c := l.config
	if c.AlarmEmail = l.raw("alarmEmail"); c.AlarmEmail != "" && !validEmail(c.AlarmEmail) {
		l.problem("alarm-email-invalid", "alarmEmail", c.AlarmEmail, "one e-mail address is required, which alarms are sent to; without one there is no monitoring", set("alarmEmail", "you@example.com"))
	}
	if first := c.First(); c.AlarmEmail != "" && first != nil {
		at := fmt.Sprintf("routes[%d].health", slices.IndexFunc(l.declared, func(route Route) bool { return route.Host == first.Host && route.Path == first.Path }))
		if len(first.Health) > maxHealthPath {
			l.problem("health-path-too-long", at, first.Health, fmt.Sprintf("the domain's first route's health path is what Route 53 asks for, at most %d characters", maxHealthPath), set(at, "/healthz"))
		}
		l.alarmsAsk(at, cmp.Or(first.Health, "/"))
	}
}

func (l *loader) volumeSnapshot() {
	l.config.VolumeSnapshot = l.resourceID("volume-snapshot-invalid", "volumeSnapshot", snapshotID, "a snapshot's id is required, snap- and 8 or 17 hexadecimal digits")
}
