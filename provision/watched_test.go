package provision

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// watched has the service have seen three servers, of which the first joined and the others serve release abc, ago before now.
func watched(t *testing.T, ago time.Duration) *rebooted {
	t.Helper()
	r := several(t)
	r.watch(ago)
	return r
}

// watch is what watched has, again.
func (r *rebooted) watch(ago time.Duration) {
	r.t.Helper()
	r.write("etc/servers.json", `{"GROUP":"web-1","TARGET_GROUP":"arn:site","REGION":"eu-central-1","REACH":"100.64.20.0/24","NETWORK":"10.0.0.0/16","MIN":2,"FIRST":true}`)
	r.look(ago, "i-0a Pending:Wait Healthy -", "i-0b InService Healthy 10.0.1.2", "i-0c InService Healthy 10.0.1.3")
	for _, id := range []string{"i-0b", "i-0c"} {
		r.write("data/servers/"+id+".json", `{"address":"10.0.1.2","made":"m","release":"abc"}`)
		r.seen(id, ago, `"abc"`, true, false)
	}
	r.switched(time.Hour)
}

// switched has release abc serve since so long ago.
func (r *rebooted) switched(ago time.Duration) {
	r.t.Helper()
	require.NoError(r.t, exec.CommandContext(r.t.Context(), "touch", "--no-dereference", "--date", fmt.Sprintf("@%d", time.Now().Add(-ago).Unix()), filepath.Join(r.data, "releases", "current")).Run())
}

// look is what AWS said so long ago.
func (r *rebooted) look(ago time.Duration, lines ...string) {
	r.t.Helper()
	servers := []map[string]string{}
	for _, line := range lines {
		part := strings.Fields(line)
		servers = append(servers, map[string]string{"id": part[0], "state": part[1], "health": part[2], "address": part[3]})
	}
	text, err := json.Marshal(map[string]any{"time": time.Now().Add(-ago).Unix(), "servers": servers})
	require.NoError(r.t, err)
	r.write("run/servers/look.json", string(text))
}

// seen is what a server answered so long ago.
func (r *rebooted) seen(id string, ago time.Duration, release string, ready, reboot bool) {
	r.t.Helper()
	r.write("run/servers/"+id+".seen", fmt.Sprintf(`{"time":%d,"release":%s,"ready":%t,"reboot":%t}`, time.Now().Add(-ago).Unix(), release, ready, reboot))
}

