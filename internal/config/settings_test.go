package config

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the settings into Pulumi.yaml, Pulumi.production.yaml and README")

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// TestEachSettingIsComplete checks the table itself.
func TestEachSettingIsComplete(t *testing.T) {
	assert.Len(t, slices.Compact(Keys()), len(table), "a setting is listed twice")
	for _, s := range table {
		assert.Regexp(t, `^[a-z][A-Za-z0-9]+$`, s.key)
		assert.NotNil(t, s.parse, s.key)
		assert.Regexp(t, `^\S[^\n|]+\.$`, s.about, "%s: a description is one line", s.key)
		assert.True(t, s.fallback != nil || s.example != "", "%s has neither a default nor an example", s.key)
		assert.True(t, !s.required || s.inUse && s.prompt != "" && s.fallback == nil, "%s is required: the sample sets it and `pulumi new` asks for it", s.key)
		switch s.fallback.(type) {
		case int:
			assert.Contains(t, []kind{isNumber, isNumberOrMap}, s.kind, s.key)
		case bool:
			assert.Equal(t, isBoolean, s.kind, s.key)
		case string:
			assert.Contains(t, []kind{isText, isTextOrList}, s.kind, s.key)
		}
	}
}

// TestDefaultsAreThoseOfTheTable sets each setting to its default, which changes nothing.
func TestDefaultsAreThoseOfTheTable(t *testing.T) {
	plain, err := Load(good(), allSecret)
	require.NoError(t, err)
	for _, s := range table {
		if s.required {
			continue
		}
		empty, err := Load(with(s.key, strings.Trim(empty(s), `"`)), allSecret)
		require.NoError(t, err, s.key)
		assert.Equal(t, plain, empty, s.key)
		given, err := Load(with(s.key, defaultText(s.key)), allSecret)
		require.NoError(t, err, s.key)
		assert.Equal(t, plain, given, s.key)
	}
}

// TestDescriptionsNameTheRange: a number that is out of range is refused with the range that the description names.
func TestDescriptionsNameTheRange(t *testing.T) {
	for _, s := range table {
		if s.kind != isNumber {
			continue
		}
		for _, value := range []string{"-1", "99999"} {
			_, err := Load(with(s.key, value), allSecret)
			require.Error(t, err, s.key)
			span := regexp.MustCompile(`\d+ to \d+`).FindString(err.Error())
			require.NotEmpty(t, span, s.key)
			assert.Contains(t, s.about, span, s.key)
		}
	}
}

// TestTheTableIsEverywhere: Pulumi.yaml, Pulumi.production.yaml and README show the table.
func TestTheTableIsEverywhere(t *testing.T) {
	files := map[string]string{
		"../../Pulumi.yaml":            inProjectFile(t, read(t, "../../Pulumi.yaml")),
		"../../Pulumi.production.yaml": sample(),
		"../../README.md":              inReadme(t, read(t, "../../README.md")),
	}
	for file, text := range files {
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		}
		assert.Equal(t, text, read(t, file), "make settings-table writes it")
	}
}

// between replaces what is between two lines of a text.
func between(t *testing.T, text, begin, end, content string) string {
	t.Helper()
	before, rest, found := strings.Cut(text, begin)
	require.True(t, found, begin)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found, end)
	return before + begin + content + end + after
}

// empty is the value that Pulumi.yaml gives a setting without a default.
func empty(s setting) string {
	switch s.kind {
	case isList, isTextOrList:
		return "[]"
	case isMap:
		return "{}"
	}
	return `""`
}

// described is the description as Pulumi.yaml and README show it.
func described(s setting) string {
	text := s.about
	if s.required {
		text = "Required. " + text
	}
	if s.secret {
		text += " Secret."
	}
	return text
}

