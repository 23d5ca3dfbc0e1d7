package provision

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestContainersStartWithoutCompose where none waits for another and all were made; the code is Docker's.
func TestContainersStartWithoutCompose(t *testing.T) {
	const both = `{"services":{"web":{},"api":{"depends_on":{}},"none":{"scale":0}}}`
	const text = `{"configs":{"c":{"content":"x"}},"services":{"web":{"configs":[{"source":"c"}]}}}`
	const kept = `{"configs":{"c":{"file":"/x"}},"secrets":null,"services":{"web":{"configs":[{"source":"c"}]}}}`
	const twice = `{"services":{"web":{"deploy":{"replicas":2}},"api":{"scale":1}}}`
	const shares = `{"services":{"web":{"network_mode":"service:api"},"api":{}}}`
	const waits = `{"services":{"web":{"depends_on":{"api":{"condition":"service_healthy"}}},"api":{}}}`
	start := func(app, made, arguments, code string) (string, error) {
		docker := `case $1 in
ps) printf 'CONTAINER ID SERVICE\n` + made + `' ;;
start) echo "docker $*" >&2; exit ` + code + ` ;;
esac`
		return withDocker(t, docker, `HEALTHY_WITHIN=9; compose() { echo "compose $*"; }; start_containers abc `+arguments, map[string]string{"abc/app.json": app})
	}
	for name, test := range map[string]struct {
		app, made, arguments string
		want, not            []string
	}{
		"all of them":                 {both, `1 web\n2 api\n`, "", []string{"docker start 1\n", "docker start 2\n"}, []string{"compose"}},
		"several of one":              {twice, `1 web\n2 api\n3 web\n`, "", []string{"docker start 1\n", "docker start 2\n", "docker start 3\n"}, []string{"compose"}},
		"one of two was not made":     {twice, `1 web\n2 api\n`, "", []string{"compose abc app.json up"}, []string{"docker start"}},
		"Compose writes a config":     {text, `1 web\n`, "", []string{"compose abc app.json up"}, []string{"docker start"}},
		"of a kept one, too":          {text, `1 web\n`, "--no-deps web", []string{"compose abc app.json up --detach --no-build --no-recreate --no-deps web\n"}, []string{"docker start"}},
		"a config is a file":          {kept, `1 web\n`, "", []string{"docker start 1\n"}, []string{"compose"}},
		"in another one's network":    {shares, `1 web\n2 api\n`, "", []string{"compose abc app.json up"}, []string{"docker start"}},
		"in a network of its own":     {`{"services":{"web":{"network_mode":"none","links":[],"pid":null}}}`, `1 web\n`, "", []string{"docker start 1\n"}, []string{"compose"}},
		"linked to another one":       {`{"services":{"web":{"links":["api"]},"api":{}}}`, `1 web\n2 api\n`, "", []string{"compose abc app.json up"}, []string{"docker start"}},
		"one was not made":            {both, `1 web\n`, "", []string{"compose abc app.json up --detach --no-build --no-recreate\n"}, []string{"docker start"}},
		"none was made":               {both, ``, "", []string{"compose abc app.json up"}, []string{"docker start"}},
		"one waits":                   {waits, `1 web\n2 api\n`, "", []string{"compose abc app.json up --detach --no-build --no-recreate\n"}, []string{"docker start"}},
		"one waits, of a kept one":    {waits, `1 web\n2 api\n`, "--no-deps web", []string{"docker start 1\n"}, []string{"compose", "start 2"}},
		"one waits for another kept":  {waits, `1 web\n2 api\n`, "--no-deps web api", []string{"compose abc app.json up --detach --no-build --no-recreate --no-deps web api\n"}, []string{"docker start"}},
		"not made, of a kept release": {waits, `2 api\n`, "--no-deps web api", []string{"compose abc app.json up --detach --no-build --no-recreate --no-deps web api\n"}, []string{"docker start"}},
	} {
		output, err := start(test.app, test.made, test.arguments, "0")
		require.NoError(t, err, "%s: %s", name, output)
		for _, want := range test.want {
			assert.Contains(t, output, want, name)
		}
		for _, not := range test.not {
			assert.NotContains(t, output, not, name)
		}
	}
	_, err := start(both, `1 web\n2 api\n`, "", "1")
	require.Error(t, err)
}

// TestWhatIsBegunAheadIsOnlyAHelp: containers that could not be made ahead are made, or refused, where they were before, and so are the
// hashes of what persists asked for.
func TestWhatIsBegunAheadIsOnlyAHelp(t *testing.T) {
	files := func() map[string]string {
		return map[string]string{"abc/plan.json": `{"stateless":["web"],"stateful":["db"]}`, "abc/data.json": `{"services":{"db":{"image":"db"}}}`}
	}
	compose := func(code string) string {
		return `compose() { echo "compose $2 $3" >&3; case $3 in up) return ` + code + ` ;; config) echo "db hash"; return ` + code + ` ;; esac; }; `
	}
	const ahead = `begin_create abc; end_create abc; create abc; echo made`
	output, err := withDocker(t, ``, compose("0")+ahead, files())
	require.NoError(t, err, output)
	assert.Equal(t, "compose app.json up\nmade\n", output)
	output, err = withDocker(t, ``, compose("1")+`begin_create abc; end_create abc; `+compose("0")+`create abc; echo made`, files())
	require.NoError(t, err, output)
	assert.Equal(t, "compose app.json up\ncompose app.json up\nmade\n", output)
	output, err = withDocker(t, ``, compose("1")+ahead, files())
	require.Error(t, err)
	assert.Contains(t, output, "[containers-not-made]")

	const docker = `case "$*" in *"table {{.ID}}"*) printf 'ID SERVICE\n1 db\n' ;; "image inspect"*) echo image ;; inspect*) echo "hash image running 0 no" ;; esac`
	const changed = `begin_hashes abc; find_changed_data abc; echo "changed: $CHANGED"`
	output, err = withDocker(t, docker, compose("0")+changed, files())
	require.NoError(t, err, output)
	assert.Equal(t, "compose data.json config\nchanged: \n", output)
	output, err = withDocker(t, docker, compose("1")+`begin_hashes abc; `+compose("0")+`find_changed_data abc; echo "changed: $CHANGED"`, files())
	require.NoError(t, err, output)
	assert.Equal(t, "compose data.json config\ncompose data.json config\nchanged: \n", output)
	output, err = withDocker(t, docker, compose("1")+changed, files())
	require.Error(t, err)
	assert.Contains(t, output, "nothing is done on a guess")
}

