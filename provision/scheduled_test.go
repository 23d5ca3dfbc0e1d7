package provision

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// theJobs are as the operations step leaves them.
const theJobs = `{"JOBS":[
{"name":"nightly","service":"worker","command":"clean 'a b' \"$TOKEN\"","schedule":"30 2 * * *","calendars":["*-*-* 02:30:00 UTC"],"timeout":60},
{"name":"both","service":"web","command":"x","schedule":"0 0 13 * 5","calendars":["*-*-13 00:00:00 UTC","Fri *-*-* 00:00:00 UTC"],"timeout":3600}]}`

// newScheduled is a server whose Docker runs a job's container until the file "ends" is there, and says how it was called.
func newScheduled(t *testing.T) *rebooted {
	t.Helper()
	r := newCommands(t)
	r.write("etc/jobs.json", theJobs)
	r.write("etc/release.json", `{"DOMAIN":"example.com","REPOSITORY":"r","COMMIT":"c","COMPOSE_FILE":"compose.yaml","STRATEGY":"blue-green","HEALTHY_WITHIN":9,"DRAIN_WITHIN":1,"KEEP":3,"APP":{}}`)
	r.write("exit", "0 false\n")
	r.write("ends", "")
	r.bin("docker", `case "$*" in
  version) ;;
  "ps --no-trunc "*job*) echo HEAD; cat "$DIR/working" 2>/dev/null || true ;;
  ps*) echo HEAD ;;
  "compose "*) printf '%s\n' "$*" >>"$DIR/told"; printf '%s\n' "$BERTH_JOB" >"$DIR/command"; exit "$(cat "$DIR/starts" 2>/dev/null || echo 0)" ;;
  "logs --follow "*) printf 'it \033[31mprints\n' ;;
  "wait "*) while [ ! -e "$DIR/ends" ]; do sleep 0.05; done ;;
  "inspect --format {{.State.Running}} "*) if [ -e "$DIR/ends" ]; then echo false; else echo true; fi ;;
  "inspect --format {{.State.ExitCode}}"*) cat "$DIR/exit" ;;
  "stop "*) echo "$*" >>"$DIR/told"; : >"$DIR/ends" ;;
  *) echo "$*" >>"$DIR/told" ;;
esac`)
	r.bin("systemd-cat", `cat >>"$DIR/journal"`)
	return r
}

func (r *rebooted) bin(name, text string) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, "bin", name), []byte("#!/bin/bash\n"+text+"\n"), 0o755))
}

// left is what is known of a job.
func (r *rebooted) left(name string) (known map[string]any) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.data, "jobs", name+".json"))
	require.NoError(r.t, err)
	require.NoError(r.t, json.Unmarshal(text, &known))
	return known
}

// TestAJobRuns in a container of its own of the release that serves. Its command is in no arguments, and how it ended is known.
func TestAJobRuns(t *testing.T) {
	r := newScheduled(t)
	said, err := r.source("deploy.sh", "main job nightly")
	require.NoError(t, err, said)
	told, err := os.ReadFile(filepath.Join(r.dir, "told"))
	require.NoError(t, err)
	assert.Contains(t, string(told), "run --detach --name berth-job-nightly --label berth.job=nightly --no-deps --no-TTY --env BERTH_JOB worker sh -c ")
	assert.NotContains(t, string(told), "clean", "anybody on the server may read arguments")
	assert.Contains(t, string(told), "rm --force --volumes berth-job-nightly")
	command, err := os.ReadFile(filepath.Join(r.dir, "command"))
	require.NoError(t, err)
	assert.Equal(t, "clean 'a b' \"$TOKEN\"\n", string(command))
	assert.Contains(t, said, "it prints\n", "and nothing that a terminal acts upon")
	require.Eventually(t, func() bool {
		journal, err := os.ReadFile(filepath.Join(r.dir, "journal"))
		return err == nil && string(journal) == "it prints\n"
	}, time.Minute, 10*time.Millisecond)
	known := r.left("nightly")
	assert.Equal(t, "succeeded", known["result"])
	assert.Equal(t, "abc", known["release"])
	assert.Equal(t, known["time"], known["succeeded"])
}

