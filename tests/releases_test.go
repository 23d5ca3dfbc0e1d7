package tests

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
)

// TestReleasesNobodyNotices releases, rolls back and fails to release under load: 100 requests a second, open WebSockets,
// 5 s downloads, writes. Nothing of it may fail, and the right version answers at the end.
func TestReleasesNobodyNotices(t *testing.T) {
	harness.Long(t)
	r := harness.New(t, "berth-load")
	settings := r.LoadApp()
	r.Commit(map[string]string{"VERSION": "v1"})
	r.Run(append([]string{"up"}, settings...)...)
	address := r.Account().Only("aws:ec2/eip:Eip").Output("publicIp")
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.File("root.pem"))))
	target := load.Target{Domain: harness.Domain, Address: address, Roots: roots}
	acknowledged := 0

	for _, test := range []struct {
		name string
		// files are committed, and then comes up, with another ref where one is named, or what is run on the host.
		files     map[string]string
		ref, host string
		// says is what a release says, fails what one that fails says; version answers at the end.
		says, fails, version string
	}{
		{name: "a redeploy", files: map[string]string{"VERSION": "v2"}, version: "v2"},
		{name: "an earlier ref", ref: "FIRST", says: "is kept: returning to it without a build", version: "v1"},
		{name: "the branch again", ref: "main", says: "is kept: returning to it without a build", version: "v2"},
		{name: "a rollback", host: "sudo /opt/berth/deploy.sh rollback", version: "v1"},
		{name: "a rollback to a commit", host: "sudo /opt/berth/deploy.sh rollback LAST", version: "v2"},
		{name: "a heavy build", files: map[string]string{"VERSION": "v3", "behaviour": "heavy-build"}, version: "v3"},
		{name: "a rollback after it", host: "sudo /opt/berth/deploy.sh rollback", version: "v2"},
		{name: "a build that takes all memory", files: map[string]string{"behaviour": "greedy-build"}, fails: "the image of web does not build", version: "v2"},
		{name: "a build that breaks", files: map[string]string{"VERSION": "v5", "behaviour": "broken-build"}, fails: "the image of web does not build", version: "v2"},
		{name: "a crash loop", files: map[string]string{"behaviour": "crash"}, fails: "web starts again and again", version: "v2"},
		{name: "never healthy", files: map[string]string{"behaviour": "never-healthy"}, fails: "the release did not become ready: web is", version: "v2"},
		{name: "a migration that fails", files: map[string]string{"behaviour": "ok", "migration": "fail"}, fails: "the migration failed", version: "v2"},
		{name: "failing only behind nginx", files: map[string]string{"behaviour": "broken-after", "migration": "ok"}, fails: "it got no traffic", version: "v2"},
		{name: "failing after the switch", files: map[string]string{"behaviour": "sick-after"}, fails: "/healthz answers 503, for", version: "v2"},
		{name: "the next release works", files: map[string]string{"behaviour": "ok", "VERSION": "v4"}, version: "v4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := r.In(t)
			r.Commit(test.files)
			if test.name == "a redeploy" {
				preview := r.Run("preview")
				assert.Regexp(t, "release: [0-9a-f]{12} -> [0-9a-f]{12}, 1 commit", preview)
				for _, service := range []string{"web", "worker"} {
					assert.Regexp(t, service+` +is replaced +it keeps no data`, preview)
				}
				assert.Regexp(t, `db +stays +it is persistent, because`, preview)
			}
			run := load.Start(t.Context(), target, load.Plan{
				Rate: 100, Request: "/work?ms=20", WritePath: "/count", WebSockets: 5, SocketPath: "/ws", Downloads: 2, DownloadPath: "/download?seconds=5",
			})
			var output string
			var err error
			switch {
			case test.host != "":
				output = r.SSH(r.Named(test.host))
			case test.ref != "":
				output, err = r.Try("up", "--set", "ref="+r.Named(test.ref))
			default:
				output, err = r.Try("up")
			}
			if test.says != "" {
				assert.Contains(t, output, test.says)
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
			last := slices.MaxFunc(report.Versions, func(a, b load.Version) int { return int(a.Last - b.Last) })
			assert.Equal(t, test.version, last.Name)
			acknowledged += len(report.Written)
			assert.Equal(t, acknowledged, harness.NewSite(t, address, r.File("root.pem")).Count(), "every write that was acknowledged is there")
		})
	}
	t.Run("long headers pass, one header says HTTPS alone, and a POST stays one", func(t *testing.T) {
		site := harness.NewSite(t, address, r.File("root.pem")).In(t)
		base := "https://" + harness.Domain
		response := site.Do(http.MethodGet, base+"/headers?X-Large=*32", "")
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.Len(t, response.Header.Get("X-Large"), 32<<10)
		for said, want := range map[string]string{
			"": "max-age=31536000", "max-age=60": "max-age=31536000", "max-age=0": "max-age=31536000",
			"max-age=63072000; includeSubDomains": "max-age=63072000; includeSubDomains", "max-age=31536000; preload": "max-age=31536000; preload",
		} {
			query := ""
			if said != "" {
				query = "?Strict-Transport-Security=" + url.QueryEscape(said)
			}
			assert.Equal(t, []string{want}, site.Do(http.MethodGet, base+"/headers"+query, "").Header.Values("Strict-Transport-Security"), said)
		}
		// The app takes 8 kB in a line, and says so itself.
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/echo", nil)
		require.NoError(t, err)
		request.Header.Set("Cookie", "long="+strings.Repeat("x", 16<<10))
		response, err = site.Client.Do(request)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.NotContains(t, string(text), "nginx")
		assert.Equal(t, http.StatusPermanentRedirect, site.Do(http.MethodPost, "http://"+harness.Domain+"/count", "{}").StatusCode)
		// /count is a route: with its slash it is the app's, without a redirect, and what begins alike is not.
		assert.Equal(t, http.StatusNotFound, site.Do(http.MethodPost, base+"/count/", "{}").StatusCode)
		assert.Equal(t, http.StatusNotFound, site.Do(http.MethodGet, base+"/counter", "").StatusCode)
	})
	t.Run("three releases are kept, and nothing of any other", func(t *testing.T) {
		r := r.In(t)
		kept := strings.Fields(r.SSH("sudo find /data/releases -mindepth 1 -maxdepth 1 -type d -not -name starting -printf '%f\n'"))
		assert.Len(t, kept, 3)
		projects := strings.Fields(r.SSH(`sudo docker ps --all --filter label=berth.release --format '{{.Label "berth.release"}}' | sort -u`))
		assert.ElementsMatch(t, kept, projects)
		networks := strings.Fields(r.SSH("sudo docker network ls --format '{{.Name}}' | grep ^release-"))
		assert.Len(t, networks, 3)
		// web, worker and db: the latter is one image for all.
		images := strings.Fields(r.SSH("sudo docker image ls --format '{{.Repository}}:{{.Tag}}' --filter reference='berth/*'"))
		assert.Len(t, images, 7)
		assert.Empty(t, r.SSH("sudo docker image ls --quiet --filter dangling=true"))
	})
	t.Run("a second release waits for the first and says for whom", func(t *testing.T) {
		r := r.In(t)
		output := r.SSH(`sudo bash -c 'exec 8>>/run/berth-release.lock; flock 8; printf "deploy by somebody since today" >/run/berth-release.lock; : >/run/held; while [ -e /run/held ]; do sleep 0.1; done' &
until [ -e /run/held ]; do sleep 0.1; done
(sudo /opt/berth/deploy.sh; echo done) >/tmp/second &
timeout 20 bash -c 'until grep -s waiting /tmp/second; do sleep 0.1; done'; sudo rm /run/held; wait; cat /tmp/second`)
		assert.Contains(t, output, "waiting, at most 600 seconds: deploy by somebody since today is at work")
		assert.Contains(t, output, "done")
		// Killed, a holder leaves no lock behind.
		r.SSH("sudo timeout 5 bash -c 'exec 8>>/run/berth-release.lock; flock 8; kill -9 $$' || true")
		assert.NotContains(t, r.SSH("sudo /opt/berth/deploy.sh"), "waiting")
	})
	t.Run("history tells it all", func(t *testing.T) {
		history := r.In(t).SSH("sudo /opt/berth/deploy.sh history")
		for _, word := range []string{"rollback", "images", "start", "migration", "rehearse", "verify", "failed", "released", "admin from"} {
			assert.Contains(t, history, word)
		}
	})
	t.Run("compose in the wild", func(t *testing.T) { testWild(t, r.In(t), harness.NewSite(t, address, r.File("root.pem"))) })
}
