// Package faults breaks a rehearsal on purpose, over and over, and says what became of it. make test-faults runs it; its
// figures are in docs/reliability.md.
package faults

import (
	_ "embed"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

//go:embed end_state.sh
var endStateScript string

// endState is what the account and the server have come to, without what differs between two of a kind.
func endState(r *harness.Rehearsal) []string {
	// A release is named by its commit and by a salt of the server's.
	state := regexp.MustCompile(`[0-9a-f]{12}-[0-9a-f]{6}`).ReplaceAllString(r.SSHInput("sudo bash", endStateScript), "RELEASE")
	lines := strings.Split(state, "\n")
	for _, resource := range r.Account().Inventory() {
		typ, _, _ := strings.Cut(resource, " ")
		lines = append(lines, "account "+typ)
	}
	slices.Sort(lines)
	return lines
}

// converged says that the last up left everything as it ought to be: the same as want, nothing more to do, and the row
// that was written is there.
func converged(t *testing.T, r *harness.Rehearsal, want []string, row string) {
	t.Helper()
	output := r.Run("up")
	assert.Contains(t, output, "SSH connections opened: 0", "a second up has nothing to do")
	if want != nil {
		is := endState(r)
		assert.Empty(t, lacking(is, want), "what is not there at the end, and ought to be")
		assert.Empty(t, lacking(want, is), "what is there at the end, and ought not to be")
	}
	if row != "" {
		assert.Contains(t, site(t, r).Notes(), row)
	}
}

// lacking are the lines of all that some have not.
func lacking(some, all []string) []string {
	left := slices.Clone(some)
	return slices.DeleteFunc(slices.Clone(all), func(line string) bool {
		at := slices.Index(left, line)
		if at >= 0 {
			left = slices.Delete(left, at, at+1)
		}
		return at >= 0
	})
}

func site(t *testing.T, r *harness.Rehearsal) *harness.Site {
	t.Helper()
	return harness.NewSite(t, r.Account().Only("aws:ec2/eip:Eip").Output("publicIp"), r.File("root.pem"))
}

// said are the lines that remote steps have said in an output, as "step: line", numbers and waits left out, so that a
// line of a second try is the same.
func said(output string) []string {
	var lines []string
	for _, match := range regexp.MustCompile(`(?m)command:remote:Command (\S+) +(?:creating|updating|replacing)[^(]*\([^)]*\) (.+)$`).FindAllStringSubmatch(output, -1) {
		said := regexp.MustCompile(`^\[diff: [^\]]*\];? ?`).ReplaceAllString(match[2], "")
		if said == "" || strings.HasPrefix(said, "error: ") {
			continue
		}
		line := match[1] + ": " + regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f-]*`).ReplaceAllString(said, "N")
		if !strings.Contains(line, "Dial") && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// cutAtEveryLine runs up again and again, and calls cut at every line that none before has said: a run that goes on after
// a cut is cut again. It ends with the up that nothing was cut in, and gives the lines at which it was.
func cutAtEveryLine(t *testing.T, r *harness.Rehearsal, args []string, cut func(up *harness.Running, line string)) []string {
	t.Helper()
	var seen []string
	for range 100 {
		up := r.Start(append([]string{"up"}, args...)...)
		args = nil // Settings are kept.
		before := len(seen)
		for {
			line := up.Await(func(output string) string {
				for _, line := range said(output) {
					if !slices.Contains(seen, line) {
						return line
					}
				}
				return ""
			})
			if line == "" {
				break
			}
			seen = append(seen, line)
			t.Logf("cut %d: %s", len(seen), line)
			cut(up, line)
			if up.Over() {
				break // What else it said was not cut.
			}
		}
		output, err := up.Wait()
		if len(seen) == before {
			require.NoErrorf(t, err, "the up after %d cuts:\n%s", len(seen), output)
			return seen
		}
	}
	t.Fatalf("a hundred cuts and no end; the last at %s", seen[len(seen)-1])
	return nil
}

// host is the container of the rehearsal's one instance.
func host(t *testing.T, r *harness.Rehearsal) string {
	t.Helper()
	names := strings.Fields(docker(t, "ps", "--all", "--filter", "label=berth.rehearsal="+r.Name, "--filter", "label=berth.role=host", "--format", "{{.Names}}"))
	require.Len(t, names, 1)
	return names[0]
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	require.NoErrorf(t, err, "docker %s:\n%s", strings.Join(args, " "), output)
	return strings.TrimSpace(string(output))
}

// powerCut is a server's power going and coming back: every process ends at once and the machine boots.
func powerCut(t *testing.T, name string) {
	t.Helper()
	docker(t, "kill", name)
	docker(t, "start", name)
}

// declared are the names of the AWS resources that a preview of nothing shows.
func declared(output string) []string {
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^ *\+ +aws:\S+ +(\S+) +create\b`).FindAllStringSubmatch(output, -1) {
		names = append(names, match[1])
	}
	return names
}
