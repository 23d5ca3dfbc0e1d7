package faults

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/rehearsed"
	"berth/tests/report"
)

const world = "The world fails"

// TestTheWorldFails breaks what Berth stands on, one thing at a time. Each ends in a sentence that says what to do, and once
// that is done the next update goes through; or it heals by itself. The site stays up through all of it.
func TestTheWorldFails(t *testing.T) {
	r := rehearsed.New(t, "berth-faults")
	r.Run("up")
	s := site(t, r)
	const row = "kept while the world failed"
	s.Write(row)
	// alias is a change that AWS has to be asked for.
	alias := func(name string) []string { return []string{"up", "--set", "aliases[1]=" + name + ".example.test"} }

	for _, test := range []struct {
		name string
		// break, says and mend: what is done, what the update that follows says, what the sentence tells to do.
		breaks func(r *rehearsed.Rehearsal)
		args   []string
		says   []string
		mends  func(r *rehearsed.Rehearsal)
		// heals: the update goes through by itself.
		heals bool
		row   string
	}{
		{name: "AWS throttles", args: alias("throttled"), row: "AWS throttles until the provider gives up, then `pulumi up`",
			breaks: func(r *rehearsed.Rehearsal) {
				r.Disturb(rehearsed.Fault{Operation: "create", Kind: "refuse", Error: "operation error Route 53: ChangeResourceRecordSets, exceeded maximum number of attempts, 25, https response error StatusCode: 400, api error Throttling: Rate exceeded"})
			},
			says: []string{"Throttling: Rate exceeded", "pulumi up failed; the lines above say why"}, mends: func(r *rehearsed.Rehearsal) { r.Disturb() }},
		{name: "AWS is eventually consistent", args: alias("consistent"), row: "AWS does not find what it just made, then `pulumi up`",
			breaks: func(r *rehearsed.Rehearsal) {
				r.Disturb(rehearsed.Fault{Operation: "create", Kind: "refuse", Error: "operation error Route 53: GetChange, https response error StatusCode: 404, NoSuchChange: A change with the specified change ID does not exist."})
			},
			says: []string{"NoSuchChange"}, mends: func(r *rehearsed.Rehearsal) { r.Disturb() }},
		{name: "AWS answers slowly", args: alias("slow"), heals: true, row: "AWS answers after 15 s",
			breaks: func(r *rehearsed.Rehearsal) {
				r.Disturb(rehearsed.Fault{Operation: "create", Kind: "late", Seconds: 15})
			}},
		{name: "the volume is another stack's", args: []string{"up", "--set", "environment.GREETING=foreign"}, row: "The volume belongs to another stack",
			breaks: func(r *rehearsed.Rehearsal) { r.SSH("echo someone-else | sudo tee /data/stack") },
			says:   []string{"this server's data belongs to stack someone-else", "pulumi stack select someone-else", "sudo rm /data/stack"},
			mends:  func(r *rehearsed.Rehearsal) { r.SSH("sudo rm /data/stack") }},
		{name: "the disk is full", args: []string{"up", "--set", "environment.GREETING=full"}, row: "The disk is full before a release",
			breaks: func(r *rehearsed.Rehearsal) {
				r.SSH("sudo fallocate --length $(($(df --output=avail --block-size=1 /data | tail -n 1) - 20000000)) /data/filler")
			},
			says: []string{"/data"}, mends: func(r *rehearsed.Rehearsal) { r.SSH("sudo rm /data/filler") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, s := r.In(t), s.In(t)
			test.breaks(r)
			output, err := r.Try(test.args...)
			if test.heals {
				require.NoError(t, err, output)
				report.Add(t, world, test.row, "goes on by itself")
			} else {
				require.Error(t, err)
				for _, sentence := range test.says {
					require.Contains(t, output, sentence)
				}
				assert.Contains(t, s.Notes(), row, "the site is as it was")
				test.mends(r)
				r.Run("up")
				report.Add(t, world, test.row, "said what to do; the next update went through")
			}
			assert.Contains(t, s.Notes(), row)
		})
	}
	t.Run("two updates at once", func(t *testing.T) {
		r := r.In(t)
		r.Disturb(rehearsed.Fault{Operation: "create", Kind: "late", Seconds: 10})
		first := r.Start(alias("first")...)
		// The second comes while the first is at work, and holds what it holds from its first second on.
		first.Await(func(output string) string { return regexp.MustCompile("Updating").FindString(output) })
		output, err := r.Try("up")
		require.Error(t, err)
		assert.Contains(t, output, "another command is at work on this rehearsal; wait for it, or end it")
		output, err = first.Wait()
		require.NoError(t, err, output)
		report.Add(t, "State", "Two updates at once", "the second is refused, the first goes through")
	})
	t.Run("a hard reset under way", func(t *testing.T) {
		r, s := r.In(t), s.In(t)
		powerCut(t, host(t, r))
		began := time.Now()
		s.Client.CloseIdleConnections()
		require.Eventually(t, func() bool { return greeting(s) != "" }, 2*time.Minute, 50*time.Millisecond)
		took := time.Since(began)
		assert.Contains(t, s.Notes(), row)
		require.Eventually(t, func() bool {
			output, err := r.TrySSH("systemctl is-active nginx docker berth-firewall berth-health.timer berth-dump.timer berth-certificate.timer data.mount", "")
			return err == nil && output != ""
		}, time.Minute, 200*time.Millisecond)
		report.Add(t, "Reboot", "From a hard reset to the first answer, nothing done by hand", took.Round(time.Second).String())
	})
}
