package faults

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
	"berth/tests/report"
)

const data = "Data"

// TestNoWriteIsLost writes through the API, over and over, while all that may happen to a server happens to it, and looks
// for every row whose writing was acknowledged.
func TestNoWriteIsLost(t *testing.T) {
	r := harness.New(t, "berth-faults")
	settings := r.LoadApp()
	r.Commit(map[string]string{"VERSION": "v1"})
	r.Run(append([]string{"up"}, settings...)...)
	s := harness.NewSite(t, r.Account().Only(address).Output("publicIp"), r.File("root.pem"))
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.File("root.pem"))))
	target := load.Target{Domain: harness.Domain, Address: r.Account().Only(address).Output("publicIp"), Roots: roots}
	plan := load.Plan{Rate: 200, Request: "/work", WritePath: "/count"}
	release := func(version string) func(r *harness.Rehearsal, s *harness.Site) {
		return func(r *harness.Rehearsal, _ *harness.Site) {
			r.Commit(map[string]string{"VERSION": version})
			r.Run("up")
		}
	}
	rollback := func(r *harness.Rehearsal, _ *harness.Site) { r.SSH("sudo /opt/berth/deploy.sh rollback") }
	rename := func(r *harness.Rehearsal, s *harness.Site) {
		compose, err := os.ReadFile(filepath.Join(r.App, "compose.yaml"))
		require.NoError(r.T(), err)
		renamed := regexp.MustCompile(`(?m)^  db:|^      db:|DATABASE_HOST: db$`).ReplaceAllStringFunc(string(compose), func(found string) string {
			return strings.Replace(found, "db", "store", 1)
		})
		r.Commit(map[string]string{"compose.yaml": renamed})
		// It is no test of how soon a web service starts.
		output := r.Run("up", "--set", "healthyWithin=60")
		assert.Contains(r.T(), output, "dumped the database of db: ")
		assert.Contains(r.T(), output, "service db is stopped first: store writes to the same files (app_db-data)")
		comesBack(s)
	}
	for _, test := range []struct {
		name, row string
		// happens in the middle of it. Where the site is away meanwhile writes fail, and those are not acknowledged.
		happens []func(r *harness.Rehearsal, s *harness.Site)
	}{
		{name: "releases", row: "Two releases", happens: []func(*harness.Rehearsal, *harness.Site){release("v2"), release("v3")}},
		{name: "rollbacks", row: "Two rollbacks, there and back", happens: []func(*harness.Rehearsal, *harness.Site){rollback, rollback}},
		{name: "a reboot", row: "A reboot", happens: []func(*harness.Rehearsal, *harness.Site){func(r *harness.Rehearsal, s *harness.Site) {
			docker(r.T(), "stop", "--time", "60", host(r.T(), r))
			docker(r.T(), "start", host(r.T(), r))
			comesBack(s)
		}}},
		{name: "a hard reset", row: "A hard reset", happens: []func(*harness.Rehearsal, *harness.Site){func(r *harness.Rehearsal, s *harness.Site) {
			powerCut(r.T(), host(r.T(), r))
			comesBack(s)
		}}},
		{name: "a replaced server", row: "A replaced server", happens: []func(*harness.Rehearsal, *harness.Site){func(r *harness.Rehearsal, s *harness.Site) {
			before := id(r, instance)
			r.Run("up", "--set", "ami="+harness.OtherAMI)
			require.NotEqual(r.T(), before, id(r, instance))
			comesBack(s)
		}}},
		{name: "a database that is down", row: "The database does not run when a release comes: refused; started, and the release goes through", happens: []func(*harness.Rehearsal, *harness.Site){databaseDown}},
		{name: "no room for a dump", row: "No room for a dump: none is begun, the database goes on, the health check is critical", happens: []func(*harness.Rehearsal, *harness.Site){noRoomForADump}},
		{name: "a restore drill", row: "The newest dump is restored beside the site, and its rows are counted", happens: []func(*harness.Rehearsal, *harness.Site){restoreDrill}},
		{name: "a changed password", row: "The database's password changes: refused; taken by a release that is asked to change it; put back where such a release fails", happens: []func(*harness.Rehearsal, *harness.Site){changedPassword}},
		{name: "two servers on one volume", row: "A second database server on the same volume: refused by the preview", happens: []func(*harness.Rehearsal, *harness.Site){secondServer}},
		{name: "a service with a volume comes and goes", row: "A service with a volume and a network of its own is dropped, and comes back by a rollback and by a release: it runs", happens: []func(*harness.Rehearsal, *harness.Site){comesAndGoes}},
		{name: "Docker is stopped", row: "Docker is stopped: the site goes on, and the health check says what to do", happens: []func(*harness.Rehearsal, *harness.Site){dockerStopped}},
		{name: "a renamed database", row: "A database's service has another name in the next release, with the same volume; back by a rollback; and there once more", happens: []func(*harness.Rehearsal, *harness.Site){
			rename,
			func(r *harness.Rehearsal, s *harness.Site) { rollback(r, s); comesBack(s) },
			func(r *harness.Rehearsal, s *harness.Site) { rollback(r, s); comesBack(s) },
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, s := r.In(t), s.In(t)
			run := load.Start(t.Context(), target, plan)
			for _, happens := range test.happens {
				awaitRows(t, s, len(s.Rows())+100)
				happens(r, s)
				s.Client.CloseIdleConnections()
				awaitRows(t, s, len(s.Rows())+100)
			}
			visitors := run.Stop()
			t.Logf("%s", visitors)
			lost := missing(visitors.Written, s.Rows())
			assert.Empty(t, lost)
			report.Add(t, data, test.row, fmt.Sprintf("%d writes acknowledged, %d lost", len(visitors.Written), len(lost)))
		})
	}
	t.Run("memory runs out during a build", func(t *testing.T) {
		r := r.In(t)
		run := load.Start(t.Context(), target, plan)
		r.Commit(map[string]string{"VERSION": "v4", "behaviour": "greedy-build"})
		output, err := r.Try("up")
		require.Error(t, err, output)
		// The service that came and went has the same image.
		assert.Regexp(t, `the image of (web|extra) does not build: it took more memory than builds get, three fifths of the server's \[build-out-of-memory\]; build it elsewhere \(berth:images\), or take a bigger server: pulumi config set berth:instanceType t3.small`, output)
		assert.Contains(t, output, "as before")
		r.Commit(map[string]string{"behaviour": "ok"})
		visitors := run.Stop()
		t.Logf("%s", visitors)
		assert.Zero(t, visitors.Failed, "requests that failed: %v", visitors.Reasons)
		r.Run("up")
		report.Add(t, world, "Memory runs out during a build", fmt.Sprintf("said what to do; %d of %d requests failed meanwhile; the next update went through", visitors.Failed, visitors.Sent))
	})
	t.Run("a restore from a snapshot", func(t *testing.T) {
		r, s := r.In(t), s.In(t)
		run := load.Start(t.Context(), target, plan)
		awaitRows(t, s, len(s.Rows())+100)
		before := s.Rows()
		snapshot := strings.TrimSpace(r.Run("snapshot"))
		awaitRows(t, s, len(s.Rows())+100)
		written := run.Stop().Written
		output := r.Run("up", "--set", "volumeSnapshot="+snapshot)
		s.Client.CloseIdleConnections()
		comesBack(s)
		after := s.Rows()
		for id := range before {
			require.True(t, after[id], "what was written before the snapshot is there: %d", id)
		}
		from := regexp.MustCompile(`the last that was written on it is of (\S+Z)`).FindStringSubmatch(output)
		require.NotNil(t, from, output)
		lost := missing(written, after)
		require.NotEmpty(t, lost, "a snapshot has nothing of what comes after it")
		report.Add(t, data, "A restore from a snapshot", fmt.Sprintf("%d writes acknowledged; 0 lost of those before the snapshot, %d taken back that came after it; the update says from when the data is (%s)",
			len(written), len(lost), from[1]))
	})
}

// missing are the ids that are not among the rows.
func missing(ids []int, rows map[int]bool) (lost []int) {
	for _, id := range ids {
		if !rows[id] {
			lost = append(lost, id)
		}
	}
	return lost
}

// awaitRows waits until there are so many.
func awaitRows(t *testing.T, s *harness.Site, count int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Count() >= count }, time.Minute, 100*time.Millisecond)
}

// comesBack waits until the app answers again, its database with it.
func comesBack(s *harness.Site) {
	s.T().Helper()
	require.Eventually(s.T(), func() bool {
		response, err := s.Client.Get("https://" + harness.Domain + "/healthz")
		return err == nil && response.Body.Close() == nil && response.StatusCode == 200
	}, 2*time.Minute, 100*time.Millisecond)
}
