package program

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVolumesOfImagesAreReadFromWhatTheReleaseSays(t *testing.T) {
	assert.Equal(t, map[string][]string{"wp": {"/var/www/html"}, "blog": {"/data"}}, parseVolumes(`deploy.sh: preparing release x
deploy.sh: wp is persistent, because its image declares the volume /var/www/html; if nothing in it is worth keeping: labels: {berth.stateful: "false"}
deploy.sh: blog is persistent, because its image declares the volume /data; if nothing in it is worth keeping: labels: {berth.stateful: "false"}
deploy.sh: wp is persistent, because its image declares the volume /var/www/html; if nothing in it is worth keeping: labels: {berth.stateful: "false"}
`))
	assert.Empty(t, parseVolumes(""))
}
