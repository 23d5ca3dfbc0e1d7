// Package failclosed has every command that a script of the server uses fail, or print nothing, one at a time, in a root of
// files of its own where no command but the shell is the real one's name.
package failclosed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// world is a server's files, below a folder.
type world string

// of is a file of the server.
func (w world) of(path ...string) string {
	return filepath.Join(append([]string{string(w)}, path...)...)
}

func (w world) put(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(w.of(path)), 0o755))
	require.NoError(t, os.WriteFile(w.of(path), []byte(text), 0o644))
}

// copied is another server that is in the same state.
func (w world) copied(t *testing.T, folder string) world {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "cp", "-a", string(w)+"/.", folder).CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	return world(folder)
}

// run runs command on the server, with command fault failing or silent, and returns what it said and its exit code.
func (w world) run(ctx context.Context, standIns, fault, mode, input string, command ...string) (said string, code int) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	here, err := filepath.Abs("testdata")
	if err != nil {
		return err.Error(), -1
	}
	arguments := []string{"--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--clearenv",
		"--ro-bind", "/usr", "/usr", "--ro-bind", "/usr/bin", "/real/bin", "--ro-bind", "/usr/sbin", "/real/sbin",
		"--ro-bind", standIns, "/usr/bin", "--ro-bind", standIns, "/usr/sbin", "--tmpfs", "/usr/local/bin",
		"--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
		"--ro-bind", here + "/stand", "/stand", "--ro-bind", here + "/dispatch", "/dispatch", "--ro-bind", here + "/bashenv", "/bashenv",
		"--proc", "/proc", "--ro-bind", here + "/loadavg", "/proc/loadavg", "--dev", "/dev", "--tmpfs", "/tmp"}
	for _, folder := range roots {
		arguments = append(arguments, "--bind", w.of(folder), "/"+folder)
	}
	for name, value := range map[string]string{"PATH": "/usr/bin:/usr/sbin", "HOME": "/root", "LC_ALL": "C", "FAULT": fault, "MODE": mode, "BASH_ENV": "/bashenv"} {
		arguments = append(arguments, "--setenv", name, value)
	}
	bwrap := exec.CommandContext(ctx, "bwrap", append(arguments, command...)...)
	bwrap.Stdin = strings.NewReader(input)
	bwrap.WaitDelay = time.Second
	output, _ := bwrap.CombinedOutput()
	if ctx.Err() != nil {
		return string(output) + "\n(it did not end)", -1
	}
	return string(output), bwrap.ProcessState.ExitCode()
}

// roots are the folders that are a server's own.
var roots = []string{"data", "etc", "opt", "run", "var", "root", "world"}

// standIns makes a folder with a stand-in for every command of this machine, but for the shells.
func standIns(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, from := range []string{"/usr/bin", "/usr/sbin", "testdata/stand"} {
		entries, err := os.ReadDir(from)
		require.NoError(t, err)
		for _, entry := range entries {
			target := "/dispatch"
			if slices.Contains([]string{"bash", "sh", "dash", "env"}, entry.Name()) {
				target = "/real/bin/" + entry.Name()
			}
			if err := os.Symlink(target, filepath.Join(folder, entry.Name())); err != nil {
				require.ErrorIs(t, err, fs.ErrExist)
			}
		}
	}
	return folder
}

// lines are the different lines of a file of the world's, none where it is not there.
func (w world) lines(path string) []string {
	text, _ := os.ReadFile(w.of(path))
	all := strings.Fields(string(text))
	slices.Sort(all)
	return slices.Compact(all)
}

// contents are the sums of what the server keeps: files by their path, links by their targets.
func (w world) contents(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, root := range []string{"data", "etc", "opt"} {
		require.NoError(t, filepath.WalkDir(w.of(root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name := strings.TrimPrefix(path, string(w))
			if entry.Type()&fs.ModeSymlink != 0 {
				target, err := os.Readlink(path)
				sums[name] = "link to " + target
				return err
			}
			text, err := os.ReadFile(path)
			sum := sha256.Sum256(text)
			sums[name] = hex.EncodeToString(sum[:6])
			if len(bytes.TrimSpace(text)) == 0 {
				sums[name] = "nothing"
			}
			return err
		}))
	}
	// What web servers need of the first is kept as well.
	for _, kept := range []string{"registry", "addresses", "rules", "networks"} {
		text, _ := os.ReadFile(w.of("world", kept))
		for line := range strings.Lines(string(text)) {
			if kept != "networks" || strings.HasPrefix(line, "berth-reach ") {
				sums[kept+": "+strings.Fields(line)[0]] = "there"
			}
		}
	}
	return sums
}

// sentence is what a script says with its name before it, or a line of the health check that is not ok.
var sentence = regexp.MustCompile(`(?m)^([\w./-]+: |(warning|critical) +\w+ +).{15,}`)

// page is what the health check found amiss, as it is left for CloudWatch and the status page.
func (w world) page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(w.of("run/berth/health.json"))
	if err != nil {
		return ""
	}
	var page struct {
		Checks []struct {
			Name, Reason string
			Severity     int
		}
	}
	require.NoError(t, json.Unmarshal(text, &page), string(text))
	found := ""
	for _, check := range page.Checks {
		if check.Severity > 0 {
			found += fmt.Sprintln("critical", check.Name, check.Reason)
		}
	}
	return found
}

// lost says what a run took from the server: before and good are what it kept before, and what is kept after a run in which
// nothing failed.
func (w world) lost(t *testing.T, before, good map[string]string) []string {
	t.Helper()
	var lost []string
	after := w.contents(t)
	for path, sum := range before {
		wanted, kept := good[path]
		switch now, there := after[path]; {
		case !kept:
		case !there:
			lost = append(lost, path+" is gone")
		case now == "nothing" && sum != "nothing" && wanted != "nothing":
			lost = append(lost, path+" is empty")
		case sum == wanted && now != sum:
			lost = append(lost, path+" is another")
		}
	}
	if destroyed := w.lines("world/destroyed"); len(destroyed) > 0 {
		lost = append(lost, fmt.Sprintf("destroyed: %s", destroyed))
	}
	if held, err := os.ReadFile(w.of("world/held")); err == nil {
		lost = append(lost, strings.TrimSpace(string(held)))
	}
	lost = append(lost, w.apart(t)...)
	containers, err := os.ReadFile(w.of("world/containers"))
	if err != nil {
		return lost
	}
	if serves, err := os.Readlink(w.of("data/releases/current")); err == nil && serves != "starting" {
		for project, service := range map[string]string{"release-" + serves: "web", "app": "db"} {
			if _, err := os.Stat(w.of("etc/berth/role")); err == nil && project == "app" {
				continue
			}
			if !regexp.MustCompile(`(?m)^\w+ ` + project + " " + service + " running ").Match(containers) {
				lost = append(lost, service+" of "+project+", which serves, does not run")
			}
		}
		for _, kept := range w.lines("world/kept") {
			// What was restarted is the same release.
			if !regexp.MustCompile(" release-" + kept + `(-r\d+)? web `).Match(containers) {
				lost = append(lost, "the container of the kept release "+kept+" is gone")
			}
		}
	}
	return lost
}
