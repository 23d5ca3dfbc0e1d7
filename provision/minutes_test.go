package provision

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorder runs record_minute in a folder of its own, as the health check does every minute.
type recorder struct {
	t      *testing.T
	folder string
}

func (r *recorder) log(lines string) {
	r.t.Helper()
	file, err := os.OpenFile(filepath.Join(r.folder, "minute"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(r.t, err)
	_, err = file.WriteString(lines)
	require.NoError(r.t, err)
	require.NoError(r.t, file.Close())
}

// record gives the fields of the line that was added.
func (r *recorder) record() []string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", `source scripts/lib.sh
source <(sed "s|/var/lib/berth/|$FOLDER/|; s|/var/log/nginx/|$FOLDER/|; s|MOST=400000|MOST=2000|; s|DAYS \* 1440|DAYS * 5|" scripts/health/minutes.sh)
RESULTS='{"name":"disk","value":37}
{"name":"memory","value":61}
{"name":"clock"}'
record_minute`)
	command.Env = append(os.Environ(), "FOLDER="+r.folder)
	output, err := command.CombinedOutput()
	require.NoError(r.t, err, string(output))
	lines := r.lines()
	return strings.Split(lines[len(lines)-1], "\t")
}

func (r *recorder) lines() []string {
	text, err := os.ReadFile(filepath.Join(r.folder, "minutes.tsv"))
	require.NoError(r.t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// TestAMinuteIsRecorded: each request is counted once, whatever happens to the log.
func TestAMinuteIsRecorded(t *testing.T) {
	r := &recorder{t, t.TempDir()}
	counts := func() string { return strings.Join(r.record()[5:8], " ") }
	assert.Equal(t, "0 0 0", counts(), "nginx has no log yet")
	r.log("200 0.100\n")
	assert.Equal(t, "1 0 100", counts())
	assert.Equal(t, "0 0 0", counts(), "and no more of it")
	r.log("200 0.001\n404 0.001\n500 0.002\n502 60.001\n101 3600.000\n")
	assert.Equal(t, "5 2 60000", counts(), "a WebSocket is a request, and no slow one")
	for i := range 100 {
		r.log(fmt.Sprintf("200 0.%03d\n", i+1))
	}
	assert.Equal(t, "100 0 95", counts(), "95 of 100 took so long at most")
	require.NoError(t, os.Truncate(filepath.Join(r.folder, "minute"), 0))
	r.log("200 0.007\n")
	assert.Equal(t, "1 0 7", counts(), "of a log that was emptied, what came since")
	require.NoError(t, os.Rename(filepath.Join(r.folder, "minute"), filepath.Join(r.folder, "minute.1")))
	r.log("503 0.008\n503 0.009\n200 0.001\n")
	assert.Equal(t, "3 2 9", counts(), "and of another file")
	fields := r.record()
	require.Len(t, fields, 10)
	assert.Equal(t, []string{"61", "37"}, fields[3:5], "memory and disk")

	require.NoError(t, os.WriteFile(filepath.Join(r.folder, "minutes.tsv"), []byte("179600"), 0o600))
	r.log("200 0.001\n")
	assert.Equal(t, "0 0 0", counts(), "after a line that was cut off it is unknown since when the log is")
	assert.Equal(t, "179600", r.lines()[0], "and it does not become the beginning of another")
	r.log("200 0.001\n")
	assert.Equal(t, "1 0 1", counts())
}

// TestTheRecordIsBounded: old minutes go once there are many, and the last ones stay.
func TestTheRecordIsBounded(t *testing.T) {
	r := &recorder{t, t.TempDir()}
	old := strings.Repeat("1796000000\t1\t2\t3\t4\t5\t6\t7\t8\t9\n", 70)
	require.NoError(t, os.WriteFile(filepath.Join(r.folder, "minutes.tsv"), []byte(old), 0o600))
	r.log("200 0.001\n")
	last := r.record()
	lines := r.lines()
	assert.Len(t, lines, 10)
	assert.Equal(t, strings.Join(last, "\t"), lines[9])
}

// TestTheDayIsDrawn: rates over five minutes, gaps where nothing is known, and nothing that a line which was cut off could say.
func TestTheDayIsDrawn(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var record strings.Builder
	line := func(before time.Duration, busy, ticks, memory, disk, requests, errors, p95 int) {
		fmt.Fprintf(&record, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t7\t0\n", now.Add(-before).Unix(), busy, ticks, memory, disk, requests, errors, p95)
	}
	line(25*time.Hour, 0, 0, 1, 1, 999, 999, 999)
	line(24*time.Hour-time.Minute, 1000, 9000, 50, 30, 999, 999, 999)
	line(24*time.Hour-2*time.Minute, 1300, 10000, 60, 30, 600, 3, 40)
	record.WriteString("17960\n\nnot a number\tx\n")
	// The server was off until then, and its count of ticks began again.
	line(4*time.Minute, 5, 10, 20, 40, 5000, 50, 70)
	line(3*time.Minute, 905, 1010, 20, 40, 60, 0, 10)
	line(2*time.Minute, 1005, 2010, 30, 41, 120, 1, 90)
	record.WriteString("179600")

	page := `{"domain": "app.example.com", "time": "2026-11-28T12:00:00Z", "severity": 0, "checks": [], "releases": [], "services": [], "history": []}`
	jq := func(program, input string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), "jq", append([]string{"-r", "-c", "-L", "scripts/status"}, append(args, program)...)...)
		command.Stdin = strings.NewReader(input)
		output, err := command.CombinedOutput()
		require.NoError(t, err, string(output))
		return string(output)
	}
	made := jq(`import "day" as day; .day = ($minutes | day::day($now))`, page, "--arg", "minutes", record.String(), "--argjson", "now", fmt.Sprint(now.Unix()))
	var state struct {
		Day []struct{ Time, Requests, Errors, P95, CPU, Memory, Disk float64 }
	}
	require.NoError(t, json.Unmarshal([]byte(made), &state))
	require.Len(t, state.Day, 2)
	assert.InDelta(t, 10, state.Day[0].Requests, 0.001, "600 in a minute")
	assert.InDelta(t, 30, state.Day[0].CPU, 0.001)
	assert.InDelta(t, 1.5, state.Day[1].Requests, 0.001, "180 in two minutes; of what came while the server was off nothing is said")
	assert.InDelta(t, 50, state.Day[1].CPU, 0.001, "90 % and 10 %")
	assert.Equal(t, []float64{1, 90, 30, 41}, []float64{state.Day[1].Errors, state.Day[1].P95, state.Day[1].Memory, state.Day[1].Disk})

	for what, drawn := range map[string]string{"with a day": made, "before the first minute": strings.Replace(page, `"history"`, `"day": [], "history"`, 1)} {
		html, err := exec.CommandContext(t.Context(), "bash", "-c", `jq -r -L scripts/status -f scripts/status/page.jq <<<"$1"`, "-", drawn).CombinedOutput()
		require.NoError(t, err, string(html))
		assert.Contains(t, string(html), "<meta http-equiv=refresh content=60>", what)
		if what == "with a day" {
			assert.Equal(t, 6, strings.Count(string(html), "<svg "), what)
			assert.Contains(t, string(html), `aria-label="Requests in the last 24 hours: 1.5/s now, 10/s at most"`)
			assert.Equal(t, 12, strings.Count(string(html), "h.1"), "two pieces of every line, since nothing is known in between")
		} else {
			assert.Contains(t, string(html), "nothing recorded yet", what)
		}
		assert.NotContains(t, string(html), "<script", what)
	}
}

// TestTheStatusPageIsServed on a socket of the one who asks alone, as long as the session lasts.
func TestTheStatusPageIsServed(t *testing.T) {
	folder := t.TempDir()
	socket := filepath.Join(folder, "page.sock")
	script := filepath.Join(folder, "status.sh")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n[ ! -e "+folder+"/broken ] || { echo 'it is broken' >&2; exit 1; }\necho \"<p>a page $*\"\n"), 0o700))
	text, err := os.ReadFile("scripts/status/serve.py")
	require.NoError(t, err)
	server := filepath.Join(folder, "serve.py")
	require.NoError(t, os.WriteFile(server, []byte(strings.Replace(string(text), "/opt/berth/status.sh", script, 1)), 0o600))
	command := exec.CommandContext(t.Context(), "python3", server, socket)
	command.Env = append(os.Environ(), "SUDO_UID="+fmt.Sprint(os.Getuid()))
	session, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	ready := make([]byte, 6)
	_, err = io.ReadFull(output, ready)
	require.NoError(t, err)
	require.Equal(t, "ready\n", string(ready))
	info, err := os.Stat(socket)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	get := func(url, host string) string {
		t.Helper()
		body, err := exec.CommandContext(t.Context(), "curl", "--silent", "--include", "--unix-socket", socket, "--header", "Host: "+host, "http://127.0.0.1"+url).Output()
		require.NoError(t, err)
		return string(body)
	}
	page := get("/", "127.0.0.1:20000")
	assert.Contains(t, page, " 200 OK\r\n")
	assert.Contains(t, page, "\r\n\r\n<p>a page --html\n")
	assert.Contains(t, page, "Content-Security-Policy: default-src 'none'")
	assert.Contains(t, get("/", "localhost:20000"), " 200 OK\r\n")
	for _, host := range []string{"example.com", "example.com:20000", "127.0.0.1.example.com:20000", "127.0.0.1", ""} {
		assert.Contains(t, get("/", host), " 421 ", host)
	}
	assert.Contains(t, get("/other", "127.0.0.1:20000"), " 404 ")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "broken"), nil, 0o600))
	assert.Contains(t, get("/", "127.0.0.1:20000"), "it is broken")

	require.NoError(t, session.Close())
	require.NoError(t, command.Wait(), "it ends with the session")
	assert.NoFileExists(t, socket)
}