// TestAJobThatFailsSaysSo, however it fails, and leaves no container.
func TestAJobThatFailsSaysSo(t *testing.T) {
	for name, test := range map[string]struct{ file, text, line, says string }{
		"its command fails":     {"exit", "3 false", "", "it ended with exit code 3"},
		"out of memory":         {"exit", "137 true", "", "it took more memory than there is"},
		"does not start":        {"starts", "1", "", "Docker does not start the container of job nightly"},
		"no release":            {"x", "", `rm "$RELEASES/current"; `, "nothing was released yet"},
		"another release's":     {"data/releases/abc/plan.json", `{"stateless":["web"],"stateful":["worker"]}`, "", "release abc has no service worker that every release replaces (these are: web)"},
		"takes too long":        {"x", "", `rm "$DIR/ends"; await() { false; }; `, "it had not ended after 60 seconds, its timeout, and was ended"},
		"a command of Berth's":  {"x", "", `find_serving() { false; }; `, "because this failed"},
		"Docker does not begin": {"x", "", `await_docker() { fail docker-not-answering "Docker does not answer"; }; `, "Docker does not answer [docker-not-answering]"},
	} {
		r := newScheduled(t)
		r.write(test.file, test.text)
		said, err := r.source("deploy.sh", test.line+"main job nightly")
		require.Error(t, err, name)
		assert.Contains(t, said, test.says, name)
		known := r.left("nightly")
		assert.Equal(t, "failed", known["result"], "%s: %s", name, said)
		assert.Contains(t, known["reason"], test.says, name)
		assert.NotEmpty(t, known["time"], name)
		assert.NotContains(t, known, "succeeded", name)
		assert.Contains(t, said, "again: sudo ", name)
	}
	r := newScheduled(t)
	said, err := r.source("deploy.sh", "main job none")
	require.Error(t, err)
	assert.Contains(t, said, "there is no job none [job-unknown]; these are: nightly both")
}

// TestOneRunAtATime: another is skipped, which is said and written down, and is a failure for a person alone. So is one while nothing
// is to write.
func TestOneRunAtATime(t *testing.T) {
	for name, test := range map[string]struct{ line, says string }{
		"at work":         {`mkdir -p "$JOB_LOCKS"; exec 5>>"$JOB_LOCKS/nightly"; flock 5; `, "it is still at work"},
		"the maintenance": {`: >"$MAINTENANCE"; `, "the maintenance page is on"},
	} {
		r := newScheduled(t)
		for id, fails := range map[string]bool{"": true, "timer": false} {
			said, err := r.source("deploy.sh", test.line+"export INVOCATION_ID="+id+"; main job nightly 5>&-")
			assert.Equal(t, fails, err != nil, "%s: %s", name, said)
			assert.Contains(t, said, "job nightly does not run now: "+test.says, name)
		}
		known := r.left("nightly")
		assert.NotEmpty(t, known["skipped"], name)
		assert.Contains(t, known["skippedBecause"], test.says, name)
		assert.NotContains(t, known, "result", "%s: it did not run", name)
		assert.NoFileExists(t, filepath.Join(r.dir, "command"), name)
	}
}

// TestAJobThatIsEndedFromOutside stops its container and says so, as at a reboot.
func TestAJobThatIsEndedFromOutside(t *testing.T) {
	r := newScheduled(t)
	require.NoError(t, os.Remove(filepath.Join(r.dir, "ends")))
	bash := exec.CommandContext(t.Context(), "bash", filepath.Join(r.dir, "scripts", "deploy.sh"), "job", "nightly")
	bash.Env = append(os.Environ(), "DIR="+r.dir, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
	require.NoError(t, bash.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(r.dir, "command")); return err == nil }, time.Minute, 10*time.Millisecond)
	require.NoError(t, bash.Process.Signal(syscall.SIGTERM))
	require.Error(t, bash.Wait())
	assert.Equal(t, 143, bash.ProcessState.ExitCode())
	told, err := os.ReadFile(filepath.Join(r.dir, "told"))
	require.NoError(t, err)
	assert.Contains(t, string(told), "stop -t 60 berth-job-nightly\n")
	assert.Contains(t, r.left("nightly")["reason"], "it was ended from outside (signal 15)")
}

