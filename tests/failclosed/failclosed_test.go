package failclosed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

// run is a script of the server's with its arguments, in a state of it.
type run struct {
	name    string
	command []string
	state   string
	input   func(t *testing.T, w world) string
	// long is a release: of these, make test-unit looks only at the commands that are dangerous.
	long bool
}

// dangerous are the commands by whose word data is kept or taken away.
var dangerous = []string{"docker", "jq", "git", "cat", "readlink", "ssh"}

func script(name string, arguments ...string) []string {
	return append([]string{"/usr/bin/bash", "/opt/berth/" + name}, arguments...)
}

func settings(name string) func(*testing.T, world) string {
	return func(t *testing.T, w world) string {
		t.Helper()
		text, err := os.ReadFile(w.of("world/settings", name))
		require.NoError(t, err)
		return string(text)
	}
}

// runs are all that are tested: every script that is run, in each of its ways.
var runs = []run{
	{"deploy.sh, the first", script("deploy.sh"), "new", nil, true},
	{"deploy.sh, another", script("deploy.sh"), "next", nil, true},
	{"deploy.sh, the same", script("deploy.sh"), "two", nil, true},
	{"deploy.sh rollback", script("deploy.sh", "rollback"), "two", nil, true},
	{"deploy.sh rollback --with-database", script("deploy.sh", "rollback", "--with-database", "--yes"), "two", nil, true},
	{"deploy.sh dump", script("deploy.sh", "dump"), "two", nil, false},
	{"deploy.sh status", script("deploy.sh", "status"), "two", nil, false},
	{"deploy.sh history", script("deploy.sh", "history"), "two", nil, false},
	{"deploy.sh jobs", script("deploy.sh", "jobs"), "two", nil, false},
	{"deploy.sh job", script("deploy.sh", "job", "nightly"), "two", nil, false},
	{"deploy.sh restart", script("deploy.sh", "restart"), "two", nil, true},
	{"deploy.sh restart web", script("deploy.sh", "restart", "web"), "two", nil, true},
	{"deploy.sh restart db", script("deploy.sh", "restart", "db"), "two", nil, false},
	{"deploy.sh maintenance on", script("deploy.sh", "maintenance", "on"), "two", nil, false},
	{"log-monitor.sh view", script("log-monitor.sh", "view"), "two", nil, false},
	{"log-monitor.sh sizes", script("log-monitor.sh", "sizes"), "two", nil, false},
	{"log-monitor.sh rotate", script("log-monitor.sh", "rotate"), "two", nil, false},
	{"log-monitor.sh clean", script("log-monitor.sh", "clean"), "two", nil, false},
	{"health-check.sh", script("health-check.sh"), "two", nil, false},
	{"health-check.sh --push", script("health-check.sh", "--push"), "two", nil, false},
	{"status.sh", script("status.sh"), "two", nil, false},
	{"status.sh --html", script("status.sh", "--html"), "two", nil, false},
	{"ssl-manager.sh placeholder", script("ssl-manager.sh", "placeholder"), "two", nil, false},
	{"ssl-manager.sh generate", script("ssl-manager.sh", "generate"), "new", nil, false},
	{"ssl-manager.sh renew", script("ssl-manager.sh", "renew"), "due", nil, false},
	{"ssl-manager.sh install", script("ssl-manager.sh", "install"), "two", nil, false},
	{"ssl-manager.sh check", script("ssl-manager.sh", "check"), "two", nil, false},
	{"ssl-manager.sh revert", script("ssl-manager.sh", "revert"), "two", nil, false},
	{"ssl-manager.sh schedule", script("ssl-manager.sh", "schedule"), "two", nil, false},
	{"steps/firewall.sh", script("step.sh", "firewall", "600"), "two", nil, false},
	{"steps/edge.sh", script("step.sh", "edge", "600"), "two", settings("edge"), false},
	{"edge/spool.sh", script("edge/spool.sh"), "two", nil, false},
	{"steps/certificate.sh", script("step.sh", "certificate", "600"), "new", nil, false},
	{"steps/packages.sh", script("step.sh", "packages", "600"), "new", nil, false},
	{"steps/operations.sh", script("step.sh", "operations", "600"), "two", settings("operations"), false},
	{"steps/release.sh", script("step.sh", "release", "600"), "next", settings("release"), true},
	{"first-boot.sh", []string{"/usr/bin/sh", "/opt/berth/first-boot.sh"}, "new", nil, false},
	{"install.sh", []string{"/usr/bin/sh", "/opt/berth/install.sh"}, "two", settings("archive"), false},
}

