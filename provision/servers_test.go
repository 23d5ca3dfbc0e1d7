package provision

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// several has the server be the first of several, whose AWS and ssh are stand-ins: what they were asked is in told.
func several(t *testing.T) *rebooted {
	t.Helper()
	r := newRebooted(t)
	r.write("etc/servers.json", `{"GROUP":"web-1","TARGET_GROUP":"arn:site","REGION":"eu-central-1","REACH":"100.64.20.0/24","NETWORK":"10.0.0.0/16","BALANCER":"site.elb.example.com","FIRST":true}`)
	r.write("etc/release.json", `{"DOMAIN":"app.example.com","HEALTHY_WITHIN":5,"DRAIN_WITHIN":5,"KEEP":3,"APP":{"routes":[]}}`)
	r.write("etc/edge-settings.json", `{}`)
	return r
}

// inServers runs shell with all that servers.sh has.
func (r *rebooted) inServers(shell string) (string, error) {
	r.t.Helper()
	return r.source("servers.sh", "HEALTHY_WITHIN=5 DRAIN_WITHIN=5 KEEP=3 DOMAIN=app.example.com; web_settings; install -d -m 0700 \"$SOCKETS\" \"$SERVERS\"\n"+shell)
}

// TestMembersAreReadAsAWSAnswers, and half an answer is none.
func TestMembersAreReadAsAWSAnswers(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("testdata", "servers", name))
		require.NoError(t, err)
		return string(text)
	}
	members := func(group, instances string) (string, error) {
		dir := t.TempDir()
		for name, text := range map[string]string{"group": group, "instances": instances} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		output, err := exec.CommandContext(t.Context(), "python3", "-B", "scripts/servers/members.py", "web-1", filepath.Join(dir, "group"), filepath.Join(dir, "instances")).CombinedOutput()
		return string(output), err
	}
	group, instances := read("group.xml"), read("instances.xml")
	said, err := members(group, instances)
	require.NoError(t, err, said)
	assert.Equal(t, "i-0a1b2c3d4e5f60718 InService Healthy 10.0.1.12\ni-0b1b2c3d4e5f60718 Terminating:Wait Unhealthy -\ni-0c1b2c3d4e5f60718 Pending:Wait Healthy 10.0.2.7\nread\n", said)
	for name, bad := range map[string][2]string{
		"nothing":                {"", instances},
		"half of it":             {group[:len(group)/2], instances},
		"an error":               {`<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><Error/></ErrorResponse>`, instances},
		"another group":          {strings.ReplaceAll(group, "web-1", "web-2"), instances},
		"no group":               {`<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups/></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>`, instances},
		"shell for an ID":        {strings.Replace(group, "i-0a1b2c3d4e5f60718", "i-$(touch pwned)", 1), instances},
		"a path for an ID":       {strings.Replace(group, "i-0a1b2c3d4e5f60718", "../../etc", 1), instances},
		"another health":         {strings.Replace(group, "<HealthStatus>Healthy", "<HealthStatus>Well", 1), instances},
		"no state":               {strings.Replace(group, "<LifecycleState>InService</LifecycleState>", "", 1), instances},
		"another page":           {strings.Replace(group, "</AutoScalingGroups>", "</AutoScalingGroups><NextToken>x</NextToken>", 1), instances},
		"half of the instances":  {group, instances[:len(instances)/2]},
		"no instances":           {group, group},
		"an address that is not": {group, strings.ReplaceAll(instances, "10.0.2.7", "10.0.2.7; reboot")},
		"a further page":         {group, strings.Replace(instances, "</reservationSet>", "</reservationSet><nextToken>x</nextToken>", 1)},
	} {
		said, err := members(bad[0], bad[1])
		require.Error(t, err, name)
		assert.Contains(t, said, "AWS does not say which servers there are", name)
		assert.NotContains(t, said, "InService Healthy", name)
	}
}

// TestAddressesStay: a persistent service has the same in every release, a container that is there keeps its own, and no two have one.
func TestAddressesStay(t *testing.T) {
	addresses := func(wanted, own, before string) (map[string][]string, string) {
		jq := exec.CommandContext(t.Context(), "jq", "-c", "--arg", "prefix", "100.64.20.", "--argjson", "own", own, "--argjson", "before", before, "-f", "scripts/servers/addresses.jq")
		jq.Stdin = strings.NewReader(wanted)
		output, err := jq.CombinedOutput()
		if err != nil {
			return nil, string(output)
		}
		var given map[string]struct{ Addresses []string }
		require.NoError(t, json.Unmarshal(output, &given), string(output))
		short := map[string][]string{}
		for service, one := range given {
			short[service] = one.Addresses
		}
		return short, string(output)
	}
	wanted := `[{"service":"db","persistent":true,"names":["db"],"for":["web"],"count":1},{"service":"worker","persistent":false,"names":["worker"],"for":["web"],"count":2}]`
	first, text := addresses(wanted, `{}`, `[]`)
	assert.Equal(t, map[string][]string{"db": {"100.64.20.10"}, "worker": {"100.64.20.11", "100.64.20.12"}}, first)
	next, text2 := addresses(wanted, `{}`, `[`+text+`]`)
	assert.Equal(t, map[string][]string{"db": {"100.64.20.10"}, "worker": {"100.64.20.13", "100.64.20.14"}}, next)
	again, _ := addresses(wanted, text2, `[`+text+`]`)
	assert.Equal(t, next, again)
	more, _ := addresses(strings.Replace(wanted, `"count":2`, `"count":3`, 1), text, `[`+text2+`]`)
	assert.Equal(t, []string{"100.64.20.11", "100.64.20.12", "100.64.20.15"}, more["worker"], "a third replica gets one more")
	freed, _ := addresses(wanted, `{}`, `[`+text2+`]`)
	assert.Equal(t, []string{"100.64.20.11", "100.64.20.12"}, freed["worker"], "what a removed release had is free again")
	_, said := addresses(strings.Replace(wanted, `"count":2`, `"count":250`, 1), `{}`, `[]`)
	assert.Contains(t, said, "no more addresses for worker")
}

