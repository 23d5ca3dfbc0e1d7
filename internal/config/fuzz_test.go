package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
)

// FuzzLoad feeds hostile values: an error is one that a terminal can show, and what is accepted is harmless to a shell
// and to nginx's and git's command lines.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "app.example.com", "$(id)", "`id`", "a\nb", "\x00", "../../x", "☃.example.com", `["x"]`, `{"a":"b"}`, "\x1b[31m", "99999999999999999999",
		`[{"path":"/","service":"web","port":80}]`, "-----BEGIN CERTIFICATE-----", "git@github.com:a/b", "null", strings.Repeat("a", 1<<20),
		`[{"path":"/","service":"web","port":80},{"host":"a.example.com","path":"/","service":"web","port":80,"stripPrefix":false}]`, `{"a.example.com":"$(id).example.com"}`, `["a.example.org;}"]`,
	} {
		for _, key := range append(Keys(), "unknown"+seed[:min(3, len(seed))]) {
			f.Add(key, seed)
		}
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		cfg, err := Load(with(key, value), allSecret)
		if err != nil {
			assert.Nil(t, cfg)
			assert.Equal(t, -1, strings.IndexFunc(err.Error(), func(r rune) bool { return r != '\n' && unicode.IsControl(r) }), "%q", err.Error())
			for line := range strings.Lines(err.Error()) {
				assert.Less(t, len(line), 2000)
			}
			return
		}
		for _, text := range append(cfg.Names(), cfg.Zone, cfg.Ref, strings.Join(cfg.ComposeFiles, ","), cfg.Repository, cfg.RepositoryHostKey, cfg.Region,
			cfg.AvailabilityZone, cfg.InstanceType, cfg.AMI, cfg.SubnetID, cfg.ACME.Email, cfg.ACME.Directory, cfg.ACME.StagingDirectory,
			cfg.AlarmEmail, cfg.VolumeSnapshot,
			cfg.Routes[0].Path, cfg.Routes[0].Service, strings.Join(slices.Collect(maps.Values(cfg.Redirects)), ",")) {
			assert.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune("\"'`$;|&<>\\", r) }), "%q", text)
		}
		for _, job := range cfg.Jobs {
			assert.Regexp(t, "^[a-z0-9-]+$", job.Name)
			assert.False(t, strings.ContainsAny(job.Command, "\x00\r\n"))
			assert.NotEmpty(t, job.Calendars)
		}
		for name, text := range mapsOf(cfg) {
			assert.False(t, strings.ContainsAny(text, "\x00\r\n"), name)
			assert.Regexp(t, "^[A-Za-z_][A-Za-z0-9_]*$", name)
		}
	})
}

func mapsOf(cfg *Config) map[string]string {
	all := maps.Clone(cfg.Environment)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, cfg.Secrets)
	return all
}
