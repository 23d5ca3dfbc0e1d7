package harness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// Fault is something that the AWS stand-in does wrong: its aws.Fault.
type Fault struct {
	Operation, Name, Kind, Error string
	Seconds                      float64
	Times                        int
}

// InjectFaults leaves faults for the AWS stand-in and forgets those that happened.
func (r *Rehearsal) InjectFaults(faults ...Fault) {
	r.t.Helper()
	text, err := json.Marshal(faults)
	require.NoError(r.t, err)
	folder := filepath.Join(r.Dir, "aws")
	require.NoError(r.t, os.MkdirAll(folder, 0o700))
	require.NoError(r.t, os.WriteFile(filepath.Join(folder, "faults.json"), text, 0o600))
	require.NoError(r.t, os.RemoveAll(filepath.Join(folder, "faulted")))
}

// Injected are the faults that happened since InjectFaults, as "hold create vpc".
func (r *Rehearsal) Injected() []string {
	text, err := os.ReadFile(filepath.Join(r.Dir, "aws", "faulted"))
	// Whoever writes it may be about to, or be killed before.
	if said := strings.TrimSpace(string(text)); err == nil && said != "" {
		return strings.Split(said, "\n")
	}
	return nil
}

// AwaitFault waits until a fault came to pass, and is false when the command ended without one.
func (r *Rehearsal) AwaitFault(up *Running) bool {
	// The file comes to be in another process that says nothing of it.
	for len(r.Injected()) == 0 {
		select {
		case <-up.Ended():
			return len(r.Injected()) > 0
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}
