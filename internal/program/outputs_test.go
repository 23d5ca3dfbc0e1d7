package program

import (
	"strings"
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

// TestWhatToDoNext: with several servers, visitors see the load balancer's certificate.
func TestWhatToDoNext(t *testing.T) {
	for _, test := range []struct {
		issuer string
		max    int
		says   string
	}{
		{"An Authority", 1, "open https://app.example.com/"}, {"An Authority", 3, "open https://app.example.com/"},
		{"placeholder", 1, "the site answers with a self-signed certificate;"}, {"placeholder", 3, "open https://app.example.com/: visitors see the load balancer's certificate. That of the servers is self-signed still"},
	} {
		cfg := &config.Config{Domain: "app.example.com", Servers: config.Servers{Min: test.max, Max: test.max}}
		assert.True(t, strings.HasPrefix(sentence(cfg, `certificate issued by "`+test.issuer+`", valid until 2027-02-03T04:05:06Z`), test.says), test)
	}
}
