package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChecksRunAtOnceAndAreToldInTheirOrder(t *testing.T) {
	second := make(chan struct{})
	var told []string
	all := examine(t.Context(), []check{
		// The first ends only after the second has.
		{"first", time.Minute, func(context.Context) finding { <-second; return fine("1") }},
		{"second", time.Minute, func(context.Context) finding { defer close(second); return warn("second-differs", "do", "2") }},
	}, func(f finding) { told = append(told, f.Name+" "+f.Reason) })
	assert.Equal(t, []string{"first 1", "second 2"}, told)
	assert.Equal(t, []finding{{Name: "first", Reason: "1"}, {Name: "second", ID: "second-differs", Verdict: warning, Reason: "2", Fix: "do"}}, all)
}

func TestNoCheckTakesForEver(t *testing.T) {
	all := examine(t.Context(), []check{
		{"deaf", time.Millisecond, func(context.Context) finding { select {} }},
		{"patient", time.Millisecond, func(ctx context.Context) finding {
			<-ctx.Done()
			return warn("late", "", "in its own words: %s", context.Cause(ctx))
		}},
		{"broken", time.Minute, func(context.Context) finding { panic("oh") }},
	}, func(finding) {})
	assert.Equal(t, fails, all[0].Verdict)
	assert.Contains(t, all[0].Reason, "there was no answer within 1ms")
	assert.Equal(t, "in its own words: there was no answer within 1ms", all[1].Reason)
	assert.Contains(t, all[2].Reason, "a bug of Berth's: oh")
}

func TestAFactIsFoundOutOnce(t *testing.T) {
	var f lazy[string]
	assert.Empty(t, f.now())
	var found atomic.Int32
	release := make(chan struct{})
	find := func(context.Context) (string, error) {
		found.Add(1)
		<-release
		return "known", errors.New("with an error")
	}
	impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := f.of(impatient, time.Minute, find)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Empty(t, f.now())
	close(release)
	value, err := f.of(t.Context(), time.Minute, find)
	require.EqualError(t, err, "with an error")
	assert.Equal(t, "known", value)
	assert.Equal(t, "known", f.now())
	assert.Equal(t, int32(1), found.Load())
}

func TestTheReport(t *testing.T) {
	f := finding{Name: "zone", ID: "zone-gone", Verdict: fails, Reason: "it is\n\x1b[2Jcanary-5b1f gone", Fix: "do canary-5b1f", Details: []string{"a\tcanary-5b1f"}}.harmless([]string{"canary-5b1f"})
	assert.Equal(t, "fails    zone         it is … gone [zone-gone]. Fix: do …\n                      - a …", f.line(false))
	assert.Equal(t, "\x1b[31mfails   \x1b[0m zone", f.line(true)[:len("\x1b[31mfails   \x1b[0m zone")])
	for verdicts, want := range map[string]string{
		"":      "nothing blocks pulumi up",
		"w":     "1 warning: pulumi up can begin, and better without",
		"ww":    "2 warnings: pulumi up can begin, and better without",
		"f":     "1 check fails: fix what fails before pulumi up",
		"fxx":   "1 check fails, 2 checks wait for others: fix what fails before pulumi up",
		"wffok": "2 checks fail, 1 warning: fix what fails before pulumi up",
	} {
		var all []finding
		for _, letter := range verdicts {
			if letter == 'x' {
				all = append(all, wait("x"))
				continue
			}
			all = append(all, finding{Verdict: verdict(max(strings.IndexRune("owf", letter), 0))})
		}
		worst, sentence := conclusion(all)
		assert.Equal(t, want, sentence)
		assert.Equal(t, strings.Contains(verdicts, "f"), worst == fails)
	}
}