// TestFailClosed has every command of every script fail, and print nothing where it prints something: the script says so and
// ends with another code than 0, and nothing is lost.
func TestFailClosed(t *testing.T) {
	stand := standIns(t)
	worlds := states(t, stand)
	thorough := os.Getenv("BERTH_FAILCLOSED") == "all"
	t.Run("runs", func(t *testing.T) {
		for _, run := range slices.Concat(runs, serversRuns) {
			t.Run(run.name, func(t *testing.T) {
				if !run.long && !thorough {
					t.Skip("run on its own: BERTH_FAILCLOSED=all go test ./failclosed")
				}
				t.Parallel()
				good := worlds[run.state].copied(t, t.TempDir())
				input := ""
				if run.input != nil {
					input = run.input(t, good)
				}
				before := good.contents(t)
				said, code := good.run(t.Context(), stand, "", "record", input, run.command...)
				require.Zerof(t, code, "with nothing amiss: %s", said)
				after := good.contents(t)
				require.Empty(t, good.lost(t, before, after))
				called, printed := good.lines("world/called"), good.lines("world/printed")
				tried, excused := 0, map[string]bool{}
				for _, command := range called {
					for _, mode := range []string{"fail", "silent"} {
						if mode == "silent" && !slices.Contains(printed, command) || !thorough && run.long && !slices.Contains(dangerous, command) {
							continue
						}
						folder := t.TempDir()
						w := worlds[run.state].copied(t, folder)
						// A page of an earlier check says nothing of this one.
						require.NoError(t, os.RemoveAll(w.of("run/berth/health.json")))
						said, code := w.run(t.Context(), stand, command, mode, input, run.command...)
						if slices.Contains(run.command, "--push") {
							said += w.page(t)
						}
						what := fmt.Sprintf("%s, %s: %s", run.name, command, mode)
						for _, lost := range w.lost(t, before, after) {
							assert.Failf(t, what, "%s\n%s", lost, said)
						}
						if reason, excuse := excuse(run.name, command, mode); reason != "" {
							excused[excuse] = true
						} else {
							assert.Truef(t, code != 0 && code != -1 && sentence.MatchString(said), "%s: it ended with %d:\n%s", what, code, said)
						}
						tried++
						require.NoError(t, os.RemoveAll(folder))
					}
				}
				t.Logf("%d commands, %d tries", len(called), tried)
				// A row each: a run that takes long can be measured alone.
				if !t.Failed() && thorough {
					report.Add(t, "Commands that fail", "`"+run.name+"`", fmt.Sprintf("%d commands, %d tries: nothing lost, every failure reported; exceptions: %d", len(called), tried, len(excused)))
				}
			})
		}
	})
}

