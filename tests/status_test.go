package tests

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// statusPage looks at status.sh in a terminal of 80 columns and in a browser, on a wide screen and on a telephone.
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

	file := filepath.Join(t.TempDir(), "status.html")
	require.NoError(t, os.WriteFile(file, []byte(r.SSH("sudo /opt/berth/status.sh --html")), 0o600))
	for name, width := range map[string]int64{"status.png": 1000, "status-narrow.png": 390} {
		page := open(t, "file://"+file, width, filepath.Join("artefacts", name))
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