// TestTheHealthCheckKnowsEveryServer by what the service saw of it, and asks neither AWS nor a server: it runs every minute.
func TestTheHealthCheckKnowsEveryServer(t *testing.T) {
	check := func(r *rebooted) string {
		t.Helper()
		said, err := r.source("health-check.sh", `for one in call on ssh members; do eval "$one() { echo asks; exit 9; }"; done; result() { echo "$2 $3 [${4:-}]"; }; check_servers abc`)
		require.NoError(t, err, said)
		return said
	}
	const why = "; why: sudo tail -n 20 "
	r := newRebooted(t)
	assert.Empty(t, check(r), "one server")
	r = watched(t, 20*time.Second)
	assert.Equal(t, "0 2 web servers serve abc [2]\n", check(r), "one that joins is none that fails")

	for name, change := range map[string]struct {
		change func()
		says   string
	}{
		"silent":    {func() { r.seen("i-0b", 200*time.Second, `"abc"`, true, false) }, "i-0b has not answered for 3 minutes"},
		"another":   {func() { r.seen("i-0b", 0, `"old"`, true, false) }, "i-0b serves release old"},
		"nothing":   {func() { r.seen("i-0b", 0, `""`, true, false) }, "i-0b serves nothing"},
		"not ready": {func() { r.seen("i-0b", 0, `"abc"`, false, false) }, "i-0b is not ready for requests"},
		"half a file": {func() {
			r.write("data/servers/i-0b.json", `{"address":"10.0.1.2","rel`)
		}, "i-0b takes requests, and has not joined"},
	} {
		r.watch(20 * time.Second)
		change.change()
		said := check(r)
		assert.True(t, strings.HasPrefix(said, "1 1 web server serves abc, of at least 2, for 0 minutes; "+change.says+why), "%s: %s", name, said)
		assert.Contains(t, said, "; look there with: sudo "+filepath.Join(r.dir, "scripts")+"/servers.sh ssh i-0b [1]\n", name)
		// Enough are left, and the one is named all the same.
		r.write("etc/servers.json", `{"MIN":1}`)
		assert.True(t, strings.HasPrefix(check(r), "1 1 web server serves abc; "+change.says), name)
		assert.NoFileExists(t, filepath.Join(r.dir, "run", "servers", "short"), name)
	}

	r.watch(20 * time.Second)
	r.look(0, "i-0b InService Healthy 10.0.1.2", "i-0c Terminating:Wait Unhealthy 10.0.1.3")
	assert.Contains(t, check(r), "1 1 web server serves abc, of at least 2, for 0 minutes; why")
	r.write("run/servers/short", fmt.Sprintln(time.Now().Add(-14*time.Minute).Unix()))
	assert.Contains(t, check(r), "1 1 web server serves abc, of at least 2, for 14 minutes; why")
	r.write("run/servers/short", fmt.Sprintln(time.Now().Add(-16*time.Minute).Unix()))
	assert.Contains(t, check(r), "2 1 web server serves abc, of at least 2, for 16 minutes; why")
	r.write("run/servers/short", "a[$(touch $DIR/pwned)]\n")
	assert.Contains(t, check(r), "for 0 minutes; why")
	assert.NoFileExists(t, filepath.Join(r.dir, "pwned"))
	r.write("run/servers/short", fmt.Sprintln(time.Now().Add(-16*time.Minute).Unix()))
	r.look(0, "i-0b InService Healthy 10.0.1.2", "i-0c InService Healthy 10.0.1.3")
	assert.Equal(t, "0 2 web servers serve abc [2]\n", check(r))
	assert.NoFileExists(t, filepath.Join(r.dir, "run", "servers", "short"), "the next time begins again")
	r.write("etc/servers.json", `{"GROUP":"web-1"}`)
	r.look(0)
	assert.Equal(t, "0 0 web servers serve abc [0]\n", check(r), "settings of before there was a least number")

	r.watch(4 * time.Minute)
	require.NoError(t, os.Chtimes(filepath.Join(r.dir, "etc", "servers.json"), time.Time{}, time.Now().Add(-time.Hour)))
	assert.Contains(t, check(r), "2 AWS has not said for 4 minutes which servers there are")
	require.NoError(t, os.Remove(filepath.Join(r.dir, "run", "servers", "look.json")))
	r.write("etc/servers.json", `{"MIN":2}`)
	assert.Contains(t, check(r), "1 AWS has not said yet", "the service has just begun")
}

// TestASwitchIsNoFailure: what a server answered before it, or as it took place, does not count.
func TestASwitchIsNoFailure(t *testing.T) {
	r := watched(t, 20*time.Second)
	r.seen("i-0b", 20*time.Second, `"old"`, true, false)
	phases := func() string {
		said, err := r.inServers(`seen_servers | jq -r '.[] | "\(.id) \(.phase)"'`)
		require.NoError(t, err, said)
		return said
	}
	assert.Contains(t, phases(), "i-0b fails\n")
	r.switched(0)
	assert.Equal(t, "i-0a joins\ni-0b serves\ni-0c serves\n", phases())
}