// states are servers: "new" has no release yet, "one" has one, "next" is asked for another, "two" has both, and "due" a
// certificate to renew.
func states(t *testing.T, stand string) map[string]world {
	t.Helper()
	all := map[string]world{}
	folder := t.TempDir()
	w := world(filepath.Join(folder, "new"))
	for _, root := range roots {
		require.NoError(t, os.MkdirAll(w.of(root), 0o755))
	}
	for _, made := range []string{"opt/berth-one", "run/systemd/system", "run/lock", "var/log/nginx", "var/log/berth", "var/lib", "data/releases/starting", "data/docker/volumes/app_data", "etc/nginx/conf.d", "world/settings", "etc/ssh/sshd_config.d", "etc/nginx/modules-enabled"} {
		require.NoError(t, os.MkdirAll(w.of(made), 0o755))
	}
	// As install.sh leaves them: a folder, and the link that is renamed.
	command(t, "cp", "-a", "../../provision/scripts/.", w.of("opt/berth-one"))
	command(t, "chmod", "-R", "755", w.of("opt/berth-one"))
	require.NoError(t, os.Symlink("berth-one", w.of("opt/berth")))
	command(t, "sh", "-c", "tar --create --gzip --directory ../../provision/scripts . | base64 >"+w.of("world/settings/archive"))
	w.put(t, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
	w.put(t, "etc/group", "root:x:0:\n")
	w.put(t, "etc/nginx/nginx.conf", "events {\n\tworker_connections 768;\n}\n")
	command(t, "cp", "/etc/ssl/openssl.cnf", w.of("etc/openssl.cnf"))
	require.NoError(t, os.MkdirAll(w.of("etc/ssl"), 0o755))
	command(t, "cp", "/etc/ssl/openssl.cnf", w.of("etc/ssl/openssl.cnf"))
	w.put(t, "run/nginx.pid", "1\n")
	w.put(t, "run/systemd/notify", "")
	w.put(t, "world/workers", "100\n")
	w.put(t, "var/log/nginx/error.log", "a line\n")
	w.put(t, "data/docker/volumes/app_data/rows", "what somebody wrote\n")
	w.put(t, "data/binds/uploads/picture", "a picture\n")
	w.put(t, "data/stack", "production\n")
	w.put(t, "etc/berth/app.env", "SECRET_KEY=geheim\n")
	w.put(t, "etc/berth/deploy_key", "")
	w.put(t, "etc/berth/operations.json", operationsSettings)
	w.put(t, "etc/berth/jobs.json", `{"JOBS":`+jobs+`}`)
	w.put(t, "etc/systemd/system/berth-job-nightly.timer", "")
	w.put(t, "etc/berth/certificate.json", certificateSettings)
	w.put(t, "etc/berth/hosts.json", siteHosts)
	require.NoError(t, os.Symlink("starting", w.of("data/releases/current")))
	certificate(t, w, "world/certificate", 80)
	w.put(t, "world/settings/edge", `{"DOMAIN":"site.example","NGINX":"server {}","NGINX_SERVER":"root /;","HOSTNAMES":`+siteHosts+`,"CERTIFICATE":`+certificateSettings+`,"ACCOUNT_BINDING":"","ACME_ROOTS":"","USERS":{"alice":"geheim"},"PROXIES":"cloudflare","OWN":""}`)
	w.put(t, "world/settings/operations", `{"SSH_USER":"admin","OPERATIONS":`+operationsSettings+`,"JOBS":`+jobs+`}`)
	var commits []string
	for _, page := range []string{"one", "two"} {
		w.put(t, "root/app/page.html", page)
		w.put(t, "root/app/compose.yaml", "services: {}\n")
		command(t, "sh", "-c", "cd "+w.of("root/app")+" && git init --quiet . && git add . && git -c user.name=a -c user.email=a@a.example commit --quiet --message "+page)
		head, err := exec.CommandContext(t.Context(), "git", "-C", w.of("root/app"), "rev-parse", "HEAD").Output()
		require.NoError(t, err)
		commits = append(commits, strings.TrimSpace(string(head)))
	}
	release := func(w world, commit string) {
		text := fmt.Sprintf(`{"DOMAIN":"site.example","REPOSITORY":"/root/app","COMMIT":"%s","COMPOSE_FILE":"compose.yaml","STRATEGY":"blue-green","HEALTHY_WITHIN":90,"DRAIN_WITHIN":5,"KEEP":3,"APP":%s}`, commit, app)
		plan := plan(t, w, commit)
		w.put(t, "etc/berth/release.json", text)
		w.put(t, "etc/berth/plan.json", plan)
		w.put(t, "world/settings/release", `{"STACK":"production","RELEASE":`+text+`,"RELEASE_PLAN":`+plan+`,"APP_ENVIRONMENT":"SECRET_KEY=geheim\n","DEPLOY_KEY":"","KNOWN_HOSTS":"","REGISTRIES":{}}`)
	}
	release(w, commits[0])
	all["new"] = w
	// A placeholder comes before the first release.
	said, code := w.run(t.Context(), stand, "", "", "", script("ssl-manager.sh", "placeholder")...)
	require.Zerof(t, code, "%s", said)

	next := w.copied(t, made(t, folder, "next"))
	said, code = next.run(t.Context(), stand, "", "", "", script("deploy.sh")...)
	require.Zerof(t, code, "the first release: %s", said)
	release(next, commits[1])
	next.put(t, "data/dumps/20260101T000000Z_"+serving(t, next)+"_db.postgres", "an old dump, but the newest of a kept release\n")
	next.put(t, "world/kept", serving(t, next)+"\n")
	certificate(t, next, "etc/letsencrypt/live/berth", 80)
	next.put(t, "etc/letsencrypt/renewal/berth.conf", "server = https://ca.example/directory\n")
	said, code = next.run(t.Context(), stand, "", "", "", script("ssl-manager.sh", "install")...)
	require.Zerof(t, code, "the certificate: %s", said)
	all["next"] = next

	two := next.copied(t, made(t, folder, "two"))
	said, code = two.run(t.Context(), stand, "", "", "", script("deploy.sh")...)
	require.Zerof(t, code, "the second release: %s", said)
	two.put(t, "world/kept", serving(t, two)+"\n"+serving(t, next)+"\n")
	all["two"] = two

	due := two.copied(t, made(t, folder, "due"))
	certificate(t, due, "etc/letsencrypt/live/berth", 5)
	all["due"] = due
	severalStates(t, stand, folder, all, func(w world, commit int) { release(w, commits[commit]) })
	return all
}

// plan is that of a commit, as an operator's machine makes it.
func plan(t *testing.T, w world, commit string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/plan.json")
	require.NoError(t, err)
	hash := func(path string) string {
		output, err := exec.CommandContext(t.Context(), "git", "-C", w.of("root/app"), "rev-parse", commit+":"+path).Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(output))
	}
	return strings.NewReplacer("COMMIT", commit, "TREE", hash(""), "PAGE", hash("page.html")).Replace(string(text))
}

