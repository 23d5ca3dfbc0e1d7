package provision

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/release"
)

// runJQ runs one of the server's jq programs on JSON: what it printed, or what it said.
func runJQ(t *testing.T, program, input string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "jq", append([]string{"-c", "-f", filepath.Join("scripts", "release", program)}, arguments...)...)
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// planOf is the plan that an operator's machine makes of a compose model, in which FOLDER is the checkout.
func planOf(t *testing.T, model string, routes ...config.Route) string {
	t.Helper()
	made := planned(t, model, routes...)
	require.Empty(t, made.Problems)
	return made.Document
}

// planned is the plan itself.
func planned(t *testing.T, model string, routes ...config.Route) *release.Plan {
	t.Helper()
	const folder = "/tmp/checkout/source"
	made, err := release.MakePlan(&config.Config{ReleaseStrategy: config.StopFirst, Routes: routes, Allow: []string{"host-namespaces"}},
		release.Commit{SHA: "c0ffee", Folder: folder, Model: []byte(strings.ReplaceAll(model, "FOLDER", folder)), Tree: func(path string) (string, error) { return "hash-" + path, nil }})
	require.NoError(t, err)
	return made
}

func filled(t *testing.T, plan, kept string) map[string]any {
	t.Helper()
	text, err := runJQ(t, "fill.jq", plan, "--arg", "id", "abc-1", "--arg", "source", "/data/releases/abc-1/source", "--argjson", "base", "20100", "--argjson", "kept", kept)
	require.NoError(t, err, text)
	var whole map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &whole))
	return whole
}

func at(value any, path ...any) any {
	for _, key := range path {
		switch key := key.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[key]
		case int:
			list, _ := value.([]any)
			value = list[key]
		}
	}
	return value
}

// TestThePlanIsFilledIn with the release's name, its checkout and loopback ports; what the app itself begins with @ stays.
func TestThePlanIsFilledIn(t *testing.T) {
	plan := planOf(t, `{"services":{"web":{"build":{"context":"FOLDER/web"},"environment":{"A":"@ID@","B":"@"},"restart":"always"},"admin":{"image":"x:1","volumes":[{"type":"volume","source":"v","target":"/v"}]},"host":{"image":"x:1","network_mode":"host"}}}`,
		config.Route{Path: "/", Service: "web", Port: 80}, config.Route{Path: "/b/", Service: "web", Port: 8080}, config.Route{Path: "/admin/", Service: "admin", Port: 3000}, config.Route{Path: "/host/", Service: "host", Port: 9000})
	made := filled(t, plan, `{"gone:1":19000}`)
	assert.Equal(t, "abc-1", made["id"])
	assert.Equal(t, "release-abc-1", at(made, "app", "name"))
	assert.Equal(t, map[string]any{"berth.release": "abc-1"}, at(made, "app", "services", "web", "labels"))
	assert.Equal(t, map[string]any{"A": "@ID@", "B": "@"}, at(made, "app", "services", "web", "environment"))
	assert.Equal(t, "/data/releases/abc-1/source/web", at(made, "builds", 0, "build", "context"))
	assert.Equal(t, "/data/releases/abc-1/source/web", at(made, "trees", 0, "path"))
	assert.Equal(t, "20100", at(made, "app", "services", "web", "ports", 0, "published"))
	for i, port := range []float64{20100, 20101, 19001, 9000} {
		assert.Equal(t, port, at(made, "routes", i, "upstream"))
	}
	assert.Equal(t, map[string]any{"admin:3000": 19001.0}, made["ports"])
	assert.Equal(t, "19002", at(made, "persistent", "web", "data", "services", "web", "ports", 0, "published"), "another plan has ports of its own")
	assert.Equal(t, map[string]any{"admin:3000": 19007.0}, filled(t, plan, `{"admin:3000":19007}`)["ports"], "a persistent service keeps the one that it has")
	for _, unknown := range []string{"@NOTHING@", "@PORT:web:81@", "@SOURCE@x"} {
		said, err := runJQ(t, "fill.jq", strings.Replace(plan, "@PROJECT@", unknown, 1), "--arg", "id", "a", "--arg", "source", "/s", "--argjson", "base", "20100", "--argjson", "kept", "{}")
		require.Error(t, err, said)
		assert.Contains(t, said, unknown)
	}
}