// TestTheServiceKeepsWhatItSees, of AWS and of each server, and forgets it with the server.
func TestTheServiceKeepsWhatItSees(t *testing.T) {
	r := several(t)
	r.write("data/servers/i-0a.json", `{"address":"10.0.1.7","made":"m","release":"abc"}`)
	said, err := r.inServers(`made() { echo m; }; date() { case $1 in +%H%M) echo 1200 ;; *) command date "$@" ;; esac; }
members() { printf '%s\n' "i-0a InService Healthy 10.0.1.7" "i-0b Pending Healthy -"; }; on() { echo '{"release":"abc","ready":true,"settled":true,"reboot":true,"maintenance":false,"used":{"memory":41,"swap":0,"disk":37}}'; }
look; wait; jq -c '.servers, (now - .time < 60)' "$LOOK"; jq -c '.release, .ready, .reboot, (now - .time < 60)' "$SOCKETS/i-0a.seen"
seen_servers | jq -c '.[]'; members() { return 1; }; before=$(<"$LOOK"); look; [ "$before" = "$(<"$LOOK")" ]; forget i-0a; ls "$SOCKETS"`)
	require.NoError(t, err, said)
	assert.Equal(t, `[{"id":"i-0a","state":"InService","health":"Healthy","address":"10.0.1.7"},{"id":"i-0b","state":"Pending","health":"Healthy","address":"-"}]
true
"abc"
true
true
true
{"id":"i-0a","address":"10.0.1.7","phase":"serves","said":"serves release abc","reboot":true,"used":{"memory":41,"swap":0,"disk":37}}
{"id":"i-0b","address":"","phase":"joins","said":"joins","reboot":false,"used":null}
bash: AWS does not say which servers there are (the lines above say why); it is asked again in 5 seconds
look.json
`, said)
}

// TestTheStatusHasEveryServer, for a terminal, a browser and a program; with one server there is no word of it.
func TestTheStatusHasEveryServer(t *testing.T) {
	r := watched(t, 20*time.Second)
	r.seen("i-0b", 0, `"<a\u001b[2J>"`, true, true)
	r.use("i-0c", 0, `{"memory":41,"swap":0,"disk":37}`)
	r.write("data/releases/abc/released.json", `{"id":"abc","served":"2026-01-01T00:00:00Z"}`)
	show := func(r *rebooted, how string) string {
		t.Helper()
		said, err := r.source("status.sh", `load_settings() { DOMAIN=example.com; }; services() { :; }; checks() { echo '{"time":"2026-01-01T00:00:00Z","severity":0,"checks":[]}'; }; main `+how)
		require.NoError(t, err, said)
		return said
	}
	terminal := show(r, "")
	assert.Contains(t, terminal, "\nSERVERS\n  first server                           serves release abc\n  i-0a                                   joins\n")
	assert.Contains(t, terminal, "\n  i-0b                  10.0.1.2         serves release <a[2J>; an update waits\n                                         for a reboot\n  i-0c                  10.0.1.3         serves release abc; memory 41 %, swap\n                                         0 %, disk 37 %\n")
	for _, line := range strings.Split(terminal, "\n") {
		assert.LessOrEqual(t, len(line), 80, line)
	}
	page := show(r, "--html")
	assert.Contains(t, page, "<h2>Servers</h2>")
	assert.Contains(t, page, "<tr><td>i-0b</td><td>10.0.1.2</td><td><span class=s1>serves release &lt;a[2J&gt;; an update waits for a reboot</span></td></tr>")
	var state struct{ Servers []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(show(r, "--json")), &state))
	require.Len(t, state.Servers, 4)
	assert.Equal(t, map[string]any{"id": "i-0c", "address": "10.0.1.3", "phase": "serves", "said": "serves release abc", "reboot": false, "used": map[string]any{"memory": 41.0, "swap": 0.0, "disk": 37.0}}, state.Servers[3])

	require.NoError(t, os.Remove(filepath.Join(r.dir, "etc", "servers.json")))
	for _, how := range []string{"", "--html", "--json"} {
		said := strings.ToLower(show(r, how))
		assert.NotContains(t, said, "servers", how)
		assert.NotContains(t, said, "i-0b", how)
	}
}