const (
	webPlan = `{"id":"0123456789ab-abcdef","commit":"0123","spread":["web"],"stateless":["api","web"],"stateful":["db"],"stores":["db"],"alone":["api"],"once":["setup"],
		"routes":[{"path":"/","service":"web","port":3000,"upstream":20100,"replicas":2},{"path":"/api/","service":"api","port":8000,"upstream":20102}],
		"reach":[{"service":"db","persistent":true,"names":["db","postgres"],"for":["web"]}],"volumes":["app_files","app_other"],"join":[{"service":"db","network":"default","aliases":["db"]}],"databases":[{"service":"db","kind":"postgres"}]}`
	webApp = `{"name":"release-0123456789ab-abcdef","services":{"web":{"image":"berth/web:1","depends_on":{"api":{"condition":"service_started"}},"extra_hosts":["host.docker.internal=host-gateway"],"volumes":[{"type":"volume","source":"files","target":"/f"}]},
		"api":{"image":"berth/api:1","environment":{"SECRET":"canary"}}},"volumes":{"files":{"external":true,"name":"app_files"},"other":{"external":true,"name":"app_other"}}}`
	webReach = `{"db":{"persistent":true,"names":["db","postgres"],"for":["web"],"addresses":["100.64.20.10"]},"api":{"persistent":false,"names":[],"for":[],"addresses":["100.64.20.11"]}}`
)

// reduced gives what web servers get of a release.
func reduced(t *testing.T, plan, app, reach string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"app": app, "images": `{"web":{"image":"berth/web:1","reference":""},"api":{"image":"berth/api:1"}}`, "reach": reach} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	jq := exec.CommandContext(t.Context(), "jq", "--argjson", "ids", `{"web":"sha256:1"}`, "--slurpfile", "app", filepath.Join(dir, "app"), "--slurpfile", "images", filepath.Join(dir, "images"),
		"--slurpfile", "reach", filepath.Join(dir, "reach"), "-f", "scripts/servers/reduce.jq")
	jq.Stdin = strings.NewReader(plan)
	output, err := jq.CombinedOutput()
	return string(output), err
}

// TestWebServersGetWhatTheyRun, and nothing of what they do not: no other service, and none of its variables.
func TestWebServersGetWhatTheyRun(t *testing.T) {
	text, err := reduced(t, webPlan, webApp, webReach)
	require.NoError(t, err, text)
	assert.NotContains(t, text, "canary")
	var web struct {
		Plan struct {
			Stateless, Stateful, Alone, Once, Volumes []string
			Join, Databases                           []any
			Routes                                    []map[string]any
		}
		App    map[string]any
		Data   map[string]any
		Images map[string]map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(text), &web))
	assert.Equal(t, []string{"web"}, web.Plan.Stateless)
	assert.Empty(t, web.Plan.Stateful)
	assert.Empty(t, web.Plan.Alone)
	assert.Empty(t, web.Plan.Once)
	assert.Empty(t, web.Plan.Join)
	assert.Empty(t, web.Plan.Databases)
	assert.Equal(t, []string{"app_files"}, web.Plan.Volumes)
	assert.NotContains(t, web.Plan.Routes[0], "address")
	assert.Equal(t, "100.64.20.11:8000", web.Plan.Routes[1]["address"])
	assert.Equal(t, map[string]any{"web": map[string]any{
		"image": "berth/web:1", "depends_on": map[string]any{}, "extra_hosts": []any{"host.docker.internal=host-gateway", "db=100.64.20.10", "postgres=100.64.20.10"},
		"volumes": []any{map[string]any{"type": "volume", "source": "files", "target": "/f"}},
	}}, web.App["services"])
	assert.Equal(t, map[string]any{"files": map[string]any{"external": true, "name": "app_files"}}, web.App["volumes"])
	assert.Equal(t, map[string]map[string]string{"web": {"image": "berth/web:1", "reference": "", "id": "sha256:1"}}, web.Images)

	said, err := reduced(t, webPlan, webApp, `{"db":{"names":[],"for":[],"addresses":["100.64.20.10"]}}`)
	require.Error(t, err)
	assert.Contains(t, said, "api has no address that web servers reach")
	said, err = reduced(t, strings.Replace(webPlan, `"spread":["web"]`, `"spread":["web","api"]`, 1), webApp, webReach)
	require.Error(t, err)
	assert.Contains(t, said, "the image of api is not known")
}

