package provision

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `exec 3>&1; source <(sed "s|DATA=/data|DATA=`+folder+`|" scripts/lib.sh)
for part in images data containers database jobs prune; do source <(sed "s,\(-f\|cat\) /opt/berth/,\1 scripts/,; s|/run/berth/|`+folder+`/run/|" "scripts/release/$part.sh"); done
free_mib() { echo 4000; }
RELEASES=`+folder+`; project() { printf 'release-%s\n' "$1"; }
containers() { echo "$*"; }; lasting() { echo "$*"; }; running() { echo "$*"; }; jobs_in() { :; }; follow() { echo "followed"; }
source <(grep '^named()' scripts/release/plan.sh)
`+line)
	command.Env = append(os.Environ(), "PATH="+folder+"/bin:"+os.Getenv("PATH"))
	output, err := command.CombinedOutput()
	return string(output), err
}

// TestAnImagesOwnVolumesAreHeeded: what they are goes to the plan, and a Docker that says nothing ends the release.
func TestAnImagesOwnVolumesAreHeeded(t *testing.T) {
	const docker = `for image in "${@:5}"; do case $image in wp) echo '{"/var/www/html":{},"/tmp":{}}' ;; web) echo null ;; silent) ;; *) exit 1 ;; esac; done`
	const plan = `{"version":2,"commit":"c","trees":[],"watched":{"a":[],"b":[]},"persistent":{"a":{"because":{"a":"its image declares the volume @VOLUME:a@"},"problems":[],"mountpoints":[],"fixed":[]}},"because":{},"problems":[],"mountpoints":[],"fixed":[]}`
	heed := func(images string) (string, error) {
		return withDocker(t, docker, `heed_volumes "$RELEASES/abc"; jq -c .because "$RELEASES/abc/plan.json"`, map[string]string{"abc/images.json": images, "abc/plan.json": plan})
	}
	output, err := heed(`{"a":{"image":"wp"},"b":{"image":"web"}}`)
	require.NoError(t, err, output)
	assert.Contains(t, output, "followed")
	assert.Contains(t, output, `{"a":"its image declares the volume /var/www/html"}`)
	output, err = heed(`{"a":{"image":"web"},"b":{"image":"web"}}`)
	require.NoError(t, err, output)
	assert.Contains(t, output, `{}`)
	for _, images := range []string{`{"a":{"image":"gone"}}`, `{"a":{"image":"silent"}}`, `{"a":{"image":"web"},"b":{"image":"silent"}}`} {
		output, err = heed(images)
		require.Error(t, err, images)
		assert.Contains(t, output, "what runs is left as it was", images)
	}
	output, err = heed(`{}`)
	require.NoError(t, err, output)
}

