package tests

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
)

// TestJobsReplicasAndRestarts has commands run at their times, services run several times, and containers replaced, while visitors ask.
func TestJobsReplicasAndRestarts(t *testing.T) {
	harness.Long(t)
	r := harness.New(t, "berth-jobs")
	settings := r.LoadApp()
	for _, setting := range []string{
		"jobs[0].name=minutely", "jobs[0].schedule=* * * * *", "jobs[0].service=worker", "jobs[0].command=echo the job ran",
		"jobs[1].name=fails", "jobs[1].schedule=@daily", "jobs[1].service=worker", "jobs[1].command=exit 3", "jobs[1].timeout=60",
		"jobs[2].name=long", "jobs[2].schedule=0 3 * * 1-5", "jobs[2].service=web", "jobs[2].command=mkfifo /tmp/end; read -r line </tmp/end; python3 -c 'import socket; socket.create_connection((\"db\", 5432))'",
	} {
		settings = append(settings, "--set", setting)
	}
	r.Commit(map[string]string{"VERSION": "v1"})
	preview := r.Run(append([]string{"preview"}, settings...)...)
	assert.Contains(t, preview, "job minutely runs in worker: * * * * * (*-*-* *:*:00 UTC)")
	r.Run(append([]string{"up"}, settings...)...)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.File("root.pem"))))
	target := load.Target{Domain: harness.Domain, Address: r.Account().Only("aws:ec2/eip:Eip").Output("publicIp"), Roots: roots}
	// unnoticed does something while visitors ask, and none of their requests fails.
	sockets := 2
	unnoticed := func(t *testing.T, do func() string) string {
		t.Helper()
		run := load.Start(t.Context(), target, load.Plan{Rate: 50, Request: "/work?ms=20", WritePath: "/count", WebSockets: sockets, SocketPath: "/ws"})
		output := do()
		report := run.Stop()
		assert.Zero(t, report.Failed, "requests that failed: %v", report.Reasons)
		assert.Zero(t, report.Sockets.Cut)
		assert.Positive(t, report.Sent)
		return output
	}

	t.Run("a job runs by its timer", func(t *testing.T) {
		r := r.In(t)
		require.Eventually(t, func() bool {
			return strings.TrimSpace(r.SSH("sudo jq -r .result /data/jobs/minutely.json 2>/dev/null || true")) == "succeeded"
		}, 150*time.Second, time.Second)
		assert.Contains(t, r.SSH("sudo journalctl -t berth-job-minutely --output cat"), "the job ran")
		assert.Regexp(t, `minutely +\* \* \* \* \* +\d{4}-\S+Z +\d{4}-\S+Z +(succeeded|running)`, r.SSH("sudo /opt/berth/deploy.sh jobs"))
		assert.Contains(t, r.SSH("sudo /opt/berth/status.sh"), "minutely")
		assert.Contains(t, r.SSH("sudo /opt/berth/status.sh --html"), "<h2>Jobs</h2>")
	})
	t.Run("one that fails raises the health check until it succeeds", func(t *testing.T) {
		r := r.In(t)
		assert.Equal(t, "ok", r.Health()["jobs"])
		said, err := r.TrySSH("sudo /opt/berth/deploy.sh job fails", "")
		require.Error(t, err)
		assert.Contains(t, said, "job fails failed: it ended with exit code 3")
		assert.Equal(t, "critical", r.Health()["jobs"])
		r.Run("up", "--set", "jobs[1].command=true")
		assert.Contains(t, r.SSH("sudo /opt/berth/deploy.sh job fails"), "has ended well")
		assert.Equal(t, "ok", r.Health()["jobs"])
	})
	t.Run("one at work survives a release", func(t *testing.T) {
		r := r.In(t)
		r.SSH("sudo systemctl start --no-block berth-job-long.service")
		require.Eventually(t, func() bool {
			return strings.TrimSpace(r.SSH("sudo docker ps --quiet --filter name=berth-job-long")) != ""
		}, time.Minute, time.Second)
		before := strings.TrimSpace(r.SSH("sudo readlink /data/releases/current"))
		said, err := r.TrySSH("sudo /opt/berth/deploy.sh job long", "")
		require.Error(t, err, "one run at a time")
		assert.Contains(t, said, "it is still at work")
		r.Commit(map[string]string{"VERSION": "v2"})
		output := unnoticed(t, func() string { return r.Run("up") })
		assert.Contains(t, output, "job long began in release "+before+" and goes on there")
		r.SSH("sudo docker exec berth-job-long sh -c 'echo >/tmp/end'")
		require.Eventually(t, func() bool {
			return strings.TrimSpace(r.SSH("sudo jq -r .result /data/jobs/long.json")) != "running"
		}, time.Minute, time.Second)
		assert.Equal(t, "succeeded "+before, strings.TrimSpace(r.SSH(`sudo jq -r '"\(.result) \(.release)"' /data/jobs/long.json`)), "with its networks: it reached the database")
		assert.Empty(t, strings.TrimSpace(r.SSH("sudo docker ps --all --quiet --filter label=berth.job=long")))
	})
	t.Run("timers are enabled, and no job that is no longer set has one", func(t *testing.T) {
		r := r.In(t)
		timers := func() string {
			return r.SSH("systemctl list-unit-files --no-legend --state enabled 'berth-job-*.timer' | awk '{ print $1 }'")
		}
		assert.Equal(t, "berth-job-fails.timer\nberth-job-long.timer\nberth-job-minutely.timer", timers())
		r.Run("up", "--set", "jobs=[]")
		assert.Empty(t, timers())
		assert.Contains(t, r.SSH("sudo /opt/berth/deploy.sh jobs"), "there are no jobs")
	})
	t.Run("replicas share the requests, during a release and without one of them", func(t *testing.T) {
		r := r.In(t)
		compose, err := os.ReadFile(filepath.Join(r.App, "compose.yaml"))
		require.NoError(t, err)
		r.Commit(map[string]string{"VERSION": "v3", "compose.yaml": strings.Replace(string(compose), "  web:\n    build: .\n", "  web:\n    build: .\n    deploy: {replicas: 2}\n", 1)})
		unnoticed(t, func() string { return r.Run("up") })
		r.Commit(map[string]string{"VERSION": "v4"})
		unnoticed(t, func() string { return r.Run("up") })
		const replicas = `sudo docker ps --filter label=berth.release=$(sudo readlink /data/releases/current) --filter label=com.docker.compose.service=web --format '{{.ID}}'`
		ids := strings.Fields(r.SSH(replicas))
		require.Len(t, ids, 2)
		// A WebSocket ends with its container.
		sockets = 0
		unnoticed(t, func() string {
			for _, id := range ids {
				// Somebody is connected to its port 8000.
				require.Eventually(t, func() bool {
					return strings.TrimSpace(r.SSH("sudo docker exec "+id+" grep -cE ':1F40 [0-9A-F]+:[0-9A-F]+ 01' /proc/net/tcp || true")) != "0"
				}, 30*time.Second, 100*time.Millisecond)
			}
			// Stopped, not killed: what it works on is answered.
			return r.SSH("sudo docker stop " + ids[0])
		})
		sockets = 2
		r.SSH("sudo docker start " + ids[0])
	})
	t.Run("a restart that no visitor notices", func(t *testing.T) {
		r := r.In(t)
		const ids = `sudo docker ps --filter label=com.docker.compose.service=SERVICE --format '{{.ID}}' | sort`
		web, worker := strings.Replace(ids, "SERVICE", "web", 1), strings.Replace(ids, "SERVICE", "worker", 1)
		before, beside, kept := r.SSH(web), r.SSH(worker), len(strings.Fields(r.SSH("sudo ls /data/releases")))
		output := unnoticed(t, func() string { return r.SSH("sudo /opt/berth/deploy.sh restart web") })
		assert.Contains(t, output, "a route points to web")
		assert.NotEqual(t, before, r.SSH(web))
		assert.NotEqual(t, beside, r.SSH(worker))
		assert.Len(t, strings.Fields(r.SSH("sudo ls /data/releases")), kept, "it takes no kept release's place")
		beside = r.SSH(worker)
		assert.Contains(t, unnoticed(t, func() string { return r.SSH("sudo /opt/berth/deploy.sh restart worker") }), "worker is back")
		assert.Equal(t, beside, r.SSH(worker), "the same container")
		assert.Contains(t, r.SSH("sudo /opt/berth/deploy.sh restart db"), "db is back; it was away for at most")
		assert.Contains(t, r.SSH("sudo /opt/berth/deploy.sh"), "serves already")
		assert.Contains(t, r.SSH("sudo /opt/berth/deploy.sh rollback"), "is served by")
	})
	t.Run("a worker that never runs twice, by a second compose file", func(t *testing.T) {
		r := r.In(t)
		r.Commit(map[string]string{"VERSION": "v5", "compose.production.yaml": "services:\n  worker:\n    labels: {berth.overlap: \"false\"}\n"})
		r.SSH("sudo systemd-run --quiet --unit=test-workers docker events --filter label=com.docker.compose.service=worker --filter event=start --filter event=die --format '{{.Action}}'")
		// The released files take the place of the one, and the worker of the release before has no such label yet.
		preview := r.Run("preview", "--set", `composeFile=["compose.yaml","compose.production.yaml"]`)
		assert.Contains(t, preview, "what is released cannot be planned for a comparison")
		assert.Regexp(t, `worker +is replaced +it is stopped before the new one starts, because berth.overlap is false`, preview)
		assert.Regexp(t, `db +stays`, preview)
		const stopped = "service worker is stopped before the new one starts, because berth.overlap is false"
		assert.Contains(t, unnoticed(t, func() string { return r.Run("up") }), stopped)
		r.Commit(map[string]string{"VERSION": "v6"})
		assert.Contains(t, unnoticed(t, func() string { return r.Run("up") }), stopped)
		r.Commit(map[string]string{"behaviour": "crash"})
		output := unnoticed(t, func() string {
			output, err := r.Try("up")
			require.Error(t, err)
			return output
		})
		assert.Contains(t, output, "as before")
		r.Commit(map[string]string{"behaviour": "ok"})
		assert.Contains(t, unnoticed(t, func() string { return r.SSH("sudo /opt/berth/deploy.sh rollback") }), stopped)
		const running = `sudo docker ps --filter label=com.docker.compose.service=worker --format '{{.Label "berth.release"}}'`
		assert.Equal(t, r.SSH("sudo readlink /data/releases/current"), r.SSH(running))
		// Two releases, one that failed and went back, and a rollback: each time the one had ended before the other began.
		assert.Equal(t, strings.TrimSpace(strings.Repeat("die\nstart\n", 5)), strings.TrimSpace(r.SSH("sudo systemctl stop test-workers; sudo journalctl --unit test-workers --output cat | grep -xE 'start|die'")))
	})
	t.Run("a database that moves to RDS, and back", func(t *testing.T) { externalDatabase(t, r.In(t)) })
}

