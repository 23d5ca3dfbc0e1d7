package grow

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

// period is how long an alarm's period lasts here, which is a minute in AWS: a group grows after three of them above the value, and
// shrinks after fifteen below.
const period = 10 * time.Second

// TestDayTwo is what happens to several servers after the day on which they were made: load, updates, faults, alarms and attackers.
func TestDayTwo(t *testing.T) {
	t.Parallel() // It waits for most of its time.
	r := harness.New(t, "berth-daytwo")
	r.AlarmPeriod = period.String()
	settings := r.LoadApp()
	r.Commit(map[string]string{"VERSION": "v1"})
	// A fifth of two processors is what a machine still has that does other work, too, and more than the visitors take.
	r.Run(append([]string{"up", "--set", "servers.min=2", "--set", "servers.max=3", "--set", "servers.cpu=20", "--set", "alarmEmail=ops@example.test"}, settings...)...)
	s := stage(r)
	s.await(1)
	for _, part := range []struct {
		name string
		run  func(scene)
	}{
		{"the processors are busy, and then not", scene.load},
		{"three servers", scene.three},
		{"an update waits for a reboot", scene.reboots},
		{"servers do not answer", scene.alarms},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(s.in(t)) }) {
			return
		}
	}
}

// on runs a command on a web server, in the way that an operator does; it has to succeed.
func (s scene) on(server, command string) string {
	s.T().Helper()
	return s.SSH(fmt.Sprintf("sudo /opt/berth/servers.sh ssh %s '%s'", server, command))
}

// three has three servers, which an operator checks in the ways that docs/growth.md says, and attackers try.
func (s scene) three() {
	t := s.T()
	s.Run("up", "--set", "servers=3")
	s.await(2)
	t.Run("an operator looks", func(t *testing.T) { s.in(t).looks() })
	t.Run("attackers look", func(t *testing.T) { s.in(t).attackers() })
}

const busy = `import time
end = time.monotonic() + 600
while time.monotonic() < end: pass
`

// load burns the processor in the app's container on the web server until a third server has joined, and waits until it has ended
// again.
func (s scene) load() {
	t := s.T()
	only := s.web("InService")[0]
	run := s.visitors(50, time.Second)
	container := s.on(only.ID, `sudo docker ps --quiet --filter label=com.docker.compose.service=web`)
	for range 2 {
		s.on(only.ID, fmt.Sprintf(`sudo docker exec --detach %s python3 -c "%s"`, container, busy))
	}
	began := time.Now()
	s.await(2)
	grown := time.Since(began)
	s.servesEverywhere()
	// It answers requests: it is no less busy than the others.
	s.on(only.ID, `sudo pkill -f "[m]onotonic"`)
	calm := time.Now()
	s.await(1)
	shrunk := time.Since(calm)
	visitors := run.Stop()
	unnoticed(t, visitors)
	assert.Greater(t, shrunk, 15*period, "after fifteen periods")
	report.Add(t, section, "Busy processors: a third server, and back to two when they are idle, with periods of 10 s in place of AWS's minute; 50 requests a second",
		fmt.Sprintf("it served after %s, and was gone %s after the load; %d requests, %d failed", grown.Round(time.Second), shrunk.Round(time.Second), visitors.Sent, visitors.Failed))
}