// TestAPersonReachesAWebServer by the pinned key alone, with a command as ssh takes it, and sees its logs as plain text.
func TestAPersonReachesAWebServer(t *testing.T) {
	r := watched(t, 0)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "bin", "ssh"), []byte("#!/bin/bash\nprintf '<%s>' \"$@\"; printf '\\e[2J\\n'; exit 7\n"), 0o755))
	run := func(script, arguments string) (string, error) {
		return r.source(script, `set -- `+arguments+`; main "$@"`)
	}
	said, err := run("servers.sh", `ssh i-0b 'docker ps | head' -v`)
	require.Error(t, err)
	assert.ErrorContains(t, err, "exit status 7", "the command's own")
	for _, option := range []string{"<-i><" + filepath.Join(r.dir, "etc", "fleet", "key") + ">", "<StrictHostKeyChecking=yes>", "<HostKeyAlias=berth-web>", "<IdentitiesOnly=yes>", "<ControlPath=none>"} {
		assert.Contains(t, said, option)
	}
	assert.Contains(t, said, "<--><admin@10.0.1.2><docker ps | head><-v>\x1b[2J\n")
	assert.NotContains(t, said, "5000", "the registry is for releases")
	said, err = run("servers.sh", `ssh i-0b`)
	require.Error(t, err)
	assert.Contains(t, said, "<--><admin@10.0.1.2>\x1b")

	said, err = run("log-monitor.sh", `view web "a b" --server i-0b --grep "it's; reboot" --follow`)
	require.Error(t, err)
	assert.Contains(t, said, `<--><admin@10.0.1.2><sudo -n `+filepath.Join(r.dir, "scripts")+`/log-monitor.sh view web a\ b --follow --since 1h --grep it\'s\;\ reboot>`)
	assert.NotContains(t, said, "\x1b")
	for _, id := range []string{"i-0f", "-oProxyCommand=x", "../i-0b", "''"} {
		said, err = run("servers.sh", "ssh "+id)
		require.Error(t, err, id)
		assert.Contains(t, said, "[server-unknown]", id)
		assert.NotContains(t, said, "admin@", id)
	}
	said, err = run("log-monitor.sh", "view --server i-0f")
	require.Error(t, err)
	assert.Contains(t, said, "[server-unknown]")
	said, err = run("servers.sh", "ssh")
	require.Error(t, err)
	assert.Contains(t, said, "[arguments-invalid]")
	require.NoError(t, os.Remove(filepath.Join(r.dir, "etc", "servers.json")))
	said, err = run("log-monitor.sh", "view --server i-0b")
	require.Error(t, err)
	assert.Contains(t, said, "[one-server]")
}

