package provision

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// df has df print rows of a file system's room and files, and meminfo has the kernel tell of the memory.
func (r *rebooted) df(rows string) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, "bin", "df"), []byte("#!/bin/bash\necho \"$*\" >>\"$DIR/asked\"\n"+rows+"\n"), 0o755))
}

func (r *rebooted) meminfo(total, available, swap, free int) {
	r.t.Helper()
	r.write("meminfo", fmt.Sprintf("MemTotal: %d kB\nMemFree: 1 kB\nMemAvailable: %d kB\nSwapTotal: %d kB\nSwapFree: %d kB\nHugePages_Total: 0\n", total, available, swap, free))
	script := filepath.Join(r.dir, "scripts", "health", "gauges.sh")
	text, err := os.ReadFile(script)
	require.NoError(r.t, err)
	require.NoError(r.t, os.WriteFile(script, []byte(strings.ReplaceAll(string(text), "/proc/meminfo", filepath.Join(r.dir, "meminfo"))), 0o600))
}

const percent = `printf 'Use%% IUse%%\n'; `

// TestEveryServerIsMeasuredAlike: a web server says of itself what the health check says of the first server.
func TestEveryServerIsMeasuredAlike(t *testing.T) {
	r := newRebooted(t)
	r.write("etc/role", "web\n")
	r.write("ps", "")
	r.write("data/releases/abc/slot", "1\n")
	both := func() (web, first string) {
		t.Helper()
		web, err := r.source("follow.sh", `state 2>"$DIR/reason" | jq -c .used`)
		require.NoError(t, err, web)
		first, err = r.source("health-check.sh", `there() { true; }; for one in check_load check_clock check_reboot check_units; do eval "$one() { :; }"; done; result() { echo "$1 $2 ${4:-}"; }; server_checks`)
		if err != nil {
			first = "refused"
		}
		return strings.TrimSpace(web), first
	}
	r.meminfo(1000, 590, 200, 150)
	r.df(percent + `case "$*" in *docker*) printf ' 37%%   12%%\n 81%%    -\n' ;; */data) echo ' 81%   -' ;; *) echo ' 37%   12%' ;; esac`)
	web, first := both()
	assert.Equal(t, `{"memory":41,"swap":25,"disk":81}`, web, "of the fuller disk")
	assert.Equal(t, "disk 1 81\nroot 0 37\nmemory 0 41\nswap 0 25\n", first)
	asked, err := os.ReadFile(filepath.Join(r.dir, "asked"))
	require.NoError(t, err)
	assert.Contains(t, string(asked), "--output=pcent,ipcent / "+r.data+"/docker\n")

	r.meminfo(1000, 70, 0, 0)
	r.df(percent + `echo ' 9%   93%'`)
	web, first = both()
	assert.Equal(t, `{"memory":93,"swap":0,"disk":93}`, web, "without swap, and without room for files")
	assert.Equal(t, "disk 2 93\nroot 2 93\nmemory 2 93\nswap 0 0\n", first)

	for name, rows := range map[string]string{
		"fails": "exit 1", "prints nothing": ":", "prints a head alone": percent, "prints nonsense": percent + `echo ' a[$(touch $DIR/pwned)]%  1%'`,
		"prints a row and fails": percent + `echo ' 9%  9%'; exit 1`, "prints no JSON": percent + `echo ' 09%  9%'`,
	} {
		r.df(rows)
		web, first = both()
		assert.Equal(t, "null", web, "df %s: the server serves all the same", name)
		assert.Equal(t, "refused", first, "df %s", name)
		reason, err := os.ReadFile(filepath.Join(r.dir, "reason"))
		require.NoError(t, err)
		assert.Contains(t, string(reason), "[command-failed]", name)
		assert.NoFileExists(t, filepath.Join(r.dir, "pwned"), name)
	}
	r.df(percent + `echo ' 9%  9%'`)
	r.write("meminfo", "")
	web, first = both()
	assert.Equal(t, "null", web)
	assert.Equal(t, "refused", first)
}

// use is what a server answered of itself so long ago.
func (r *rebooted) use(id string, ago time.Duration, used string) {
	r.t.Helper()
	r.write("run/servers/"+id+".seen", fmt.Sprintf(`{"time":%d,"release":"abc","ready":true,"reboot":false,"used":%s}`, time.Now().Add(-ago).Unix(), used))
}

// TestAnAnswerWithoutFiguresIsAnAnswer: the server serves, and what is in use is not known.
func TestAnAnswerWithoutFiguresIsAnAnswer(t *testing.T) {
	r := watched(t, 20*time.Second)
	for answer, known := range map[string]string{
		`,"used":{"memory":41,"swap":0,"disk":100,"more":"x"}`: `{"memory":41,"swap":0,"disk":100}`,
		"":                               "null",
		`,"used":null`:                   "null",
		`,"used":"full"`:                 "null",
		`,"used":[1,2,3]`:                "null",
		`,"used":{}`:                     "null",
		`,"used":{"memory":41,"swap":0}`: "null",
		`,"used":{"memory":101,"swap":0,"disk":1}`:        "null",
		`,"used":{"memory":-1,"swap":0,"disk":1}`:         "null",
		`,"used":{"memory":4.5,"swap":0,"disk":1}`:        "null",
		`,"used":{"memory":"41","swap":0,"disk":1}`:       "null",
		`,"used":{"memory":[99],"swap":0,"disk":1}`:       "null",
		`,"used":{"memory":1e300,"swap":0,"disk":1}`:      "null",
		`,"used":{"memory":null,"swap":null,"disk":null}`: "null",
	} {
		said, err := r.inServers(`on() { echo "$ANSWER"; }; ANSWER='{"release":"abc","ready":true,"settled":true,"reboot":false,"maintenance":false` + answer + `}'
members() { echo "i-0b InService Healthy 10.0.1.2"; }; serves_now i-0b && echo serves; seen_servers | jq -c '.[] | select(.id == "i-0b") | .phase, .used'; server_lines`)
		require.NoError(t, err, said)
		shown := "memory, swap and disk are not known"
		if known != "null" {
			shown = "memory 41 %, swap 0 %, disk 100 %"
		}
		assert.Equal(t, "serves\n\"serves\"\n"+known+"\nfirst server: release abc\ni-0b 10.0.1.2: release abc, ready; InService, Healthy; "+shown+"\n", said, answer)
	}
}