// looks has the commands of an operator name each web server.
func (s scene) looks() {
	t := s.T()
	now := s.SSH("sudo readlink /data/releases/current")
	status := s.SSH("sudo /opt/berth/servers.sh status")
	text := s.SSH("sudo /opt/berth/status.sh")
	for _, server := range s.web("InService") {
		assert.Regexp(t, `(?m)^`+server.ID+` .*`+now+`, ready; InService, Healthy; memory \d+ %, swap \d+ %, disk \d+ %$`, status)
		// The page has what was seen last, which is a few seconds old.
		serves := regexp.MustCompile(server.ID + `</td><td>[0-9.]+</td><td><span class=s0>serves release ` + now + `; memory \d+ %, swap \d+ %, disk \d+ %<`)
		require.Eventually(t, func() bool { return serves.MatchString(s.SSH("sudo /opt/berth/status.sh --html")) }, time.Minute, time.Second, server.ID)
		assert.Contains(t, text, server.ID)
		assert.Contains(t, s.on(server.ID, "sudo docker ps --format {{.Names}}"), "web")
		output, err := s.TrySSH("sudo /opt/berth/servers.sh ssh "+server.ID+" 'exit 7'", "")
		var code *exec.ExitError
		require.ErrorAs(t, err, &code, output)
		assert.Equal(t, 7, code.ExitCode(), "the command's own code")
		s.on(server.ID, `sudo docker exec $(sudo docker ps --quiet --filter label=com.docker.compose.service=web) curl --silent --output /dev/null http://127.0.0.1:8000/work?ms=nonsense`)
		logs := s.SSH("sudo /opt/berth/log-monitor.sh view web --server " + server.ID)
		assert.Regexp(t, `(?m)^web \| .*'nonsense'$`, logs)
	}
	output, err := s.TrySSH("sudo /opt/berth/log-monitor.sh view web --server i-0123456789abcdef0", "")
	require.Error(t, err)
	assert.Contains(t, output, "[server-unknown]")
	require.Eventually(t, func() bool { return s.Health()["servers"] == "ok" }, time.Minute, time.Second)
	s.SSH("sudo systemctl start berth-health.service")
	metrics := s.File("cloudwatch/metrics.json")
	for _, metric := range []string{"WebMemoryUsed", "WebDiskUsed", "WebSwapUsed"} {
		assert.Contains(t, metrics, `"`+metric+`"`, "CloudWatch has it")
	}
}

// reboots has an update wait for a reboot on both web servers, and it be night.
func (s scene) reboots() {
	t := s.T()
	// at has the service's own clock say that it is so many hours, and some minutes.
	at := func(hours int) {
		s.SSH(fmt.Sprintf(`sudo sh -c 'mkdir -p /run/systemd/system/berth-servers.service.d
printf "[Service]\nEnvironment=TZ=HERE%+d\n" >/run/systemd/system/berth-servers.service.d/hours.conf
systemctl daemon-reload && systemctl restart berth-servers'`, time.Now().UTC().Hour()-hours))
	}
	at(12)
	old := map[string]bool{}
	for _, server := range s.web("InService") {
		old[server.ID] = true
		s.on(server.ID, "sudo touch /run/reboot-required")
	}
	require.Eventually(t, func() bool {
		return strings.Count(s.SSH("sudo /opt/berth/status.sh --html"), "an update waits for a reboot") == 2
	}, 2*time.Minute, time.Second, "both are seen to wait")
	time.Sleep(2 * period)
	by := map[string]bool{}
	for _, server := range s.web("") {
		by[server.ID] = server.Outputs["lifecycleState"] == "InService"
	}
	assert.Equal(t, old, by, "by day, none is replaced")
	s.Health() // The first server is not the only one that takes requests; it has to be well.
	run := s.visitors(50, time.Second)
	at(4)
	began := time.Now()
	most := 0
	require.Eventually(t, func() bool {
		away, left := 0, 0
		for _, server := range s.web("") {
			if old[server.ID] {
				left++
			}
			if old[server.ID] && server.Outputs["lifecycleState"] != "InService" {
				away++
			}
		}
		if serving := len(s.web("InService")); serving < 2 {
			away = max(away, 2-serving)
		}
		most = max(most, away)
		return left == 0 && len(s.web("InService")) == 2 && len(s.web("")) == 2
	}, 2*wait, 200*time.Millisecond, "both are replaced")
	took := time.Since(began)
	visitors := run.Stop()
	unnoticed(t, visitors)
	assert.Equal(t, 1, most, "one at a time")
	s.SSH("sudo sh -c 'rm -r /run/systemd/system/berth-servers.service.d && systemctl daemon-reload && systemctl restart berth-servers'")
	s.servesEverywhere()
	assert.Equal(t, 2, strings.Count(s.SSH("sudo cat /var/log/berth/servers.log"), "installs its updates before it joins"))
	report.Add(t, section, "An update waits for a reboot on both web servers: replaced at night, one at a time; 50 requests a second",
		fmt.Sprintf("%s for both; %d requests, %d failed", took.Round(time.Second), visitors.Sent, visitors.Failed))
}

