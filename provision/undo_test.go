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

// cut is a pipe without a reader, as an operator's terminal whose connection is gone.
func cut(t *testing.T) *os.File {
	t.Helper()
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	t.Cleanup(func() { assert.NoError(t, writer.Close()) })
	return writer
}

// TestWhatCannotBePrintedIsNoFailure: for a terminal that is gone, and for a log on a full disk.
func TestWhatCannotBePrintedIsNoFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer func() { assert.NoError(t, full.Close()) }()
	for name, test := range map[string]struct{ operator, log *os.File }{
		"no terminal": {cut(t), nil}, "a full log": {cut(t), full}, "a full disk for both": {full, full},
	} {
		done := filepath.Join(t.TempDir(), "done")
		bash := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `trap '' PIPE; source scripts/lib.sh; say one; show web <<<"two"; say three; : >"$1"`, "bash", done)
		bash.ExtraFiles = []*os.File{test.operator}
		if test.log != nil {
			bash.Stdout = test.log
		}
		require.NoError(t, bash.Run(), name)
		assert.FileExists(t, done, name)
	}
}

// releases has the parts of deploy.sh that change something say what they do, and write it down in did. lead is its own.
const releases = `
told() { say "$*"; echo "$*" >>"$DIR/did"; }
for name in start_again drain stop_release remove_release restore_data restore_databases audit; do eval "$name() { told $name \"\$@\"; }"; done
free_mib() { echo 4000; }
point() { [ ! -e "$DIR/refuses" ]; }
STOPPED_FIRST="" RESTORING="" RESTORED="" BY_HAND="" STEP=verify OLD=abc NEW=new
`

func newReleases(t *testing.T, current string) *rebooted {
	t.Helper()
	r := newRebooted(t)
	for _, name := range []string{"abc", "new", "starting"} {
		require.NoError(t, os.MkdirAll(filepath.Join(r.data, "releases", name), 0o700))
	}
	require.NoError(t, os.Remove(filepath.Join(r.data, "releases", "current")))
	require.NoError(t, os.Symlink(current, filepath.Join(r.data, "releases", "current")))
	return r
}

func (r *rebooted) did() string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "did"))
	require.NoError(r.t, err)
	return string(text)
}

// TestARollbackOutlivesTheConnection: each of its parts prints, without a reader, and all are done.
func TestARollbackOutlivesTheConnection(t *testing.T) {
	r := newReleases(t, "new")
	bash := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", "source "+filepath.Join(r.dir, "scripts", "deploy.sh")+releases+
		`SWITCHED=yes; trap finish EXIT; trap 'exit 141' PIPE; say "the first line without a reader"; echo "not ended" >>"$DIR/did"`)
	bash.Env = append(os.Environ(), "DIR="+r.dir, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
	bash.ExtraFiles = []*os.File{cut(t)}
	output, err := bash.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, 141, bash.ProcessState.ExitCode(), "%s", output)
	did := strings.Split(strings.TrimSpace(r.did()), "\n")
	require.Len(t, did, 6, "%s", output)
	assert.Equal(t, []string{"start_again abc new", "drain new abc", "restore_data abc", "stop_release new", "remove_release new"}, did[:5])
	assert.Contains(t, did[5], "audit failed verify ")
	target, err := os.Readlink(filepath.Join(r.data, "releases", "current"))
	require.NoError(t, err)
	assert.Equal(t, "abc", target)
}

// TestWhatServesIsNotStopped where switching back fails.
func TestWhatServesIsNotStopped(t *testing.T) {
	const failing = "trap finish EXIT; fail site-not-answering 'it does not answer'"
	t.Run("it fails", func(t *testing.T) {
		r := newReleases(t, "new")
		r.write("refuses", "")
		said, err := r.source("deploy.sh", releases+"SWITCHED=yes; "+failing)
		require.Error(t, err)
		assert.NotRegexp(t, `(?m)^(stop_release|remove_release|restore_data|drain)`, r.did())
		assert.DirExists(t, filepath.Join(r.data, "releases", "new"))
		assert.Contains(t, said, "new still serves and keeps running")
		assert.Regexp(t, `release again: sudo /\S*/deploy.sh; or return to abc: sudo /\S*/deploy.sh rollback abc`, said)
		assert.NotContains(t, said, "is served by abc")
	})
	t.Run("it works", func(t *testing.T) {
		r := newReleases(t, "new")
		said, err := r.source("deploy.sh", releases+"SWITCHED=yes; "+failing)
		require.Error(t, err)
		assert.Contains(t, r.did(), "stop_release new\nremove_release new\n")
		assert.Contains(t, said, "is served by abc, as before")
	})
}

// TestNothingStartsOnHalfAnUpgrade: where the old data of a database did not come back, the maintenance page stays.
func TestNothingStartsOnHalfAnUpgrade(t *testing.T) {
	r := newReleases(t, "abc")
	said, err := r.source("deploy.sh", releases+`undo_upgrades() { return 3; }; : >"$MAINTENANCE"; STOPPED_FIRST=yes RESTORING=yes; trap finish EXIT; fail dump-not-restored "it does not restore"`)
	require.Error(t, err)
	assert.NotRegexp(t, `(?m)^(start_again|restore_data|stop_release|remove_release)`, r.did())
	assert.Contains(t, said, "the upgrade could not be taken back")
	assert.Contains(t, said, "the maintenance page stays on; after the fix, run again")
	assert.NotContains(t, said, "is served by abc")

	r = newReleases(t, "abc")
	said, err = r.source("deploy.sh", releases+`undo_upgrades() { told undo_upgrades "$@"; }; : >"$MAINTENANCE"; STOPPED_FIRST=yes RESTORING=yes; trap finish EXIT; fail dump-not-restored "it does not restore"`)
	require.Error(t, err)
	assert.Regexp(t, `^undo_upgrades abc\nstart_again abc new\n`, r.did(), "the old data first")
	assert.Contains(t, said, "is served by abc, as before")
}

// TestTheSiteStaysClosedOnDataThatDidNotComeBack: a release with another release's data failed, and so does the way back.
func TestTheSiteStaysClosedOnDataThatDidNotComeBack(t *testing.T) {
	const failing = `RESTORING=yes RESTORED=yes; stop_writers() { told stop_writers; }; trap finish EXIT; fail site-not-answering "it does not answer"`
	r := newReleases(t, "abc")
	said, err := r.source("deploy.sh", releases+`restore_databases() { fail dump-not-restored "cannot restore"; }; `+failing)
	require.Error(t, err)
	assert.FileExists(t, filepath.Join(r.data, "maintenance"))
	assert.Regexp(t, `the databases could not be put back as they were .* open the site as it is: sudo /\S*/deploy.sh maintenance off`, said)
	assert.NotContains(t, said, "is served by abc")

	r = newReleases(t, "abc")
	said, err = r.source("deploy.sh", releases+failing)
	require.Error(t, err)
	assert.NoFileExists(t, filepath.Join(r.data, "maintenance"))
	assert.Regexp(t, `(?m)^stop_writers\nrestore_databases abc\n`, r.did())
	assert.Contains(t, said, "is served by abc, as before")
}
