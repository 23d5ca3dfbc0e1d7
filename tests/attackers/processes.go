package attackers

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// between is the time between two reads of the list of processes.
const between = 5 * time.Millisecond

// processes is what the list of processes showed while it was watched: on this machine, which is the operator's, and
// with it in every container, the server among them.
type processes struct {
	stop  chan struct{}
	ended sync.Once
	done  sync.WaitGroup
	// looks counts the reads of the whole list.
	looks int
	// lines are the distinct command lines, which every user sees. environments are those of processes that are not
	// root's, by the namespace that they live in; whoever is not root here sees none.
	lines        map[string]bool
	environments map[string]map[string]bool
}

// watchProcesses watches until it is ended, or the test is.
func watchProcesses(t *testing.T) *processes {
	t.Helper()
	p := &processes{stop: make(chan struct{}), lines: map[string]bool{}, environments: map[string]map[string]bool{}}
	p.done.Add(1)
	go func() {
		defer p.done.Done()
		ticker := time.NewTicker(between)
		defer ticker.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-ticker.C:
				p.look()
			}
		}
	}()
	t.Cleanup(p.end)
	return p
}

func (p *processes) end() {
	p.ended.Do(func() { close(p.stop) })
	p.done.Wait()
}

func (p *processes) look() {
	p.looks++
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return
	}
	for _, folder := range folders {
		// A process that ended in the meantime has nothing to read.
		if line, err := os.ReadFile(folder + "/cmdline"); err == nil {
			p.lines[string(line)] = true
		}
		info, err := os.Stat(folder)
		if err != nil {
			continue
		}
		if status, ok := info.Sys().(*syscall.Stat_t); !ok || status.Uid == 0 {
			continue
		}
		environment, err1 := os.ReadFile(folder + "/environ")
		namespace, err2 := os.Readlink(folder + "/ns/pid")
		if err1 != nil || err2 != nil {
			continue
		}
		if p.environments[namespace] == nil {
			p.environments[namespace] = map[string]bool{}
		}
		p.environments[namespace][string(environment)] = true
	}
}

// shows says whether any command line, or any environment in a namespace, held a text.
func (p *processes) shows(text, namespace string) bool {
	for _, all := range []map[string]bool{p.lines, p.environments[namespace]} {
		for one := range all {
			if strings.Contains(one, text) {
				return true
			}
		}
	}
	return false
}
