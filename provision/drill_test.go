package provision

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drilled is a drill of one Postgres service whose server beside the site behaves as docker says: $* are docker's arguments.
func drilled(t *testing.T, dump []byte, docker, before string) (said, told string, result map[string]any, r *rebooted) {
	t.Helper()
	r = newRebooted(t)
	r.write("data/releases/abc/plan.json", `{"stateful":["db"],"databases":[{"service":"db","kind":"postgres"},{"service":"other","kind":"command"}]}`)
	r.write("data/releases/abc/data.json", `{"name":"app","services":{"db":{"image":"berth/db:1","environment":{"POSTGRES_PASSWORD":"geheim"},"networks":{"default":null},"depends_on":{"x":{"condition":"service_started"}},
	  "volumes":[{"type":"volume","source":"db-data","target":"/var/lib/postgresql/data"},{"type":"bind","source":"/data/files/t","target":"/etc/conf","read_only":true},{"type":"bind","source":"/data/files/i","target":"/docker-entrypoint-initdb.d/a.sql","read_only":true},
	    {"type":"volume","source":"shared","target":"/s","read_only":true}]}},"volumes":{"db-data":{"name":"app_db-data"},"shared":{"name":"own"}}}`)
	r.write("data/releases/abc/.env.production", "")
	if dump != nil {
		r.write("data/dumps/20260101T000000Z_abc_db.postgres", "an older one")
		r.write("data/dumps/20260102T000000Z_abc_db.postgres", string(dump))
		r.write("data/dumps/20260103T000000Z_abc_own_db.postgres", "another service's")
	}
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "bin", "docker"), []byte(`#!/bin/bash
echo "$*" >>"$DIR/drilled"
case $* in
  *" up --detach") cp "`+r.data+`/drill/compose.json" "$DIR/made.json"; : >"$DIR/up" ;;
esac
`+docker+`
case $* in
  ps*project=berth-drill*) echo "CONTAINER ID"; [ ! -e "$DIR/up" ] || echo beside ;;
  rm*) rm -f "$DIR/up" ;;
  top*pid*) printf "PID COMMAND\\n7 postgres\\n" ;;
  top*) echo "Couldn't find PID field in ps output" >&2; exit 1 ;;
  exec*ping) ;;
  exec*restore) cat >"$DIR/restored" ;;
  exec*rows) printf '40 load\n2 postgres\n' ;;
esac
`), 0o755))
	said, err := r.source("deploy.sh", "free_mib() { echo 4000; }; BY_HAND=yes\n"+before+"\n(drill); echo \"ended $?\"")
	_ = err
	text, err := os.ReadFile(filepath.Join(r.dir, "drilled"))
	if err == nil {
		told = string(text)
	}
	if text, err := os.ReadFile(filepath.Join(r.data, "drill.json")); err == nil {
		require.NoError(t, json.Unmarshal(text, &result))
	}
	assert.NoDirExists(t, filepath.Join(r.data, "drill"), "nothing stays")
	assert.NotContains(t, said+told, "geheim")
	return said, told, result, r
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return packed.Bytes()
}

// TestADrillRestoresBesideTheSite the newest dump, into a server that shares nothing with the one in use.
func TestADrillRestoresBesideTheSite(t *testing.T) {
	said, told, result, r := drilled(t, gzipped(t, "all of it"), "", "")
	assert.Contains(t, said, "restored 20260102T000000Z_abc_db.postgres: 42 rows")
	assert.Contains(t, said, "ended 0")
	assert.Equal(t, true, result["ok"])
	assert.Equal(t, []any{map[string]any{"service": "db", "dump": "20260102T000000Z_abc_db.postgres", "rows": 42.0}}, result["databases"])
	restored, err := os.ReadFile(filepath.Join(r.dir, "restored"))
	require.NoError(t, err)
	assert.Equal(t, "all of it", string(restored))
	assert.Contains(t, told, "rm --force --volumes beside")
	text, err := os.ReadFile(filepath.Join(r.dir, "made.json"))
	require.NoError(t, err)
	var made map[string]any
	require.NoError(t, json.Unmarshal(text, &made))
	service := made["services"].(map[string]any)["db"].(map[string]any)
	for key, want := range map[string]any{"network_mode": "none", "restart": "no", "cgroup_parent": "builds.slice", "networks": nil, "depends_on": nil, "image": "berth/db:1"} {
		assert.Equal(t, want, service[key], key)
	}
	assert.NotEmpty(t, service["mem_limit"])
	assert.NotContains(t, string(text), "db-data", "the volume in use")
	assert.NotContains(t, string(text), "initdb")
	assert.Contains(t, string(text), "/data/files/t")
	assert.Equal(t, map[string]any{"shared": map[string]any{"name": "own", "external": true}}, made["volumes"])
}

