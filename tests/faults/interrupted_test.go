package faults

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

const interruptions = "Interruptions"

// TestInterrupted kills Pulumi, cuts SSH and cuts the power in the middle of everything that an up does, and runs up
// again.
func TestInterrupted(t *testing.T) {
	r := harness.New(t, "berth-faults")
	names := declared(r.Run("preview"))
	require.Greater(t, len(names), 20)
	var want []string
	const row = "kept through every cut"

	t.Run("undisturbed, to compare with", func(t *testing.T) {
		r := r.In(t)
		r.Run("up")
		want = endState(r)
		r.Run("destroy")
		r.Run("clean")
	})
	t.Run("Pulumi is killed while AWS makes a resource", func(t *testing.T) {
		r := r.In(t)
		// Each is cut twice: AWS has not made it yet, and AWS has made it.
		waiting, cuts, unheard := map[string][]string{}, 0, 0
		for _, name := range names {
			waiting[name] = []string{"hold", "lose"}
		}
		for len(waiting) > 0 {
			var faults []harness.Fault
			for name, kinds := range waiting {
				faults = append(faults, harness.Fault{Operation: "create", Name: name, Kind: kinds[0]})
			}
			r.InjectFaults(faults...)
			up := r.Start("up")
			if !r.AwaitFault(up) {
				output, _ := up.Wait()
				t.Fatalf("nothing was held, of %v:\n%s", waiting, output)
			}
			up.Kill()
			_, _ = up.Wait()
			for _, line := range r.Injected() {
				name := strings.Fields(line)[2]
				cuts++
				if waiting[name] = waiting[name][1:]; len(waiting[name]) == 0 {
					delete(waiting, name)
				}
			}
			r.InjectFaults()
			for _, name := range recoverPending(t, r) {
				unheard++
				// Another one's fault ended the run just when AWS had made this one, so it cannot be made again.
				if _, ok := waiting[name]; ok {
					cuts++
					delete(waiting, name)
				}
			}
		}
		r.InjectFaults()
		lines := cutAtEveryLine(t, r, nil, func(up *harness.Running, _ string) {
			up.Kill()
			_, _ = up.Wait()
		})
		converged(t, r, want, "")
		report.Add(t, interruptions, "Pulumi killed before and after AWS makes a resource, then `pulumi up`", figure(t, cuts, "cuts"))
		report.Add(t, interruptions, "Of these, made by AWS without Pulumi's knowing, and handed to it", fmt.Sprintf("%d resources", unheard))
		report.Add(t, interruptions, "Pulumi killed at a line of a step, then `pulumi up`", figure(t, len(lines), "lines"))
	})
	for _, kind := range []struct {
		what string
		cut  func(t *testing.T, r *harness.Rehearsal)
	}{
		{"The SSH connection", func(t *testing.T, r *harness.Rehearsal) {
			docker(t, "exec", host(t, r), "bash", "-c", "pkill -KILL sshd-session || true")
		}},
		{"The server's power", func(t *testing.T, r *harness.Rehearsal) { powerCut(t, host(t, r)) }},
	} {
		t.Run(kind.what+" is cut while a server is replaced", func(t *testing.T) {
			r := r.In(t)
			site(t, r).Write(row)
			// A new server has every step before it, and the volume of the old one.
			lines := cutAtEveryLine(t, r, []string{"--set", "ami=" + harness.OtherAMI}, func(*harness.Running, string) { kind.cut(t, r) })
			converged(t, r, want, row)
			report.Add(t, interruptions, kind.what+" cut at a line of a step on a replaced server, then `pulumi up`", figure(t, len(lines), "lines"))
		})
		t.Run(kind.what+" is cut in the first update", func(t *testing.T) {
			r := r.In(t)
			r.Run("destroy")
			r.Run("clean")
			lines := cutAtEveryLine(t, r, nil, func(*harness.Running, string) { kind.cut(t, r) })
			converged(t, r, want, "")
			report.Add(t, interruptions, kind.what+" cut at a line of a step on the first server, then `pulumi up`", figure(t, len(lines), "lines"))
		})
	}
}

// figure says how many of the cuts converged: all, or none that differ.
func figure(t *testing.T, cuts int, what string) string {
	t.Helper()
	assert.Positive(t, cuts)
	if t.Failed() {
		return fmt.Sprintf("not every one of %d %s converged", cuts, what)
	}
	return fmt.Sprintf("%d of %d %s", cuts, cuts, what)
}
