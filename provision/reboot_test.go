package provision

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth/provision/scripts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rebooted is a server whose Docker and systemd are stand-ins: what Docker holds is in ps and inspect, its commands in
// told.
type rebooted struct {
	t    *testing.T
	dir  string
	data string
}

func newRebooted(t *testing.T) *rebooted {
	r := &rebooted{t: t, dir: t.TempDir()}
	r.data = filepath.Join(r.dir, "data")
	require.NoError(t, fs.WalkDir(scripts.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		target := filepath.Join(r.dir, "scripts", path)
		if err != nil || entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		text, err := scripts.Read(path)
		require.NoError(t, err)
		text = strings.NewReplacer("/opt/berth/", filepath.Join(r.dir, "scripts")+"/", "/var/log/berth", filepath.Join(r.dir, "log"), "DATA=/data\n", "DATA="+r.data+"\n", "BERTH_ETC=/etc/berth ", "BERTH_ETC="+filepath.Join(r.dir, "etc")+" ", "/run/berth-release.lock", filepath.Join(r.dir, "lock"), "/run/berth-drill.lock", filepath.Join(r.dir, "drill.lock"), "/etc/systemd/system", filepath.Join(r.dir, "units"), "/var/lib/systemd/timers", filepath.Join(r.dir, "stamps"),
			"/run/berth/", filepath.Join(r.dir, "run")+"/", "/run/berth-edge", filepath.Join(r.dir, "slots"), "/run/nginx.pid", filepath.Join(r.dir, "nginx.pid"), "/etc/nginx/berth/", r.dir+"/", "/etc/letsencrypt", filepath.Join(r.dir, "letsencrypt"), "\nmain \"$@\"\n", "\n[ \"${BASH_SOURCE[0]}\" != \"$0\" ] || main \"$@\"\n").Replace(text)
		return os.WriteFile(target, []byte(text), 0o600)
	}))
	for name, text := range map[string]string{
		"id":        `echo 0`,
		"systemctl": `[ ! -e "$DIR/shutdown" ] || echo "12 shutdown.target start waiting"`,
		"docker": `case "$1 $2" in
  "ps --no-trunc") echo "CONTAINER ID" && cat "$DIR/ps" ;;
  "ps --all") [ ! -s "$DIR/unready" ] || { sed -i 1d "$DIR/unready"; exit 1; }; echo "CONTAINER ID" && cat "$DIR/all" ;;
  inspect*) cat "$DIR/inspect" ;;
  *) echo "$*" >>"$DIR/told"; ! grep -qxF "$*" "$DIR/fails" 2>/dev/null ;;
esac`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(r.dir, "bin"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(r.dir, "bin", name), []byte("#!/bin/bash\n"+text+"\n"), 0o755))
	}
	r.write("data/releases/abc/plan.json", `{"stores":["db"]}`)
	require.NoError(t, os.Symlink("abc", filepath.Join(r.data, "releases", "current")))
	r.write("ps", "web\nbeside\ndb\nfiles\nonce\nstranger\n")
	r.write("inspect", `[
		{"Id": "stranger", "Config": {"Labels": null}, "HostConfig": {"RestartPolicy": {"Name": "always"}}},
		{"Id": "db", "Config": {"Labels": {"com.docker.compose.project": "app", "com.docker.compose.service": "db"}}, "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}}},
		{"Id": "files", "Config": {"Labels": {"com.docker.compose.project": "app", "com.docker.compose.service": "files"}}, "HostConfig": {"RestartPolicy": {"Name": "on-failure"}}},
		{"Id": "web", "Config": {"Labels": {"com.docker.compose.project": "release-abc", "com.docker.compose.service": "db", "berth.release": "abc"}}, "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}}},
		{"Id": "beside", "Config": {"Labels": {"com.docker.compose.project": "release-new", "berth.release": "new"}}, "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}}},
		{"Id": "once", "Config": {"Labels": {"com.docker.compose.project": "release-abc", "berth.release": "abc"}}, "HostConfig": {"RestartPolicy": {"Name": ""}}}
	]`)
	r.write("all", "web abc\nbeside new\nkept old\ndb \nfiles \nonce abc\nstranger \n")
	return r
}

func (r *rebooted) write(name, text string) {
	r.t.Helper()
	require.NoError(r.t, os.MkdirAll(filepath.Dir(filepath.Join(r.dir, name)), 0o755))
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600))
}

