package provision

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// container is one that runs, as docker inspect prints it: its mounts are "NAME" of a volume or "/PATH", with ":ro" where it
// cannot write.
func container(project, service string, mounts ...string) string {
	type mount struct {
		Type, Name, Source string
		RW                 bool
	}
	var all []mount
	for _, text := range mounts {
		place, readOnly := strings.CutSuffix(text, ":ro")
		if strings.HasPrefix(place, "/") {
			all = append(all, mount{Type: "bind", Source: place, RW: !readOnly})
		} else {
			all = append(all, mount{Type: "volume", Name: place, Source: "/data/docker/volumes/" + place, RW: !readOnly})
		}
	}
	text, _ := json.Marshal(map[string]any{"Mounts": all, "Config": map[string]any{"Labels": map[string]string{
		"com.docker.compose.project": project, "com.docker.compose.service": service}}})
	return string(text)
}

// TestAVolumeHasOneServiceAtATime: what holds a volume or a folder that another service of the release is to write to is stopped
// before that starts. What shares files on purpose, or only reads them, runs on.
func TestAVolumeHasOneServiceAtATime(t *testing.T) {
	const (
		named  = `{"services":{"postgres":{"volumes":[{"type":"volume","source":"data","target":"/d"}]}},"volumes":{"data":{"name":"app_db-data"}}}`
		folder = `{"services":{"postgres":{"volumes":[{"type":"bind","source":"/data/binds/data","target":"/d"}]}}}`
		none   = `{"services":{}}`
	)
	for name, test := range map[string]struct {
		running             string
		stateful, stateless string
		data, app           string
		stops               string
	}{
		"renamed":                      {running: container("app", "db", "app_db-data"), stops: "app db"},
		"renamed, in a folder":         {running: container("app", "db", "/data/binds/data"), data: folder, stops: "app db"},
		"renamed, with a dollar in it": {running: container("app", "db", "/data/binds/a$b"), data: strings.Replace(folder, "binds/data", "binds/a$$b/", 1), stops: "app db"},
		"itself":                       {running: container("app", "postgres", "app_db-data")},
		"another volume":               {running: container("app", "db", "app_other")},
		"a volume without a name":      {running: container("app", "db", strings.Repeat("0123456789abcdef", 4))},
		"one that only reads":          {running: container("app", "backup", "app_db-data:ro")},
		"shared on purpose":            {running: container("app", "backup", "app_db-data"), stateful: `"postgres","backup"`},
		"it was stateless before":      {running: container("release-old", "db", "app_db-data"), stops: "release-old db"},
		"it is stateless, and stays":   {running: container("release-old", "web", "app_db-data"), stateless: `"web"`},
		"it was stateful before":       {running: container("app", "db", "app_db-data"), stateful: "", stateless: `"db"`, data: none, app: strings.ReplaceAll(named, "postgres", "db"), stops: "app db"},
		"two stateless ones, as usual": {running: container("release-old", "web", "app_db-data"), stateful: "", stateless: `"site"`, data: none, app: strings.ReplaceAll(named, "postgres", "site")},
		"Docker's socket":              {running: container("app", "watcher", "/var/run/docker.sock"), data: `{"services":{"postgres":{"volumes":[{"type":"bind","source":"/var/run/docker.sock","target":"/s"}]}}}`},
		"the release only reads":       {running: container("app", "db", "app_db-data"), data: strings.Replace(named, `"target"`, `"read_only":true,"target"`, 1)},
		"somebody else's container":    {running: container("tool", "db", "app_db-data")},
	} {
		t.Run(name, func(t *testing.T) {
			if test.stateful == "" && test.data != none {
				test.stateful = `"postgres"`
			}
			if test.data == "" {
				test.data = named
			}
			if test.app == "" {
				test.app = none
			}
			output, err := withDocker(t, `case $1 in ps) echo ID PROJECT; echo 1 app; echo 2 berth-drill ;; inspect) case $* in *2*) echo "it is gone" >&2; exit 1 ;; esac; echo '[`+test.running+`]' ;; esac`,
				`OLD=old NEW=new; note_stopped() { :; }; stop_for_good() { echo "stops $*"; }; cat() { command cat "scripts/release/${1##*/}"; }; give_way new; echo "goes on"`, map[string]string{
					"new/plan.json": `{"stateful":[` + test.stateful + `],"stateless":[` + test.stateless + `]}`, "new/data.json": test.data, "new/app.json": test.app,
				})
			require.NoError(t, err, output)
			assert.Contains(t, output, "goes on")
			if test.stops == "" {
				assert.NotContains(t, output, "stops ")
				return
			}
			assert.Contains(t, output, "stops "+test.stops+"\n")
			assert.Contains(t, output, "is stopped first: ")
		})
	}
	output, err := withDocker(t, `exit 1`, `give_way new; echo "goes on"`, map[string]string{})
	require.Error(t, err, "a Docker that says nothing is believed nothing")
	assert.NotContains(t, output, "goes on")
}