// TestJobsRunOnce: a job is recognised by its definition: what was stopped for good has the policy of one, too. A job that
// ended well is not started again, and no job runs on the way back, however the last one of that name ended.
func TestJobsRunOnce(t *testing.T) {
	release := func(definition, plan string) map[string]string {
		return map[string]string{"abc/plan.json": plan, "abc/data.json": `{"services":{"it":{` + definition + `}}}`}
	}
	for _, test := range []struct {
		definition, plan string
		job              bool
		settled          []string
	}{
		{`"restart":"no"`, `{"stores":[],"routes":[],"once":[]}`, true, []string{"exited 0 no", "exited 0 ", "running 0 no"}},
		{`"restart":"on-failure:3"`, `{"stores":[],"routes":[],"once":["other"]}`, true, []string{"exited 0 on-failure", "running 0 no"}},
		{``, `{"once":["it"]}`, true, []string{"exited 0 no", "exited 0 "}},
		{`"restart":"unless-stopped"`, `{"stores":[],"routes":[]}`, false, []string{"running 0 no"}},
		{``, `{"stores":[],"routes":[],"once":[]}`, false, []string{"running 0 no"}},
		{`"restart":"no"`, `{"stores":["it"],"routes":[],"once":[]}`, false, []string{"running 0 no"}},
		{`"restart":"on-failure"`, `{"stores":[],"routes":[{"service":"it"}],"once":[]}`, false, []string{"running 0 no"}},
	} {
		for _, state := range []string{"exited 0 no", "exited 0 ", "exited 0 on-failure", "exited 0 unless-stopped", "exited 1 no", "exited 137 no", "running 0 no", "restarting 1 always", "created 0 no"} {
			output, err := withDocker(t, ``, `if settled abc it "`+state+`"; then echo settled; else echo starts; fi`, release(test.definition, test.plan))
			require.NoError(t, err, output)
			if strings.HasPrefix(state, "exited 0") && state != "exited 0 no" && test.job {
				continue // it was not stopped: a policy that is not its own cannot be there
			}
			want := "starts\n"
			if slices.Contains(test.settled, state) {
				want = "settled\n"
			}
			assert.Equal(t, want, output, "%s %s: %s", test.definition, test.plan, state)
		}
		for _, what := range []string{"changes", "starts"} {
			output, err := withDocker(t, `exit 1`, `CHANGED="it `+what+`"; keep_jobs abc; echo "[$CHANGED] left:$LEFT"`, release(test.definition, test.plan))
			require.NoError(t, err, output)
			if test.job {
				assert.Contains(t, output, "[] left: it")
			} else {
				assert.Contains(t, output, "[it "+what+"] left:\n")
			}
		}
	}
}

// TestWhatWasStoppedForGoodComesBack: with the release that has it, and when the one that stopped it fails after all.
func TestWhatWasStoppedForGoodComesBack(t *testing.T) {
	const stand = `compose() { echo "compose $*"; }; renew_dependents() { :; }; give_way() { :; }; forget_networks() { :; }; join() { :; }; surplus_data() { echo files; }; named() { echo "app files"; }; docker_table() { echo id; }; docker() { if [ "$1" = inspect ]; then echo no; else echo "docker $*" >&3; fi; }
`
	files := map[string]string{
		"abc/plan.json": `{"stateful":["files"],"stores":[],"routes":[],"once":[]}`,
		"abc/data.json": `{"services":{"files":{"restart":"unless-stopped","image":"x"}}}`,
	}
	output, err := withDocker(t, ``, stand+`changed_data() { echo "files starts"; }; stop_surplus_data new; restore_data abc`, files)
	require.NoError(t, err, output)
	_, after, stopped := strings.Cut(output, "taking the stateful services back")
	require.True(t, stopped, output)
	assert.Contains(t, after, "docker update --restart unless-stopped app\n", "or it stays down after the next crash or reboot")
	assert.Contains(t, after, "compose abc data.json up --detach --no-build --no-deps files\n")
}