// run runs reboot.sh, and gives Docker's commands and the script's output.
func (r *rebooted) run(command string) (told, said string) {
	r.t.Helper()
	bash := exec.CommandContext(r.t.Context(), "bash", filepath.Join(r.dir, "scripts", "reboot.sh"), command)
	bash.Env = append(os.Environ(), "DIR="+r.dir, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
	output, err := bash.CombinedOutput()
	require.NoErrorf(r.t, err, "%s", output)
	text, err := os.ReadFile(filepath.Join(r.dir, "told"))
	if err != nil {
		require.ErrorIs(r.t, err, fs.ErrNotExist)
	}
	require.NoError(r.t, os.RemoveAll(filepath.Join(r.dir, "told")))
	return string(text), string(output)
}

// source runs shell in script name, whose main does not run.
func (r *rebooted) source(name, shell string) (string, error) {
	r.t.Helper()
	bash := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", "exec 3>&1; source "+filepath.Join(r.dir, "scripts", name)+"\n"+shell)
	bash.Env = append(os.Environ(), "DIR="+r.dir, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
	bash.Stdin = strings.NewReader(`{"VOLUME_ID":"vol-0123","VOLUME_SIZE":1}`)
	output, err := bash.CombinedOutput()
	return string(output), err
}

// TestAShutdownStopsDatabasesLast, and a start begins with them. No container gets a time limit: each has its own time.
func TestAShutdownStopsDatabasesLast(t *testing.T) {
	r := newRebooted(t)
	r.write("shutdown", "")
	told, _ := r.run("stop")
	assert.Equal(t, "stop stranger web beside once\nstop files\nstop db\n", told)
	told, _ = r.run("start")
	assert.Equal(t, "start db\nstart files\nstart stranger web\n", told, "neither what ran beside the release that serves, nor what has no restart policy")
	told, _ = r.run("start")
	assert.Empty(t, told, "what was written down is used up: Docker may be restarted")
}

// TestOnlyAShutdownStopsContainers: Docker's live-restore keeps them while Docker is restarted, stopped or replaced.
func TestOnlyAShutdownStopsContainers(t *testing.T) {
	r := newRebooted(t)
	told, _ := r.run("stop")
	assert.Empty(t, told)
	assert.NoFileExists(t, filepath.Join(r.data, "running"))
	told, _ = r.run("start")
	assert.Empty(t, told, "so after a power cut: Docker's own policies bring back what ran")
}

// TestAShutdownBeforeAllIsBack keeps what the boot before has not started.
func TestAShutdownBeforeAllIsBack(t *testing.T) {
	r := newRebooted(t)
	r.write("shutdown", "")
	r.run("stop")
	r.write("ps", "stranger\n")
	r.write("inspect", `[{"Id": "stranger", "Config": {"Labels": {}}, "HostConfig": {"RestartPolicy": {"Name": "always"}}}]`)
	told, _ := r.run("stop")
	assert.Equal(t, "stop stranger\n", told)
	told, _ = r.run("start")
	assert.Equal(t, "start db\nstart files\nstart stranger web\n", told)
}

// TestAPlanThatDoesNotReadHoldsNothingUp, nor does a server without a release.
func TestAPlanThatDoesNotReadHoldsNothingUp(t *testing.T) {
	r := newRebooted(t)
	r.write("shutdown", "")
	r.write("data/releases/abc/plan.json", "{")
	told, _ := r.run("stop")
	assert.Equal(t, "stop stranger web beside once\nstop db files\n", told)
	require.NoError(t, os.Remove(filepath.Join(r.data, "releases", "current")))
	require.NoError(t, os.Symlink("starting", filepath.Join(r.data, "releases", "current")))
	told, _ = r.run("start")
	assert.Equal(t, "start db files\nstart stranger\n", told)
}

// TestWhatDoesNotStopDoesNotKeepTheRestRunning: the next are stopped all the same, and it is said.
func TestWhatDoesNotStopDoesNotKeepTheRestRunning(t *testing.T) {
	r := newRebooted(t)
	r.write("shutdown", "")
	r.write("fails", "stop stranger web beside once\n")
	told, said := r.run("stop")
	assert.Equal(t, "stop stranger web beside once\nstop files\nstop db\n", told)
	assert.Contains(t, said, "not all of it stopped in its own time")
}

// TestADockerThatIsNotReady is asked again, and what was written down starts in the end, whatever it says.
func TestADockerThatIsNotReady(t *testing.T) {
	r := newRebooted(t)
	r.write("shutdown", "")
	r.run("stop")
	r.write("unready", "once\ntwice\n")
	told, said := r.run("start")
	assert.Equal(t, "start db\nstart files\nstart stranger web\n", told)
	assert.NotContains(t, said, "it cannot be told")

	r.run("stop")
	r.write("unready", strings.Repeat("no\n", 1000))
	reboot := filepath.Join(r.dir, "scripts", "reboot.sh")
	text, err := os.ReadFile(reboot)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(reboot, []byte(strings.Replace(string(text), "STARTS_WITHIN=60", "STARTS_WITHIN=0", 1)), 0o600))
	told, said = r.run("start")
	assert.Equal(t, "start db\nstart files\nstart stranger web\n", told, "nothing of a release that did not serve")
	assert.Contains(t, said, "it cannot be told what is there")

	r.run("stop")
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "bin", "readlink"), []byte("#!/bin/bash\nexit 1\n"), 0o755))
	told, _ = r.run("start")
	assert.Equal(t, "start db\nstart files\nstart stranger web beside\n", told, "nor does it stay down if it is unknown which one serves")
}

// TestTheLockNamesWhatHasIt: who waits for a server that starts or stops is informed.
func TestTheLockNamesWhatHasIt(t *testing.T) {
	r := newRebooted(t)
	r.write("shutdown", "")
	for command, what := range map[string]string{"stop": "the stop before a reboot", "start": "the start after a reboot"} {
		r.write("lock", "")
		r.write("data/running", "app web\n")
		r.run(command)
		text, err := os.ReadFile(filepath.Join(r.dir, "lock"))
		require.NoError(t, err)
		assert.Regexp(t, "^"+what+` since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, string(text))
	}
	output, err := r.source("log-monitor.sh", `exec 7>>"$LOCK"; flock 7; sign_lock "the start after a reboot"; clean`)
	require.Error(t, err)
	assert.Regexp(t, `: the start after a reboot since \S+ is at work \[release-lock-held\]; try again`, output)
}
