package ec2host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Publish commits the folder's files to the app's repository when they differ from what it holds. The repository is
// the rehearsal's own: the folder itself need not be one and is not touched.
func (w *World) Publish(ctx context.Context, folder string) error {
	bare := w.path("repository", "app.git")
	git := func(args ...string) (string, error) {
		command := exec.CommandContext(ctx, "git", append([]string{"--git-dir", bare, "--work-tree", folder}, args...)...)
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=Rehearsal", "GIT_AUTHOR_EMAIL=rehearsal@example.test",
			"GIT_COMMITTER_NAME=Rehearsal", "GIT_COMMITTER_EMAIL=rehearsal@example.test")
		output, err := command.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("git %s: %w: %s", args[0], err, tail(string(output), 5))
		}
		return strings.TrimSpace(string(output)), nil
	}
	if _, err := os.Stat(bare); err != nil {
		if err := os.MkdirAll(filepath.Dir(bare), 0o755); err != nil {
			return err
		}
		if output, err := exec.CommandContext(ctx, "git", "init", "--quiet", "--bare", "--initial-branch=main", bare).CombinedOutput(); err != nil {
			return fmt.Errorf("make the app's repository: %w: %s", err, output)
		}
	}
	if _, err := git("add", "--all", "."); err != nil {
		return err
	}
	changes, err := git("status", "--porcelain", "--untracked-files=no")
	if err != nil || changes == "" {
		return err
	}
	_, err = git("commit", "--quiet", "--message", "Publish "+filepath.Base(folder))
	return err
}

// Checkout writes the files of the app's last commit to a folder.
func (w *World) Checkout(ctx context.Context, folder string) error {
	command := exec.CommandContext(ctx, "git", "--git-dir", w.path("repository", "app.git"), "--work-tree", folder, "checkout", "--quiet", "main", "--", ".")
	// The index beside the repository is Publish's.
	index := folder + ".index"
	defer func() { _ = os.Remove(index) }() // Not there when git failed before.
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_INDEX_FILE="+index)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("check the app out: %w: %s", err, tail(string(output), 5))
	}
	return nil
}