// TestADrillThatFailsSaysSo, whatever fails, and takes away what it made.
func TestADrillThatFailsSaysSo(t *testing.T) {
	whole := gzipped(t, strings.Repeat("all of it", 1000))
	for name, test := range map[string]struct {
		dump         []byte
		docker, line string
		says         string
	}{
		"never dumped":        {nil, "", "", "the database of db was never dumped"},
		"cut":                 {whole[:len(whole)/2], "", "", "is damaged: it does not decompress"},
		"no dump at all":      {[]byte("x\x00y"), `case $* in exec*restore) echo "it is none" >&2; exit 1 ;; esac`, "", "does not restore"},
		"does not restore":    {whole, `case $* in exec*restore) cat >/dev/null; exit 1 ;; esac`, "", "20260102T000000Z_abc_db.postgres does not restore"},
		"does not count":      {whole, `case $* in exec*rows) exit 1 ;; esac`, "", "the rows of db cannot be counted"},
		"does not start":      {whole, `case $* in *" up --detach") exit 1 ;; esac`, "", "no server of db starts beside the site"},
		"does not answer":     {whole, `case $* in exec*ping) exit 1 ;; esac`, "await() { false; }", "does not answer within 300 seconds"},
		"is still being made": {whole, `case $* in top*) printf "PID COMMAND\\n7 docker-entrypoi\\n"; exit ;; esac`, `await() { ! "${@:2}" || echo "took it for ready"; false; }`, "does not answer within 300 seconds"},
		"ended from outside":  {whole, "", "await() { kill -TERM $BASHPID; }", "the drill ended with exit code 143"},
		"no room":             {whole, "", "free_mib() { echo 512; }", "there is no room for a drill"},
		"no memory":           {whole, "", `awk() { case $* in *MemAvailable*) echo 100 ;; *) command awk "$@" ;; esac; }`, "there is no memory for a drill"},
	} {
		said, _, result, _ := drilled(t, test.dump, test.docker, test.line)
		assert.Contains(t, said, test.says, name)
		assert.NotContains(t, said, "ended 0", name)
		assert.NotContains(t, said, "took it for ready", name)
		assert.Equal(t, false, result["ok"], name)
		assert.Equal(t, "db", result["service"], name)
		assert.Contains(t, result["reason"], test.says, name)
	}
}

// TestTheHealthCheckSaysWhenDumpsWereRestored.
func TestTheHealthCheckSaysWhenDumpsWereRestored(t *testing.T) {
	for name, test := range map[string]struct{ drill, days, plan, says string }{
		"yesterday":      {`{"time":"YESTERDAY","ok":true,"databases":[{"rows":40},{"rows":2}]}`, "7", "postgres", "drill 0 dumps were restored beside the site 1 days ago, with 42 rows 1\n"},
		"long ago":       {`{"time":"2026-01-01T00:00:00Z","ok":true,"databases":[]}`, "7", "postgres", "drill 1 dumps were last restored "},
		"failed":         {`{"time":"YESTERDAY","ok":false,"databases":[],"service":"db","reason":"it does not restore"}`, "7", "postgres", "drill 1 the dump of db could not be restored: it does not restore; again: sudo /opt/berth/deploy.sh drill"},
		"never, yet":     {"", "7", "postgres", "drill 0 no dump was restored yet"},
		"nonsense":       {"nonsense", "7", "postgres", "drill 0 no dump was restored yet"},
		"off":            {"", "0", "postgres", ""},
		"not of Berth's": {"", "7", "command", ""},
	} {
		output, err := withDocker(t, ``, `source scripts/health/site.sh; stat() { date +%s; }; result() { echo "$@"; }; load_settings() { DRILL_DAYS=`+test.days+`; }; check_drill abc`, map[string]string{
			"abc/plan.json": `{"databases":[{"service":"db","kind":"` + test.plan + `"}]}`, "operations.json": "{}", "drill.json": strings.ReplaceAll(test.drill, "YESTERDAY", time.Now().Add(-30*time.Hour).UTC().Format(time.RFC3339)),
		})
		require.NoError(t, err, output)
		if test.says == "" {
			assert.Empty(t, output, name)
		}
		assert.Contains(t, output, test.says, name)
	}
}
