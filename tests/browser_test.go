package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// look opens the page at url in headless Chromium, waits until the row is visible, and checks what the padlock shows:
// a secure state, everything from the page's own origin, nothing over plain HTTP. A url of another name of the site's redirects there.
// The browser's home holds the rehearsal's root as the one authority beside the public ones.
func look(t *testing.T, address, roots, url, row, screenshot string) {
	t.Helper()
	home := trust(t, roots)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP "+harness.Domain+" "+address+", MAP *."+harness.Domain+" "+address+", MAP * ~NOTFOUND, EXCLUDE "+address),
		chromedp.Env("HOME="+home),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.WindowSize(1100, 800),
	)
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	browser, cancel := chromedp.NewContext(allocator)
	defer cancel()
	browser, cancel = context.WithTimeout(browser, 90*time.Second)
	defer cancel()

	var lock sync.Mutex
	var requested []string
	var state security.State
	require.NoError(t, chromedp.Listen(browser, func(event any) {
		lock.Lock()
		defer lock.Unlock()
		switch event := event.(type) {
		case *network.EventRequestWillBeSent:
			requested = append(requested, event.Request.URL)
		case *security.EventVisibleSecurityStateChanged:
			state = event.VisibleSecurityState.SecurityState
		}
	}))
	_, err := chromedp.Call(browser, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	_, err = chromedp.Call(browser, security.Enable, cdp.Empty{})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(browser,
		chromedp.Navigate(url),
		chromedp.WaitVisible(chromedp.Search(`//*[contains(text(), "`+row+`")]`)),
	))
	text, err := chromedp.Run(browser, chromedp.Text(chromedp.CSS("body")))
	require.NoError(t, err)
	picture, err := chromedp.Run(browser, chromedp.FullScreenshot(100))
	require.NoError(t, err)
	require.Contains(t, text, row)

	lock.Lock()
	defer lock.Unlock()
	require.Equal(t, security.StateSecure, state, "the browser's padlock")
	require.NotEmpty(t, requested)
	require.Equal(t, url, requested[0])
	for _, asked := range requested[1:] {
		require.Truef(t, strings.HasPrefix(asked, "https://"+harness.Domain+"/"), "the page asked for %s", asked)
	}
	require.Greater(t, len(requested), 1)
	require.NoError(t, os.MkdirAll(filepath.Dir(screenshot), 0o755))
	require.NoError(t, os.WriteFile(screenshot, picture, 0o644))
}

// trust makes a home folder whose certificate store, the one Chromium reads on Linux, holds the roots.
func trust(t *testing.T, roots string) string {
	t.Helper()
	// Chromium's helpers may still write when it has closed: what cannot be removed then is no failure of the site's.
	home, err := os.MkdirTemp("", "berth-browser-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	store, file := "sql:"+filepath.Join(home, ".pki", "nssdb"), filepath.Join(home, "root.pem")
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".pki", "nssdb"), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(roots), 0o600))
	for _, args := range [][]string{
		{"-N", "--empty-password", "-d", store},
		{"-A", "-d", store, "-n", "rehearsal", "-t", "C,,", "-i", file},
	} {
		output, err := exec.CommandContext(t.Context(), "certutil", args...).CombinedOutput()
		require.NoErrorf(t, err, "certutil %s: %s", args[0], output)
	}
	return home
}
