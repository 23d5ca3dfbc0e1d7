package config

import "regexp"

// maxSnapshots keeps a year of daily snapshots; AWS itself would keep 1000. Source: EBS User Guide, "Considerations for
// Amazon Data Lifecycle Manager".
const maxSnapshots = 365

var snapshotID = regexp.MustCompile(`^snap-([0-9a-f]{8}|[0-9a-f]{17})$`)

// operations reads who is told when something is wrong, and what there is to go back to.
func (l *loader) operations() {
	c := l.config
	if c.AlarmEmail = l.raw("alarmEmail"); c.AlarmEmail != "" && !validEmail(c.AlarmEmail) {
		l.problem("alarmEmail", c.AlarmEmail, "one e-mail address is required, which alarms are sent to; without one there is no monitoring", set("alarmEmail", "you@example.com"))
	}
	c.SnapshotsKept = l.number("snapshotsKept", 7, 0, maxSnapshots, "daily snapshots")
	c.DumpBucket = l.boolean("dumpBucket", false)
	if c.VolumeSnapshot = l.raw("volumeSnapshot"); c.VolumeSnapshot != "" && !snapshotID.MatchString(c.VolumeSnapshot) {
		l.problem("volumeSnapshot", c.VolumeSnapshot, "a snapshot's id is required, snap- and 8 or 17 hexadecimal digits", remove("volumeSnapshot"))
	}
}