// TestVolumesOfImagesChooseThePlan: an unknown volume makes the service persistent, in all that follows from it.
func TestVolumesOfImagesChooseThePlan(t *testing.T) {
	services := `"web":{"image":"x:1","restart":"always","volumes":[{"type":"bind","source":"FOLDER/web","target":"/app"}],"tmpfs":["/cover"]},"wp":{"image":"y:1","restart":"always"}`
	heed := func(model, found string) (map[string]any, string) {
		text, err := json.Marshal(filled(t, planOf(t, `{"services":{`+model+`}}`, config.Route{Path: "/", Service: "web", Port: 80}), "{}"))
		require.NoError(t, err)
		chosen, err := runJQ(t, "heed.jq", string(text), "--argjson", "found", found)
		require.NoError(t, err, chosen)
		var whole map[string]any
		require.NoError(t, json.Unmarshal([]byte(chosen), &whole))
		return whole, fmt.Sprint(whole["problems"])
	}
	for _, harmless := range []string{`{}`, `{"wp":["/tmp","/var/cache/x","/dev/shm"]}`, `{"web":["/cover/"],"elsewhere":["/data"]}`} {
		made, said := heed(services, harmless)
		assert.Equal(t, []any{"web", "wp"}, made["stateless"], harmless)
		assert.Equal(t, "[]", said)
		assert.NotContains(t, made, "persistent")
	}
	made, _ := heed(services, `{"wp":["/tmp","/var/www/html"]}`)
	assert.Equal(t, []any{"wp"}, made["stateful"])
	assert.Equal(t, map[string]any{"wp": "its image declares the volume /var/www/html"}, made["because"])
	assert.NotNil(t, at(made, "data", "services", "wp"))
	assert.Equal(t, "c0ffee", made["commit"])
	assert.Equal(t, "abc-1", made["id"])
	made, _ = heed(services, `{"wp":["/var/www/html"],"web":["/data","/x"]}`)
	assert.Equal(t, []any{"web", "wp"}, made["stateful"])
	assert.Equal(t, map[string]any{"web:80": 19000.0}, made["ports"])
	assert.Equal(t, 19000.0, at(made, "routes", 0, "upstream"))
	// Of many services each has a plan for itself alone.
	_, said := heed(services+`,"c":{"image":"c:1"},"d":{"image":"d:1"}`, `{"c":["/c"],"d":["/d"]}`)
	assert.Contains(t, said, `the image of c declares the volume /c, which would be empty with every release; write at c in the compose file: labels: {berth.stateful: "true"}`)
	assert.Contains(t, said, "the image of d declares")
	_, said = heed(`"web":{"image":"x:1","restart":"always","depends_on":{"job":{"condition":"service_healthy"}}},"job":{"image":"j:1","restart":"always"}`, `{"web":["/data"]}`)
	assert.Contains(t, said, "service web is persistent, because its image declares the volume /data, and waits for job")
}

// TestPlacesForVolumesOfImagesAreMade where a folder of the commit is only read.
func TestPlacesForVolumesOfImagesAreMade(t *testing.T) {
	plan := `{"version":2,"commit":"c","trees":[],"watched":{},"persistent":{},"problems":[],"mountpoints":[{"path":"/src/a/one","source":""}],"fixed":[{"service":"web","source":"/src/a","target":"/app","inner":["/app/deep"]}]}`
	text, err := runJQ(t, "heed.jq", plan, "--argjson", "found", `{"web":["/app/node_modules/","/app/deep/er","/app","/apple","/app/one"],"other":["/app/x"]}`)
	require.NoError(t, err, text)
	var made map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &made))
	assert.Equal(t, []any{map[string]any{"path": "/src/a/node_modules", "source": ""}, map[string]any{"path": "/src/a/one", "source": ""}}, made["mountpoints"])
}

// TestNetworksOfTheServerStayItsOwn, of which only the server knows.
func TestNetworksOfTheServerStayItsOwn(t *testing.T) {
	for addresses, taken := range map[string]bool{
		"10.20.0.0/16": true, "10.20.1.5": true, "10.0.0.0/8": true, "10.20.1.0/28": true, "10.21.0.0/16": false, "172.28.0.0/16": false, "fd12::/64": false, "10.20.2.0/24": false,
	} {
		said, err := runJQ(t, "networks.jq", `{"addresses":[{"network":"n","range":"`+addresses+`"}]}`, "--argjson", "own", `["10.20.1.17/24","fe80::1/64"]`)
		require.NoError(t, err, said)
		assert.Equal(t, taken, strings.Contains(said, "network n takes the addresses "+addresses+", which are the server's own"), addresses+said)
	}
}