// TestAReleaseLeavesJobsAtWork, with their networks; where nothing may write, it ends them and says so.
func TestAReleaseLeavesJobsAtWork(t *testing.T) {
	const stand = `containers() { printf 'web1\njob1\n'; }; running() { containers; }; jobs_in() { [ ! -e "$DIR/working" ] || echo "job1 nightly"; }; `
	r := newScheduled(t)
	r.write("working", "job1 nightly\n")
	said, err := r.source("deploy.sh", stand+`stop_release abc; remove_release abc`)
	require.NoError(t, err, said)
	assert.Equal(t, 2, strings.Count(said, "job nightly began in release abc and goes on there"), said)
	told, err := os.ReadFile(filepath.Join(r.dir, "told"))
	require.NoError(t, err)
	assert.Equal(t, "update --restart no web1 job1\nstop web1\nrm --force --volumes web1\n", string(told), "neither its container nor a network")
	assert.DirExists(t, filepath.Join(r.data, "releases", "abc"))

	require.NoError(t, os.Remove(filepath.Join(r.dir, "told")))
	said, err = r.source("deploy.sh", stand+`stop_writers "the databases are restored"`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "job nightly is ended, because the databases are restored; it counts as failed")
	told, err = os.ReadFile(filepath.Join(r.dir, "told"))
	require.NoError(t, err)
	assert.Equal(t, "stop -t 60 job1\n", string(told))

	require.NoError(t, os.Remove(filepath.Join(r.dir, "working")))
	said, err = r.source("deploy.sh", stand+`docker_table() { :; }; remove_release abc`)
	require.NoError(t, err, said)
	assert.NoDirExists(t, filepath.Join(r.data, "releases", "abc"))
}

// TestTimersFollowTheSetting: one for each job, none for any other, and only what changed is restarted.
func TestTimersFollowTheSetting(t *testing.T) {
	r := newScheduled(t)
	r.bin("systemctl", `echo "$*" >>"$DIR/asked"`)
	schedule := func(jobs string) (said, asked string) {
		t.Helper()
		r.write("etc/jobs.json", jobs)
		said, err := r.source("steps/operations.sh", "schedule_jobs")
		require.NoError(t, err, said)
		text, err := os.ReadFile(filepath.Join(r.dir, "asked"))
		require.NoError(t, err)
		require.NoError(t, os.Remove(filepath.Join(r.dir, "asked")))
		return said, string(text)
	}
	_, asked := schedule(theJobs)
	assert.Contains(t, asked, "restart berth-job-nightly.timer berth-job-both.timer\n")
	assert.Contains(t, asked, "enable --quiet --now berth-job-nightly.timer\n")
	timer, err := os.ReadFile(filepath.Join(r.dir, "units", "berth-job-both.timer"))
	require.NoError(t, err)
	assert.Contains(t, string(timer), "OnCalendar=*-*-13 00:00:00 UTC\nOnCalendar=Fri *-*-* 00:00:00 UTC\n")
	assert.Contains(t, string(timer), "Persistent=true\n")
	service, err := os.ReadFile(filepath.Join(r.dir, "units", "berth-job-nightly.service"))
	require.NoError(t, err)
	assert.Contains(t, string(service), "/deploy.sh job nightly\n")
	assert.NotContains(t, string(service), "clean", "everybody on the server may read it")
	assert.FileExists(t, filepath.Join(r.dir, "stamps", "stamp-berth-job-nightly.timer"), "or systemd would make up for what was before it")

	_, asked = schedule(theJobs)
	assert.NotContains(t, asked, "restart")
	_, asked = schedule(strings.Replace(theJobs, "02:30", "03:30", 1))
	assert.Contains(t, asked, "restart berth-job-nightly.timer\n")
	r.write("data/jobs/nightly.json", "{}")
	said, asked := schedule(`{"JOBS":[]}`)
	assert.Contains(t, said, "job nightly is no longer set")
	assert.Contains(t, asked, "disable --quiet --now berth-job-nightly.timer\n")
	for _, folder := range []string{"units", "stamps", "data/jobs"} {
		left, err := os.ReadDir(filepath.Join(r.dir, folder))
		require.NoError(t, err)
		assert.Empty(t, left, folder)
	}
}