// TestWhatBecomesPersistent neither runs twice nor starts without what an image's own volume holds.
func TestWhatBecomesPersistent(t *testing.T) {
	const (
		anonymous = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		docker    = `folder=${0%/bin/docker}; case "$*" in
  "volume inspect"*) [ -d "$folder/volumes/${*: -1}" ] && echo "$folder/volumes/${*: -1}" ;;
  "image inspect"*) echo '{"/data":{},"/tmp":{}}' ;;
  inspect*) sed "s|FOLDER|$folder|" "$folder/inspect" ;;
  *) exit 1 ;;
esac`
		named = `{"services":{"it":{"volumes":[{"type":"volume","source":"files","target":"/data/"}]}},"volumes":{"files":{"name":"app_files"}}}`
	)
	for name, test := range map[string]struct {
		old, data, mount, holds, there string
		refused                        bool
	}{
		"data without a name":         {`"it"`, `{"services":{"it":{}}}`, "/data", "row", "", true},
		"a named one that is empty":   {`"it"`, named, "/data", "row", "", true},
		"a named one with its copy":   {`"it"`, named, "/data", "row", "app_files/row", false},
		"nothing in it":               {`"it"`, `{"services":{"it":{}}}`, "/data", "", "", false},
		"what is to be thrown away":   {`"it"`, `{"services":{"it":{}}}`, "/tmp", "row", "", false},
		"not declared by the image":   {`"it"`, `{"services":{"it":{}}}`, "/elsewhere", "row", "", false},
		"persistent before as well":   {`"web"`, `{"services":{"it":{}}}`, "/data", "row", "", false},
		"another one that is not new": {`"web","gone"`, `{"services":{"it":{}}}`, "/data", "row", "", false},
	} {
		files := map[string]string{
			"old/plan.json": `{"stateless":[` + test.old + `],"stateful":[]}`, "new/plan.json": `{"stateless":["web"],"stateful":["it"]}`, "new/data.json": test.data,
			"inspect":        `[{"Image":"sha256:1","Mounts":[{"Type":"volume","Name":"` + anonymous + `","Source":"FOLDER/anonymous","Destination":"` + test.mount + `"}]}]`,
			"anonymous/.dot": "",
		}
		if test.there != "" {
			files["volumes/"+test.there] = "x"
		}
		line := `containers() { echo id; }; `
		if test.holds == "" {
			line += `rm "$RELEASES/anonymous/.dot"; `
		}
		output, err := withDocker(t, docker, line+`check_moving old new; echo "goes on"`, files)
		if !test.refused {
			require.NoError(t, err, "%s: %s", name, output)
			assert.Contains(t, output, "goes on", name)
			continue
		}
		require.Error(t, err, name)
		assert.Contains(t, output, "service it becomes persistent and would start empty", name)
		assert.Contains(t, output, "/anonymous/. ", name)
		assert.Contains(t, output, `labels: {berth.stateful: "false"}; nothing was changed`, name)
	}

	output, err := withDocker(t, ``, `docker() { if [[ ${3:-} == *RestartPolicy* ]]; then echo no; else echo "docker $*" >&3; fi; }; named() { echo "$1-it it"; }
await_ready() { echo "ready $*"; }; HEALTHY_WITHIN=9 OLD=old NEW=new STOPPED_FIRST=""
stop_moving old new; echo "[$STOPPED_FIRST]"; start_again old new; stop_moving "" new`, map[string]string{
		"old/plan.json": `{"stateless":["it","web"],"stateful":[]}`, "new/plan.json": `{"stateless":["web"],"stateful":["it"]}`,
		"old/app.json": `{"services":{"it":{"restart":"unless-stopped"}}}`, "old/released.json": `{"running":["it","web"]}`,
	})
	require.NoError(t, err, output)
	before, after, found := strings.Cut(output, "[yes]")
	require.True(t, found, output)
	assert.Contains(t, before, "docker stop release-old it\n")
	assert.NotContains(t, before, "docker stop release-old\n", "the others serve on")
	assert.Regexp(t, `(?s)docker stop app it\n.*docker update --restart unless-stopped release-old-it\n.*docker start release-old it release-old web\n`, after)
	assert.NotContains(t, after, "becomes persistent")
}

