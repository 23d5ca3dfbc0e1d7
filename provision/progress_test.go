package provision

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestProgress: what a step's log tells of how far it has come. The lines are those that apt-get, BuildKit and docker pull print.
func TestProgress(t *testing.T) {
	const build = "#5 [build internal] load build definition from Dockerfile\n#6 [build web 3/9] RUN npm ci --token=abc\n#6 1.2 added 812 packages\n"
	for _, test := range []struct{ log, want string }{
		{"=== 2026-01-01T00:00:00Z packages\n", ""},
		{"0 upgraded, 3 newly installed, 0 to remove and 0 not upgraded.\nGet:1 http://example.com trixie/main amd64 a\nGet:2 http://example.com trixie/main amd64 b\n", "2 of 3 packages fetched"},
		{"1 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.\nUnpacking a (1) ...\n", "1 of 3 packages unpacked"},
		{"0 upgraded, 3 newly installed, 0 to remove and 0 not upgraded.\nUnpacking a (1) ...\nSetting up a (1) ...\nSetting up b (1) ...\n", "2 of 3 packages set up"},
		{"deploy.sh: building web\n" + build, "building: step 3 of 9 of web"},
		{"#7 [2/3] COPY . .\n", "building: step 2 of 3"},
		{build + "#9 exporting to image\n#9 exporting layers 1.0s\n", "building: writing the image"},
		{build + "deploy.sh: dumped the database of db\n", ""},
		{"17: Pulling from library/postgres\n0a1b2c3d4e5f: Pulling fs layer\n1a1b2c3d4e5f: Pulling fs layer\n2a1b2c3d4e5f: Already exists\n0a1b2c3d4e5f: Download complete\n0a1b2c3d4e5f: Pull complete\n", "pulling: 2 of 3 layers"},
		{"--- step dump\n", "dumping"},
		{"--- step dump\n--- step data\n", ""},
		{"--- step images\n" + build + "=== 2026-01-01T00:00:00Z release\n", ""},
	} {
		awk := exec.CommandContext(t.Context(), "awk", "-f", "scripts/steps/progress.awk")
		awk.Stdin = strings.NewReader(test.log)
		said, err := awk.CombinedOutput()
		require.NoError(t, err, string(said))
		assert.Equal(t, test.want, strings.TrimSpace(string(said)), test.log)
	}
}

// TestAStepSaysHowFarItHasCome while it runs, once for each thing that has changed, and ends with the step.
func TestAStepSaysHowFarItHasCome(t *testing.T) {
	for _, test := range []struct{ log, says string }{
		{"0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.\nSetting up a (1) ...", "1 of 2 packages set up"},
		{"0a1b2c3d4e5f: Pulling fs layer\n1a1b2c3d4e5f: Pulling fs layer\n1a1b2c3d4e5f: Pull complete", "pulling: 1 of 2 layers, and 5 MiB of the others"},
	} {
		t.Run(test.says, func(t *testing.T) { saysOnce(t, test.log, test.says) })
	}
}

func saysOnce(t *testing.T, log, says string) {
	t.Helper()
	r := newRebooted(t)
	r.write("scripts/steps/own.sh", `set -euo pipefail
printf '%s\n' '`+log+`'
until [ -e "$DIR/said" ]; do sleep 0.05; done
`)
	blobs := filepath.Join(r.dir, "blobs")
	require.NoError(t, os.Mkdir(blobs, 0o700))
	for name, size := range map[string]int64{"GetImageBlob123": 3 << 20, "GetImageBlob456": 2<<20 + 5} {
		require.NoError(t, os.WriteFile(filepath.Join(blobs, name), nil, 0o600))
		require.NoError(t, os.Truncate(filepath.Join(blobs, name), size))
	}
	step := filepath.Join(r.dir, "scripts", "step.sh")
	text, err := os.ReadFile(step)
	require.NoError(t, err)
	require.Contains(t, string(text), "TELL_EVERY=10")
	text = []byte(strings.NewReplacer("/run/berth-step-", filepath.Join(r.dir, "step-"), "/data/docker/tmp", blobs, "TELL_EVERY=10", "TELL_EVERY=0.1").Replace(string(text)))
	require.NoError(t, os.WriteFile(step, text, 0o600))
	bash := exec.CommandContext(t.Context(), "bash", step, "own", "60")
	bash.Env = append(os.Environ(), "DIR="+r.dir, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
	output, err := bash.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, bash.Start())
	lines := bufio.NewScanner(output)
	require.True(t, lines.Scan())
	assert.Regexp(t, "^own: "+says+`, after \d+ seconds$`, lines.Text())
	r.write("said", "")
	assert.False(t, lines.Scan(), "%s: it is said once", lines.Text())
	require.NoError(t, bash.Wait())
}
