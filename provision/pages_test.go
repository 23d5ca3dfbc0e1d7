package provision

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// TestPagesComeOutOfTheCommit: files of a bounded size, and no links, whatever their target.
func TestPagesComeOutOfTheCommit(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		kept    []string
		refused string
	}{
		"none":        {map[string]string{"compose.yaml": "x"}, nil, ""},
		"some":        {map[string]string{"berth/errors/502.html": "<h1>it's down</h1>", "berth/maintenance.html": "soon", "berth/errors/418.html": "no", "berth/notes.html": "no"}, []string{"502.html", "maintenance.html"}, ""},
		"a link":      {map[string]string{"berth/errors/502.html": "-> /etc/shadow"}, nil, "berth/errors/502.html of commit"},
		"a near link": {map[string]string{"berth/real.html": "x", "berth/maintenance.html": "-> real.html"}, nil, "berth/maintenance.html of commit"},
		"a folder":    {map[string]string{"berth/errors/413.html/x": "x"}, nil, "berth/errors/413.html of commit"},
		"above":       {map[string]string{"real/502.html": "x", "berth/errors": "-> ../real"}, nil, ""},
		"too large":   {map[string]string{"berth/errors/429.html": strings.Repeat("x", 256*1024+1)}, nil, "at most 256 KiB"},
		"the largest": {map[string]string{"berth/errors/429.html": strings.Repeat("x", 256*1024)}, []string{"429.html"}, ""},
	} {
		h := newHosted(t)
		commit := h.commit(c.files)
		said, err := h.deploy(commit, `fetch; keep_pages "$RELEASES/new"`)
		if c.refused != "" {
			require.Error(t, err, name)
			assert.Contains(t, said, c.refused, name)
			continue
		}
		require.NoError(t, err, "%s: %s", name, said)
		entries, err := os.ReadDir(filepath.Join(h.data, "releases", "new", "pages"))
		require.NoError(t, err, name)
		var kept []string
		for _, entry := range entries {
			kept = append(kept, entry.Name())
			assert.True(t, entry.Type().IsRegular(), name)
			text, err := os.ReadFile(filepath.Join(h.data, "releases", "new", "pages", entry.Name()))
			require.NoError(t, err)
			want := c.files["berth/errors/"+entry.Name()] + c.files["berth/"+entry.Name()]
			assert.Equal(t, want, string(text), name)
		}
		assert.Equal(t, c.kept, kept, name)
	}
}

// TestPagesAreServedForWhatNginxAnswers, each release's own, whatever method was asked by, and not for what the app answers itself.
func TestPagesAreServedForWhatNginxAnswers(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "the app's own 502")
	}))
	t.Cleanup(app.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	routes := []route{{"path": "/", "upstream": port(t, closed.Addr())}, {"path": "/app/", "upstream": port(t, app.Listener.Addr())}, {"path": "/up/", "upstream": port(t, closed.Addr()), "maxBody": 2}}
	e := prepareEdge(t, &config.Config{MaxBody: 1, Timeout: 300, Auth: map[string]string{"alice": "x"}}, routes, routes)
	for _, page := range []string{"413", "502", "maintenance"} {
		e.write("data/releases/b/pages/"+page+".html", "the release's "+page)
	}
	e.write("users", "")
	e.start()
	for _, release := range []string{"a", "b", "a"} {
		said, err := e.source("deploy.sh", "switch_traffic "+release)
		require.NoError(t, err, said)
		own := func(page, otherwise string) string {
			if release == "b" {
				return "the release's " + page
			}
			return otherwise
		}
		for _, client := range []*http.Client{e.client(false), e.client(true)} {
			ask := func(method, path string, length int64) (int, string) {
				request, err := http.NewRequestWithContext(t.Context(), method, "https://app.example.com"+path, io.LimitReader(zeros{}, length))
				require.NoError(t, err)
				request.ContentLength = length
				response, err := client.Do(request)
				require.NoError(t, err)
				body, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				return response.StatusCode, string(body)
			}
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				code, body := ask(method, "/", 0)
				assert.Equal(t, []any{502, own("502", "The site does not answer just now.\n")}, []any{code, body}, method)
				code, body = ask(method, "/app/", 0)
				assert.Equal(t, []any{502, "the app's own 502"}, []any{code, body}, method)
			}
			code, body := ask(http.MethodPost, "/", 1<<20+1)
			assert.Equal(t, []any{413, own("413", "A request may send at most 1 MiB here.\n")}, []any{code, body})
			code, body = ask(http.MethodPut, "/up/", 2<<20+1)
			assert.Equal(t, []any{413, own("413", "A request may send at most 2 MiB here.\n")}, []any{code, body})
			e.write("data/maintenance", "")
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				code, body = ask(method, "/app/", 0)
				assert.Equal(t, 503, code, method)
				assert.Contains(t, body, own("maintenance", "This site is being looked after"), method)
			}
			for _, path := range []string{"/@berth/x", "/@berth/busy/1"} {
				code, body = ask(http.MethodGet, path, 0)
				assert.Equal(t, 404, code, "%s leads past the maintenance page: %s", path, body)
			}
			require.NoError(t, os.Remove(filepath.Join(e.data, "maintenance")))
			code, _ = ask(http.MethodGet, "/errors/502.html", 0)
			assert.Equal(t, 502, code, "a page is no path of the site")
		}
	}
}
