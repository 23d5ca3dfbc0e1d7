package provision

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPlanKnowsKindsOfDatabases: by the image, and Redis by keeping something at all.
func TestPlanKnowsKindsOfDatabases(t *testing.T) {
	const kept = `,"volumes":[{"type":"volume","source":"v","target":"/data"}]`
	for service, kind := range map[string]string{
		`"image":"redis:7"` + kept:                               "redis",
		`"image":"docker.io/bitnami/valkey:8.0"` + kept:          "redis",
		`"image":"eqalpha/keydb:latest"` + kept:                  "redis",
		`"image":"redis:7"`:                                      "",
		`"image":"redis/redis-stack-server:7"` + kept:            "",
		`"image":"rediscommander/redis-commander:latest"` + kept: "",
		`"image":"mongo:8"` + kept:                               "mongo",
		`"image":"percona/percona-server-mongodb:7"` + kept:      "mongo",
		`"image":"mongo-express:1"` + kept:                       "",
		`"image":"mariadb:11"` + kept:                            "mysql",
		`"image":"shop-db:1","environment":{"POSTGRES_HOST_AUTH_METHOD":"trust"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/postgresql/data"}]`: "postgres",
		`"image":"shop-db:1","environment":{"MYSQL_ALLOW_EMPTY_PASSWORD":"yes"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/mysql"}]`:            "mysql",
		`"image":"shop-db:1","environment":{"MARIADB_ROOT_PASSWORD_FILE":"/run/secrets/p"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/mysql"}]`: "mysql",
		`"image":"shop-web:1","environment":{"MYSQL_PASSWORD":"p"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/mysql-files"}]`:                   "",
	} {
		_, whole := planned(t, `{"services":{`+web+`,"other":{`+service+`}},"volumes":{"v":{"name":"app_v"}}}`, nil)
		found := ""
		for _, one := range whole["databases"].([]any) {
			found += at(one, "kind").(string)
		}
		assert.Equal(t, kind, found, service)
	}
}

// TestPlanSaysWhereSQLiteFilesMayBe: in what is no database's own, and each volume once.
func TestPlanSaysWhereSQLiteFilesMayBe(t *testing.T) {
	_, whole := planned(t, `{"services":{`+web+`,
	  "app":{"image":"x:1","volumes":[{"type":"volume","source":"storage","target":"/s"},{"type":"volume","source":"read","target":"/r","read_only":true},{"type":"bind","source":"/src/kept","target":"/k"},{"type":"volume","target":"/nameless"}]},
	  "jobs":{"image":"x:1","volumes":[{"type":"volume","source":"storage","target":"/s"},{"type":"volume","source":"dumps","target":"/d"}]},
	  "db":{"image":"postgres:17","volumes":[{"type":"volume","source":"db-data","target":"/var/lib/postgresql/data"}]},
	  "queue":{"image":"rabbitmq:4","volumes":[{"type":"volume","source":"queue","target":"/q"}]},
	  "backup":{"image":"y:1","volumes":[{"type":"volume","source":"db-data","target":"/d"}]}},
	  "volumes":{"storage":{"name":"app_storage"},"read":{"name":"app_read"},"dumps":{"name":"elsewhere"},"db-data":{"name":"app_db-data"},"queue":{"name":"app_queue"}}}`, nil)
	text := fmt.Sprint(whole["sqlite"])
	assert.Contains(t, text, "service:app volumes:[")
	assert.Contains(t, text, "app_storage")
	assert.Contains(t, text, "/kept")
	assert.Contains(t, text, "map[service:jobs volumes:[elsewhere]]")
	for _, other := range []string{"app_read", "app_db-data", "app_queue", "backup"} {
		assert.NotContains(t, text, other)
	}
}

// TestPlanRefusesARootPasswordThatNobodyKnows, in the first preview, with both ways out.
func TestPlanRefusesARootPasswordThatNobodyKnows(t *testing.T) {
	for environment, variable := range map[string]string{
		`"MYSQL_RANDOM_ROOT_PASSWORD":"1"`:                               "MYSQL_RANDOM_ROOT_PASSWORD",
		`"MARIADB_RANDOM_ROOT_PASSWORD":"yes"`:                           "MARIADB_RANDOM_ROOT_PASSWORD",
		`"MYSQL_RANDOM_ROOT_PASSWORD":true`:                              "MYSQL_RANDOM_ROOT_PASSWORD",
		`"MYSQL_RANDOM_ROOT_PASSWORD":"no","MYSQL_ROOT_PASSWORD":"p"`:    "MYSQL_RANDOM_ROOT_PASSWORD",
		`"MARIADB_ROOT_PASSWORD_HASH":"*AB"`:                             "MARIADB_ROOT_PASSWORD_HASH",
		`"MARIADB_ROOT_PASSWORD_HASH":"*AB","MARIADB_ROOT_PASSWORD":"p"`: "",
		`"MYSQL_RANDOM_ROOT_PASSWORD":"","MYSQL_ROOT_PASSWORD":"p"`:      "",
		`"MYSQL_ALLOW_EMPTY_PASSWORD":"1"`:                               "",
		`"MYSQL_ROOT_PASSWORD_FILE":"/run/secrets/p","MYSQL_USER":"app"`: "",
	} {
		model := `{"services":{` + web + `,"db":{"image":"mysql:8","environment":{` + environment + `}}}}`
		made, _ := planned(t, model, nil)
		if variable == "" {
			assert.Empty(t, made.Problems, environment)
			continue
		}
		if assert.Len(t, made.Problems, 1, environment) {
			assert.Contains(t, made.Problems[0], "service db has "+variable+", so nobody knows its root password")
			assert.Contains(t, made.Problems[0], "pulumi config set --path berth:database.service db")
		}
		made, _ = planned(t, model, map[string]any{"database": map[string]any{"service": "db", "dump": "x", "restore": "y"}})
		assert.Empty(t, made.Problems, environment)
	}
}

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
		return withDocker(t, docker, `read_text() { local -n text_of=$1; shift; if [ "$1" = cat ]; then text_of=script; else text_of=$("$@") || fail "$1"; fi; }; `+line, all)
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
