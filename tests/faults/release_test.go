package faults

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

//go:embed cut_release.sh
var cutRelease string

const releases = "Releases cut"

// TestReleasesCut ends deploy.sh in the middle of each of its steps, by kill -9, by a signal that it hears, and by a power
// cut, while somebody uses the site.
func TestReleasesCut(t *testing.T) {
	r := harness.New(t, "berth-faults")
	r.Run("up", "--set", "migration.service=api", "--set", "migration.command=python3 migrate.py", "--set", "drainWithin=5")
	s := site(t, r)
	const row = "kept through every cut of a release"
	s.Write(row)
	// release prepares a release that says greeting, and gives the command that makes it.
	release := func(r *harness.Rehearsal, greeting, cutAt, how string) string {
		r.SSHInput("sudo tee /opt/berth-cut-release.sh >/dev/null && sudo chmod 755 /opt/berth-cut-release.sh", cutRelease)
		r.SSH("sudo sed -i 's/^GREETING=.*/GREETING='\"'" + greeting + "'\"'/' /etc/berth/app.env")
		r.Replan(greeting)
		return fmt.Sprintf("sudo /opt/berth-cut-release.sh %s %s", cutAt, how)
	}
	steps := regexp.MustCompile(`(?m)^--- step (\S+)$`).FindAllStringSubmatch(r.SSH(release(r, "whole", "none", "none")), -1)
	var names []string
	for _, step := range steps {
		names = append(names, step[1])
	}
	require.Contains(t, names, "switch")
	require.Greater(t, len(names), 8, names)
	old := "whole"
	for _, how := range []string{"kill", "end", "power"} {
		slowest := time.Duration(0)
		for i, name := range names {
			t.Run(fmt.Sprintf("%s at step %s", how, name), func(t *testing.T) {
				r, s := r.In(t), s.In(t)
				next := fmt.Sprintf("%s-%d", how, i)
				// The step's how-manieth of its name: a release verifies twice.
				nth := strings.Count(strings.Join(names[:i+1], "\n")+"\n", name+"\n")
				command := release(r, next, fmt.Sprintf("%s:%d", name, nth), how)
				if how != "power" {
					watched := watch(s)
					defer func() {
						asked, failed := watched()
						assert.Positive(t, asked)
						assert.Zero(t, failed, "of %d requests", asked)
					}()
					assert.Contains(t, r.SSH(command), map[string]string{"kill": "cut at ", "end": "ended at "}[how]+name)
				} else {
					running := r.Start("ssh", "--", command)
					require.NotEmpty(t, running.Await(func(output string) string { return regexp.MustCompile("reached " + name).FindString(output) }))
					began := time.Now()
					powerCut(t, host(t, r))
					running.Kill()
					_, _ = running.Wait()
					s.Client.CloseIdleConnections()
					require.Eventually(t, func() bool { return greeting(s) != "" }, 2*time.Minute, 50*time.Millisecond)
					slowest = max(slowest, time.Since(began))
					require.Eventually(t, func() bool { _, err := r.TrySSH("true", ""); return err == nil }, time.Minute, 200*time.Millisecond)
				}
				require.Contains(t, []string{old, next}, greeting(s), "the old release or the new one")
				if how == "end" {
					require.Equal(t, old, greeting(s), "it rolled back automatically")
					record := r.SSH("sudo tail -n 1 /data/releases.jsonl")
					require.Contains(t, record, `"result":"failed"`)
					require.Contains(t, record, "was ended from outside (signal 15)")
				}
				r.SSH("sudo /opt/berth/deploy.sh")
				require.Equal(t, next, greeting(s), "the next release works")
				assert.Contains(t, s.Notes(), row)
				old = next
			})
		}
		report.Add(t, releases, map[string]string{"kill": "`deploy.sh` killed (SIGKILL), then released again", "end": "`deploy.sh` ended (SIGTERM): it rolls back automatically; then released again",
			"power": "The server's power cut, then released again"}[how],
			figure(t, len(names), "steps"))
		if how == "power" {
			report.Add(t, releases, "From the power's return to the first answer, the slowest", fmt.Sprintf("%.0f s", slowest.Seconds()))
		}
	}
	kept := strings.Fields(r.SSH("sudo ls /data/releases"))
	assert.LessOrEqual(t, len(kept), 3+3, "what was cut off is pruned: %v", kept)
}

// greeting is what the site says now, "" when it does not answer as it ought to.
func greeting(s *harness.Site) string {
	response, err := s.Client.Get("https://" + harness.Domain + "/api/version")
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	var version struct{ Greeting string }
	// An answer may be cut off in its middle.
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&version) != nil {
		return ""
	}
	return version.Greeting
}

// watch asks for the page over and over until it is called off, and counts.
func watch(s *harness.Site) func() (asked, failed int64) {
	var all, bad atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			all.Add(1)
			if greeting(s) == "" {
				bad.Add(1)
			}
		}
	}()
	return func() (int64, int64) {
		close(stop)
		<-stopped
		return all.Load(), bad.Load()
	}
}
