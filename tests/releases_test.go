package tests

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/load"
)

// newApp copies an app's folder, so that a test can commit to it, and gives the rehearsal's arguments for its one
// service.
func newApp(t *testing.T, r *rehearsal, source string) []string {
	t.Helper()
	r.app = filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(r.app, os.DirFS(source)))
	var settings []string
	for _, setting := range []string{
		"routes[0].service=web", "routes[0].port=8000", "routes[0].health=/healthz", "routes[1].path=/count", "routes[1].service=web", "routes[1].port=8000",
		"migration.service=web", "migration.command=python3 migrate.py", "drainWithin=15", "healthyWithin=12",
	} {
		settings = append(settings, "--set", setting)
	}
	return settings
}

// commit changes files of the app; the next up commits them.
func (r *rehearsal) commit(files map[string]string) {
	r.t.Helper()
	for name, content := range files {
		require.NoError(r.t, os.WriteFile(filepath.Join(r.app, name), []byte(content), 0o644))
	}
}

// TestReleasesNobodyNotices releases, rolls back and fails to release under load: 100 requests a second, open WebSockets,
// 5 s downloads, writes. Nothing of it may fail, and the right version answers at the end.
func TestReleasesNobodyNotices(t *testing.T) {
	r := newRehearsal(t, "berth-load")
	settings := newApp(t, r, "apps/load")
	r.commit(map[string]string{"VERSION": "v1"})
	r.run(append([]string{"up"}, settings...)...)
	address := r.account().only("aws:ec2/eip:Eip").output("publicIp")
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.file("root.pem"))))
	target := load.Target{Domain: domain, Address: address, Roots: roots}
	acknowledged := 0

	for _, test := range []struct {
		name string
		// files are committed, and then up or, when it is not empty, what is run on the host.
		files map[string]string
		host  string
		// fails is what a release that fails says; version answers at the end.
		fails, version string
	}{
		{name: "a redeploy", files: map[string]string{"VERSION": "v2"}, version: "v2"},
		{name: "a rollback", host: "sudo /opt/berth/deploy.sh rollback", version: "v1"},
		{name: "a build that breaks", files: map[string]string{"VERSION": "v3", "behaviour": "broken-build"}, fails: "the image of web does not build", version: "v1"},
		{name: "a crash loop", files: map[string]string{"behaviour": "crash"}, fails: "web starts again and again", version: "v1"},
		{name: "never healthy", files: map[string]string{"behaviour": "never-healthy"}, fails: "the release did not become ready: web is", version: "v1"},
		{name: "a migration that fails", files: map[string]string{"behaviour": "ok", "migration": "fail"}, fails: "the migration failed", version: "v1"},
		{name: "failing only behind nginx", files: map[string]string{"behaviour": "broken-after", "migration": "ok"}, fails: "nobody was led there", version: "v1"},
		{name: "failing after the switch", files: map[string]string{"behaviour": "sick-after"}, fails: "/healthz answers 503, for", version: "v1"},
		{name: "the next release works", files: map[string]string{"behaviour": "ok", "VERSION": "v4"}, version: "v4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := r.in(t)
			r.commit(test.files)
			if test.name == "a redeploy" {
				preview := r.run("preview")
				assert.Regexp(t, "release: [0-9a-f]{12} -> [0-9a-f]{12}, 1 commit", preview)
				assert.Contains(t, preview, "take over: web, worker")
				assert.Contains(t, preview, "stay as they are, unless a variable of theirs changed: db")
			}
			run := load.Start(t.Context(), target, load.Plan{
				Rate: 100, Request: "/work?ms=20", WritePath: "/count", WebSockets: 5, SocketPath: "/ws", Downloads: 2, DownloadPath: "/download?seconds=5",
			})
			var output string
			var err error
			if test.host != "" {
				output = r.ssh(test.host)
			} else {
				output, err = r.try("up")
			}
			if test.fails == "" {
				require.NoError(t, err, output)
			} else {
				require.Error(t, err)
				assert.Contains(t, output, test.fails)
				assert.Contains(t, output, "as before")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			require.NoError(t, run.AwaitVersion(ctx, test.version))
			report := run.Stop()
			t.Logf("%s\n%s", test.name, report)
			assert.Zero(t, report.Failed, "requests that failed: %v", report.Reasons)
			assert.Zero(t, report.Sockets.Cut)
			assert.Zero(t, report.Sockets.Failed)
			assert.Zero(t, report.Downloads.Failed)
			assert.Greater(t, report.Sent, 200)
			assert.Equal(t, test.version, report.Versions[len(report.Versions)-1].Name)
			acknowledged += len(report.Written)
			assert.Equal(t, acknowledged, count(newSite(t, address, r.file("root.pem"))), "every write that was acknowledged is there")
		})
	}
	t.Run("history tells it all", func(t *testing.T) {
		history := r.in(t).ssh("sudo /opt/berth/deploy.sh history")
		for _, word := range []string{"rollback", "images", "start", "migration", "rehearse", "verify", "failed", "released", "admin from"} {
			assert.Contains(t, history, word)
		}
	})
	t.Run("compose in the wild", func(t *testing.T) { testWild(t, r.in(t), newSite(t, address, r.file("root.pem"))) })
}

// count is the number of rows that the load app holds.
func count(s *site) int {
	s.t.Helper()
	response := s.do(http.MethodGet, "https://"+domain+"/count", "")
	require.Equal(s.t, http.StatusOK, response.StatusCode)
	var answer struct{ Count int }
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.Count
}
