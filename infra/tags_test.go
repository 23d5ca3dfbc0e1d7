package infra

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDefaultTags(t *testing.T) {
	own := map[string]string{"Team": "web", "Stack": "mine"}
	assert.Equal(t, map[string]string{"ManagedBy": "berth", "Project": "shop", "Stack": "production", "Team": "web"},
		defaultTags("shop", "production", own), "Berth's own tags win")
	assert.Equal(t, "mine", own["Stack"], "the configuration stays as it was")
	assert.Len(t, defaultTags("shop", "production", nil), 3)
}
