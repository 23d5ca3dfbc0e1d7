package harness

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/stretchr/testify/require"
)

// Running is a running command of the rehearsal.
type Running struct {
	command *exec.Cmd
	ended   chan struct{}
	err     error

	lock   sync.Mutex
	more   *sync.Cond
	output bytes.Buffer
	over   bool
}

// Start starts a command of the rehearsal, in a process group of its own with the engine that it starts.
func (r *Rehearsal) Start(args ...string) *Running {
	r.t.Helper()
	running := &Running{command: exec.CommandContext(r.t.Context(), filepath.Join(r.Bin, "rehearsal"), append(r.arguments(), args...)...), ended: make(chan struct{})}
	running.more = sync.NewCond(&running.lock)
	running.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	running.command.Stdout, running.command.Stderr = running, running
	require.NoError(r.t, running.command.Start())
	go func() {
		running.err = running.command.Wait()
		running.lock.Lock()
		running.over = true
		running.lock.Unlock()
		running.more.Broadcast()
		close(running.ended)
	}()
	return running
}

// Write takes the command's output.
func (r *Running) Write(text []byte) (int, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	defer r.more.Broadcast()
	return r.output.Write(text)
}

// Await waits for output that found wants and gives what it returned then, "" when the command ended without it. found
// is called with the whole output so far.
func (r *Running) Await(found func(output string) string) string {
	r.lock.Lock()
	defer r.lock.Unlock()
	for {
		if what := found(r.output.String()); what != "" || r.over {
			return what
		}
		r.more.Wait()
	}
}

// Kill ends the command and the engine that it started, at once.
func (r *Running) Kill() { _ = syscall.Kill(-r.command.Process.Pid, syscall.SIGKILL) }

// Over says whether the command has ended.
func (r *Running) Over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// Ended is closed when the command is.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// Wait waits for the end and gives the whole output.
func (r *Running) Wait() (string, error) {
	<-r.ended
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.output.String(), r.err
}
