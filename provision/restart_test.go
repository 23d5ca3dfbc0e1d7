package provision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newRestarted is a server with a release in slot 2, whose Docker says how it was called.
func newRestarted(t *testing.T) *rebooted {
	t.Helper()
	r := newRebooted(t)
	const folder = "data/releases/0123456789ab-cdef01/"
	require.NoError(t, os.Remove(filepath.Join(r.data, "releases", "current")))
	require.NoError(t, os.Symlink("0123456789ab-cdef01", filepath.Join(r.data, "releases", "current")))
	r.write(folder+"slot", "2\n")
	r.write(folder+".env.production", "A=1\n")
	r.write(folder+"images.json", "{}")
	r.write(folder+"source/page.html", "a page")
	r.write(folder+"pages/502.html", "a page for 502")
	r.write(folder+"released.json", `{"id":"0123456789ab-cdef01","commit":"0123456789abcdef","served":"2026-01-01T00:00:00Z","running":["web","worker"]}`)
	r.write(folder+"plan.json", `{"id":"0123456789ab-cdef01","stateless":["web","worker"],"stateful":["db"],"stores":["db"],"databases":[],"once":[],"volumes":[],"join":[],
		"routes":[{"service":"web","path":"/","upstream":20200,"replicas":2},{"service":"db","path":"/db","upstream":19000}]}`)
	r.write(folder+"app.json", `{"name":"release-0123456789ab-cdef01","services":{"web":{"labels":{"berth.release":"0123456789ab-cdef01"},"ports":[{"published":"20200-20201"}],"volumes":[{"source":"/data/releases/0123456789ab-cdef01/source/web"}]},"worker":{}}}`)
	r.write(folder+"data.json", `{"name":"app","services":{"db":{"ports":[{"published":"19000"}]}}}`)
	r.bin("docker", `echo "$*" >>"$DIR/told"; case "$*" in ps*) echo HEAD; echo id1 ;; esac`)
	return r
}

const standing = `OLD=0123456789ab-cdef01 HEALTHY_WITHIN=9 NEW="" COMMIT=other STOPPED_FIRST="" ; await_ready() { echo "ready $1"; }; renew_dependents() { echo "renews $CHANGED"; }; finish() { :; }; leftovers() { :; }
activate() { echo "activates $NEW of $COMMIT from $OLD for $ACTION"; }; compose() { :; }
`

// TestARestartIsWhatAServiceBears: in place where it gets no requests, beside what runs where visitors do, and of what is persistent
// only by its name.
func TestARestartIsWhatAServiceBears(t *testing.T) {
	for command, want := range map[string]string{
		"restart":        "activates 0123456789ab-cdef01-r1 of 0123456789abcdef from 0123456789ab-cdef01 for restart\n",
		"restart web":    "a route points to web, so it is restarted with all that belongs to the release: web worker",
		"restart worker": "ready release-0123456789ab-cdef01\n",
		"restart db":     "renews db changes\n",
	} {
		r := newRestarted(t)
		said, err := r.source("deploy.sh", standing+command)
		require.NoError(t, err, "%s: %s", command, said)
		assert.Contains(t, said, want, command)
		told, _ := os.ReadFile(filepath.Join(r.dir, "told"))
		inPlace := strings.Contains(string(told), "restart id1\n")
		assert.Equal(t, command == "restart worker" || command == "restart db", inPlace, "%s: %s", command, told)
		assert.Equal(t, !inPlace, strings.Contains(said, "activates"), command)
		assert.Equal(t, inPlace, strings.Contains(said, "it was away for at most"), command)
	}
	for command, says := range map[string]string{
		"restart none":                          "there is no service none [service-unknown]; these are: web worker db",
		`OLD=""; restart`:                       "nothing was released yet",
		`docker_table() { :; }; restart worker`: "service worker does not run, so there is nothing to restart",
	} {
		r := newRestarted(t)
		said, err := r.source("deploy.sh", standing+command)
		require.Error(t, err, command)
		assert.Contains(t, said, says, command)
		assert.NotContains(t, said, "activates", command)
	}
}

// TestTheCopyOfARelease has a name, a slot and ports of its own, and is otherwise the same: persistent services are not touched.
func TestTheCopyOfARelease(t *testing.T) {
	r := newRestarted(t)
	said, err := r.source("deploy.sh", standing+"restart")
	require.NoError(t, err, said)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(r.data, "releases", "0123456789ab-cdef01-r1", name))
		require.NoError(t, err, name)
		return string(text)
	}
	assert.Equal(t, "1\n", read("slot"))
	assert.JSONEq(t, `{"name":"release-0123456789ab-cdef01-r1","services":{"web":{"labels":{"berth.release":"0123456789ab-cdef01-r1"},"ports":[{"published":"20100-20101"}],"volumes":[{"source":"/data/releases/0123456789ab-cdef01-r1/source/web"}]},"worker":{}}}`, read("app.json"))
	assert.Contains(t, strings.Join(strings.Fields(read("plan.json")), ""), `"upstream":20100,"replicas":2`)
	assert.Contains(t, strings.Join(strings.Fields(read("plan.json")), ""), `"upstream":19000`)
	assert.JSONEq(t, `{"name":"app","services":{"db":{"ports":[{"published":"19000"}]}}}`, read("data.json"))
	assert.Equal(t, "a page", read("source/page.html"))
	assert.Equal(t, "a page for 502", read("pages/502.html"))
	assert.Equal(t, "A=1\n", read(".env.production"))
	said, err = r.source("deploy.sh", `kept_releases; another_name 0123456789ab-cdef01-r1; rm -r "$RELEASES/0123456789ab-cdef01"; another_name 0123456789ab-cdef01-r1`)
	require.NoError(t, err, said)
	assert.Equal(t, "0123456789ab-cdef01\n0123456789ab-cdef01-r1\n0123456789ab-cdef01-r2\n0123456789ab-cdef01\n", said, "a copy that was interrupted is the last to return to")
}
