package infra

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// TestServersWaitForTheirZone: Certificate Manager waits for the delegation, which can only be made afterwards.
func TestServersWaitForTheirZone(t *testing.T) {
	cfg := &config.Config{Zone: "example.com", CreateZone: true, Servers: config.Servers{Min: 2, Max: 3}}
	made := map[string]*recorded{zoneType: {Type: zoneType, Outputs: map[string]any{"name": "example.com."}}}

	err := refuse(cfg, nil)
	require.ErrorContains(t, err, "the hosted zone example.com is not made yet")
	require.ErrorContains(t, err, "pulumi config rm berth:servers && pulumi up")
	require.NoError(t, refuse(cfg, made))

	cfg.Servers = config.Servers{Min: 1, Max: 1}
	require.NoError(t, refuse(cfg, nil))
	cfg.Servers.Max, cfg.CreateZone = 3, false
	assert.NoError(t, refuse(cfg, nil))
}