// TestAPlanIsOfItsCommit: of another one, of another version, or made from other files, nothing is released.
func TestAPlanIsOfItsCommit(t *testing.T) {
	h := newHosted(t)
	commit := h.commit(map[string]string{"web/Dockerfile": "FROM scratch\n", "compose.yaml": "services: {}\n"})
	tree := h.git("rev-parse", commit+":web")
	plan := strings.ReplaceAll(strings.ReplaceAll(planOf(t, `{"services":{"web":{"build":{"context":"FOLDER/web"},"restart":"always"}}}`, config.Route{Path: "/", Service: "web", Port: 80}), "c0ffee", commit), "hash-web", tree)
	for name, test := range map[string]struct{ from, to, says string }{
		"as it is":                     {"", "", ""},
		"another commit":               {commit, strings.Repeat("a", 40), "is not one of version 2 for commit " + commit[:12]},
		"another version":              {`"version":2`, `"version":1`, "is not one of version 2"},
		"another tree":                 {`"hash":"` + tree, `"hash":"` + strings.Repeat("b", 40), "holds something else at web than the plan of the release was made from"},
		"a path that the commit lacks": {`"path":"@SOURCE@/web"`, `"path":"@SOURCE@/nowhere"`, "nothing is done on a guess"},
		"not a plan":                   {"{", "", "nothing is done on a guess"},
		"empty":                        {plan, "", "is not one of version 2"},
	} {
		h.write("etc/plan.json", strings.Replace(plan, test.from, test.to, 1))
		h.write("etc/app.env", "A=1\n")
		said, err := h.deploy(commit, `own_networks() { echo '["10.20.1.17/24"]'; }; write_routes() { :; }; jobs_in() { :; }; OLD=""; fetch; plan "$RELEASES/new"`)
		if test.says == "" {
			require.NoError(t, err, "%s: %s", name, said)
			text, err := os.ReadFile(filepath.Join(h.data, "releases/new/plan.json"))
			require.NoError(t, err)
			assert.Contains(t, string(text), h.data+"/releases/new/source/web")
			continue
		}
		require.Error(t, err, name)
		assert.Contains(t, said, test.says, name)
	}
	h.write("etc/plan.json", plan)
	h.write("data/releases/new/source/used", "by a job")
	said, err := h.deploy(commit, `jobs_in() { [ "$1" = release-new ] && echo "id1 nightly"; }; OLD=""; fetch; plan "$RELEASES/new"`)
	require.Error(t, err)
	assert.Contains(t, said, "job nightly is still at work in an earlier run of this release, so its files stay as they are")
	assert.FileExists(t, filepath.Join(h.data, "releases/new/source/used"))
}

// TestBuildsAreComposesOwn: what the compose file says of a build reaches Compose unchanged, in a file that root alone reads.
func TestBuildsAreComposesOwn(t *testing.T) {
	var input, want any
	require.NoError(t, json.Unmarshal([]byte(`{"app":{"secrets":{"s":{"file":"/src/s"},"other":{"file":"/src/o"},"npm":{"environment":"NPM_TOKEN"}}},"builds":[{"build":{"context":"/src/web","dockerfile":"docker/Dockerfile","target":"final",
	  "args":{"GREETING":"it's $$5","LD_PRELOAD":"x","HTTPS_PROXY":"y","NONE":null},"labels":{"a":"b c"},"extra_hosts":["x=1.2.3.4"],"platforms":["linux/arm64","linux/amd64"],"secrets":[{"source":"s"},{"source":"npm"}]}}]}`), &input))
	require.NoError(t, json.Unmarshal([]byte(`{"name":"build","secrets":{"s":{"file":"/src/s"},"npm":{"file":"/new/build-secrets/npm"}},"services":{"build":{"image":"berth/web:1","build":{"context":"/src/web","dockerfile":"docker/Dockerfile","target":"final",
	  "args":{"GREETING":"it's $$5","LD_PRELOAD":"x","HTTPS_PROXY":"y","NONE":null},"labels":{"a":"b c","berth.content":"abc"},"extra_hosts":["x=1.2.3.4"],"platforms":["linux/amd64"],"secrets":[{"source":"s"},{"source":"npm"}]}}}}`), &want))
	given, err := json.Marshal(input)
	require.NoError(t, err)
	text, err := runJQ(t, "build.jq", string(given), "--argjson", "i", "0", "--arg", "image", "berth/web:1", "--arg", "content", "abc", "--arg", "folder", "/new/build-secrets")
	require.NoError(t, err, text)
	var made any
	require.NoError(t, json.Unmarshal([]byte(text), &made))
	assert.Equal(t, want, made)
}