// TestAServerThatWaitsForARebootIsReplaced: by night, one at a time, and never the last that takes requests.
func TestAServerThatWaitsForARebootIsReplaced(t *testing.T) {
	r := several(t)
	renew := func(times, more string) string {
		t.Helper()
		said, err := r.inServers(`date() { case $1 in +%H%M) echo "$TIME" ;; *) command date "$@" ;; esac; }; call() { echo "AWS $2 $3" >&2; }; ` + more + `; for TIME in ` + times + `; do renew; done`)
		require.NoError(t, err, said)
		return said
	}
	all := func(servers int) {
		require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "run")))
		r.watch(20 * time.Second)
		lines := []string{"i-0b InService Healthy 10.0.1.2", "i-0c InService Healthy 10.0.1.3"}
		r.look(0, lines[:servers]...)
		r.seen("i-0b", 0, `"abc"`, true, true)
		r.seen("i-0c", 0, `"abc"`, true, true)
		r.write("run/health.json", `{"checks":[{"name":"site","severity":0}]}`)
	}
	const replaced = "bash: server i-0b is taken out and replaced, because an update on it waits for a reboot\nAWS DeregisterTargets TargetGroupArn=arn:site\nAWS SetInstanceHealth InstanceId=i-0b\n"
	all(2)
	assert.Empty(t, renew("0000 0330 0359 0600 0800 1230 2359", ":"))
	assert.Empty(t, renew("0400", `exec 7>>"$LOCK"; flock 7`), "a release is under way")
	for _, time := range []string{"0400", "0559"} {
		all(2)
		assert.Equal(t, replaced, renew(time, ":"), time)
		assert.NoFileExists(t, filepath.Join(r.data, "servers", "i-0b.json"))
	}
	// AWS says it later, then it ends, and then the new one is not there yet.
	assert.Empty(t, renew("0401", ":"))
	r.look(0, "i-0b Terminating Unhealthy 10.0.1.2", "i-0c InService Healthy 10.0.1.3")
	assert.Empty(t, renew("0402", ":"))
	r.look(0, "i-0c InService Healthy 10.0.1.3")
	r.write("etc/servers.json", strings.Replace(`{"GROUP":"web-1","TARGET_GROUP":"arn:site","REGION":"eu-central-1","REACH":"100.64.20.0/24","NETWORK":"10.0.0.0/16","MIN":2,"FIRST":true}`, `"MIN":2`, `"MIN":1`, 1))
	assert.Empty(t, renew("0403", ":"), "of a group that has more than its least number")
	r.look(0, "i-0c InService Healthy 10.0.1.3", "i-0d Pending:Wait Healthy 10.0.1.4")
	assert.Empty(t, renew("0404", ":"))
	r.look(0, "i-0c InService Healthy 10.0.1.3", "i-0d InService Healthy 10.0.1.4")
	r.write("data/servers/i-0d.json", `{"address":"10.0.1.4","made":"m","release":"abc"}`)
	r.seen("i-0d", 0, `"abc"`, true, false)
	assert.Equal(t, strings.ReplaceAll(replaced, "i-0b", "i-0c"), renew("0405", ":"), "then it is the next one's turn")

	for name, change := range map[string]func(){
		"no update":              func() { r.seen("i-0b", 0, `"abc"`, true, false); r.seen("i-0c", 0, `"abc"`, true, false) },
		"the other is silent":    func() { r.seen("i-0c", 200*time.Second, `"abc"`, true, false) },
		"it is silent itself":    func() { r.seen("i-0b", 200*time.Second, `"abc"`, true, true) },
		"the other is not ready": func() { r.seen("i-0c", 0, `"abc"`, false, false) },
		"one too few":            func() { r.look(0, "i-0b InService Healthy 10.0.1.2") },
		"the first is not well":  func() { r.write("run/health.json", `{"checks":[{"name":"site","severity":2}]}`) },
		"of the first no word":   func() { require.NoError(t, os.Remove(filepath.Join(r.dir, "run", "health.json"))) },
		"nothing was seen":       func() { require.NoError(t, os.Remove(filepath.Join(r.dir, "run", "servers", "look.json"))) },
	} {
		all(2)
		change()
		assert.Empty(t, renew("0400", ":"), name)
	}
	for first, says := range map[string]string{"true": replaced, "false": ""} {
		all(1)
		r.write("etc/servers.json", `{"GROUP":"web-1","TARGET_GROUP":"arn:site","REGION":"eu-central-1","REACH":"100.64.20.0/24","NETWORK":"10.0.0.0/16","MIN":1,"FIRST":`+first+`}`)
		assert.Equal(t, says, renew("0400", ":"), "one web server, and the first takes requests: %s", first)
	}
}

