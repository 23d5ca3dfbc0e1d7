package provision

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newRoutes is a server with releases whose routes are "PATH PORT" each, in the slots that are named; nginx only says what it was asked.
func newRoutes(t *testing.T, releases map[string]string) *rebooted {
	t.Helper()
	r := newRebooted(t)
	r.write("etc/hosts.json", `{"names":["app.example.com"],"hosts":[],"redirects":[]}`)
	for name, text := range releases {
		slot, routes, _ := strings.Cut(text, ":")
		var all []string
		for _, route := range strings.Split(routes, ",") {
			path, port, _ := strings.Cut(strings.TrimSpace(route), " ")
			all = append(all, `{"path":"`+path+`","upstream":`+port+`}`)
		}
		r.write("data/releases/"+name+"/slot", slot+"\n")
		r.write("data/releases/"+name+"/plan.json", `{"id":"`+name+`","routes":[`+strings.Join(all, ",")+`]}`)
	}
	return r
}

const nginx = `KEEP=3; mkdir -p "$INCLUDED" "$DIR/run"; nginx() { echo "test $(readlink "$INCLUDED/now")" >>"$DIR/nginx"; [ ! -e "$DIR/refuses" ]; }
workers() { echo 1; }; retired() { :; }; apply_nginx() { echo reload >>"$DIR/nginx"; }
`

// upstream is where a path of a slot leads, by the files that nginx includes.
func upstream(t *testing.T, r *rebooted, slot, path string) string {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(r.data, "edge", "now", name))
		require.NoError(t, err)
		return string(text)
	}
	number := regexp.MustCompile(`location ` + regexp.QuoteMeta(path) + ` \{\n\tproxy_pass http://berth_\$\{berth_slot\}_(\d+);`).FindStringSubmatch(read("servers.conf"))
	require.NotNil(t, number, read("servers.conf"))
	port := regexp.MustCompile(`upstream berth_` + slot + `_` + number[1] + ` \{\n\tserver 127\.0\.0\.1:(\d+);`).FindStringSubmatch(read("upstreams.conf"))
	require.NotNil(t, port, read("upstreams.conf"))
	return port[1]
}

func (r *rebooted) asked() string {
	text, _ := os.ReadFile(filepath.Join(r.dir, "nginx"))
	return string(text)
}

// TestReleasesOfTheSameRoutesNeedNoReload, in whatever slots they are, once nginx knows the routes.
func TestReleasesOfTheSameRoutesNeedNoReload(t *testing.T) {
	r := newRoutes(t, map[string]string{
		"a": "1:/ 20100,/api/ 20101,/admin/ 19000", "b": "2:/ 20200,/api/ 20201,/admin/ 19000", "c": "4:/ 20400,/api/ 20401,/admin/ 19000",
	})
	said, err := r.source("deploy.sh", nginx+`learn_routes starting a; learn_routes a b; learn_routes b c; learn_routes c a; learn_routes a`)
	require.NoError(t, err, said)
	assert.Equal(t, 1, strings.Count(r.asked(), "reload"), r.asked())
	for slot, ports := range map[string][3]string{"1": {"20100", "20101", "19000"}, "2": {"20200", "20201", "19000"}, "4": {"20400", "20401", "19000"}, "starting": {"18480", "18480", "18480"}} {
		for i, path := range []string{"/", "/api/", "/admin/"} {
			assert.Equal(t, ports[i], upstream(t, r, slot, path), "%s in slot %s", path, slot)
		}
	}
}

// TestEachReleaseHasItsOwnRoutes while two of other routes are there.
func TestEachReleaseHasItsOwnRoutes(t *testing.T) {
	r := newRoutes(t, map[string]string{"a": "1:/ 20100,/api/ 20101", "b": "2:/ 20201,/api/v2/ 20200", "only": "3:/app 20300", "host": "5:/ 8080,/api/ 20500"})
	said, err := r.source("deploy.sh", nginx+`learn_routes a b`)
	require.NoError(t, err, said)
	assert.Equal(t, "20101", upstream(t, r, "1", "/api/"))
	assert.Equal(t, "20201", upstream(t, r, "2", "/api/"), "the longest of its routes that begins the path")
	assert.Equal(t, "20101", upstream(t, r, "1", "/api/v2/"))
	assert.Equal(t, "20200", upstream(t, r, "2", "/api/v2/"))
	said, err = r.source("deploy.sh", nginx+`learn_routes a only`)
	require.NoError(t, err, said)
	assert.Equal(t, "18481", upstream(t, r, "3", "/"), "a path that a release does not have is not another's")
	assert.Equal(t, "20100", upstream(t, r, "1", "/app/"))
	said, err = r.source("deploy.sh", nginx+`learn_routes a host`)
	require.NoError(t, err, said)
	assert.Equal(t, "8080", upstream(t, r, "5", "/"), "a slot above the kept ones")
	assert.Equal(t, "20100", upstream(t, r, "1", "/"))
	assert.Equal(t, 3, strings.Count(r.asked(), "reload"))
	kept, err := os.ReadDir(filepath.Join(r.data, "edge"))
	require.NoError(t, err)
	assert.Len(t, kept, 2, "what nginx includes, and the link")
}

