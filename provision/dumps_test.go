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

// TestDumpsAreCompressedAndRestored: what a restore prints is said, old dumps that are not compressed are taken as they are, and a
// dump that fails halfway is none.
func TestDumpsAreCompressedAndRestored(t *testing.T) {
	const docker = `case $1 in
  inspect) printf 'redis-server\n--requirepass\nsecret\n' ;;
  exec) case $* in *secret*) echo "a secret is an argument" >&2; exit 1 ;; esac
    case ${*: -1} in dump) echo "all of it, $BERTH_COMMAND" ;; restore) cat >"${0%/bin/*}/restored"; echo "role x stays" ;; esac ;;
esac`
	plan := `{"stateful":["cache"],"databases":[{"service":"cache","kind":"redis"}]}`
	run := func(docker, line string, files map[string]string) (string, error) {
		all := map[string]string{"old/plan.json": plan, "new/plan.json": plan}
		for name, text := range files {
			all[name] = text
		}
		return withDocker(t, docker, `read_text() { local -n text_of=$1; shift; if [ "$1" = cat ]; then text_of=script; else text_of=$("$@") || fail command-failed "$1"; fi; }; `+line, all)
	}
	output, err := run(docker, `dump_databases old new; gzip -dc "$DUMPS"/*.redis; restore_databases old; cat "$DATA/restored"`, map[string]string{})
	require.NoError(t, err, output)
	assert.Equal(t, 2, strings.Count(output, "all of it, redis-server\n--requirepass\nsecret\n"), output)
	assert.Contains(t, output, "cache: role x stays")

	output, err = run(docker, `restore_databases old; cat "$DATA/restored"`, map[string]string{"dumps/20260101T000000Z_old_cache.redis": "as it was before\n"})
	require.NoError(t, err, output)
	assert.Contains(t, output, "as it was before\n")

	for name, broken := range map[string]string{"fails halfway": `[ "$1" = inspect ] && echo r && exit; echo half; exit 1`, "prints nothing": `[ "$1" = inspect ] && echo r; exit 0`} {
		output, err = run(broken, `dump_databases old new; echo "goes on"`, map[string]string{})
		require.Error(t, err, name)
		assert.Contains(t, output, "no release goes out without a dump", name)
		assert.NotContains(t, output, "goes on", name)
	}
}

// TestVolumesWithSQLiteFilesAreDumped, where there is one, whether the service runs or not.
func TestVolumesWithSQLiteFilesAreDumped(t *testing.T) {
	python, err := exec.LookPath("python3")
	require.NoError(t, err)
	volumes := t.TempDir()
	for _, name := range []string{"app_storage", "app_media"} {
		require.NoError(t, os.Mkdir(filepath.Join(volumes, name), 0o755))
	}
	require.NoError(t, exec.CommandContext(t.Context(), python, "-c", `import sqlite3; sqlite3.connect("`+volumes+`/app_storage/a.db").execute("CREATE TABLE t (a)")`).Run())
	if os.Geteuid() != 0 {
		t.Skip("a volume is read as its files' owner, which takes root")
	}
	const docker = `case $1$2 in volumels) printf 'NAME\napp_storage\napp_media\n' ;; volumeinspect) echo "$VOLUMES/${*: -1}" ;; esac`
	output, err := withDocker(t, docker, `export VOLUMES=`+volumes+`; running() { :; }; timeout() { shift; set -- "${@/\/opt\/berth/scripts}"; "$@"; }
dump_databases old new; ls "$DUMPS"; restore_databases new 2>&1`, map[string]string{
		"old/plan.json": `{"stateful":["web","media"],"databases":[]}`,
		"new/plan.json": `{"stateful":["web","media"],"databases":[],"sqlite":[{"service":"web","volumes":["app_storage","app_later"]},{"service":"media","volumes":["app_media"]}]}`,
	})
	require.NoError(t, err, output)
	assert.Contains(t, output, "_old_web.sqlite\n")
	assert.NotContains(t, output, "media.sqlite")
	assert.NotContains(t, output, ".partial")
}
