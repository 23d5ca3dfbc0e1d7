package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

// fault is something that breaks beside a running site.
type fault struct {
	// name is the subtest's, row the document's.
	name, row string
	// breaks does the damage. The update with args, or a plain one, then has to say all of says, and fixes does what that
	// tells to do.
	breaks func(r *harness.Rehearsal)
	args   []string
	says   []string
	fixes  func(r *harness.Rehearsal)
	// heals is set where the update goes through all the same, found where a refresh says it and the update puts it right,
	// away where there is no site until it is fixed.
	heals, found, away bool
}

// against breaks it: the update ends in a sentence that says what to do, and once that is done the next one goes through;
// or it recovers automatically. The site stays up all the while, and has the row that was written before.
func (f fault) against(t *testing.T, r *harness.Rehearsal, s *harness.Site, section, row string) {
	t.Run(f.name, func(t *testing.T) {
		r, s := r.In(t), s.In(t)
		watched := watch(s)
		if f.breaks != nil {
			f.breaks(r)
		}
		figure := f.update(t, r)
		asked, failed := watched()
		if f.away {
			figure += "; no site until then"
			s.Client.CloseIdleConnections()
			require.Eventually(t, func() bool { return greeting(s) != "" }, time.Minute, 100*time.Millisecond)
		} else {
			assert.Positive(t, asked)
			assert.Zero(t, failed, "of %d requests", asked)
		}
		assert.Contains(t, s.Notes(), row)
		if !t.Failed() {
			report.Add(t, section, f.row, figure)
		}
	})
}

// update has the next update meet what is broken, and gives the figure.
func (f fault) update(t *testing.T, r *harness.Rehearsal) string {
	t.Helper()
	var output string
	var err error
	if f.found {
		output = r.Run("refresh")
	} else {
		output, err = r.Try(append([]string{"up"}, f.args...)...)
		require.Equal(t, f.heals, err == nil, output)
	}
	for _, sentence := range f.says {
		require.Contains(t, output, sentence)
	}
	if f.heals {
		return "continues automatically"
	}
	if f.fixes != nil {
		f.fixes(r)
	}
	r.Run("up")
	if f.found {
		return "found by `pulumi refresh`, put right by `pulumi up`"
	}
	return "said what to do; the next update went through"
}

// refuse is a fault of AWS's: it answers what it is asked for with an error. Times is as in aws.Fault.
func refuse(times int, said string) func(*harness.Rehearsal) {
	return func(r *harness.Rehearsal) {
		r.InjectFaults(harness.Fault{Kind: "refuse", Operation: "create", Times: times, Error: said})
	}
}

// undisturbed ends the faults of AWS's.
func undisturbed(r *harness.Rehearsal) { r.InjectFaults() }