// mailed waits until alarms were mailed with a state, after so many mails.
func (s scene) mailed(after int, state string, alarms ...string) {
	s.T().Helper()
	require.Eventuallyf(s.T(), func() bool {
		mails := s.Mails()[after:]
		return !slices.ContainsFunc(alarms, func(alarm string) bool {
			return !slices.Contains(mails, fmt.Sprintf("%s: %q in eu-central-1 to ops@example.test", state, harness.Domain+" "+alarm))
		})
	}, wait, time.Second, "%s: %v", state, alarms)
}

// alarms has servers not answer until each alarm of the load balancer and of the group was mailed, and end again.
func (s scene) alarms() {
	t := s.T()
	// One that is on is not mailed again.
	require.Eventually(t, func() bool {
		on := map[string]bool{}
		for _, mail := range s.Mails() {
			state, alarm, _ := strings.Cut(mail, ": ")
			on[alarm] = state == "ALARM" && strings.Contains(alarm, "missing servers")
		}
		return !slices.Contains(slices.Collect(maps.Values(on)), true)
	}, wait, time.Second)
	before, rising := len(s.Mails()), []string{"missing servers", "unhealthy server", "no healthy server"}
	gone := s.web("InService")[0]
	// No server joins while a release is under way, and this one does not end.
	s.SSH("sudo systemd-run --unit endless --collect flock /run/berth-release.lock sleep 1200")
	s.docker("kill", s.host(gone))
	s.mailed(before, "ALARM", rising[0])
	require.Eventually(t, func() bool { return s.Health()["servers"] == "warning" }, time.Minute, time.Second)
	s.SSH("sudo sh -c 'echo $(($(date +%s) - 901)) >/run/berth/servers/short'")
	assert.Equal(t, "critical", s.Health()["servers"], "after a quarter of an hour")
	s.SSH("sudo systemctl stop nginx")
	s.mailed(before, "ALARM", rising[1])
	left := s.web("InService")[0]
	s.on(left.ID, "sudo systemctl stop nginx")
	s.mailed(before, "ALARM", rising[2])
	s.SSH("sudo systemctl start nginx")
	s.SSH("sudo systemctl stop endless")
	s.await(2)
	s.mailed(before, "OK", rising...)
	require.Eventually(t, func() bool { return s.Health()["servers"] == "ok" }, 2*time.Minute, time.Second)
	s.awaitWell(everything(100), time.Minute)
	report.Add(t, section, "Alarms that are mailed, and taken back", strings.Join(rising, ", "))
}

// outsiderHost is the attacker on the rehearsal's internet.
const outsiderHost = 250

