package infra

import (
	"testing"
	"time"

	"berth/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDataVolume(t *testing.T) {
	var size int
	c := declare(t, nil, func(env *Environment) { read(t, env.Storage.Size, &size) })
	volume := c.only(t, "ebs/volume:Volume")
	assert.Equal(t, "data", volume.Name)
	assert.Equal(t, "gp3", text(volume, "type"))
	assert.Equal(t, 20.0, input(volume, "size").NumberValue())
	assert.Equal(t, 20, size)
	assert.True(t, input(volume, "encrypted").BoolValue())
	assert.True(t, input(volume, "finalSnapshot").BoolValue())
	assert.Equal(t, "eu-central-1a", text(volume, "availabilityZone"))
}

// TestTheFinalSnapshotHasTime: the provider would give up after ten minutes, snapshot included.
func TestTheFinalSnapshotHasTime(t *testing.T) {
	limit, err := time.ParseDuration(declare(t, nil, nil).only(t, "ebs/volume:Volume").RegisterRPC.GetCustomTimeouts().GetDelete())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, limit, 6*time.Hour)
}

func TestDataVolumeGrowsOnASetting(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.VolumeSize = 100 }, nil)
	assert.Equal(t, 100.0, input(c.only(t, "ebs/volume:Volume"), "size").NumberValue())
}

func TestDataVolumeBearsTheStacksMark(t *testing.T) {
	volume := declare(t, nil, nil).only(t, "ebs/volume:Volume")
	assert.Equal(t, map[string]any{"Name": "app.example.com", "berth:data-of": "organization/berth/production"},
		input(volume, "tags").Mappable())
}

func TestRestoreTakesAnotherVolumeAndWithItAnotherServer(t *testing.T) {
	c := declare(t, nil, nil)
	assert.NotContains(t, c.only(t, "ebs/volume:Volume").Inputs, "snapshotId")
	assert.Empty(t, c.only(t, "ec2/instance:Instance").RegisterRPC.GetReplaceWith(), "it would ask for a newer CLI")

	c = declare(t, func(cfg *config.Config) { cfg.VolumeSnapshot = "snap-0123456789abcdef0" }, nil)
	assert.Equal(t, "snap-0123456789abcdef0", text(c.only(t, "ebs/volume:Volume"), "snapshotId"))
	with := c.only(t, "ec2/instance:Instance").RegisterRPC.GetReplaceWith()
	assert.Len(t, with, 1)
	assert.Contains(t, with[0], "$aws:ebs/volume:Volume::data")
}