// TestWhatNeverRunsTwice is stopped before the new one starts, by the label in either release, and started again where the release
// fails or is interrupted: never beside the other one.
func TestWhatNeverRunsTwice(t *testing.T) {
	const stand = `docker() { if [[ ${3:-} == *RestartPolicy* ]]; then echo no; else echo "docker $*" >&3; fi; }; named() { echo "$1-beat beat"; }
await_ready() { echo "ready $*"; }; HEALTHY_WITHIN=9 OLD=old NEW=new STOPPED_FIRST=""
docker_table() { printf '%s\n' "release-old web" "release-old beat" "app beat" "app db" "release-left beat" "release-new beat" "berth-drill beat" "somebody beat" "release-old beats"; }
source scripts/release/upgrade.sh; upgrades() { :; }; step() { :; }
`
	files := func(old, new string) map[string]string {
		return map[string]string{
			"old/plan.json": `{"stateless":["web","beat"],"stateful":[],` + old + `"routes":[]}`, "new/plan.json": `{"stateless":["web","beat"],"stateful":[],` + new + `"routes":[]}`,
			"old/app.json": `{"services":{"beat":{"restart":"unless-stopped"}}}`, "old/released.json": `{"running":["beat","web"]}`,
		}
	}
	const beat, none = `"alone":["beat"],`, `"alone":[],`
	for name, of := range map[string][2]string{"in the new one": {none, beat}, "in the old one": {beat, none}, "in both": {beat, beat}} {
		output, err := withDocker(t, ``, stand+`stop_alone new old; echo "[$STOPPED_FIRST $DATA_TOUCHED]"; cat "$STOPPED"; start_again old new; [ -e "$STOPPED" ] || echo "no mark"`, files(of[0], of[1]))
		require.NoError(t, err, "%s: %s", name, output)
		before, after, found := strings.Cut(output, "[yes yes]\nold new\n")
		require.True(t, found, "%s: %s", name, output)
		for _, stopped := range []string{"release-old beat", "app beat", "release-left beat"} {
			assert.Contains(t, before, "docker stop "+stopped+"\n", name)
		}
		for _, other := range []string{"web", "db", "release-new", "drill", "somebody", "beats"} {
			assert.NotRegexp(t, `docker (stop|update) .*`+other, before, name)
		}
		assert.Regexp(t, `(?s)docker stop release-new beat\n.*docker update --restart unless-stopped release-old-beat\n.*docker start release-old beat release-old web\n.*ready release-old old`, after, name)
		assert.Contains(t, after, "no mark", name)
	}

	output, err := withDocker(t, ``, stand+`stop_alone new old; echo "[$STOPPED_FIRST]"`, files(none, none))
	require.NoError(t, err, output)
	assert.Equal(t, "[]\n", output, "without a label nothing is stopped")

	// Power was cut after the stop; the next release of whatever commit begins with it.
	output, err = withDocker(t, ``, stand+`stop_alone new old; echo cut; STOPPED_FIRST="" NEW=""; finish_interrupted old; [ -e "$STOPPED" ] || echo "no mark"; finish_interrupted old; echo end`, files(none, beat))
	require.NoError(t, err, output)
	_, after, _ := strings.Cut(output, "cut\n")
	assert.Regexp(t, `(?s)release new was interrupted; what it stopped of old is started again.*docker stop release-new beat\n.*docker start release-old beat release-old web\nno mark\nend\n$`, after)

	// After the switch the other one serves, and what it stopped stays stopped.
	output, err = withDocker(t, ``, stand+`stop_alone new old; echo cut; finish_interrupted new; [ -e "$STOPPED" ] || echo "no mark"`, files(none, beat))
	require.NoError(t, err, output)
	_, after, _ = strings.Cut(output, "cut\n")
	assert.Equal(t, "no mark\n", after)

	// On the way back to the release that serves already nothing is noted.
	output, err = withDocker(t, ``, stand+`OLD=old NEW=old; stop_alone old; [ -e "$STOPPED" ] || echo "no mark"`, files(beat, none))
	require.NoError(t, err, output)
	assert.Contains(t, output, "docker stop release-new beat\n")
	assert.NotContains(t, output, "docker stop release-old beat\n")
	assert.Contains(t, output, "no mark")
}

