package program

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"berth/internal/config"
)

func TestVolumesOfImagesAreReadFromWhatTheReleaseSays(t *testing.T) {
	assert.Equal(t, map[string][]string{"wp": {"/var/www/html"}, "blog": {"/data"}}, parseVolumes(`deploy.sh: preparing release x
deploy.sh: wp is persistent, because its image declares the volume /var/www/html; if nothing in it is worth keeping: labels: {berth.stateful: "false"}
deploy.sh: blog is persistent, because its image declares the volume /data; if nothing in it is worth keeping: labels: {berth.stateful: "false"}
deploy.sh: wp is persistent, because its image declares the volume /var/www/html; if nothing in it is worth keeping: labels: {berth.stateful: "false"}
`))
	assert.Empty(t, parseVolumes(""))
}

func TestWhatStaysAfterADestroyIsSaid(t *testing.T) {
	cfg := &config.Config{Region: "eu-west-1", Zone: "example.com"}
	said := stays(cfg, "berth", "production")
	assert.Contains(t, said, "--region eu-west-1 --owner-ids self --filters Name=tag:ManagedBy,Values=berth Name=tag:Project,Values=berth Name=tag:Stack,Values=production")
	assert.NotContains(t, said, "registrar")
	assert.NotContains(t, said, "bucket")
	cfg.CreateZone, cfg.DumpBucket = true, true
	assert.Contains(t, stays(cfg, "berth", "production"), "name servers of example.com")
	assert.Contains(t, stays(cfg, "berth", "production"), "the bucket")
}