// TestReplicasHaveARowOfPorts each, for each port that is routed to, and nothing overlaps.
func TestReplicasHaveARowOfPorts(t *testing.T) {
	plan := planOf(t, `{"services":{"api":{"image":"a:1","scale":2},"once":{"image":"o:1","deploy":{"replicas":1}},"web":{"image":"x:1","deploy":{"replicas":3}},"worker":{"image":"w:1","deploy":{"replicas":4}}}}`,
		config.Route{Path: "/", Service: "web", Port: 80}, config.Route{Path: "/b/", Service: "web", Port: 8080}, config.Route{Path: "/api/", Service: "api", Port: 3000}, config.Route{Path: "/o/", Service: "once", Port: 1})
	made := filled(t, plan, `{}`)
	assert.Equal(t, "20100-20101", at(made, "app", "services", "api", "ports", 0, "published"))
	assert.Equal(t, "20102", at(made, "app", "services", "once", "ports", 0, "published"))
	assert.Equal(t, "20103-20105", at(made, "app", "services", "web", "ports", 0, "published"))
	assert.Equal(t, "20106-20108", at(made, "app", "services", "web", "ports", 1, "published"))
	for i, want := range []struct {
		port     float64
		replicas any
	}{{20103, 3.0}, {20106, 3.0}, {20100, 2.0}, {20102, nil}} {
		assert.Equal(t, want.port, at(made, "routes", i, "upstream"), i)
		route, _ := at(made, "routes", i).(map[string]any)
		assert.Equal(t, want.replicas, route["replicas"], i)
	}
	assert.Equal(t, 3.0, at(made, "app", "services", "web", "deploy", "replicas"))
	assert.Equal(t, 4.0, at(made, "app", "services", "worker", "deploy", "replicas"), "without a route they run as Compose has them")
	assert.Equal(t, "[]", fmt.Sprint(made["problems"]))
	for model, says := range map[string]string{
		`"web":{"image":"x:1","deploy":{"replicas":101}}`:                                                        "101 ports with all of their replicas, and a release has 100",
		`"web":{"image":"x:1","scale":51},"api":{"image":"x:1","scale":50}`:                                      "101 ports with all of their replicas",
		`"web":{"image":"x:1","deploy":{"replicas":2},"volumes":[{"type":"volume","source":"v","target":"/v"}]}`: "service web is persistent, because",
		`"web":{"image":"x:1"},"db":{"image":"postgres:17","scale":2,"environment":{"POSTGRES_PASSWORD":"x"}}`:   "never runs twice, and scale is 2",
		`"web":{"image":"x:1","network_mode":"host","deploy":{"replicas":2}}`:                                    "where only one of its 2 containers can have its port",
	} {
		routes := []config.Route{{Path: "/", Service: "web", Port: 80}}
		if strings.Contains(model, `"api"`) {
			routes = append(routes, config.Route{Path: "/api/", Service: "api", Port: 80})
		}
		made := planned(t, `{"services":{`+model+`}}`, routes...)
		assert.Contains(t, fmt.Sprint(made.Problems), says, model)
	}
	few := filled(t, planOf(t, `{"services":{"web":{"image":"x:1","deploy":{"replicas":100}}}}`, config.Route{Path: "/", Service: "web", Port: 80}), `{}`)
	assert.Equal(t, "[]", fmt.Sprint(few["problems"]))
	assert.Equal(t, "20100-20199", at(few, "app", "services", "web", "ports", 0, "published"))
}

// TestAReleaseIsNamedByAllThatMakesIt: whatever a plan follows, another value is another release, and not 'serves already'.
func TestAReleaseIsNamedByAllThatMakesIt(t *testing.T) {
	r := newRebooted(t)
	r.write("etc/app.env", "A=1\n")
	const of = `COMMIT=0123456789abcdef COMPOSE_FILE=%s APP='%s'; release_id`
	id := func(file, app string) string {
		t.Helper()
		said, err := r.source("deploy.sh", fmt.Sprintf(of, file, app))
		require.NoError(t, err, said)
		return strings.TrimSpace(said)
	}
	const app = `{"routes":[],"images":{},"strategy":"blue-green","migration":null,"database":null}`
	first := id("compose.yaml", app)
	assert.Regexp(t, `^0123456789ab-[0-9a-f]{6}$`, first)
	assert.Equal(t, first, id("compose.yaml", app))
	assert.Equal(t, first, id("compose.yaml", strings.Replace(app, "blue-green", "stop-first", 1)), "it is how a release goes out, and no part of it")
	seen := map[string]string{first: "none"}
	note := func(what, id string) {
		t.Helper()
		assert.Empty(t, seen[id], what)
		seen[id] = what
	}
	for what, change := range map[string][2]string{
		"routes": {`[]`, `[{"path":"/"}]`}, "images": {`{}`, `{"web":"x"}`}, "migration": {`"migration":null`, `"migration":{"service":"web"}`},
		"database": {`"database":null`, `"database":{"service":"db"}`}, "allow": {`}`, `,"allow":["devices"]}`}, "external": {`"database":null}`, `"database":null,"external":{"db":"x.example.com"}}`},
	} {
		changed := strings.Replace(app, change[0], change[1], 1)
		if what == "allow" {
			changed = strings.TrimSuffix(app, "}") + change[1]
		}
		note(what, id("compose.yaml", changed))
	}
	note("compose file", id("other.yaml", app))
	r.write("etc/app.env", "A=2\n")
	note("variables", id("compose.yaml", app))
}
