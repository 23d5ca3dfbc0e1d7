package program

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"berth/config"
)

func TestWhatStaysAfterADestroyIsSaid(t *testing.T) {
	cfg := &config.Config{Region: "eu-west-1", Zone: "example.com"}
	said := stays(cfg, "production")
	assert.Contains(t, said, "--region eu-west-1 --owner-ids self --filters Name=tag:ManagedBy,Values=berth Name=tag:Stack,Values=production")
	assert.NotContains(t, said, "registrar")
	assert.NotContains(t, said, "bucket")
	cfg.CreateZone, cfg.DumpBucket = true, true
	assert.Contains(t, stays(cfg, "production"), "name servers of example.com")
	assert.Contains(t, stays(cfg, "production"), "the bucket")
}