// TestRoutesLeadToTheFirstServer where their services are there alone: they are asked, and their connections counted.
func TestRoutesLeadToTheFirstServer(t *testing.T) {
	r := newRebooted(t)
	r.write("etc/hosts.json", `{"names":["example.com"],"hosts":[],"redirects":[]}`)
	for name, address := range map[string]string{"a": "100.64.20.11", "b": "100.64.20.12"} {
		r.write("data/releases/"+name+"/slot", "1\n")
		r.write("data/releases/"+name+"/plan.json", `{"id":"`+name+`","routes":[{"path":"/","service":"web","upstream":20100},{"path":"/api/","service":"api","upstream":20102,"replicas":2,"address":"`+address+`:8000"}]}`)
	}
	said, err := r.source("deploy.sh", nginx+`learn_routes a b; cat "$INCLUDED/now/upstreams.conf"`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "\tserver 100.64.20.11:8000;\n")
	assert.NotContains(t, said, ":20102")
	said, err = r.source("deploy.sh", `ss() { echo "HEAD"; echo "$*" >&2; }; DOMAIN=example.com; open_connections a b; open_connections b`)
	require.NoError(t, err, said)
	assert.Equal(t, "--numeric --tcp state established dst 100.64.20.11:8000\n0\n--numeric --tcp state established dport = :20100 or dst 100.64.20.12:8000\n0\n", said)
	said, err = r.source("deploy.sh", `DOMAIN=example.com; curl() { case $* in *"http://100.64.20.11:8000/api/") printf 000; false ;; *"http://127.0.0.1:20100/") printf 200 ;; *) echo "asked $*" >&2 ;; esac; }; unanswered a`)
	require.NoError(t, err, said)
	assert.Equal(t, "waiting api answers /api/ with nothing\n", said)
}

// TestTheLoadBalancerLearnsWhoIsReady by a path of its own, which no visitor gets to, and nothing of it is there in a network of somebody else's.
func TestTheLoadBalancerLearnsWhoIsReady(t *testing.T) {
	cfg := &config.Config{Domain: "app.example.com", Redirects: map[string]string{"old.example.com": "app.example.com"}, MaxBody: 1, Timeout: 300,
		Servers: config.Servers{Min: 3, Max: 3}, VPCCIDR: netip.MustParsePrefix("10.0.0.0/16")}
	e := newEdge(t, cfg, route{"path": "/", "upstream": saying(t, "web")})
	ready := func(headers ...string) (int, string) {
		return e.get("8443", "app.example.com", "/.berth/ready", headers...)
	}
	status, body := e.getAs("8443", "app.example.com", "10.0.1.9:8443", "/.berth/ready")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "ready\n", body)
	status, _ = e.getAs("8443", "app.example.com", "10.0.1.9:8443", "/")
	assert.Equal(t, http.StatusMisdirectedRequest, status)
	status, _ = e.getAs("8443", "app.example.com", "nobody.example.com", "/.berth/ready", "X-Forwarded-For: 192.0.2.1")
	assert.Equal(t, http.StatusMisdirectedRequest, status, "who comes through the load balancer")
	status, body = ready("X-Forwarded-For: 192.0.2.1")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "web: GET app.example.com /.berth/ready", "the site's own path is the app's")
	status, _ = e.getAs("8443", "app.example.com", "old.example.com", "/x")
	assert.Equal(t, http.StatusPermanentRedirect, status)
	require.NoError(t, os.WriteFile(filepath.Join(e.data, "running"), []byte("release db id\n"), 0o600))
	status, _ = e.getAs("8443", "app.example.com", "10.0.1.9:8443", "/.berth/ready")
	assert.Equal(t, http.StatusServiceUnavailable, status, "its containers are not started yet after a reboot")
	require.NoError(t, os.Remove(filepath.Join(e.data, "running")))
	said, err := e.source("deploy.sh", "point current starting")
	require.NoError(t, err, said)
	status, body = e.getAs("8443", "app.example.com", "10.0.1.9:8443", "/.berth/ready")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "starting\n", body)

	edge, server, err := site(cfg)
	require.NoError(t, err)
	assert.Contains(t, edge, "set_real_ip_from 10.0.0.0/16;\nreal_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n")
	assert.Contains(t, server, "\tlisten 8443 ssl;\n")
	assert.Contains(t, server, "\tkeepalive_timeout 315s;\n", "the load balancer ends an idle connection, and never nginx")
	cfg.Servers = config.Servers{Min: 1, Max: 1}
	_, server, err = site(cfg)
	require.NoError(t, err)
	assert.Contains(t, server, "\tlisten 8443 ssl;\n", "the load balancer still sends requests while the names move back")
	cfg.SubnetID = "subnet-0123456789abcdef0"
	edge, server, err = site(cfg)
	require.NoError(t, err)
	for _, text := range []string{" 8443", "10.0.0.0", "real_ip", "berth_near", "/.berth/"} {
		assert.NotContains(t, edge+server, text)
	}
}

