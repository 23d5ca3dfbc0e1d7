package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shop is what Pulumi hands to a project of that name: the good settings under Berth's name, Pulumi.yaml's defaults and what
// is given here under the project's own.
func shop(pairs ...string) map[string]string {
	settings := good()
	for _, key := range Keys() {
		settings["shop:"+key] = defaultText(key)
	}
	for i := 0; i < len(pairs); i += 2 {
		settings[pairs[i]] = pairs[i+1]
	}
	return settings
}

func TestAProjectOfAnotherNameHasTheSameSettings(t *testing.T) {
	cfg, problems := Parse("shop", shop("berth:region", "us-east-1", "shop:volumeSize", "40", "shop:secrets", `{"A":"x"}`), func(key string) bool { return key == "shop:secrets" })
	require.Nil(t, problems)
	assert.Equal(t, "app.example.com", cfg.Domain)
	assert.Equal(t, "us-east-1", cfg.Region, "what is set goes before a default")
	assert.Equal(t, 40, cfg.VolumeSize, "pulumi config set volumeSize 40")
	assert.Equal(t, "x", cfg.Secrets["A"])

	_, problems = Parse("shop", shop("shop:secrets", `{"A":"x"}`), func(string) bool { return false })
	require.ErrorContains(t, problems, "berth:secrets: it is stored in plain text")
}

func TestWhatWouldBeIgnoredIsRefused(t *testing.T) {
	_, problems := Parse("shop", shop("berth:volumeSize", "30", "shop:volumeSize", "40", "shop:volumsize", "1"), allSecret)
	require.NotNil(t, problems)
	assert.Equal(t, []Problem{
		{ID: "setting-twice", Setting: "shop:volumeSize", Allowed: "berth:volumeSize is set, too, to something else; one of them has to go", Fix: "pulumi config rm shop:volumeSize"},
		{ID: "setting-unknown", Setting: "shop:volumsize", Allowed: "there is no such setting; the nearest is volumeSize", Fix: "pulumi config rm shop:volumsize"},
	}, problems.List)

	assert.True(t, problems.Concern("volumeSize"))

	_, problems = Parse("shop", shop("berth:volumeSize", "40", "shop:volumeSize", "40"), allSecret)
	assert.Nil(t, problems)
}

// TestLookSeesWhatIsSound: the doctor goes on with it.
func TestLookSeesWhatIsSound(t *testing.T) {
	cfg, problems := Parse("berth", with("domain", "no name", "volumeSize", "1"), allSecret)
	require.NotNil(t, problems)
	assert.Equal(t, "https://github.com/you/app.git", cfg.Repository)
	assert.True(t, problems.Concern("volumeSize"))
	assert.True(t, problems.Concern("region", "domain"))
	assert.False(t, problems.Concern("region", "repository"))
	_, problems = Parse("berth", with("routes", `[{"path":"/","service":"web","port":0}]`), allSecret)
	assert.True(t, problems.Concern("routes"))
	assert.False(t, problems.Concern("route"))
}
