package git

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// shown is what a preview left for the update that its command runs next.
type shown struct {
	// Command is the pulumi command's process.
	Command string `json:"command"`
	Commit  string `json:"commit"`
}

// Show keeps the commit that a preview shows. What the operator says yes to is then what goes out, wherever the branch is
// by that time: see Shown. Where that cannot be kept, the update resolves the ref itself.
func (r *Repository) Show(commit string) error {
	command := thisCommand()
	if command == "" {
		return nil
	}
	text, err := json.Marshal(shown{Command: command, Commit: commit})
	if err == nil {
		err = os.WriteFile(r.shownFile(), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the commit that the preview shows: %w", err)
	}
	return nil
}

// Shown is the commit that the same pulumi command's preview showed for the ref, "" where it had none.
func (r *Repository) Shown() string {
	text, err := os.ReadFile(r.shownFile())
	if err != nil {
		return ""
	}
	var before shown
	if json.Unmarshal(text, &before) != nil || before.Command == "" || before.Command != thisCommand() || !fullSHA.MatchString(before.Commit) {
		return ""
	}
	return before.Commit
}

func (r *Repository) shownFile() string {
	sum := sha256.Sum256([]byte(r.cfg.Ref))
	return filepath.Join(r.mirror, "shown-"+hex.EncodeToString(sum[:])[:16])
}

// process is one of the machine's.
type process struct {
	parent int
	// started tells it from an earlier one with the same number.
	started, name string
}

// thisCommand names the pulumi command that runs this program, for as long as the machine is up: the nearest of the
// processes above this one that is called pulumi; this process itself where there is none, as in an inline program. It is ""
// where processes cannot be listed.
func thisCommand() string {
	output, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,lstart=,comm=").Output()
	if err != nil {
		return ""
	}
	return commandOf(os.Getpid(), parseProcesses(string(output)))
}

// parseProcesses reads lines of process, parent, start (five words) and command.
func parseProcesses(listing string) map[int]process {
	all := map[int]process{}
	for line := range strings.Lines(listing) {
		words := strings.Fields(line)
		if len(words) < 8 {
			continue
		}
		pid, err1 := strconv.Atoi(words[0])
		parent, err2 := strconv.Atoi(words[1])
		if err1 == nil && err2 == nil {
			all[pid] = process{parent: parent, started: strings.Join(words[2:7], " "), name: filepath.Base(strings.Join(words[7:], " "))}
		}
	}
	return all
}

func commandOf(own int, all map[int]process) string {
	found := own
	for pid, seen := own, 0; seen <= len(all); seen++ {
		one, ok := all[pid]
		if !ok {
			break
		}
		if one.name == "pulumi" || one.name == "pulumi.exe" {
			found = pid
			break
		}
		pid = one.parent
	}
	if _, ok := all[found]; !ok {
		return ""
	}
	return fmt.Sprintf("%d since %s", found, all[found].started)
}
