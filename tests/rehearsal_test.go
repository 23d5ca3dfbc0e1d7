// Package tests drives the rehearsal as its user does, from the command line, and looks at the site as a visitor
// does.
package tests

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rehearsal is one rehearsal of the tests' own, beside any that a person has standing.
type rehearsal struct {
	t    *testing.T
	name string
	dir  string
	bin  string
	app  string
}

// newRehearsal begins from nothing: what an interrupted run left is taken away first, and what this one makes at the
// end, unless BERTH_KEEP is set. With BERTH_REUSE it goes on with what is there.
func newRehearsal(t *testing.T, name string) *rehearsal {
	t.Helper()
	bin := os.Getenv("BERTH_BIN")
	require.NotEmpty(t, bin, "BERTH_BIN names the folder of the rehearsal's programs; run the tests with: make test-e2e")
	r := &rehearsal{t: t, name: name, dir: filepath.Join(os.TempDir(), name), bin: bin, app: "sample-app"}
	// While developing, a test may go on where another one ended.
	if os.Getenv("BERTH_REUSE") != "" {
		return r
	}
	r.run("clean")
	others, err := exec.CommandContext(t.Context(), "docker", "network", "ls", "--quiet", "--filter", "label=berth.rehearsal").Output()
	require.NoError(t, err)
	require.Empty(t, string(others), "another rehearsal stands on the same addresses; take it down first: make rehearse-clean")
	t.Cleanup(func() {
		if os.Getenv("BERTH_KEEP") == "" {
			r.run("clean")
		}
	})
	return r
}

// run runs one command of the rehearsal and returns what it printed; it has to succeed.
func (r *rehearsal) run(args ...string) string {
	r.t.Helper()
	output, err := r.try(args...)
	require.NoErrorf(r.t, err, "rehearsal %s:\n%s", strings.Join(args, " "), output)
	return output
}

// try is run for a command that may fail.
func (r *rehearsal) try(args ...string) (string, error) {
	r.t.Helper()
	return r.tryWith("", args...)
}

func (r *rehearsal) tryWith(input string, args ...string) (string, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Minute)
	defer cancel()
	if r.t.Context().Err() != nil { // In a clean-up the test's own context is over.
		ctx, cancel = context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
	}
	began := time.Now()
	command := exec.CommandContext(ctx, filepath.Join(r.bin, "rehearsal"),
		append(r.arguments(), args...)...)
	command.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	r.t.Logf("rehearsal %s: %s", strings.Join(args, " "), time.Since(began).Round(100*time.Millisecond))
	return output.String(), err
}

// ssh runs a command on the host; it has to succeed.
func (r *rehearsal) ssh(command string) string {
	r.t.Helper()
	return r.sshInput(command, "")
}

// sshInput runs a command on the host with an input.
func (r *rehearsal) sshInput(command, input string) string {
	r.t.Helper()
	output, err := r.trySSH(command, input)
	require.NoErrorf(r.t, err, "%s:\n%s", command, output)
	return strings.TrimSpace(output)
}

// trySSH is sshInput for a command that may fail. The first goes through the rehearsal's own ssh, which leaves the key
// and the host's where the next ones find them: it asks the engine for them, which takes a second.
func (r *rehearsal) trySSH(command, input string) (string, error) {
	r.t.Helper()
	key, hosts := filepath.Join(r.dir, "ssh_key"), filepath.Join(r.dir, "known_hosts")
	known, err := os.ReadFile(hosts)
	if err != nil {
		return r.tryWith(input, "ssh", "--", command)
	}
	address, _, _ := strings.Cut(string(known), " ")
	ssh := exec.CommandContext(r.t.Context(), "ssh", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile="+hosts, "admin@"+address, command)
	ssh.Stdin = strings.NewReader(input)
	output, err := ssh.CombinedOutput()
	return string(output), err
}

// killed runs a command and kills it, with the engine it started, once its output names a word.
func (r *rehearsal) killed(word string, args ...string) {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), filepath.Join(r.bin, "rehearsal"), append(r.arguments(), args...)...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := command.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, command.Start())
	named := false
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.Contains(lines.Text(), word) {
			named = true
			require.NoError(r.t, syscall.Kill(-command.Process.Pid, syscall.SIGKILL))
			break
		}
	}
	require.Truef(r.t, named, "the output never named %s", word)
	require.Error(r.t, command.Wait())
}

// arguments are those of every command of this rehearsal.
func (r *rehearsal) arguments() []string {
	return []string{"--name", r.name, "--dir", r.dir, "--project", "..", "--app", r.app, "--command-provider", "stand-in"}
}

// file reads a file of the rehearsal's state.
func (r *rehearsal) file(name string) string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.dir, name))
	require.NoError(r.t, err)
	return string(content)
}