// TestAPathIsThatOfItsFolder, with and without a slash at its end, and of nothing that begins alike.
func TestAPathIsThatOfItsFolder(t *testing.T) {
	r := newRoutes(t, map[string]string{"a": "1:/ 20100,/docs 20101,/api/ 20102", "b": "2:/ 20200,/docs/ 20201,/api 20202"})
	said, err := r.source("deploy.sh", nginx+`learn_routes a b`)
	require.NoError(t, err, said)
	for slot, ports := range map[string][2]string{"1": {"20101", "20102"}, "2": {"20201", "20202"}} {
		for _, path := range []string{"/docs/", "= /docs"} {
			assert.Equal(t, ports[0], upstream(t, r, slot, path))
		}
		for _, path := range []string{"/api/", "= /api"} {
			assert.Equal(t, ports[1], upstream(t, r, slot, path))
		}
	}
	text, err := os.ReadFile(filepath.Join(r.data, "edge", "now", "servers.conf"))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "location /docs {")
	assert.Equal(t, 5, strings.Count(string(text), "location "))
}

// TestRoutesThatNginxRefusesAreNotLeft where it would meet them with its next reload.
func TestRoutesThatNginxRefusesAreNotLeft(t *testing.T) {
	r := newRoutes(t, map[string]string{"a": "1:/ 20100", "b": "2:/ 20200,/x/ 20201"})
	said, err := r.source("deploy.sh", nginx+`learn_routes a`)
	require.NoError(t, err, said)
	before, err := os.Readlink(filepath.Join(r.data, "edge", "now"))
	require.NoError(t, err)
	r.write("refuses", "")
	said, err = r.source("deploy.sh", nginx+`learn_routes a b`)
	require.Error(t, err)
	assert.Contains(t, said, "nginx refuses the routes of b")
	now, err := os.Readlink(filepath.Join(r.data, "edge", "now"))
	require.NoError(t, err)
	assert.Equal(t, before, now)
	require.NoError(t, os.Remove(filepath.Join(r.dir, "refuses")))
	said, err = r.source("deploy.sh", nginx+`learn_routes a; learn_routes a`)
	require.NoError(t, err, said)
	assert.Equal(t, 2, strings.Count(r.asked(), "reload"), "what nginx knows is not certain after a refusal")
}

// TestTheSwitchIsALink: to the slot of the release, for nginx and for the next boot. One without a slot changes nothing.
func TestTheSwitchIsALink(t *testing.T) {
	r := newRoutes(t, map[string]string{"a": "1:/ 20100", "b": "2:/ 20200", "damaged": "x:/ 20300"})
	links := func() [2]string {
		slot, err := filepath.EvalSymlinks(filepath.Join(r.dir, "slots", "current"))
		require.NoError(t, err)
		release, err := os.Readlink(filepath.Join(r.data, "releases", "current"))
		require.NoError(t, err)
		return [2]string{filepath.Base(slot), release}
	}
	for _, test := range [][2]string{{"a", "1"}, {"b", "2"}, {"starting", "starting"}, {"b", "2"}} {
		said, err := r.source("deploy.sh", "switch_traffic "+test[0])
		require.NoError(t, err, said)
		assert.Equal(t, [2]string{test[1], test[0]}, links())
	}
	said, err := r.source("deploy.sh", "switch_traffic damaged")
	require.Error(t, err)
	assert.Contains(t, said, "holds no slot")
	assert.Equal(t, [2]string{"2", "b"}, links())
	// nginx's workers, which are not root, have to get there.
	for _, folder := range []string{"", "2"} {
		info, err := os.Stat(filepath.Join(r.dir, "slots", folder))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o755), info.Mode().Perm(), folder)
	}
	require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "slots")))
	said, err = r.source("edge/slots.sh", "main")
	require.NoError(t, err, said)
	assert.Equal(t, [2]string{"2", "b"}, links(), "after a reboot")
}

// TestReplicasShareTheRequests: each has a port, in the slot of its release, and one that takes no connections is passed over. All of
// them are asked before a release gets requests, and are awaited when it gets none.
func TestReplicasShareTheRequests(t *testing.T) {
	r := newRoutes(t, map[string]string{"a": "1:/ 20100,/api 20103", "b": "2:/ 20200,/api 20203"})
	for release, base := range map[string]string{"a": "201", "b": "202"} {
		r.write("data/releases/"+release+"/plan.json", `{"id":"`+release+`","routes":[{"service":"web","path":"/","upstream":`+base+`00,"replicas":3,"health":""},{"service":"api","path":"/api","upstream":`+base+`03,"health":"/up"}]}`)
	}
	said, err := r.source("deploy.sh", nginx+`learn_routes a b`)
	require.NoError(t, err, said)
	text, err := os.ReadFile(filepath.Join(r.data, "edge", "now", "upstreams.conf"))
	require.NoError(t, err)
	for slot, base := range map[string]string{"1": "201", "2": "202", "3": "203"} {
		assert.Contains(t, string(text), "upstream berth_"+slot+"_0 {\n\tserver 127.0.0.1:"+base+"00 max_fails=5 fail_timeout=1s;\n\tserver 127.0.0.1:"+base+"01 max_fails=5 fail_timeout=1s;\n\tserver 127.0.0.1:"+base+"02 max_fails=5 fail_timeout=1s;\n\tkeepalive", slot)
		assert.Contains(t, string(text), "upstream berth_"+slot+"_1 {\n\tserver 127.0.0.1:"+base+"03;\n\tkeepalive", slot)
	}

	said, err = r.source("deploy.sh", `ss() { echo "HEAD"; echo "$*" >&2; }; DOMAIN=example.com; open_connections a b; open_connections a`)
	require.NoError(t, err, said)
	assert.Equal(t, 2, strings.Count(said, "dst 127.0.0.1 and ( dport = :20100 or dport = :20101 or dport = :20102 or dport = :20103 )\n0\n"), said)

	said, err = r.source("deploy.sh", `DOMAIN=example.com; curl() { case $* in *:20101/) printf 000; false ;; *) printf 200 ;; esac; }; unanswered a`)
	require.NoError(t, err, said)
	assert.Equal(t, "waiting web answers / with nothing\n", said, "one replica of three")
}