// TestTheHealthCheckKnowsJobs: one that failed, one that was interrupted, one that did not begin, and one of which nothing is known.
func TestTheHealthCheckKnowsJobs(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("this machine has no systemd-analyze")
	}
	const jobs = `{"JOBS":[{"name":"often","service":"web","command":"x","schedule":"* * * * *","calendars":["*-*-* *:*:00 UTC"],"timeout":60}]}`
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format("2006-01-02T15:04:05Z") }
	for name, test := range map[string]struct {
		left, line, says string
		timer            time.Duration
	}{
		"succeeded":        {`{"time":"` + ago(time.Minute) + `","result":"succeeded"}`, "", "jobs 0 none failed", time.Hour},
		"failed":           {`{"time":"` + ago(time.Minute) + `","result":"failed","reason":"it ended with exit code 3"}`, "", "jobs 2 job often failed at ", time.Hour},
		"interrupted":      {`{"time":"` + ago(time.Minute) + `","result":"running"}`, "", "was interrupted", time.Hour},
		"at work":          {`{"time":"` + ago(time.Hour) + `","result":"running"}`, `mkdir -p "$JOB_LOCKS"; exec 5>>"$JOB_LOCKS/often"; flock 5; `, "jobs 0 ", time.Hour},
		"overdue":          {`{"time":"` + ago(time.Hour) + `","result":"succeeded"}`, "", "and did not begin; look with: systemctl status berth-job-often.timer", time.Hour},
		"skipped":          {`{"time":"` + ago(time.Hour) + `","result":"succeeded","skipped":"` + ago(time.Minute) + `"}`, "", "jobs 0 ", time.Hour},
		"never, yet":       {"", "", "jobs 0 ", time.Minute},
		"never, for long":  {"", "", "and did not begin", time.Hour},
		"without a timer":  {`{"time":"` + ago(time.Hour) + `","result":"succeeded"}`, "", "and did not begin", -1},
		"another schedule": {`{"time":"` + ago(time.Hour) + `","result":"succeeded"}`, "", "jobs 0 ", time.Minute},
		"nonsense":         {"nonsense", "", "how job often ended cannot be read", time.Minute},
		"half a line":      {`{"time":"2026`, "", "how job often ended cannot be read", time.Minute},
	} {
		r := newScheduled(t)
		r.write("etc/jobs.json", jobs)
		next := time.Now().Add(time.Minute).UTC()
		// As systemd prints it, in the zone that it is asked in.
		r.bin("systemctl", `[ "$TZ" = UTC ] && echo "`+next.Format("Mon 2006-01-02 15:04:05 MST")+`"`)
		if test.left != "" {
			r.write("data/jobs/often.json", test.left)
		}
		if test.timer >= 0 {
			r.write("units/berth-job-often.timer", "")
			at := time.Now().Add(-test.timer)
			require.NoError(t, os.Chtimes(filepath.Join(r.dir, "units", "berth-job-often.timer"), at, at))
		}
		said, err := r.source("health-check.sh", `result() { echo "$@"; }; `+test.line+`check_jobs`)
		require.NoError(t, err, "%s: %s", name, said)
		assert.Contains(t, said, test.says, name)
		said, err = r.source("deploy.sh", "main jobs")
		require.NoError(t, err, "%s: %s", name, said)
		assert.Contains(t, said, "JOB", name)
		assert.Contains(t, said, "often", name)
		assert.Contains(t, said, next.Format("2006-01-02T15:04:05Z"), name)
	}
	r := newScheduled(t)
	require.NoError(t, os.Remove(filepath.Join(r.dir, "etc", "jobs.json")))
	said, err := r.source("health-check.sh", `result() { echo "$@"; }; check_jobs`)
	require.NoError(t, err, said)
	assert.Empty(t, said, "a server without jobs")
}
