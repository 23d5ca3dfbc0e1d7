package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"al.essio.dev/pkg/shellescape"
)

// fetchWithin bounds what is read from the git host in one go.
const fetchWithin = 2 * time.Minute

func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, fetchWithin, fmt.Errorf("it took longer than %s; is the git host reachable from here?", fetchWithin))
}

// Fetch brings the history and the folders of these commits, each a full SHA, into the copy; the files' content
// follows when it is read. It asks the network only when one of them is missing. The error is an ErrUnknownCommit
// where the repository answered and does not have one of them; the others are there then.
func (r *Repository) Fetch(ctx context.Context, commits ...string) error {
	missing, err := r.missing(ctx, commits)
	if err != nil || len(missing) == 0 {
		return err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	if err := r.fetch(ctx, missing); err != nil {
		return fmt.Errorf("fetch %s: %w", r.cfg.Repository, err)
	}
	return nil
}

func (r *Repository) fetch(ctx context.Context, missing []string) error {
	unlock, err := lock(ctx, r.mirror+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	// Another process may have fetched them in the meantime.
	if missing, err = r.missing(ctx, missing); err != nil || len(missing) == 0 {
		return err
	}
	if err := r.download(ctx, "default", "", "--prune", "origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("%w; try it by hand: git ls-remote %s", err, shellescape.Quote(r.cfg.Repository))
	}
	if missing, err = r.missing(ctx, missing); err != nil {
		return err
	}
	for _, commit := range missing {
		// Where no branch or tag holds it, a git host may still give it to who knows its name. That it refuses says no
		// more than that the commit is missing.
		if err := r.download(ctx, "default", "", "origin", commit); err != nil && ctx.Err() != nil {
			return err
		}
	}
	if missing, err = r.missing(ctx, missing); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("commit %s: %w; push it (git push), or release another: pulumi config set berth:ref main", strings.Join(missing, ", "), ErrUnknownCommit)
	}
	return nil
}

// download fetches without the content of files, and nothing that was not asked for. What the copy holds already is
// computed by git's algorithm of that name.
func (r *Repository) download(ctx context.Context, negotiation, stdin string, args ...string) error {
	name, before, limit, err := r.bounded()
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, stdin, name, before, append([]string{"-c", "fetch.negotiationAlgorithm=" + negotiation, "-c", "fetch.unpackLimit=1", "-c", "gc.autoDetach=false", "fetch", "--quiet",
		"--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--filter=blob:none"}, args...)...)
	if err != nil && r.cutOff(limit) {
		return fmt.Errorf("what it sends takes more than %d MiB, half of what is free for the copy in %s, and was removed again; %s, and out of its history", mebibytes(limit), r.mirror, lighter)
	}
	return err
}

func (r *Repository) missing(ctx context.Context, commits []string) ([]string, error) {
	var missing []string
	for _, commit := range commits {
		known, err := r.has(ctx, commit)
		if err != nil {
			return nil, err
		}
		if !known {
			missing = append(missing, commit)
		}
	}
	return missing, nil
}

// lock waits for a lock that the kernel takes from its holder when that dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("wait for another preview, which holds %s: %w", path, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