// TestReleasesFindWhatPersists in their networks: the one that goes out, and the one that serves, which an interrupted run may have left
// without it.
func TestReleasesFindWhatPersists(t *testing.T) {
	const docker = `case $1 in
ps) printf 'ID SERVICE\n1 db\n2 files\n3 db\n' ;;
inspect) printf '%s\n' "app_default release-old_default ." "app_default ." "release-new_default release-old_default ." ;;
network) echo "docker $*" ;;
esac`
	join := func(service, aliases string) string {
		return `{"join":[{"service":"` + service + `","network":"default","aliases":[` + aliases + `]}]}`
	}
	output, err := withDocker(t, docker, `several() { return 1; }; join old new`, map[string]string{"old/plan.json": join("files", `"files"`), "new/plan.json": join("db", `"db","store"`)})
	require.NoError(t, err, output)
	assert.Equal(t, "docker network connect --alias files release-old_default 2\ndocker network connect --alias db --alias store release-new_default 1\n", output)
	output, err = withDocker(t, strings.Replace(docker, `"app_default ." `, "", 1), `several() { return 1; }; join old`, map[string]string{"old/plan.json": join("files", `"files"`)})
	require.Error(t, err)
	assert.Contains(t, output, "printed 2 lines about 3, and nothing is done on a guess")
}

// TestADumpBesideChecks ends the release where it fails, with its own last word, and ends with what a check refuses.
func TestADumpBesideChecks(t *testing.T) {
	const folder = `mkdir -p "$DUMPS"; `
	dump := func(line string) (string, error) {
		return withDocker(t, ``, folder+line, map[string]string{"new/plan.json": `{}`, "old/plan.json": `{}`})
	}
	output, err := dump(`dump_databases() { echo "dumped $*"; }; begin_dump old new; end_dump; echo "after, [$DUMPING]"`)
	require.NoError(t, err, output)
	assert.Equal(t, "dumped old new\nafter, []\n", output)
	output, err = dump(`begin_dump "" new; end_dump() { echo never; }; [ -z "$DUMPING" ] || end_dump; echo after`)
	require.NoError(t, err, output)
	assert.Equal(t, "after\n", output, "a first release has nothing to dump")
	output, err = dump(`dump_databases() { fail dump-empty "cannot dump; do it again"; }; trap 'echo "$? [$SAID]"' EXIT; begin_dump old new; SAID="a check"; end_dump; echo after`)
	require.Error(t, err)
	assert.Contains(t, output, "\n1 [cannot dump [dump-empty]; do it again]\n")
	assert.NotContains(t, output, "after")
	output, err = dump(`dump_databases() { false; }; trap 'echo "$? [$SAID] [$FAILED]"' EXIT; SAID="preparing"; begin_dump old new; end_dump; echo after`)
	require.Error(t, err)
	assert.Contains(t, output, "1 [] []\n", "what was said before is not why")
	assert.NotContains(t, output, "after")
	// As a database that says nothing yet does, which is a process of a process.
	output, err = dump(`mkfifo "$DUMPS/begun"; exec 8>"$DUMPS/lock"; flock 8
in_database() { timeout 60 bash -c 'echo >"$0/begun"; sleep 60' "$DUMPS"; }
dump_databases() { mkdir "$DUMPS/tmp.partial"; in_database | cat >"$DUMPS/it.partial"; echo "not ended"; }
begin_dump old new; read -r <"$DUMPS/begun"; before=$SECONDS; stop_dump; echo "$((SECONDS - before < 5)) [$DUMPING]" $(ls "$DUMPS")
exec 8>&-; flock --wait 5 "$DUMPS/lock" echo free`)
	require.NoError(t, err, output)
	assert.Equal(t, "1 [] begun lock\nfree\n", output, "nothing of it holds the lock")
}

// TestAnErrorOfTheAppsOwnShowsAllOfItsServices: where a proxy of the app's answers with 500, the reason is in what it asks.
func TestAnErrorOfTheAppsOwnShowsAllOfItsServices(t *testing.T) {
	const docker = `case $1 in
ps) case "$*" in *table*State*) printf 'STATE SERVICE\nrunning nginx\nrunning web\n' ;; *) printf 'ID\n1\n' ;; esac ;;
logs) echo "no table shop" ;;
esac`
	output, err := withDocker(t, docker, `show_failure release-abc "waiting nginx answers / with 500"`, map[string]string{})
	require.Error(t, err)
	assert.Contains(t, output, "the last lines of nginx\n")
	assert.Contains(t, output, "the last lines of web\nno table shop\n")
	assert.Contains(t, output, "nginx answers / with 500 (the app's own answer: the lines above are what its services say, and berth:migration makes tables that are missing) [release-not-ready]")

	output, err = withDocker(t, docker, `show_failure release-abc "waiting nginx answers / with 404"`, map[string]string{})
	require.Error(t, err)
	assert.NotContains(t, output, "of web\n")
	assert.NotContains(t, output, "berth:migration")
}
