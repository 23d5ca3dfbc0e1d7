package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOperationsAreTaken(t *testing.T) {
	cfg, err := Load(with("alarmEmail", "Ops+web@Example.com", "snapshotsKept", "0", "dumpBucket", "true", "volumeSnapshot", "snap-0123abcd"), allSecret)
	require.NoError(t, err)
	assert.Equal(t, "Ops+web@Example.com", cfg.AlarmEmail)
	assert.Zero(t, cfg.SnapshotsKept)
	assert.True(t, cfg.DumpBucket)
	assert.Equal(t, "snap-0123abcd", cfg.VolumeSnapshot)
	cfg, err = Load(with("snapshotsKept", "365", "volumeSnapshot", "snap-0123456789abcdef0"), allSecret)
	require.NoError(t, err)
	assert.Equal(t, 365, cfg.SnapshotsKept)
}

func TestThePathAskedFromOutsideIsBounded(t *testing.T) {
	routes := `[{"path":"/","service":"web","port":80,"health":"/` + strings.Repeat("x", maxHealthPath) + `"}]`
	_, err := Load(with("routes", routes), allSecret)
	require.NoError(t, err, "without monitoring it is not requested")
	_, err = Load(with("routes", routes, "alarmEmail", "you@example.com"), allSecret)
	require.ErrorContains(t, err, "berth:routes[0].health")
	assert.ErrorContains(t, err, "at most 255 characters")
}
