package release

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestTheNextServiceOfAVolumeIsForetold in the preview.
func TestTheNextServiceOfAVolumeIsForetold(t *testing.T) {
	planned := func(service, volume, name string) *Plan {
		p := &Plan{Stateful: []string{service}, Because: map[string]string{service: "it has the named volume " + volume}}
		p.Data.Services = map[string]map[string]any{service: {"volumes": []any{map[string]any{"type": "volume", "source": volume, "target": "/d"}}}}
		p.Data.Volumes = map[string]any{volume: map[string]any{"name": name}}
		return p
	}
	before := planned("db", "data", "app_data")
	lines := strings.Join(planned("postgres", "data", "app_data").Changes(before), "\n")
	assert.Contains(t, lines, "TAKES OVER  the volume app_data of db, which is STOPPED FIRST")
	assert.Contains(t, strings.Join(planned("postgres", "files", "app_data").Changes(before), "\n"), "the volume app_data of db", "a volume goes by its name")
	assert.NotContains(t, strings.Join(planned("postgres", "data", "app_data-2").Changes(before), "\n"), "TAKES OVER")
	assert.NotContains(t, strings.Join(planned("db", "data", "app_data").Changes(before), "\n"), "TAKES OVER")
}
