// Package databases runs the scripts that dump and restore databases against real servers, which listen on a socket in a
// folder and run as somebody without rights.
package databases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// nobody runs the servers where the tests run as root: a database refuses to run as root.
const nobody = 65534

// server is a running server, and the environment in which its container's commands run.
type server struct {
	t      *testing.T
	kind   string
	folder string
	env    []string
}

// folder makes a folder with a short name, since a socket's path has at most 107 bytes.
func folder(t *testing.T) string {
	t.Helper()
	made, err := os.MkdirTemp("/tmp", "berth-db-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(made)) })
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(made, nobody, nobody))
	}
	return made
}

// command is one in the server's environment.
func (s *server) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = s.folder
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + s.folder}, s.env...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return command
}

// start runs a server until the test ends, once it is ready.
func (s *server) start(ready func() error, name string, arguments ...string) *exec.Cmd {
	s.t.Helper()
	command := s.command(context.WithoutCancel(s.t.Context()), name, arguments...)
	log := &bytes.Buffer{}
	command.Stdout, command.Stderr = log, log
	require.NoError(s.t, command.Start())
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	s.t.Cleanup(func() {
		if err := command.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.t.Error(err)
		}
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = command.Process.Kill()
			<-ended
		}
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := ready()
		if err == nil {
			return command
		}
		select {
		case <-ended:
			s.t.Fatalf("%s ended: %s", name, log)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not get ready: %v\n%s", name, err, log)
		}
	}
}

// must runs a command with some input and returns what it prints.
func (s *server) must(input, name string, arguments ...string) string {
	s.t.Helper()
	output, said, err := s.try(input, name, arguments...)
	require.NoErrorf(s.t, err, "%s %s: %s", name, strings.Join(arguments, " "), said)
	return output
}

func (s *server) try(input, name string, arguments ...string) (output, said string, err error) {
	s.t.Helper()
	return s.run(s.t.Context(), input, name, arguments...)
}

func (s *server) run(ctx context.Context, input, name string, arguments ...string) (output, said string, err error) {
	command := s.command(ctx, name, arguments...)
	command.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

// script is the text of the kind's own script, as docker exec gets it.
func (s *server) script() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "provision", "scripts", "release", s.kind+".sh"))
	require.NoError(s.t, err)
	return string(text)
}

// does has the script do an action, as in_database of database.sh does it in the container.
func (s *server) does(action, input string) string {
	s.t.Helper()
	output, said, err := s.tries(action, input)
	require.NoErrorf(s.t, err, "%s %s: %s", s.kind, action, said)
	return output
}

func (s *server) tries(action, input string) (output, said string, err error) {
	s.t.Helper()
	return s.try(input, "sh", "-c", s.script(), s.kind, action)
}

// with is the server in another environment.
func (s *server) with(env ...string) *server {
	other := *s
	other.env = append(append([]string{}, s.env...), env...)
	return &other
}

// program finds a program that may lie outside the PATH.
func program(t *testing.T, name string, patterns ...string) string {
	t.Helper()
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	found, err := exec.LookPath(name)
	require.NoErrorf(t, err, "install it with: tools/machine.sh test")
	return found
}

// differ lists the lines that two texts do not have in common.
func differ(before, after string) string {
	count := map[string]int{}
	for line := range strings.SplitSeq(before, "\n") {
		count[line]++
	}
	for line := range strings.SplitSeq(after, "\n") {
		count[line]--
	}
	var all strings.Builder
	for line, n := range count {
		if n != 0 {
			fmt.Fprintf(&all, "%+d %.300s\n", -n, line)
		}
	}
	return all.String()
}