// externalDatabase moves the app's database to the one in RDS that berth:rds declares, as docs/external.md says, and takes it back.
func externalDatabase(t *testing.T, r *harness.Rehearsal) {
	const first, declared = "first-secret-1", `rds={"version":"17","user":"load","database":"load"}`
	password := r.File("database-password")
	r.Run("up", "--set", declared, "--set", "rdsPassword="+first)
	host := r.Account().Only("aws:rds/instance:Instance").Output("address")
	r.SSH("sudo /opt/berth/deploy.sh exec db pg_isready --quiet --host " + host)
	// Somebody else in the network does not reach it, though the name tells everybody where it is.
	address, _, _ := strings.Cut(r.SSH("getent hosts "+host), " ")
	networks, err := exec.CommandContext(t.Context(), "docker", "network", "ls", "--filter", "label=berth.rehearsal="+r.Name, "--filter", "label=berth.vpc", "--format", "{{.Name}}").Output()
	require.NoError(t, err)
	stranger := exec.CommandContext(t.Context(), "docker", "run", "--rm", "--label", "berth.rehearsal="+r.Name, "--network", strings.TrimSpace(string(networks)), "berth-rehearsal/database",
		"/usr/lib/postgresql/17/bin/pg_isready", "--host", address, "--timeout", "3")
	said, err := stranger.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(said), "no response")

	// query asks the database as its master user.
	query := func(password, mode, query string) (string, error) {
		return r.TrySSH(`sudo /opt/berth/deploy.sh exec db bash -c 'read -r PGPASSWORD && export PGPASSWORD && psql "host=`+host+` user=load dbname=load sslmode=`+mode+`" --no-align --tuples-only --command "`+query+`"'`, password+"\n")
	}
	who, err := query(first, "require", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
	require.NoError(t, err, who)
	assert.Equal(t, "t", strings.TrimSpace(who), "by TLS")
	who, err = query(first, "disable", "SELECT 1")
	require.Error(t, err)
	assert.Contains(t, who, "no encryption", "TLS is required")
	preview := r.Run("preview", "--set", "rdsPassword="+password)
	assert.Contains(t, preview, "the database in RDS: Postgres 17 on db.t4g.micro with 20 GB, about 14.42 USD a month")
	assert.Contains(t, preview, "no service runs in it yet")
	up := r.Run("up")
	assert.NotContains(t, preview+up, password)
	who, err = query(first, "require", "SELECT 1")
	require.Error(t, err)
	assert.Contains(t, who, "password authentication failed", "it was changed in place")
	who, err = query(password, "require", "SELECT 1")
	require.NoError(t, err, who)

	const count = `sudo /opt/berth/deploy.sh run web python3 -c 'import asyncio, asyncpg; from database import settings
async def main(): print(await (await asyncpg.connect(timeout=30, **settings())).fetchval("SELECT count(*) FROM counted"))
asyncio.run(main())'`
	const write = "curl --silent --show-error --fail --insecure --resolve " + harness.Domain + ":443:127.0.0.1 --request POST https://" + harness.Domain + "/count"
	r.SSH(write)
	r.SSH("sudo /opt/berth/deploy.sh maintenance on && sudo docker stop $(sudo docker ps --quiet --filter label=berth.release) && sudo /opt/berth/deploy.sh dump")
	before := r.SSH(count)
	require.NotEqual(t, "0", before)
	r.SSHInput(`sudo /opt/berth/deploy.sh exec db bash -c 'set -o pipefail; read -r PGPASSWORD && export PGPASSWORD
{ echo "BEGIN;" && pg_dump --no-owner --no-privileges -U "${POSTGRES_USER:-postgres}" "${POSTGRES_DB:-postgres}" && echo "COMMIT;"; } |
psql "host=`+host+` user=load dbname=load sslmode=require" --set ON_ERROR_STOP=1 --quiet'`, password+"\n")
	preview = r.Run("preview", "--set", "external.db="+host)
	assert.Contains(t, preview, "db is external, at "+host+": no container runs here, and the volumes of an earlier one stay; pointed there: web DATABASE_HOST")
	assert.Contains(t, preview, "service db runs in it")
	const volumes = "sudo docker volume ls --quiet --filter name=db-data"
	volume := r.SSH(volumes)
	require.NotEmpty(t, volume)
	// make rehearse would want the site to answer.
	r.Run("shell", "--", "bash", "-c", `pulumi config set --path berth:external.db "$(pulumi stack output rdsHost)" && pulumi up --yes`)
	assert.Equal(t, before, r.SSH(count), "every row is there")
	assert.Empty(t, r.SSH("sudo docker ps --quiet --filter label=com.docker.compose.service=db"), "its container is gone")
	assert.Equal(t, volume, r.SSH(volumes), "its volume is not")
	r.SSH("sudo /opt/berth/deploy.sh maintenance off")
	r.SSH(write)
	assert.NotEqual(t, before, r.SSH(count), "what is written goes there")
	refused, err := r.Try("preview", "--set", "rds-")
	require.Error(t, err)
	assert.Contains(t, refused, "service db runs in the database")
	assert.Contains(t, refused, "[rds-in-use]")

	const dumps = "sudo ls /data/dumps | grep -c '_db.postgres'"
	kept, err := strconv.Atoi(r.SSH(dumps))
	require.NoError(t, err)
	r.SSH("sudo /opt/berth/deploy.sh rollback --with-database --yes")
	assert.Equal(t, before, r.SSH(count), "the release before the move, with its own database")
	now, err := strconv.Atoi(r.SSH(dumps))
	require.NoError(t, err)
	assert.Greater(t, now, kept, "what its database held was dumped before it was overwritten")
	r.Run("up", "--set", declared, "--set", "external.db-", "--set", "protect=true")
	assert.Equal(t, before, r.SSH(count), "the volume as it was")

	refused, err = r.Try("preview", "--set", "rds-")
	require.Error(t, err)
	assert.Contains(t, refused, "[rds-protected]")
	require.Len(t, r.Account().All("aws:rds/instance:Instance"), 1)
	r.Run("up", "--set", declared, "--set", "protect=false")
	r.Run("up", "--set", "rds-")
	assert.Empty(t, r.Account().All("aws:rds/instance:Instance"))
	assert.Len(t, r.Account().All("aws:rds/snapshot:Snapshot"), 1, "its final one")
	assert.Equal(t, before, r.SSH(count))
}