// inProjectFile is Pulumi.yaml with the settings of the table: all of them with defaults, and those that `pulumi new` asks for.
func inProjectFile(t *testing.T, project string) string {
	t.Helper()
	quoted := func(text string) string {
		if strings.Contains(text, ": ") {
			return strconv.Quote(text)
		}
		return text
	}
	all, asked := strings.Builder{}, strings.Builder{}
	for _, s := range table {
		fmt.Fprintf(&all, "  %s:\n    default: %s\n    description: %s\n", s.key, cmp.Or(defaultText(s.key), empty(s)), quoted(described(s)))
		if s.prompt == "" {
			continue
		}
		fmt.Fprintf(&asked, "    berth:%s:\n      description: %s\n", s.key, quoted(s.prompt))
		if s.answer != "" {
			fmt.Fprintf(&asked, "      default: %s\n", s.answer)
		}
	}
	project = between(t, project, "\n  config:\n", "# Every setting", asked.String())
	before, _, found := strings.Cut(project, "\nconfig:\n")
	require.True(t, found)
	project = before + "\nconfig:\n" + all.String()
	// Pulumi refuses a value of another type itself, first and alone; without types it is refused with all other problems.
	require.NotRegexp(t, `(?m)^    type:`, project)
	return project
}

// inReadme is the README with the table, required settings first.
func inReadme(t *testing.T, readme string) string {
	t.Helper()
	sorted := slices.SortedFunc(slices.Values(table), func(a, b setting) int {
		if a.required != b.required {
			return cmp.Compare(strconv.FormatBool(b.required), strconv.FormatBool(a.required))
		}
		return cmp.Compare(a.key, b.key)
	})
	text := strings.Builder{}
	text.WriteString("| setting | type | default | what it does |\n|---|---|---|---|\n")
	for _, s := range sorted {
		shown := defaultText(s.key)
		if shown != "" {
			shown = "`" + shown + "`"
		}
		fmt.Fprintf(&text, "| `berth:%s` | %s | %s | %s |\n", s.key, s.kind, shown, described(s))
	}
	return between(t, readme, "<!-- settings -->\n", "<!-- /settings -->", text.String())
}

// sample is Pulumi.production.yaml.
func sample() string {
	text := strings.Builder{}
	text.WriteString(`# A production stack, and the manual of the settings. All settings are listed: those with a default as a comment that shows
# it, except for the last one (see there). Start yours with ` + "`pulumi stack init production`" + ` and change what is
# yours. You can also set any of them with ` + "`pulumi config set`" + `. Wrong settings are reported all at once, before any resource
# is touched.
config:
`)
	for i, s := range table {
		if s.section != "" {
			if i > 0 {
				text.WriteString("\n")
			}
			title := "  # --- " + s.section + " "
			text.WriteString(title + strings.Repeat("-", 112-len(title)) + "\n")
		} else if s.manual != "" {
			text.WriteString("\n")
		}
		manual := s.manual
		switch {
		case manual == "":
		case s.required:
			manual = "Required. " + manual
		case s.secret:
			manual = "Secret. " + manual
		}
		write := func(indent, lines string) {
			for line := range strings.SplitSeq(lines, "\n") {
				text.WriteString(strings.TrimRight(indent+line, " ") + "\n")
			}
		}
		indent := "  # "
		if manual != "" {
			write(indent, manual)
		}
		if s.inUse {
			indent = "  "
		}
		value := cmp.Or(s.example, defaultText(s.key))
		if !strings.HasPrefix(value, "\n") {
			value = " " + value
		}
		write(indent, "berth:"+s.key+":"+value)
	}
	return text.String()
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
		// A database in RDS goes with no existing subnet, which another setting shows.
		if strings.Contains(setting, "…") || strings.HasPrefix(setting, "  # berth:rds:") {
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
	assert.Len(t, shown.Jobs, 1)
	assert.Len(t, shown.Redirects, 2)
	assert.Equal(t, []string{"shop.example.org"}, shown.ExternalHosts)
	assert.Equal(t, []string{"cloudflare"}, shown.TrustedProxies)
	assert.NotEmpty(t, shown.Nginx)
	assert.Len(t, shown.External, 1)
	shown.Migration, shown.Database, shown.Images, plain.Images, shown.External, plain.External = nil, nil, nil, nil, nil, nil
	shown.Jobs, shown.Redirects, shown.ExternalHosts = nil, plain.Redirects, plain.ExternalHosts
	shown.TrustedProxies, shown.Nginx = nil, ""
	shown.AMI, shown.SubnetID, shown.Tags, plain.Tags = "", "", nil, nil
	shown.AlarmEmail, shown.VolumeSnapshot, shown.ACME.Profile = "", "", ""
	plain.Environment, shown.Environment = nil, nil
	assert.Equal(t, plain, shown)
}
