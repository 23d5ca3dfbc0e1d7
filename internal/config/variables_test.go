package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNumbersAndBooleansAreTexts: `pulumi config set --path berth:environment.PORT 8080` stores a number.
func TestNumbersAndBooleansAreTexts(t *testing.T) {
	cfg, err := Load(with("environment", `{"PORT":8080,"BIG":18446744073709551615,"MINUS":-1,"DEBUG":true,"EMPTY":"","TEXT":"1.10 = \u2603"}`,
		"secrets", `{"PIN":1234}`, "tags", `{"Number":7}`), allSecret)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"PORT": "8080", "BIG": "18446744073709551615", "MINUS": "-1", "DEBUG": "true", "EMPTY": "", "TEXT": "1.10 = ☃"}, cfg.Environment)
	assert.Equal(t, map[string]string{"PIN": "1234"}, cfg.Secrets)
	assert.Equal(t, map[string]string{"Number": "7"}, cfg.Tags)
}
