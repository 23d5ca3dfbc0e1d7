package config

import (
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the settings table into the README")

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// TestSettingsStandEverywhere keeps code, project file and sample in step.
func TestSettingsStandEverywhere(t *testing.T) {
	var project struct{ Config map[string]any }
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "../Pulumi.yaml")), &project))
	assert.Equal(t, Keys(), slices.Sorted(maps.Keys(project.Config)), "Pulumi.yaml")

	named := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^  (?:# )?berth:(\w+):`).FindAllStringSubmatch(read(t, "../Pulumi.production.yaml"), -1) {
		named[match[1]] = true
	}
	assert.Equal(t, Keys(), slices.Sorted(maps.Keys(named)), "Pulumi.production.yaml")
}

func TestDefaultsAreThoseOfTheProjectFile(t *testing.T) {
	var project struct {
		Config map[string]struct{ Default any }
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "../Pulumi.yaml")), &project))
	defaults := func(key string) any { return project.Config[key].Default }
	cfg, err := Load(good(), allSecret)
	require.NoError(t, err)
	assert.Equal(t, defaults("region"), cfg.Region)
	assert.Equal(t, defaults("instanceType"), cfg.InstanceType)
	assert.Equal(t, defaults("volumeSize"), cfg.VolumeSize)
	assert.Equal(t, defaults("vpcCidr"), cfg.VPCCIDR.String())
	assert.Equal(t, defaults("protect"), cfg.Protect)
	assert.Equal(t, defaults("createZone"), cfg.CreateZone)
	assert.Equal(t, defaults("ref"), cfg.Ref)
	assert.Equal(t, defaults("composeFile"), cfg.ComposeFile)
	assert.Equal(t, defaults("acmeDirectory"), cfg.ACME.Directory)
}

func TestTheSampleLoads(t *testing.T) {
	var sample struct{ Config map[string]any }
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "../Pulumi.production.yaml")), &sample))
	settings := map[string]string{}
	for key, value := range sample.Config {
		settings[key] = asPulumi(t, value)
	}
	cfg, err := Load(settings, allSecret)
	require.NoError(t, err)
	assert.Equal(t, "example.com", cfg.Zone)
	assert.Len(t, cfg.Routes, 2)
}

func TestSettingsTable(t *testing.T) {
	table, err := SettingsTable([]byte(read(t, "../Pulumi.yaml")))
	require.NoError(t, err)
	readme := read(t, "../README.md")
	const begin, end = "<!-- settings -->\n", "<!-- /settings -->"
	before, rest, ok1 := strings.Cut(readme, begin)
	present, after, ok2 := strings.Cut(rest, end)
	require.True(t, ok1 && ok2, "README.md has the markers of the settings table")
	if *update {
		require.NoError(t, os.WriteFile("../README.md", []byte(before+begin+table+end+after), 0o644))
		return
	}
	assert.Equal(t, table, present, "the README's table is Pulumi.yaml's; make settings-table writes it")
}