// TestADatabaseThatGoesIsDumped as its own release knew it; berth:database says how to dump what it names now.
func TestADatabaseThatGoesIsDumped(t *testing.T) {
	output, err := withDocker(t, ``, `running() { echo "$2"; }; in_database() { echo "$*" >&3; echo "a dump"; }; dump_databases old new`, map[string]string{
		"old/plan.json": `{"stateful":["db","own","both"],"databases":[{"service":"db","kind":"postgres"},{"service":"own","kind":"command"},{"service":"both","kind":"mysql"}]}`,
		"new/plan.json": `{"stateful":["postgres","both"],"databases":[{"service":"postgres","kind":"postgres"},{"service":"both","kind":"command"}]}`,
	})
	require.NoError(t, err, output)
	assert.Contains(t, output, "db postgres dump")
	assert.Contains(t, output, "both command dump")
	assert.NotContains(t, output, "both mysql")
	assert.NotContains(t, output, "own command")
	output, err = withDocker(t, ``, `running() { [ "$2" != db ] || return 0; echo "$2"; }; containers() { echo 0123456789abcdef; }; in_database() { echo "a dump"; }; dump_databases old new`, map[string]string{
		"old/plan.json": `{"stateful":["db"],"databases":[{"service":"db","kind":"postgres"}]}`,
		"new/plan.json": `{"stateful":["postgres"],"databases":[{"service":"postgres","kind":"postgres"}]}`,
	})
	require.Error(t, err, "one that is about to go is not passed over where it is down")
	assert.Contains(t, output, "the database of db does not run")
}

// TestWhatIsRestoredRuns: a dump of a service whose volume another one has now is restored once that service runs again.
func TestWhatIsRestoredRuns(t *testing.T) {
	output, err := withDocker(t, ``, `changed_data() { printf '%s\n' "db starts" "web starts" "cache changes"; }; keep_persistent() { :; }; prepare_binds() { :; }; make_mountpoints() { :; }
give_way() { echo "gives way for $1"; }; start_data() { echo "starts [$CHANGED]"; }; start_dumped old`, map[string]string{
		"dumps/20260101T000000Z_old_db.postgres": "x", "dumps/20260101T000000Z_old_cache.redis": "x", "dumps/20260101T000000Z_new_web.postgres": "x",
	})
	require.NoError(t, err, output)
	assert.Contains(t, output, "gives way for old\nstarts [db starts]\n")
}

// TestNetworksThatAreGone are taken out of what is started: Docker would refuse it.
func TestNetworksThatAreGone(t *testing.T) {
	output, err := withDocker(t, `case "$1 $2" in
"network ls") printf '%s\n' "NETWORK ID" aaa ;;
inspect*) printf '%s\n' "app_default aaa" "release-old_default bbb" "never_run " "" ;;
*) echo "docker $*" ;;
esac`, `forget_networks redis`, map[string]string{})
	require.NoError(t, err, output)
	assert.Equal(t, "docker network disconnect --force release-old_default app redis\n", output)
	output, err = withDocker(t, `exit 0`, `forget_networks redis; echo "goes on"`, map[string]string{})
	require.Error(t, err, "without a list of networks none counts as gone")
	assert.NotContains(t, output, "goes on")
}

func TestAReleaseIsDrainedOnce(t *testing.T) {
	output, err := withDocker(t, ``, `source scripts/release/edge.sh; DRAIN_WITHIN=10; open_connections() { echo 1; }; await() { echo "waits $*"; [ "$2" != drained ]; }
drain old new; drain old new; drain new old`, map[string]string{})
	require.NoError(t, err, output)
	assert.Equal(t, 1, strings.Count(output, "waits 10 drained old new"), output)
	assert.Equal(t, 1, strings.Count(output, "waits 10 drained new old"), output)
}
