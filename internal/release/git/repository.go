// Package git is the app's git repository as the operator's machine sees it while `pulumi preview` runs: what a
// ref names, what a commit holds, and what lies between two commits. Git itself does the work, on a bare copy in the
// user's cache.
package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"berth/internal/config"
)

// ErrUnknownCommit is a commit that the repository does not have, or no longer, as after a rewritten history.
var ErrUnknownCommit = errors.New("the repository has no such commit")

var fullSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Repository is the app's git repository with its copy on this machine. The copy holds every commit and folder of the
// branches and tags, and the content of only those files that were read. Several processes may use it at once.
type Repository struct {
	cfg *config.Config
	// mirror is the folder of the bare copy.
	mirror string
	// keys is the folder with the deploy key and the git host's, "" where the repository needs none.
	keys string

	lock sync.Mutex
	// known are commits that are in the copy: they stay there. listed are those whose entries were read.
	known  map[string]bool
	listed map[string][]entry
}

// Open finds or makes the copy for cfg.Repository, without asking the network. It is in the user's cache folder,
// or below $BERTH_CACHE. Close takes away what Open leaves outside of it.
func Open(cfg *config.Config) (*Repository, error) {
	base, err := cache()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(cfg.Repository))
	r := &Repository{cfg: cfg, known: map[string]bool{}, listed: map[string][]entry{}, mirror: filepath.Join(base, "repositories", hex.EncodeToString(sum[:])[:16])}
	if err := r.create(); err != nil {
		return nil, fmt.Errorf("make a place for the copy of %s: %w", cfg.Repository, err)
	}
	if r.keys, err = writeKeys(cfg); err != nil {
		return nil, fmt.Errorf("hand the deploy key to git: %w", err)
	}
	return r, nil
}

// Close removes the deploy key's file. The copy stays for the next preview.
func (r *Repository) Close() {
	if r.keys != "" {
		_ = os.RemoveAll(r.keys)
	}
}

func cache() (string, error) {
	if folder := os.Getenv("BERTH_CACHE"); folder != "" {
		return filepath.Abs(folder)
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for caches: %w; name one: export BERTH_CACHE=/path", err)
	}
	return filepath.Join(folder, "berth"), nil
}

// create makes the bare copy beside its place and moves it there whole, so that no other process sees half of it.
func (r *Repository) create() error {
	if _, err := os.Stat(r.mirror); err == nil {
		return nil
	}
	parent := filepath.Dir(r.mirror)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	made, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	ctx, cancel := context.WithTimeout(context.Background(), resolveWithin)
	defer cancel()
	fresh := &Repository{cfg: r.cfg, mirror: made}
	// Without a template there are no hooks.
	if _, err := fresh.local(ctx, "", "init", "--quiet", "--bare", "--template="); err != nil {
		return err
	}
	if _, err := fresh.local(ctx, "", "config", "remote.origin.url", r.cfg.Repository); err != nil {
		return err
	}
	if err := os.Rename(made, r.mirror); err != nil {
		if _, taken := os.Stat(r.mirror); taken == nil {
			return nil
		}
		return err
	}
	return nil
}

// has says whether a commit is in the copy.
func (r *Repository) has(ctx context.Context, commit string) (bool, error) {
	if !fullSHA.MatchString(commit) {
		return false, fmt.Errorf("%.100q is not the full SHA of a commit", commit)
	}
	r.lock.Lock()
	known := r.known[commit]
	r.lock.Unlock()
	if known {
		return true, nil
	}
	_, err := r.local(ctx, "", "cat-file", "-e", commit+"^{commit}")
	if failed := (*gitError)(nil); errors.As(err, &failed) && ctx.Err() == nil {
		return false, nil
	}
	if err == nil {
		r.lock.Lock()
		r.known[commit] = true
		r.lock.Unlock()
	}
	return err == nil, err
}

// need refuses a commit that is not in the copy.
func (r *Repository) need(ctx context.Context, commit string) error {
	known, err := r.has(ctx, commit)
	if err == nil && !known {
		err = ErrUnknownCommit
	}
	return err
}