// TestAWebServerIsNotReadyAfterABoot, until it has joined again; a step that runs again takes nothing from visitors.
func TestAWebServerIsNotReadyAfterABoot(t *testing.T) {
	r := newRebooted(t)
	r.write("data/releases/abc/slot", "2\n")
	run := func() string {
		said, err := r.source("edge/slots.sh", `main; readlink "$SLOTS/current"`)
		require.NoError(t, err, said)
		return strings.TrimSpace(said)
	}
	assert.Equal(t, "2", run(), "the first server")
	r.write("etc/role", "web\n")
	assert.Equal(t, "2", run(), "the step, while it serves")
	require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "slots")))
	assert.Equal(t, "starting", run(), "a boot")
}

// TestFollowDoesNothingElse: it runs on web servers alone, with names that are some.
func TestFollowDoesNothingElse(t *testing.T) {
	r := newRebooted(t)
	follow := func(arguments ...string) (string, error) {
		t.Helper()
		bash := exec.CommandContext(t.Context(), "bash", append([]string{filepath.Join(r.dir, "scripts", "follow.sh")}, arguments...)...)
		bash.Env = append(os.Environ(), "DIR="+r.dir, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
		output, err := bash.CombinedOutput()
		return string(output), err
	}
	said, err := follow("state")
	require.Error(t, err)
	assert.Contains(t, said, "[no-web-server]", "the first server")
	r.write("etc/plan.json", "{}")
	said, err = follow("enlist")
	require.Error(t, err)
	assert.Contains(t, said, "[no-web-server]")
	assert.NoFileExists(t, filepath.Join(r.dir, "etc", "role"))
	r.write("etc/role", "web\n")
	for _, bad := range [][]string{
		{}, {"deploy"}, {"prepare"}, {"prepare", "../etc"}, {"prepare", "starting"}, {"prepare", ""}, {"switch", "current"}, {"switch", "0123456789ab-abcdef/.."}, {"settle", "0123456789ab-abcdef", "x y"},
		{"settle", "$(reboot)"}, {"back", "starting"}, {"back", "starting", "starting"}, {"back", "a;b", "0123456789ab-abcdef"}, {"restart"}, {"restart", "--all"}, {"restart", "a b"}, {"maintenance", "maybe"},
	} {
		said, err := follow(bad...)
		require.Error(t, err, bad)
		assert.Regexp(t, `\[(arguments-invalid|command-unknown)\]`, said, bad)
	}
	r.write("ps", "")
	r.write("data/releases/abc/slot", "1\n")
	r.meminfo(1000, 590, 200, 150)
	r.df(percent + "echo ' 37%   12%'")
	said, err = follow("state")
	require.NoError(t, err, said)
	assert.JSONEq(t, `{"release":"abc","ready":false,"settled":false,"reboot":false,"maintenance":false,"used":{"memory":41,"swap":25,"disk":37}}`, said)
	said, err = r.source("edge/slots.sh", "point current abc")
	require.NoError(t, err, said)
	r.write("data/releases/abc/released.json", "{}")
	said, err = follow("state")
	require.NoError(t, err, said)
	assert.JSONEq(t, `{"release":"abc","ready":true,"settled":true,"reboot":false,"maintenance":false,"used":{"memory":41,"swap":25,"disk":37}}`, said)
}

// TestFollowTakesInWholeReleasesAlone: half an archive, or another release, changes nothing.
func TestFollowTakesInWholeReleasesAlone(t *testing.T) {
	r := newRebooted(t)
	r.write("in/plan.json", `{"id":"0123456789ab-abcdef"}`)
	for _, name := range []string{"app.json", "data.json", "images.json", "settings.json"} {
		r.write("in/"+name, `{}`)
	}
	for _, name := range []string{"slot", ".env.production", "pages/x", "source/x"} {
		r.write("in/"+name, "1\n")
	}
	take := func(id, tar string) (string, error) {
		return r.source("follow.sh", `take_in `+id+` < <(`+tar+`); lay `+id+`; readlink "$RELEASES/current"`)
	}
	whole := `tar -cf - -C "$DIR/in" .`
	for name, bad := range map[string][2]string{
		"nothing":         {"0123456789ab-abcdef", ":"},
		"half":            {"0123456789ab-abcdef", whole + " | head -c 5000"},
		"another":         {"0123456789ab-aaaaaa", whole},
		"without a slot":  {"0123456789ab-abcdef", `tar -cf - -C "$DIR/in" --exclude ./slot .`},
		"without a plan":  {"0123456789ab-abcdef", `tar -cf - -C "$DIR/in" --exclude ./plan.json .`},
		"without source":  {"0123456789ab-abcdef", `tar -cf - -C "$DIR/in" --exclude ./source .`},
		"no archive":      {"0123456789ab-abcdef", "echo hello"},
		"without secrets": {"0123456789ab-abcdef", `tar -cf - -C "$DIR/in" --exclude ./.env.production .`},
	} {
		said, err := take(bad[0], bad[1])
		require.Error(t, err, name)
		assert.Contains(t, said, "[release-incomplete]", name)
		assert.NoDirExists(t, filepath.Join(r.data, "releases", bad[0]), name)
	}
	said, err := take("0123456789ab-abcdef", whole)
	require.NoError(t, err, said)
	assert.FileExists(t, filepath.Join(r.data, "releases", "0123456789ab-abcdef", "plan.json"))
	// What serves in the same slot is out of date: the server is not ready any more.
	r.write("data/releases/abc/slot", "2\n")
	r.write("in/slot", "2\n")
	r.write("in/app.json", `{"services":{}}`)
	said, err = r.source("follow.sh", `remove_release() { echo "removes $1"; rm -r "$RELEASES/$1"; }; take_in 0123456789ab-abcdef < <(`+whole+`); lay 0123456789ab-abcdef; readlink "$RELEASES/current"`)
	require.NoError(t, err, said)
	assert.Equal(t, "removes 0123456789ab-abcdef\nremoves abc\nstarting\n", said)
}

// TestImagesAreSentAhead is only a help: what fails there is nobody's failure, and nothing of it holds up the end of a release.
func TestImagesAreSentAhead(t *testing.T) {
	r := several(t)
	const stand = `WEB=(i-a i-b); spread_images() { printf 'web img:1\napi img:2\n'; }; push_images() { :; }
docker() { echo "sha256:${*: -1}"; }; done_on() { { echo "$*"; cat; } >"$SOCKETS/$1.got"; }
`
	output, err := r.inServers(stand + `begin_images abc; end_images; cat "$SOCKETS/i-a.got" "$SOCKETS/i-b.got"`)
	require.NoError(t, err, output)
	const images = " 300 fetch\nimg:1 sha256:img:1\nimg:2 sha256:img:2\n"
	assert.Equal(t, "i-a"+images+"i-b"+images, output)

	for _, fails := range []string{
		`push_images() { fail image-not-pushed "it is not heard"; }`, `spread_images() { return 1; }`, `spread_images() { :; }`, `docker() { :; }`, `WEB=()`,
	} {
		output, err = r.inServers(stand + fails + `; rm -f "$SOCKETS"/*.got; begin_images abc; end_images; echo "goes on"; ls "$SOCKETS"/*.got 2>/dev/null || true`)
		require.NoError(t, err, output)
		assert.Equal(t, "goes on\n", output, fails)
	}
	output, err = r.inServers(stand + `done_on() { return 1; }; begin_images abc; end_images; echo "goes on"`)
	require.NoError(t, err, output)
	assert.Equal(t, "goes on\n", output)

	// The release is refused while it is under way.
	output, err = r.inServers(stand + `mkfifo "$SOCKETS/up" "$SOCKETS/never"; exec 8>"$SOCKETS/lock"
push_images() { echo >"$SOCKETS/up"; read -r _ <"$SOCKETS/never"; }
begin_images abc; pid=$FETCHING; read -r _ <"$SOCKETS/up"
for fd in 0 1 2 3 8; do readlink "/proc/$pid/fd/$fd" || echo "no $fd"; done
stop_images; wait "$pid" || echo "ended"`)
	require.NoError(t, err, output)
	assert.Equal(t, strings.Repeat("/dev/null\n", 4)+"no 8\nended\n", output)
}

// TestImagesAreBelievedByTheirContents: the registry is one that every web server reaches.
func TestImagesAreBelievedByTheirContents(t *testing.T) {
	r := newRebooted(t)
	r.write("data/releases/new/images.json", `{"web":{"image":"berth/web:1","id":"sha256:1"},"api":{"image":"berth/web:1","id":"sha256:1"}}`)
	fake := `image_id() { case $1 in 127.0.0.1:5000/*) echo "$REMOTE" ;; *) [ -z "$LOCAL" ] || echo "$LOCAL"; [ -n "$LOCAL" ] ;; esac; }; timeout() { shift; "$@"; }; `
	said, err := r.source("follow.sh", fake+`LOCAL="" REMOTE=sha256:1; fetch_images new`)
	require.NoError(t, err, said)
	told, err := os.ReadFile(filepath.Join(r.dir, "told"))
	require.NoError(t, err)
	assert.Equal(t, "pull --quiet 127.0.0.1:5000/berth/web:1\ntag 127.0.0.1:5000/berth/web:1 berth/web:1\nimage rm 127.0.0.1:5000/berth/web:1\n", string(told))
	require.NoError(t, os.Remove(filepath.Join(r.dir, "told")))
	said, err = r.source("follow.sh", fake+`LOCAL=sha256:1 REMOTE=; fetch_images new`)
	require.NoError(t, err, said)
	assert.NoFileExists(t, filepath.Join(r.dir, "told"))
	said, err = r.source("follow.sh", fake+`LOCAL=sha256:0 REMOTE=sha256:2; fetch_images new`)
	require.Error(t, err)
	assert.Contains(t, said, "[image-differs]")
	told, err = os.ReadFile(filepath.Join(r.dir, "told"))
	require.NoError(t, err)
	assert.NotContains(t, string(told), "tag")
}

// TestOneServerAsksNobody: none of what several servers do runs with one.
func TestOneServerAsksNobody(t *testing.T) {
	r := newRebooted(t)
	r.write("etc/release.json", `{}`)
	said, err := r.source("deploy.sh", `KEEP=3; for one in members on call push_images reach web_settings; do eval "$one() { echo did $one; exit 9; }"; done
switch_traffic() { echo "switches to $1"; }
find_servers; share_release abc; prepare_servers abc; await_servers abc; switch_everywhere abc; settle_servers abc; await_settled abc; servers_back abc new; restart_servers abc web; tell_servers; maintenance on; maintenance off`)
	require.NoError(t, err, said)
	assert.NotContains(t, said, "did ")
	assert.Contains(t, said, "switches to abc\n")
	assert.NoDirExists(t, filepath.Join(r.dir, "run", "servers"))
}

// TestAReleaseGoesOnWithoutWhoDoesNotAnswer, and fails everywhere where one answers and the app does not.
func TestAReleaseGoesOnWithoutWhoDoesNotAnswer(t *testing.T) {
	r := several(t)
	for _, id := range []string{"i-0a", "i-0b", "i-0c"} {
		r.write("data/servers/"+id+".json", `{"address":"10.0.1.1","made":"m","release":"abc"}`)
	}
	r.write("data/releases/abc/released.json", `{"served":"1"}`)
	fake := `made() { echo m; }; members() { printf '%s\n' "i-0a InService Healthy 10.0.1.1" "i-0b InService Healthy 10.0.1.2" "i-0d InService Healthy 10.0.1.3"; }
call() { echo "asks AWS: $*"; }; pack() { mktemp -d "$SOCKETS/pack.XXXXXXXX"; }; switch_traffic() { echo "switches to $1"; }; OLD=abc NEW=new
on() { local id=$1; shift 2; echo "$id: $*" >>"$DIR/asked"; case "$id $*" in $FAILS) echo "the app says no"; return "$CODE" ;; esac; case "$*" in "echo here") echo here ;; *follow.sh*) [ -n "${MUTE:-}" ] || echo "done: ${*:4}" ;; esac; }
`
	release := `find_servers; prepare_servers new; await_servers new; switch_everywhere new; settle_servers new; await_settled new`
	run := func(fails, code string) (string, error) {
		return r.inServers(`FAILS='` + fails + `' CODE=` + code + "\n" + fake + release)
	}
	said, err := run("none", "0")
	require.NoError(t, err, said)
	assert.Contains(t, said, "2 web servers take part: i-0a i-0b")
	assert.Contains(t, said, "switches to new\n")
	asked, err := os.ReadFile(filepath.Join(r.dir, "asked"))
	require.NoError(t, err)
	for _, id := range []string{"i-0a", "i-0b"} {
		assert.Contains(t, string(asked), id+": sudo -n "+filepath.Join(r.dir, "scripts")+"/follow.sh settle new abc\n")
	}
	assert.NotContains(t, string(asked), "i-0c", "what is gone takes no part")
	assert.NoFileExists(t, filepath.Join(r.data, "servers", "i-0c.json"))
	text, err := os.ReadFile(filepath.Join(r.data, "servers", "i-0a.json"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"address":"10.0.1.1","made":"m","release":"new"}`, string(text))

	said, err = run("i-0b*prepare*", "255")
	require.NoError(t, err, said)
	assert.Contains(t, said, "server i-0b is taken out and replaced, because it does not answer")
	assert.Contains(t, said, "switches to new\n")
	assert.NoFileExists(t, filepath.Join(r.data, "servers", "i-0b.json"))

	said, err = run("i-0a*prepare*", "1")
	require.Error(t, err)
	assert.Contains(t, said, "the app says no")
	assert.Contains(t, said, "release new is not ready on i-0a")
	assert.NotContains(t, said, "switches to new")
	assert.FileExists(t, filepath.Join(r.data, "servers", "i-0a.json"))

	said, err = run("i-0a*switch*", "1")
	require.Error(t, err, said)
	assert.Contains(t, said, "release new is not well on i-0a")
	assert.NotContains(t, said, "asks AWS", "it goes back with all others")
	assert.FileExists(t, filepath.Join(r.data, "servers", "i-0a.json"))

	said, err = r.inServers(`FAILS='i-0a*switch*' CODE=255` + "\n" + fake + `load_settings() { GROUP=web-1 TARGET_GROUP=arn:site FIRST=false; }` + "\n" + release)
	require.Error(t, err, said)
	assert.Contains(t, said, "not one of 1 web servers answers over SSH", "nothing else takes requests")
	assert.NotContains(t, said, "asks AWS")

	said, err = run("i-0a*switch*", "255")
	require.NoError(t, err, said)
	assert.Contains(t, said, "server i-0a is taken out and replaced, because it does not switch to release new")

	said, err = r.inServers(fake + `need_one_server restored; echo went on`)
	require.Error(t, err, said)
	assert.Contains(t, said, "pulumi config set berth:servers 1 && pulumi up")
	assert.NotContains(t, said, "went on")

	// An ssh that ends well and prints nothing has done nothing, and one that is not there says nothing of the servers.
	r.write("data/servers/i-0a.json", `{"address":"10.0.1.1","made":"m","release":"abc"}`)
	said, err = r.inServers("FAILS=none MUTE=yes\n" + fake + release)
	require.Error(t, err)
	assert.Contains(t, said, "server i-0a does not say that it did what it was asked: prepare new")
	assert.NotContains(t, said, "switches to new")
	said, err = run("i-0a*here*", "127")
	require.Error(t, err)
	assert.Contains(t, said, "[server-not-provisioned]")
	assert.NotContains(t, said, "taken out")
}

// TestWhatCannotBeTakenOutStopsTheRelease: it would go on with the release before.
func TestWhatCannotBeTakenOutStopsTheRelease(t *testing.T) {
	r := several(t)
	r.write("data/servers/i-0a.json", `{"address":"10.0.1.1","made":"m","release":"abc"}`)
	said, err := r.inServers(`made() { echo m; }; members() { return 1; }; call() { return 1; }; on() { return 255; }; find_servers; echo "goes on"`)
	require.Error(t, err)
	assert.Contains(t, said, "AWS does not say which servers there are")
	assert.Contains(t, said, "[server-not-taken-out]")
	assert.NotContains(t, said, "goes on")
}

// TestServersAreAttendedTo: those that wait to join, and those that have joined at their times; no one else.
func TestServersAreAttendedTo(t *testing.T) {
	r := several(t)
	r.write("data/servers/i-0b.json", `{"address":"10.0.1.1","made":"m","release":"abc"}`)
	said, err := r.inServers(`SECONDS=100; for one in "i-0a Pending:Wait Healthy 10.0.1.1" "i-0a Pending Healthy 10.0.1.1" "i-0a InService Healthy 10.0.1.1" "i-0a InService Unhealthy 10.0.1.1" "i-0a Pending:Wait Healthy -" "i-0b InService Healthy 10.0.1.1" "i-0b Terminating:Wait Healthy 10.0.1.1" ""; do
  # shellcheck disable=SC2086
  if due ${one:-""}; then echo "due: $one"; fi
done
CHECKED[i-0b]=90; if due i-0b InService Healthy 10.0.1.1; then echo "too soon"; fi
ATTENDING[i-0a]=1; if due i-0a Pending:Wait Healthy 10.0.1.1; then echo "twice"; fi`)
	require.NoError(t, err, said)
	assert.Equal(t, "due: i-0a Pending:Wait Healthy 10.0.1.1\ndue: i-0a InService Healthy 10.0.1.1\ndue: i-0b InService Healthy 10.0.1.1\n", said)

	said, err = r.inServers(`call() { echo "asks AWS: $*" >&3; }; for try in 1 2 3; do missed i-0a; done`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "try 3 of 3")
	// One that serves what this one does is not taken out because Debian's archive does not answer it.
	said, err = r.inServers(`call() { echo "asks AWS: $*" >&3; }; for try in 1 2 3 4; do missed i-0b; done`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "server i-0b is not as it has to be")
	assert.NotContains(t, said, "asks AWS")
	assert.NotContains(t, said, "taken out")
	said, err = r.inServers(`call() { printf '%s\n' "asks AWS: $*" >>"$DIR/aws"; }; complete i-0a ABANDON; drop_server i-0b "it is gone"; cat "$DIR/aws"`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "asks AWS: autoscaling CompleteLifecycleAction AutoScalingGroupName=web-1 LifecycleHookName=berth-join InstanceId=i-0a LifecycleActionResult=ABANDON\n"+
		"asks AWS: elasticloadbalancing DeregisterTargets TargetGroupArn=arn:site Targets.member.1.Id=i-0b\n"+
		"asks AWS: autoscaling SetInstanceHealth InstanceId=i-0b HealthStatus=Unhealthy ShouldRespectGracePeriod=false\n")
	said, err = r.inServers(`aws_request() { echo "$1 $2"; cat; }; call ec2 DescribeInstances Filter.1.Name=tag:aws:autoscaling:groupName "Filter.1.Value.1=web 1&x"`)
	require.NoError(t, err, said)
	assert.Equal(t, "ec2 20\nurl = \"https://ec2.eu-central-1.amazonaws.com/\"\ndata = \"Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3Aaws%3Aautoscaling%3AgroupName&Filter.1.Value.1=web%201%26x\"\n", said)
}

// TestANewServerJoinsInOrder: scripts before steps, the role before nginx, and Auto Scaling hears of it last, once.
func TestANewServerJoinsInOrder(t *testing.T) {
	r := several(t)
	r.write("data/releases/abc/released.json", `{"served":"1"}`)
	r.write("data/releases/abc/plan.json", `{"id":"abc","spread":[],"reach":[],"routes":[],"stateful":[]}`)
	for _, name := range []string{"slot", ".env.production", "pages/x", "source/x"} {
		r.write("data/releases/abc/"+name, "1\n")
	}
	fake := `push_images() { echo "pushes $1" >>"$DIR/done"; }; reach() { :; }; pack() { mktemp -d "$SOCKETS/pack.XXXXXXXX"; }; call() { printf '%s\n' "AWS $2 ${*: -1}" >>"$DIR/done"; }; made() { echo m; }
on() { local id=$1; shift 2; case "$*" in *" state") [ -e "$DIR/joined" ] || { echo '{"release":"","ready":false,"settled":true,"maintenance":false}'; return; }; echo '{"release":"abc","ready":true,"settled":true,"maintenance":false}' ;; "echo here") echo here ;; *) cat >/dev/null; printf "%s\n" "$id $*" | sed -n 1p | sed "s|$DIR/scripts|/opt/berth|; s/^\(i-[0-9a-f]* #\).*/\1/" >>"$DIR/done"; [[ "$*" != *" settle "* ]] || touch "$DIR/joined"; [[ "$*" != *follow.sh* ]] || echo "done: ${*:4}" ;; esac; }
`
	said, err := r.inServers(fake + `attend i-0a Pending:Wait 10.0.1.7; attend i-0a Pending:Wait 10.0.1.7; attend i-0a InService 10.0.1.7`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "server i-0a (10.0.1.7) serves release abc")
	done, err := os.ReadFile(filepath.Join(r.dir, "done"))
	require.NoError(t, err)
	assert.Equal(t, `i-0a #