// attackers tries what strangers, a container of the app on a web server, and a web server that somebody got into reach.
func (s scene) attackers() {
	t := s.T()
	probe := filepath.Join(t.TempDir(), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", probe, "berth/tests/attackers/probe")
	build.Dir, build.Env = filepath.Join(s.Project, "tests"), append(build.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	first, web := s.first(), s.web("InService")[0]
	data := strings.Fields(s.SSH(`sudo jq -r '.[].addresses[]' /data/releases/current/reach.json`))
	require.NotEmpty(t, data)
	private := first.Output("privateIp")

	outsider := s.Name + "-outsider"
	image := s.docker("container", "inspect", "--format", "{{.Config.Image}}", s.Name+"-dns")
	s.docker("run", "--detach", "--name", outsider, "--label", "berth.rehearsal="+s.Name, "--network", s.Name+"-internet", "--ip", s.Address(outsiderHost),
		"--cap-add", "NET_ADMIN", "--volume", probe+":/probe:ro", image, "/probe", "relay", ":1080")
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", outsider).Run() })
	address := s.Account().Only("aws:ec2/eip:Eip").Output("publicIp")
	s.docker("exec", outsider, "ip", "route", "replace", "100.64.20.0/24", "via", address)
	strangers := s.scan("exec", outsider, "/probe", "scan", address, web.Output("publicIp"), data[0])
	assert.Equal(t, map[string][]int{address: {80, 443}, web.Output("publicIp"): {}, data[0]: {}}, strangers, "from outside")

	// From a container of the app, whose network is its project's.
	s.docker("cp", probe, s.host(web)+":/usr/local/bin/probe")
	network := s.on(web.ID, `sudo docker network ls --filter label=com.docker.compose.network --format {{.Name}} | grep ^release- | head -n 1`)
	image = s.on(web.ID, `sudo docker ps --filter label=berth.release --format {{.Image}} | head -n 1`)
	own := web.Output("privateIp")
	app := s.scan("exec", s.host(web), "docker", "run", "--rm", "--network", network, "--volume", "/usr/local/bin/probe:/probe:ro", "--entrypoint", "/probe", image,
		"scan", private, own, data[0], "169.254.169.254")
	// A busy machine answers late: a port that is not well known may be missed. The app's own requests show that it reaches its database.
	assert.Subset(t, []int{80, 443, 8443}, app[private], "the first server from the app on a web server")
	assert.Subset(t, app[private], []int{80, 443}, "the first server from the app on a web server")
	assert.Equal(t, []int{80, 443}, app[own], "its own server from the app on a web server")
	assert.Subset(t, []int{5432}, app[data[0]], "its database from the app on a web server")
	assert.Empty(t, app["169.254.169.254"], "the metadata from the app on a web server")

	// Somebody who is root on a web server, and sends what they like to the first.
	const network77, inside = "192.168.77.0/24", "192.168.77.2"
	s.SSH(`sudo sh -c 'docker network create --subnet ` + network77 + ` probed && docker network connect probed "$(docker ps --quiet --filter label=com.docker.compose.service=db --filter label=com.docker.compose.project=app)"'`)
	s.docker("exec", s.host(web), "ip", "route", "replace", network77, "via", private)
	s.SSH("timeout 5 bash -c '</dev/tcp/" + inside + "/5432'") // It is there, for whoever gets to it.
	open := s.scan("exec", s.host(web), "/usr/local/bin/probe", "scan", private, inside)
	s.docker("exec", s.host(web), "ip", "route", "del", network77)
	s.SSH(`sudo sh -c 'docker network disconnect probed "$(docker ps --quiet --filter label=com.docker.compose.service=db --filter label=com.docker.compose.project=app)" && docker network rm probed'`)
	assert.Subset(t, []int{80, 443, 8443}, open[private], "the first server from a web server")
	assert.Subset(t, open[private], []int{80, 443}, "the first server from a web server")
	assert.Empty(t, open[inside], "another network of the database's from a web server")
	// Its keys are tried from where SSH is open.
	keys := s.on(web.ID, `sudo grep -rlE "^-----BEGIN [A-Z ]*PRIVATE KEY" /etc /root /home /opt /run /var/lib /data --exclude-dir=docker || true`)
	for i, key := range strings.Fields(keys) {
		file := filepath.Join(t.TempDir(), strconv.Itoa(i))
		require.NoError(t, os.WriteFile(file, []byte(s.docker("exec", s.host(web), "cat", key)+"\n"), 0o600))
		for _, user := range []string{"admin", "root"} {
			output, err := exec.CommandContext(t.Context(), "ssh", "-F", "none", "-i", file, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", user+"@"+address, "true").CombinedOutput()
			require.Error(t, err, "%s of a web server logs in on the first server as %s", key, user)
			assert.Contains(t, string(output), "Permission denied", "%s as %s", key, user)
		}
	}
	assert.Contains(t, keys, "/etc/ssh/ssh_host_", "there is a key to try")
	report.Add(t, section, "TCP ports of 65535 that strangers reach of a web server, and of a database's address for web servers",
		fmt.Sprintf("%d and %d", len(strangers[web.Output("publicIp")]), len(strangers[data[0]])))
	report.Add(t, section, "TCP ports of 65535 that an app's container on a web server reaches of the first server, of its database, and of the instance's metadata",
		fmt.Sprintf("%v, %v and %v", app[private], app[data[0]], app["169.254.169.254"]))
	report.Add(t, section, "TCP ports of 65535 that a web server's root reaches of a container on the first server in a network that is not for web servers", strconv.Itoa(len(open[inside])))
	report.Add(t, section, "Logins on the first server with the private keys that are on a web server", fmt.Sprintf("%d keys, 0 let in", len(strings.Fields(keys))))
}

// scan has docker run the probe, and gives what TCP ports are open, by address.
func (s scene) scan(args ...string) map[string][]int {
	s.T().Helper()
	var results []struct {
		Address string
		Open    []int
		UDP     []int
	}
	require.NoError(s.T(), json.Unmarshal([]byte(s.docker(args...)), &results))
	open := map[string][]int{}
	for _, result := range results {
		open[result.Address] = result.Open
		assert.Empty(s.T(), result.UDP, result.Address)
	}
	return open
}
