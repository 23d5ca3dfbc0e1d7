package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withDocker runs a line of the release's shell in a folder of releases where docker is a script.
func withDocker(t *testing.T, docker, line string, files map[string]string) (string, error) {
	t.Helper()
	folder := t.TempDir()
	files["bin/docker"] = "#!/bin/bash\n" + docker
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755))
	}
	command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `exec 3>&1; source scripts/lib.sh
for part in images data containers; do source "scripts/release/$part.sh"; done
RELEASES=`+folder+`; project() { printf 'release-%s\n' "$1"; }
containers() { echo "$*"; }; running() { echo "$*"; }; split() { echo "planned again"; }
`+line)
	command.Env = append(os.Environ(), "PATH="+folder+"/bin:"+os.Getenv("PATH"))
	output, err := command.CombinedOutput()
	return string(output), err
}

// TestAnImagesOwnVolumesAreHeeded: the plan is made again where they say something new, and a Docker that says nothing ends
// the release.
func TestAnImagesOwnVolumesAreHeeded(t *testing.T) {
	const docker = `case ${*: -1} in wp) echo '{"/var/www/html":{},"/tmp":{}}' ;; web) echo null ;; *) exit 1 ;; esac`
	heed := func(images, given string) (string, error) {
		return withDocker(t, docker, `heed_volumes "$RELEASES/abc"; cat "$RELEASES/abc/given.json"`, map[string]string{"abc/images.json": images, "abc/given.json": given})
	}
	output, err := heed(`{"a":{"image":"wp"},"b":{"image":"web"}}`, `{"image_volumes":{}}`)
	require.NoError(t, err, output)
	assert.Contains(t, output, "planned again")
	assert.Contains(t, strings.Join(strings.Fields(output), ""), `{"image_volumes":{"a":["/tmp","/var/www/html"]}}`)
	output, err = heed(`{"a":{"image":"wp"},"b":{"image":"web"}}`, `{"image_volumes":{"a":["/tmp","/var/www/html"]}}`)
	require.NoError(t, err, output)
	assert.NotContains(t, output, "planned again")
	output, err = heed(`{"a":{"image":"web"}}`, `{"image_volumes":{"a":["/data"]}}`)
	require.NoError(t, err, output)
	assert.Contains(t, output, "planned again", "another image declares none")
	output, err = heed(`{"a":{"image":"gone"}}`, `{"image_volumes":{}}`)
	require.Error(t, err)
	assert.Contains(t, output, "what runs is left as it was")
}

// TestJobsRunOnce: one that ended well is neither started again nor run on the way back.
func TestJobsRunOnce(t *testing.T) {
	for state, settled := range map[string]bool{
		"exited 0 no": true, "exited 0 on-failure": true, "exited 0 ": true, "exited 1 no": false, "exited 0 unless-stopped": false, "running 0 no": true, "restarting 1 always": false, "created 0 no": false,
	} {
		_, err := withDocker(t, `echo "`+state+`"`, "settled abc job container", map[string]string{"abc/plan.json": `{"once":["other"]}`})
		assert.Equal(t, settled, err == nil, state)
		output, err := withDocker(t, `echo "`+state+`"`, `CHANGED="job changes"; leave_jobs; echo "[$CHANGED]"`, map[string]string{})
		require.NoError(t, err, output)
		assert.Equal(t, strings.HasPrefix(state, "exited 0") && state != "exited 0 unless-stopped", strings.Contains(output, "[]"), "%s: %s", state, output)
	}
	_, err := withDocker(t, `echo "running 0 no"`, "settled abc job container", map[string]string{"abc/plan.json": `{"once":["job"]}`})
	require.Error(t, err, "others wait until it has ended")
}

// TestWhatIsStoppedForGoodStaysDown: Docker starts what has the policy on-failure and ended with an error at the next boot,
// whoever stopped it.
func TestWhatIsStoppedForGoodStaysDown(t *testing.T) {
	output, err := withDocker(t, `echo "docker $*"`, `docker() { command docker "$@" >&3; }; stop_release abc; allow_restarts release-abc "$RELEASES/app.json"`,
		map[string]string{"app.json": `{"services":{"web":{"restart":"unless-stopped"},"worker":{"restart":"on-failure:3"},"job":{"restart":"no"},"other":{}}}`})
	require.NoError(t, err, output)
	assert.Contains(t, output, "docker update --restart unless-stopped")
	assert.Contains(t, output, "docker update --restart on-failure:3")
	assert.NotContains(t, output, "job")

	log := filepath.Join(t.TempDir(), "log")
	output, err = withDocker(t, `echo "docker $*" >>`+log, "stop_release abc", map[string]string{})
	require.NoError(t, err, output)
	said, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, "docker update --restart no release-abc\ndocker stop release-abc\n", string(said))
}