i-0a #
i-0a sudo -n /opt/berth/follow.sh enlist
i-0a sudo -n /opt/berth/step.sh packages 900
i-0a sudo -n /opt/berth/step.sh firewall 900
i-0a sudo -n /opt/berth/step.sh operations 900
i-0a sudo -n /opt/berth/step.sh edge 900
pushes abc
i-0a sudo -n /opt/berth/follow.sh prepare abc
i-0a sudo -n /opt/berth/follow.sh maintenance off
i-0a sudo -n /opt/berth/follow.sh switch abc
i-0a sudo -n /opt/berth/follow.sh settle abc abc
AWS CompleteLifecycleAction LifecycleActionResult=CONTINUE
`, string(done))
	text, err := os.ReadFile(filepath.Join(r.data, "servers", "i-0a.json"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"address":"10.0.1.7","made":"m","release":"abc","completed":"yes"}`, string(text))

	said, err = r.inServers(fake + `rm -f "$DIR/done"; made() { echo other; }; attend i-0a InService 10.0.1.7; grep -c step.sh "$DIR/done"; rm -f "$DIR/joined" "$DIR/done"; made() { echo m; }; know i-0a made m; attend i-0a InService 10.0.1.7; cat "$DIR/done"`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "\n4\n", "other scripts, or other settings of nginx")
	assert.Contains(t, said, "i-0a sudo -n /opt/berth/follow.sh settle abc abc\n", "a server that has missed a release joins again")
	assert.NotContains(t, said, "CompleteLifecycleAction")
}