// TestNoReleaseWithoutADump: a database that is down is not passed over, unless the release that serves does not have it or
// somebody says so.
func TestNoReleaseWithoutADump(t *testing.T) {
	dump := func(old, running, containers, before string) (string, error) {
		return withDocker(t, `echo "a dump"`, `running() { `+running+`; }; containers() { `+containers+`; }; `+before+`dump_databases old new && echo "goes on"`, map[string]string{
			"old/plan.json": `{"stateful":[` + old + `]}`, "new/plan.json": `{"databases":[{"service":"db","kind":"command"}]}`,
		})
	}
	allow := `APP='{"database":{"dump":"x"}}'; `
	output, err := dump(`"db"`, "echo 0123456789abcdef", "echo 0123456789abcdef", allow)
	require.NoError(t, err, output)
	assert.Contains(t, output, "dumped the database of db")
	output, err = dump(`"db"`, ":", "echo 0123456789abcdef", allow)
	require.Error(t, err)
	assert.Contains(t, output, "start it: sudo docker start 0123456789ab;")
	assert.NotContains(t, output, "goes on")
	for name, test := range map[string]struct{ old, containers, before string }{
		"it is new":                        {`"db"`, ":", allow},
		"what serves does not have it":     {`"web"`, "echo 0123456789abcdef", allow},
		"somebody allowed it, just for it": {`"db"`, "echo 0123456789abcdef", allow + `touch "$DATA/without-dump-of-db"; `},
	} {
		output, err = dump(test.old, ":", test.containers, test.before)
		require.NoError(t, err, "%s: %s", name, output)
		assert.Contains(t, output, "goes on", name)
	}
	output, err = dump(`"db"`, ":", "echo 0123456789abcdef", allow+`touch "$DATA/without-dump-of-db"; dump_databases old new; `)
	require.Error(t, err, "once: %s", output)
}

// TestAReleaseWaitsForTheStartAfterAReboot, where there is something to start, and not for ever.
func TestAReleaseWaitsForTheStartAfterAReboot(t *testing.T) {
	wait := func(systemctl string, files map[string]string) (string, error) {
		files["bin/systemctl"] = "#!/bin/bash\n" + systemctl
		return withDocker(t, ``, `await_reboot; echo "goes on"`, files)
	}
	output, err := wait("exit 3", map[string]string{})
	require.NoError(t, err)
	assert.Equal(t, "goes on\n", output, "nothing is to be started")
	output, err = wait(`echo asked >>"${0%/bin/*}/asked"; [ "$(wc -l <"${0%/bin/*}/asked")" -ge 3 ]`, map[string]string{"running": "store db\n"})
	require.NoError(t, err, output)
	assert.Contains(t, output, "waiting until what ran before the reboot is started")
	assert.Contains(t, output, "goes on")
	output, err = withDocker(t, ``, `await() { return 1; }; await_reboot; echo "goes on"`, map[string]string{"running": "store db\n", "bin/systemctl": "#!/bin/bash\nexit 3"})
	require.Error(t, err)
	assert.Contains(t, output, "start it with: sudo systemctl start berth-reboot")
}

