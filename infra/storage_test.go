package infra

import (
	"testing"

	"berth/config"

	"github.com/stretchr/testify/assert"
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

func TestDataVolumeGrowsOnASetting(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.VolumeSize = 100 }, nil)
	assert.Equal(t, 100.0, input(c.only(t, "ebs/volume:Volume"), "size").NumberValue())
}