func made(t *testing.T, folder, name string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, name), 0o755))
	return filepath.Join(folder, name)
}

// certificate lays one, with its authority's, into folder; it is valid for some days more.
func certificate(t *testing.T, w world, folder string, days int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(w.of(folder), 0o755))
	command(t, "sh", "-euc", fmt.Sprintf(`cd %s
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=authority -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=site.example -keyout privkey.pem -out leaf.csr
printf 'subjectAltName=DNS:site.example\n' >extensions
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -days %d -extfile extensions -out leaf.pem
cat leaf.pem ca.pem >fullchain.pem
rm -f ca.key ca.pem leaf.csr leaf.pem extensions *.srl`, w.of(folder), days))
}

func command(t *testing.T, name string, arguments ...string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), name, arguments...).CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
}

const (
	certificateSettings = `{"NAMES":"site.example","ADDRESS":"192.0.2.7","EMAIL":"a@site.example","DIRECTORY":"https://ca.example/directory","STAGING_DIRECTORY":"https://staging.example/directory","PROFILE":""}`
	operationsSettings  = `{"REGION":"eu-central-1","MONITORED":true,"BUCKET":"dumps","DRILL_DAYS":7}`
	siteHosts           = `{"names":["site.example"],"hosts":[],"redirects":[]}`
	jobs                = `[{"name":"nightly","service":"web","command":"true","schedule":"30 2 * * *","calendars":["*-*-* 02:30:00 UTC"],"timeout":60}]`
	app                 = `{"routes":[{"path":"/","service":"web","port":80,"health":""}],"images":{},"strategy":"blue-green","migration":{"service":"web","command":"true"},"database":null}`
)