// TestAHalfProvisionedServerDoesNotJoin: the service goes on with the others, and what failed is tried again.
func TestAHalfProvisionedServerDoesNotJoin(t *testing.T) {
	r := several(t)
	said, err := r.inServers(`members() { printf '%s\n' "i-0a Pending:Wait Healthy 10.0.1.7"; }; made() { echo m; }; join_server() { echo "joins $1"; }; call() { echo "AWS $*"; }
on() { shift 2; case "$*" in *" packages "*) echo "no archive"; return 1 ;; "echo here") echo here ;; *follow.sh*) echo "done: ${*:4}" ;; esac; }
sleep() { command sleep 0.3; if [ $((ROUND += 1)) -gt 40 ] || [ "${FAILURES[i-0a]:-0}" -ge 2 ]; then exit 0; fi; }; ROUND=0; docker_answers() { :; }; watch`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "no archive")
	assert.Contains(t, said, "server i-0a did not join, try 2 of 3")
	assert.NotContains(t, said, "joins ")
	assert.NotContains(t, said, "AWS ")
	text, err := os.ReadFile(filepath.Join(r.data, "servers", "i-0a.json"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"address":"10.0.1.7"}`, string(text))
}

// TestAServerThatMissedAReleaseWaitsForTheOneUnderWay: it is no failure of the server's.
func TestAServerThatMissedAReleaseWaitsForTheOneUnderWay(t *testing.T) {
	r := several(t)
	r.write("data/servers/i-0a.json", `{"address":"10.0.1.7","made":"m","release":"old"}`)
	said, err := r.inServers(`made() { echo m; }; join_server() { echo "joins $1"; }; on() { echo '{"release":"old","ready":true,"settled":false,"maintenance":false}'; }
exec 7>>"$LOCK"; flock 7; attend i-0a InService 10.0.1.7; echo later; exec 7>&-; attend i-0a InService 10.0.1.7`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "later\njoins i-0a\n")
	assert.True(t, strings.HasPrefix(said, "later\n"), said)
}