// TestTheNewOneHasItsUpdates before it joins: the group's image is as old as the one before. It joins in any case.
func TestTheNewOneHasItsUpdates(t *testing.T) {
	r := several(t)
	r.write("data/servers/i-0a.json", `{"address":"10.0.1.7","made":"m"}`)
	update := func(reboot, fails string) string {
		t.Helper()
		said, err := r.inServers(`BOOT=1; await() { shift; "$@"; }; on() { shift 2; echo "$*" | sed "s|$DIR/scripts|/opt/berth|" >&2; case "$*" in ` + fails + `) return 1 ;; *" state") echo '{"reboot":` + reboot + `}' ;; *boot_id) cat "$DIR/boot" 2>/dev/null || echo 1 ;; *reboot) echo 2 >"$DIR/boot"; return 255 ;; esac; }
update_server i-0a; update_server i-0a; know i-0a updated ""`)
		require.NoError(t, err, said)
		return said
	}
	assert.Empty(t, update("true", "none"), "none was replaced")
	r.write("run/servers/renewed", fmt.Sprintf(`{"time":%d,"count":2}`, time.Now().Add(-2*time.Hour).Unix()))
	assert.Empty(t, update("true", "none"), "a server of the day")
	r.write("run/servers/renewed", fmt.Sprintf(`{"time":%d,"count":2}`, time.Now().Add(-10*time.Minute).Unix()))
	const begins = "bash: server i-0a installs its updates before it joins\nsudo -n /opt/berth/follow.sh update\n"
	assert.Equal(t, begins+"sudo -n /opt/berth/follow.sh state\n", strings.ReplaceAll(update("false", "none"), "cat /proc/sys/kernel/random/boot_id\n", ""))
	assert.Contains(t, update("true", `*"follow.sh update"`), "it joins without them")
	assert.Equal(t, begins+"sudo -n /opt/berth/follow.sh state\nbash: server i-0a reboots before it joins\nsudo -n systemctl reboot\n",
		strings.ReplaceAll(update("true", "none"), "cat /proc/sys/kernel/random/boot_id\n", ""), "once")
}

// TestAWebServerLooksAfterItself: its logs are bounded, its updates come, and it reboots for none. The first server's own are as before.
func TestAWebServerLooksAfterItself(t *testing.T) {
	run := func(web bool) (string, map[string]string) {
		t.Helper()
		r := newRebooted(t)
		if web {
			r.write("etc/role", "web\n")
		}
		said, err := r.source("steps/operations.sh", `put() { mkdir -p "$DIR/put"; cat >"$DIR/put/${1//\//_}"; }; put_checked() { cat >"$DIR/put/${1//\//_}"; }; systemctl() { case $1 in show) echo 0 ;; *) echo "systemctl $*" ;; esac; }
step_settings() { SSH_USER=admin OPERATIONS={} JOBS=[]; }; schedule_jobs() { echo jobs; }; main`)
		require.NoError(t, err, said)
		files, err := os.ReadDir(filepath.Join(r.dir, "put"))
		require.NoError(t, err)
		texts := map[string]string{}
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(r.dir, "put", file.Name()))
			require.NoError(t, err)
			texts[strings.TrimPrefix(file.Name(), strings.ReplaceAll(r.dir, "/", "_"))] = string(text)
		}
		return said, texts
	}
	said, web := run(true)
	names := make([]string, 0, len(web))
	for name := range web {
		names = append(names, name)
	}
	assert.ElementsMatch(t, []string{"_etc_systemd_journald.conf.d_berth.conf", "_etc_logrotate.d_berth", "_etc_logrotate.d_nginx", "_units_logrotate.timer.d_berth.conf", "_etc_apt_apt.conf.d_52berth", "_units_unattended-upgrades.service.d_berth.conf"}, names)
	assert.Contains(t, web["_etc_apt_apt.conf.d_52berth"], `Unattended-Upgrade::Automatic-Reboot "false";`)
	assert.Contains(t, web["_etc_apt_apt.conf.d_52berth"], `APT::Periodic::Unattended-Upgrade "1";`)
	assert.Contains(t, said, "systemctl restart systemd-journald\n")
	assert.NotContains(t, said, "jobs")
	said, first := run(false)
	assert.Contains(t, first["_etc_apt_apt.conf.d_52berth"], `Unattended-Upgrade::Automatic-Reboot "true";`)
	assert.Contains(t, said, "jobs\n")
	for _, name := range []string{"_units_berth-health.timer", "_units_berth-dump.timer", "_etc_ssh_sshd_config.d_10-berth.conf"} {
		assert.Contains(t, first, name)
	}
}
