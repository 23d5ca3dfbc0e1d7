package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// plan is one of a service and a database.
const plan = `{"version": 2, "stateless": ["web"], "stateful": ["db"], "app": {"services": {"web": {"image": "x:1", "entrypoint": ["/run"]}}},
"data": {"services": {"db": {"image": "postgres:17", "volumes": [{"type": "volume", "source": "data", "target": "/var/lib/postgresql/data"}]}}, "volumes": {"data": {}}},
"routes": [{"path": "/", "service": "web", "port": 80}, {"path": "/api/", "service": "web", "port": 81, "host": "www.example.com", "stripPrefix": true}], "databases": [{"service": "db", "kind": "postgres"}]}`

func written(t *testing.T, jobs ...config.Job) map[string][]byte {
	t.Helper()
	files, err := Make(&Given{
		Config: &config.Config{Domain: "example.com", Aliases: []string{"www.example.com"}, VolumeSize: 20, HealthyWithin: 300},
		Commit: "0123456789abcdef", Plan: plan, Folder: t.TempDir(), Jobs: jobs,
	})
	require.NoError(t, err)
	return files
}

func TestJobs(t *testing.T) {
	files := written(t,
		config.Job{Name: "nightly", Schedule: "30 2 * * *", Service: "web", Command: "./clean $HOME $(date)", Timeout: 60},
		config.Job{Name: "daily", Schedule: "@daily", Service: "db", Command: "true"},
		config.Job{Name: "sunday", Schedule: "0 3 * * 7", Service: "web", Command: "true"},
		config.Job{Name: "names", Schedule: "0 4 * january monday-friday", Service: "web", Command: "true"},
		config.Job{Name: "weekend", Schedule: "0 5 * * 5-7", Service: "web", Command: "true"},
		config.Job{Name: "both", Schedule: "0 3 */2 * 1", Service: "web", Command: "true"},
		config.Job{Name: "odd", Schedule: "Mon *-*-* 02:30:00", Service: "web", Command: "true"})
	jobs := string(files["jobs.yaml"])
	for _, part := range []string{
		"schedule: 30 2 * * *", "name: job-nightly", "activeDeadlineSeconds: 60", "concurrencyPolicy: Forbid", "timeZone: Etc/UTC", "- ./clean $$HOME $$(date)", "- /run",
		"schedule: '@daily'", "restartPolicy: Never", "schedule: 0 3 * * 0\n", "schedule: 0 4 * jan mon-fri\n", "schedule: 0 5 * * 5-6,0\n", "schedule: 0 3 */2 * 1\n",
	} {
		assert.Contains(t, jobs, part)
	}
	assert.NotContains(t, jobs, "job-odd")
	assert.Contains(t, string(files["NOTES.md"]), `the job odd runs at "Mon *-*-* 02:30:00"`)
	assert.Contains(t, string(files["NOTES.md"]), `the job both runs at "0 3 */2 * 1": a CronJob runs on the days of the month and on those of the week`)
	assert.Contains(t, string(files["NOTES.md"]), "does not see its volume data")
	_, err := Make(&Given{Config: &config.Config{}, Plan: plan, Jobs: []config.Job{{Name: "x", Schedule: "@daily", Service: "none"}}})
	require.ErrorContains(t, err, "service none")
}

// TestRoutesOfHosts: a route of a host is in no other host's rules.
func TestRoutesOfHosts(t *testing.T) {
	files := written(t)
	ingress := string(files["ingress.yaml"])
	assert.Regexp(t, `(?s)host: example\.com\n.*path: /\n.*host: www\.example\.com\n.*path: /api\n`, ingress)
	assert.NotRegexp(t, `(?s)path: /api\n.*host: www\.example\.com`, ingress)
	assert.Contains(t, string(files["NOTES.md"]), "stripPrefix takes /api/ off the path")
}

func TestARestoreReadsTheNewestDump(t *testing.T) {
	restore := string(written(t)["by-hand/restore-db.yaml"])
	for _, part := range []string{"-- Berth: a whole Postgres", "name: berth-restore-db", "value: postgres", "export PGHOST=\"$$SERVICE\"", "mkfifo /dumps/.ready"} {
		assert.Contains(t, restore, part)
	}
}

func TestAnotherVersionIsRefused(t *testing.T) {
	_, err := Make(&Given{Config: &config.Config{}, Plan: `{"version": 3}`})
	require.ErrorContains(t, err, "version 3")
}

// made is what a plan of services without routes of their own becomes, with web at /v1/.
func made(t *testing.T, services string) map[string][]byte {
	t.Helper()
	files, err := Make(&Given{
		Config: &config.Config{Domain: "example.com", VolumeSize: 20, HealthyWithin: 300}, Commit: "0123456789abcdef", Folder: t.TempDir(),
		Plan: `{"version": 2, "stateless": ["web"], "app": {"services": {"web": ` + services + `}, "volumes": {"files": {}}},
			"routes": [{"path": "/v1/", "service": "web", "port": 80, "health": "/v1/healthz", "stripPrefix": true}]}`,
	})
	require.NoError(t, err)
	return files
}

// TestAProbeAsksAsNginxDoes: without what the route takes away, and by the site's name.
func TestAProbeAsksAsNginxDoes(t *testing.T) {
	web := string(made(t, `{"image": "x:1"}`)["web.yaml"])
	assert.Regexp(t, `httpGet:\n\s+httpHeaders:\n\s+- name: Host\n\s+value: example\.com\n\s+path: /healthz\n`, web)
	assert.Contains(t, web, "type: RollingUpdate")
	assert.NotContains(t, web, "fsGroup")
}

// TestAClaimIsOneNodes, and its user's.
func TestAClaimIsOneNodes(t *testing.T) {
	web := string(made(t, `{"image": "x:1", "user": "1000", "volumes": [{"type": "volume", "source": "files", "target": "/files"}]}`)["web.yaml"])
	assert.Contains(t, web, "type: Recreate")
	assert.Contains(t, web, "fsGroup: 1000")
}

// TestNoSecretStandsInAFile, by whatever name the repository has it.
func TestNoSecretStandsInAFile(t *testing.T) {
	files := made(t, `{"image": "x:1", "environment": {"STRIPE_KEY": "canary-1", "GITHUB_PAT": "canary-2", "GPG_PASSPHRASE": "canary-3", "AMQP": "amqp://app:canary-4@mq/", "LOG_LEVEL": "debug"}}`)
	for name, text := range files {
		assert.NotContains(t, string(text), "canary", name)
	}
	assert.Contains(t, string(files["web.yaml"]), "LOG_LEVEL")
}
