package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// lock lets one update at a time run on the rehearsal. It is the kernel's and dies with its holder.
func lock(dir string) (*flock.Flock, error) {
	held := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	free, err := held.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the rehearsal: %w", err)
	}
	if !free {
		return nil, errors.New("another command is running on this rehearsal; wait for it, or end it")
	}
	return held, nil
}

// releaseStale takes away the lock that an engine left in the backend when it was killed. Whoever calls it holds the
// rehearsal's own lock, so no engine is running.
func releaseStale(ctx context.Context, stack auto.Stack, dir string) error {
	left := false
	err := filepath.WalkDir(filepath.Join(dir, "backend", ".pulumi", "locks"), func(_ string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		left = left || err == nil && !entry.IsDir()
		return err
	})
	if err != nil || !left {
		return err
	}
	fmt.Fprintln(os.Stderr, "An earlier run was killed; taking its lock away.")
	if err := stack.Cancel(ctx); err != nil {
		return fmt.Errorf("take away the lock of a killed run: %w", err)
	}
	return nil
}
