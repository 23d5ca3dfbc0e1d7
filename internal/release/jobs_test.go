package release

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// TestJobsHaveAServiceOfTheirOwn: what a job cannot run in is said before anything is touched, all of it at once.
func TestJobsHaveAServiceOfTheirOwn(t *testing.T) {
	s := newSource(t)
	sha := s.commit("first", map[string]string{"compose.yaml": sample, "init.sql": "", "web/Dockerfile": "FROM scratch\n"})
	job := func(name, service string) config.Job {
		return config.Job{Name: name, Service: service, Command: "x", Schedule: "@daily", Calendars: []string{"*-*-* 00:00:00 UTC"}, Timeout: 60}
	}
	s.cfg.Jobs = []config.Job{job("in-web", "web"), job("in-db", "db"), job("nowhere", "wep")}
	_, err := Make(t.Context(), s.cfg, s.repo, sha)
	require.ErrorContains(t, err, "nothing was touched")
	require.ErrorContains(t, err, "job in-db of berth:jobs runs in service db, which is persistent, because")
	require.ErrorContains(t, err, "and never runs twice [job-service-persistent]; name one that every release replaces (these are: web): pulumi config set --path 'berth:jobs[1].service' NAME")
	require.ErrorContains(t, err, "job nowhere of berth:jobs names service wep, which the compose file does not have [job-service-missing]")
	assert.NotContains(t, err.Error(), "in-web")

	s.cfg.Jobs = s.cfg.Jobs[:1]
	release, err := Make(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err)
	text, err := release.describe(t.Context(), s.cfg, s.repo, last{})
	require.NoError(t, err)
	assert.Contains(t, text, "job in-web runs in web: @daily (*-*-* 00:00:00 UTC)")
}
