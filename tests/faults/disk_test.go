package faults

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

const fullDisk = "The disk is full"

//go:embed full_root.sh
var fullRoot string

// releaser prepares releases on the server, each of a commit of its own.
type releaser struct {
	*harness.Rehearsal
	made int
}

// command is one that releases a new commit, whose API says greeting, and disturbs it as cut_release.sh does.
func (r *releaser) command(greeting, at, how string) string {
	r.T().Helper()
	r.made++
	r.Commit(map[string]string{"web/release": greeting, "api/release": greeting})
	r.Run("preview") // It publishes the commit.
	r.SSHInput("sudo tee /opt/berth-cut-release.sh >/dev/null && sudo chmod 755 /opt/berth-cut-release.sh", cutRelease)
	r.SSH(r.Named("sudo sed -i 's/^GREETING=.*/GREETING='\"'" + greeting + "'\"'/' /etc/berth/app.env && sudo sed -i 's/\"COMMIT\":\"[0-9a-f]*\"/\"COMMIT\":\"LAST\"/' /etc/berth/release.json"))
	r.Replan(greeting)
	return fmt.Sprintf("sudo /opt/berth-cut-release.sh %s %s", at, how)
}

// TestTheDiskIsFull leaves no room on the volume in the middle of each step of a release, and before each step of an update.
func TestTheDiskIsFull(t *testing.T) {
	r := harness.New(t, "berth-faults")
	copied(t, r)
	r.Run("up", "--set", "migration.service=api", "--set", "migration.command=python3 migrate.py", "--set", "drainWithin=5")
	s := site(t, r)
	const row = "kept while the disk was full"
	s.Write(row)
	release := &releaser{Rehearsal: r}
	var names []string
	for _, step := range regexp.MustCompile(`(?m)^--- step (\S+)$`).FindAllStringSubmatch(r.SSH(release.command("whole", "none", "none")), -1) {
		names = append(names, step[1])
	}
	require.Greater(t, len(names), 8, names)
	old, ran, failed := "whole", 0, 0
	for i, name := range names {
		t.Run(fmt.Sprintf("at step %d, %s", i, name), func(t *testing.T) {
			release.Rehearsal = r.In(t)
			r, s := r.In(t), s.In(t)
			next := fmt.Sprintf("full-%d", i)
			nth := strings.Count(strings.Join(names[:i+1], "\n")+"\n", name+"\n")
			watched := watch(s)
			output, err := r.TrySSH(release.command(next, fmt.Sprintf("%s:%d", name, nth), "fill"), "")
			require.Contains(t, output, "filled at "+name)
			serves := greeting(s)
			if err != nil {
				failed++
				assert.Regexp(t, `\d+ MiB are free on /data`, output)
				assert.Contains(t, output, "sudo /opt/berth/log-monitor.sh clean")
				// What only could not be recorded serves.
				if strings.Contains(output, " serves, but it could not be recorded") {
					assert.Equal(t, next, serves)
				} else {
					assert.Equal(t, old, serves, "the site is as it was")
				}
			} else {
				assert.Equal(t, next, serves)
			}
			r.SSH("sudo rm /data/filler")
			r.SSH("sudo /opt/berth/deploy.sh")
			asked, refused := watched()
			assert.Positive(t, asked)
			assert.Zero(t, refused, "of %d requests", asked)
			require.Equal(t, next, greeting(s), "the next release works")
			assert.Contains(t, s.Notes(), row)
			old = next
			ran++
		})
	}
	require.Equal(t, len(names), ran)
	report.Add(t, fullDisk, "The volume is full from a step of a release on, for each of its steps",
		fmt.Sprintf("%d of %d releases failed and said what to do, the others went through; no request failed; the next release went through", failed, len(names)))
	for _, disk := range []struct{ name, row, full, fix string }{
		{"the volume", "The volume is full before a step of an update, each in its turn",
			"sudo fallocate --length $(df --output=avail --block-size=1 /data | tail -n 1) /data/filler; sudo sh -c 'head -c 10G /dev/zero >>/data/filler' || true", "sudo rm /data/filler"},
		{"the root disk", "The root disk is full before a step of an update, each in its turn", "sudo bash -s on", "sudo /opt/berth/log-monitor.sh clean"},
	} {
		t.Run(disk.name+" before each step of an update", func(t *testing.T) {
			r, s := r.In(t), s.In(t)
			watched, failed, said := watch(s), 0, 0
			steps := r.Run("shell", "--", "pulumi", "stack", "--show-urns")
			urns := regexp.MustCompile(`urn:pulumi:\S*remote:Command::(\S+)`).FindAllStringSubmatch(steps, -1)
			require.Greater(t, len(urns), 7)
			for _, urn := range urns {
				again := []string{"shell", "--", "pulumi", "up", "--yes", "--skip-preview", "--replace", urn[0]}
				r.SSHInput(disk.full, fullRoot)
				output, err := r.Try(again...)
				if err != nil {
					failed++
					if regexp.MustCompile(`MiB are free on /\S*; .*sudo /opt/berth/log-monitor.sh clean|is the disk full \(df -h /\)\? make room`).MatchString(output) {
						said++
					} else {
						assert.Fail(t, "no sentence", output)
					}
				}
				r.SSH(disk.fix)
				output, err = r.Try(again...)
				require.NoError(t, err, output)
				if disk.name == "the root disk" {
					r.SSHInput("sudo bash -s off", fullRoot)
				}
			}
			asked, refused := watched()
			assert.Positive(t, asked)
			assert.Zero(t, refused, "of %d requests", asked)
			assert.Contains(t, s.Notes(), row)
			r.Run("up")
			report.Add(t, fullDisk, disk.row, fmt.Sprintf("%d of %d steps failed, said what to do, and went through after it; no request failed", said, len(urns)))
		})
	}
}
