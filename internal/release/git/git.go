package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"al.essio.dev/pkg/shellescape"

	"berth/internal/plain"
)

// gitError is a git command that failed, with what it said.
type gitError struct {
	command, said string
	cause         error
}

func (e *gitError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("git %s: %v", e.command, e.cause)
	}
	return fmt.Sprintf("git %s: %v: %s", e.command, e.cause, e.said)
}

func (e *gitError) Unwrap() error { return e.cause }

// local runs git on the copy: with neither the network nor the operator's own configuration, whose filters, hooks and
// templates have no business with the app's files.
func (r *Repository) local(ctx context.Context, stdin string, args ...string) (string, error) {
	return r.git(ctx, isolated(), stdin, args...)
}

func isolated() []string {
	var environment []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GIT_") {
			environment = append(environment, pair)
		}
	}
	return append(environment, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		// Git fetches what a partial copy lacks; before 2.44 only an empty list of protocols keeps it from that.
		"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=")
}

// remote runs git where it may ask the repository: with the deploy key, and with the operator's configuration, which
// is the place of proxies, certificates and credential helpers.
func (r *Repository) remote(ctx context.Context, stdin string, args ...string) (string, error) {
	return r.ask(ctx, stdin, "git", nil, args...)
}

// ask is remote by way of another program, whose own arguments come before git's.
func (r *Repository) ask(ctx context.Context, stdin, name string, before []string, args ...string) (string, error) {
	var environment []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !elsewhere[name] {
			environment = append(environment, pair)
		}
	}
	if r.keys != "" {
		environment = append(environment, "GIT_SSH_COMMAND="+sshCommand(r.keys))
	}
	return r.run(ctx, environment, stdin, name, before, append([]string{"-c", "core.hooksPath=" + os.DevNull}, args...)...)
}

// elsewhere are the variables by which a hook that runs Pulumi would point git to another repository. Source: git
// rev-parse --local-env-vars, without those that hold configuration.
var elsewhere = map[string]bool{
	"GIT_DIR": true, "GIT_WORK_TREE": true, "GIT_INDEX_FILE": true, "GIT_OBJECT_DIRECTORY": true, "GIT_COMMON_DIR": true,
	"GIT_ALTERNATE_OBJECT_DIRECTORIES": true, "GIT_NAMESPACE": true, "GIT_PREFIX": true, "GIT_SHALLOW_FILE": true,
	"GIT_GRAFT_FILE": true, "GIT_REPLACE_REF_BASE": true, "GIT_IMPLICIT_WORK_TREE": true, "GIT_NO_REPLACE_OBJECTS": true,
	"GIT_INTERNAL_SUPER_PREFIX": true, "GIT_CONFIG": true,
}

func (r *Repository) git(ctx context.Context, environment []string, stdin string, args ...string) (string, error) {
	return r.run(ctx, environment, stdin, "git", nil, args...)
}

func (r *Repository) run(ctx context.Context, environment []string, stdin, name string, before []string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, append(append(slices.Clone(before), "--git-dir", r.mirror), args...)...) // #nosec G204 -- git, or a shell with a limit
	command.Env = append(environment, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "GIT_LITERAL_PATHSPECS=1")
	command.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	// Asked to end, git takes its lock files away. What it started may hold the pipes open for longer.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 2 * time.Second
	err := command.Run()
	switch {
	case err == nil:
		return stdout.String(), nil
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("there is no git on this machine; install it: https://git-scm.com/downloads")
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	}
	failed := &gitError{command: subcommand(args), said: sentence(stderr.String()), cause: err}
	// Source: ssh of OpenSSH says so whenever a pinned key does not match.
	if r.keys != "" && strings.Contains(failed.said, "Host key verification failed") {
		host, _, _ := sshHost(r.cfg.Repository)
		return "", fmt.Errorf("%s does not show the SSH host key of berth:repositoryHostKey (%s), so another host answers there, or it has a new key: nothing was sent; "+
			"compare with the key that the git host publishes, and only then: pulumi config set berth:repositoryHostKey 'ssh-ed25519 …'", host, pinnedKey(r.cfg))
	}
	if strings.Contains(failed.said, r.mirror) {
		failed.said += "; the copy can be taken away, it is recreated: rm -rf " + shellescape.Quote(r.mirror)
	}
	return "", failed
}

// subcommand is the first argument that is not an option of git itself.
func subcommand(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] == "-c" {
			i++
		} else if !strings.HasPrefix(args[i], "-") {
			return args[i]
		}
	}
	return ""
}

// sentence is the output of a command in one line, without what speaks to a terminal.
func sentence(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		if line = plain.Line(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