// TestOlderDatabasesDoNotStartOnNewerData: on each way back to a release that was released before, and when the one that goes
// out fails, databases stay as a later release defined them, but for those that the one that failed changed itself.
func TestOlderDatabasesDoNotStartOnNewerData(t *testing.T) {
	files := map[string]string{
		"abc/plan.json": `{"stateful":["db","files"],"stateless":[],"stores":["db"],"routes":[],"once":[],"volumes":[],"join":[]}`,
		"abc/data.json": `{"services":{"db":{"restart":"unless-stopped"},"files":{"restart":"unless-stopped"}}}`,
	}
	stand := func(running string) string {
		return `compose() { echo "compose $*"; }; renew_dependents() { :; }; docker() { if [[ ${3:-} == *RestartPolicy* ]]; then echo no; else echo "docker $*" >&3; fi; }; docker_table() { echo id; }; await_ready() { echo "ready $1"; }; HEALTHY_WITHIN=9; OLD=abc; NEW=abc
running() { ` + running + `; }; changed_data() { printf 'db changes\nfiles changes\n'; }
source <(sed -n '/^resume()/,/^}/p;/^keep_persistent()/,/^}/p;/^kept()/,/^}/p;/^activate()/,/^}/p' scripts/deploy.sh); kept() { [ -e "$RELEASES/$1/released.json" ]; }
for one in tell_volumes learn_routes switch_traffic join create start_release verify stop_others write_release_record record switch_everywhere check_moving check_passwords foretell step check_memory give_way forget_networks check_binds prepare_binds make_mountpoints find_servers share_release prepare_servers await_servers settle_servers await_settled spare_serving begin_hashes begin_create end_create begin_images end_images; do eval "$one() { :; }"; done; STRATEGY=stop-first WEB=()
`
	}
	with := func(name, text string) map[string]string {
		all := maps.Clone(files)
		all[name] = text
		return all
	}
	for _, way := range []string{"resume", "stop_release() { exit 0; }; ACTION=deploy; activate"} {
		if way != "resume" {
			way = strings.Replace(way, "exit 0", `start_data "$NEW"; exit 0`, 1)
		}
		output, err := withDocker(t, ``, stand("echo db")+way, with("abc/released.json", `{}`))
		require.NoError(t, err, output)
		assert.Contains(t, output, "db stays as a later release defined it", way)
		assert.Contains(t, output, "up --detach --no-build --no-deps files\n", way)
		output, err = withDocker(t, ``, stand("echo db")+way, maps.Clone(files))
		require.NoError(t, err, output)
		assert.Contains(t, output, "up --detach --no-build --no-deps db files\n", "%s: it is new", way)
	}
	output, err := withDocker(t, ``, stand(":")+"resume", with("abc/released.json", `{}`))
	require.NoError(t, err, output)
	assert.Contains(t, output, "docker start app db\n", "it runs all the same")

	output, err = withDocker(t, ``, stand("echo db")+"DATA_TOUCHED=yes ANEW=files; restore_data abc", maps.Clone(files))
	require.NoError(t, err, output)
	assert.Contains(t, output, "up --detach --no-build --no-deps files\n")
	output, err = withDocker(t, ``, stand("echo db")+"DATA_TOUCHED=yes ANEW='files db'; restore_data abc", maps.Clone(files))
	require.NoError(t, err, output)
	assert.Contains(t, output, "up --detach --no-build --no-deps db files\n", "its own change goes back")
	output, err = withDocker(t, ``, stand(":")+"DATA_TOUCHED=yes; restore_data abc", maps.Clone(files))
	require.NoError(t, err, output)
	assert.Contains(t, output, "docker start app db\n", "stopped at the end of the one that failed")
}

// TestWhatIsStoppedForGoodStaysDown: Docker starts what has the policy on-failure and ended with an error at the next boot,
// whoever stopped it.
func TestWhatIsStoppedForGoodStaysDown(t *testing.T) {
	const containers = `case $1 in
ps) printf 'ID SERVICE\n1 web\n2 worker\n3 job\n4 other\n5 web\n6 api\n7 retried\n' ;;
inspect) printf '%s\n' no no no no no unless-stopped on-failure:3 ;;
*) echo "docker $*" >&3 ;;
esac`
	const app = `{"services":{"web":{"restart":"unless-stopped"},"worker":{"restart":"on-failure:3"},"job":{"restart":"no"},"other":{},"api":{"restart":"unless-stopped"},"retried":{"restart":"on-failure:3"}}}`
	output, err := withDocker(t, containers, `allow_restarts release-abc "$RELEASES/app.json"`, map[string]string{"app.json": app})
	require.NoError(t, err, output)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	assert.ElementsMatch(t, []string{"docker update --restart unless-stopped 1 5", "docker update --restart on-failure:3 2"}, lines, "of those that have another one")
	output, err = withDocker(t, strings.Replace(containers, " on-failure:3 ;;", " ;;", 1), `allow_restarts release-abc "$RELEASES/app.json"`, map[string]string{"app.json": app})
	require.Error(t, err)
	assert.Contains(t, output, "printed 6 lines about 7, and nothing is done on a guess")

	log := filepath.Join(t.TempDir(), "log")
	output, err = withDocker(t, `echo "docker $*" >>`+log+`; [ "$1" != inspect ] || printf '137 web\n143 worker\n'`, "stop_release abc", map[string]string{})
	require.NoError(t, err, output)
	said, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(said), "docker update --restart no release-abc\ndocker stop release-abc\ndocker inspect "), string(said))
	assert.Contains(t, output, "web did not end by its stop signal in time and was killed")
	assert.NotContains(t, output, "worker did not end")
}