// TestAFullWebServerIsNamed with its figure and with what to do; CloudWatch gets the highest figure of all.
func TestAFullWebServerIsNamed(t *testing.T) {
	r := watched(t, 20*time.Second)
	check := func() (lines []string, metrics map[string]string) {
		t.Helper()
		said, err := r.source("health-check.sh", `DOMAIN=example.com; check_servers abc; jq -r '"\(.name) \(.verdict) \(.reason)"' <<<"$RESULTS" | sed "s|$DIR/scripts|/opt/berth|g"; metrics | tr '&' '\n'`)
		require.NoError(t, err, said)
		metrics = map[string]string{}
		name := ""
		for _, line := range strings.Split(strings.TrimSpace(said), "\n") {
			if strings.HasPrefix(line, "web-") {
				lines = append(lines, line)
			}
			if _, value, is := strings.Cut(line, ".MetricName="); is {
				name = value
			}
			if _, value, is := strings.Cut(line, ".Value="); is && strings.HasPrefix(name, "Web") && !strings.Contains(line, "Dimensions") {
				metrics[name] = value
			}
			if _, value, is := strings.Cut(line, ".Dimensions.member.1.Value="); is {
				assert.Equal(t, "example.com", value)
			}
		}
		return lines, metrics
	}
	lines, metrics := check()
	assert.Empty(t, lines, "none is known")
	assert.Empty(t, metrics, "so nothing is pushed")

	r.use("i-0b", 20*time.Second, `{"memory":80,"swap":50,"disk":30}`)
	lines, metrics = check()
	assert.Equal(t, []string{"web-memory ok most in use: 80 % on i-0b", "web-swap ok most in use: 50 % on i-0b", "web-disk ok most in use: 30 % on i-0b"}, lines)
	assert.Equal(t, map[string]string{"WebMemoryUsed": "80", "WebSwapUsed": "50", "WebDiskUsed": "30"}, metrics)

	r.use("i-0b", 20*time.Second, `{"memory":81,"swap":51,"disk":81}`)
	r.use("i-0c", 20*time.Second, `{"memory":83,"swap":0,"disk":91}`)
	lines, metrics = check()
	const bigger = "; or take bigger ones: pulumi config set berth:instanceType t3.small, pulumi up, and end it in the EC2 console, and another one takes its place"
	assert.Equal(t, []string{
		"web-memory warning most in use: 83 % on i-0c, 81 % on i-0b; see by what: sudo /opt/berth/servers.sh ssh i-0c 'sudo docker stats --no-stream'" + bigger,
		"web-swap warning most in use: 51 % on i-0b; see by what: sudo /opt/berth/servers.sh ssh i-0b 'sudo docker stats --no-stream'" + bigger,
		"web-disk critical most in use: 91 % on i-0c, 81 % on i-0b; see what takes it: sudo /opt/berth/servers.sh ssh i-0c 'sudo /opt/berth/log-monitor.sh sizes'" +
			"; make room: sudo /opt/berth/servers.sh ssh i-0c 'sudo /opt/berth/log-monitor.sh clean'; or end it in the EC2 console, and another one takes its place",
	}, lines)
	assert.Equal(t, map[string]string{"WebMemoryUsed": "83", "WebSwapUsed": "51", "WebDiskUsed": "91"}, metrics)

	// What is old, what is not known and a server that leaves count for nothing.
	r.use("i-0c", 181*time.Second, `{"memory":99,"swap":99,"disk":99}`)
	_, metrics = check()
	assert.Equal(t, map[string]string{"WebMemoryUsed": "81", "WebSwapUsed": "51", "WebDiskUsed": "81"}, metrics)
	r.use("i-0c", 0, `null`)
	_, metrics = check()
	assert.Equal(t, map[string]string{"WebMemoryUsed": "81", "WebSwapUsed": "51", "WebDiskUsed": "81"}, metrics)
	r.use("i-0c", 0, `{"memory":99,"swap":99,"disk":99}`)
	r.look(0, "i-0b InService Healthy 10.0.1.2", "i-0c Terminating:Wait Unhealthy 10.0.1.3")
	_, metrics = check()
	assert.Equal(t, map[string]string{"WebMemoryUsed": "81", "WebSwapUsed": "51", "WebDiskUsed": "81"}, metrics)
	r.look(0)
	lines, metrics = check()
	assert.Empty(t, lines)
	assert.Empty(t, metrics)
	r.watch(4 * time.Minute)
	r.use("i-0b", 0, `{"memory":99,"swap":99,"disk":99}`)
	lines, _ = check()
	assert.Empty(t, lines, "AWS has not said which servers there are")
}
