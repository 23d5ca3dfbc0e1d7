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
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "../../Pulumi.yaml")), &project))
	delete(project.Config, "pulumi:tags") // `pulumi new` adds it.
	assert.Equal(t, Keys(), slices.Sorted(maps.Keys(project.Config)), "Pulumi.yaml")

	named := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^  (?:# )?berth:(\w+):`).FindAllStringSubmatch(read(t, "../../Pulumi.production.yaml"), -1) {
		named[match[1]] = true
	}
	assert.Equal(t, Keys(), slices.Sorted(maps.Keys(named)), "Pulumi.production.yaml")
}

func TestDefaultsAreThoseOfTheProjectFile(t *testing.T) {
	var project struct {
		Config map[string]struct{ Default any }
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "../../Pulumi.yaml")), &project))
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
	assert.Equal(t, defaults("composeFile"), strings.Join(cfg.ComposeFiles, " "))
	assert.Equal(t, defaults("acmeDirectory"), cfg.ACME.Directory)
	assert.Equal(t, defaults("acmeProfile"), cfg.ACME.Profile)
	assert.Equal(t, defaults("releaseStrategy"), cfg.ReleaseStrategy)
	assert.Equal(t, defaults("healthyWithin"), cfg.HealthyWithin)
	assert.Equal(t, defaults("drainWithin"), cfg.DrainWithin)
	assert.Equal(t, defaults("keepReleases"), cfg.KeepReleases)
	assert.Equal(t, defaults("alarmEmail"), cfg.AlarmEmail)
	assert.Equal(t, defaults("snapshotsKept"), cfg.SnapshotsKept)
	assert.Equal(t, defaults("dumpBucket"), cfg.DumpBucket)
	assert.Equal(t, defaults("restoreDrill"), cfg.RestoreDrill)
	assert.Equal(t, defaults("volumeSnapshot"), cfg.VolumeSnapshot)
}

// loadSample loads a stack file as Pulumi would hand it over.
func loadSample(t *testing.T, text string) *Config {
	t.Helper()
	var sample struct{ Config map[string]any }
	require.NoError(t, yaml.Unmarshal([]byte(text), &sample))
	settings := map[string]string{}
	for key, value := range sample.Config {
		if text, ok := value.(string); ok {
			settings[key] = text
		} else {
			settings[key] = encoded(value)
		}
	}
	cfg, err := Load(settings, allSecret)
	require.NoError(t, err)
	return cfg
}

func TestTheSampleLoads(t *testing.T) {
	cfg := loadSample(t, read(t, "../../Pulumi.production.yaml"))
	assert.Equal(t, "example.com", cfg.Zone)
	assert.Len(t, cfg.Routes, 2)
}

// TestTheSampleShowsDefaults takes every setting out of its comment: those with a default show it, the others are
// valid. What holds a "…" is a placeholder.
func TestTheSampleShowsDefaults(t *testing.T) {
	sample := read(t, "../../Pulumi.production.yaml")
	commented := regexp.MustCompile(`(?m)^  # (berth:\w+:.*(?:\n  #   .*)*)$`)
	taken := 0
	all := commented.ReplaceAllStringFunc(sample, func(setting string) string {
		if strings.Contains(setting, "…") {
			return setting
		}
		taken++
		return strings.ReplaceAll(setting, "  # ", "  ")
	})
	require.Greater(t, taken, 10)
	shown, plain := loadSample(t, all), loadSample(t, sample)
	assert.NotEmpty(t, shown.AMI)
	assert.NotEmpty(t, shown.SubnetID)
	assert.NotEmpty(t, shown.AlarmEmail)
	assert.NotEmpty(t, shown.VolumeSnapshot)
	assert.NotEmpty(t, shown.ACME.Profile)
	assert.NotEmpty(t, shown.Tags)
	assert.Equal(t, &Migration{Service: "api", Command: "./migrate"}, shown.Migration)
	assert.Equal(t, "mongo", shown.Database.Service)
	assert.NotEmpty(t, shown.Images)
	shown.Migration, shown.Database, shown.Images, plain.Images = nil, nil, nil, nil
	shown.AMI, shown.SubnetID, shown.Tags, plain.Tags = "", "", nil, nil
	shown.AlarmEmail, shown.VolumeSnapshot, shown.ACME.Profile = "", "", ""
	plain.Environment, shown.Environment = nil, nil
	assert.Equal(t, plain, shown)
}

func TestSettingsTable(t *testing.T) {
	project := read(t, "../../Pulumi.yaml")
	// Pulumi refuses a value of another type itself, first and alone; without types it is refused with all other problems.
	assert.NotRegexp(t, `(?m)^    type:`, project)
	table, err := SettingsTable([]byte(project))
	require.NoError(t, err)
	readme := read(t, "../../README.md")
	const begin, end = "<!-- settings -->\n", "<!-- /settings -->"
	before, rest, ok1 := strings.Cut(readme, begin)
	present, after, ok2 := strings.Cut(rest, end)
	require.True(t, ok1 && ok2, "README.md has the markers of the settings table")
	if *update {
		require.NoError(t, os.WriteFile("../../README.md", []byte(before+begin+table+end+after), 0o644))
		return
	}
	assert.Equal(t, table, present, "the README's table is Pulumi.yaml's; make settings-table writes it")
}
