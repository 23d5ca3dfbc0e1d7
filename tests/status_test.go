package tests

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// statusPage opens status.sh in a terminal of 80 columns and in a browser, on a wide screen and on a telephone.
func statusPage(t *testing.T, s scene) {
	r := s.r
	text := r.SSH("sudo /opt/berth/status.sh")
	for line := range strings.Lines(text) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 80, line)
		assert.Equal(t, strings.TrimRight(line, " \n"), strings.TrimRight(line, "\n"), "nothing trails")
	}
	var state struct {
		Domain   string
		Services []struct{ Service string }
		Releases []struct {
			ID     string
			Serves bool
		}
		Checks []struct{ Name, Reason string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.SSH("sudo /opt/berth/status.sh --json")), &state))
	require.NotEmpty(t, state.Releases)
	assert.True(t, state.Releases[0].Serves)
	require.Len(t, state.Services, 4)

	// A minute is what lies between two health checks, however short: the second one has the page that was asked for here.
	r.SSH("sudo systemctl start berth-health")
	s.site.Do(http.MethodGet, "https://"+harness.Domain+"/", "")
	// nginx writes its log some seconds later.
	r.SSH(`sudo timeout 30 bash -c 'until [ "$(stat --format %s /var/log/nginx/minute)" -gt "$(tail --lines 1 /var/lib/berth/minutes.tsv | cut -f 10)" ]; do sleep 0.1; done' && sudo systemctl start berth-health`)
	var recorded struct {
		Day []struct{ Requests, CPU, Memory, Disk float64 }
	}
	require.NoError(t, json.Unmarshal([]byte(r.SSH("sudo /opt/berth/status.sh --json")), &recorded))
	require.NotEmpty(t, recorded.Day)
	last := recorded.Day[len(recorded.Day)-1]
	assert.Positive(t, last.Requests)
	assert.Positive(t, last.Memory)
	assert.Positive(t, last.Disk)

	url := statusServed(t, r)
	for name, width := range map[string]int64{"status.png": 1000, "status-narrow.png": 390} {
		page := open(t, url, width, filepath.Join("artefacts", name))
		assert.Contains(t, page, "Answered within (95 %)")
		for _, want := range []string{state.Domain, state.Releases[0].ID, state.Services[0].Service} {
			assert.Contains(t, text, want)
			assert.Contains(t, page, want)
		}
		for _, check := range state.Checks {
			assert.Contains(t, text, check.Name)
			assert.Contains(t, page, check.Name)
		}
	}
}

// statusServed has make status show the page for as long as the test runs, and gives its address.
func statusServed(t *testing.T, r *harness.Rehearsal) string {
	t.Helper()
	words := r.Command("shell", "--", "env", "-u", "DISPLAY", "-u", "WAYLAND_DISPLAY", "make", "--silent", "--no-print-directory", "-C", r.Project, "status", "STACK=rehearsal")
	command := exec.CommandContext(t.Context(), words[0], words[1:]...)
	session, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		assert.NoError(t, session.Close())
		assert.NoError(t, command.Wait(), "it ends with its standard input")
		assert.Empty(t, r.SSH("sudo find /run/berth -name 'page-*'"), "and leaves no socket")
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
			return lines.Text()
		}
	}
	require.Fail(t, "make status gives no address")
	return ""
}

// open shows a page in headless Chromium, keeps a picture of it and gives its text. It must fit the width.
func open(t *testing.T, url string, width int64, screenshot string) string {
	t.Helper()
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU)...)
	defer cancel()
	browser, cancel := chromedp.NewContext(allocator)
	defer cancel()
	browser, cancel = context.WithTimeout(browser, 90*time.Second)
	defer cancel()
	require.NoError(t, chromedp.Do(browser, chromedp.EmulateViewport(width, 900), chromedp.Navigate(url)))
	text, err := chromedp.Run(browser, chromedp.Text(chromedp.CSS("body")))
	require.NoError(t, err)
	wide, err := chromedp.Run(browser, chromedp.Evaluate[bool]("document.documentElement.scrollWidth > window.innerWidth"))
	require.NoError(t, err)
	picture, err := chromedp.Run(browser, chromedp.FullScreenshot(100))
	require.NoError(t, err)
	assert.False(t, wide, "the page is wider than %d", width)
	require.NoError(t, os.MkdirAll(filepath.Dir(screenshot), 0o755))
	require.NoError(t, os.WriteFile(screenshot, picture, 0o644))
	return text
}
