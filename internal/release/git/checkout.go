package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Checkout writes all files of a commit that Fetch brought into a new folder, which is closed to other users.
// Submodules are empty folders, as on the server. Symbolic links that point out of the folder are left out: they would
// point into the operator's own files.
func (r *Repository) Checkout(ctx context.Context, commit, into string) error {
	if err := r.checkout(ctx, commit, into); err != nil {
		return fmt.Errorf("check out commit %.12s: %w", commit, err)
	}
	return nil
}

func (r *Repository) checkout(ctx context.Context, commit, into string) (err error) {
	if into, err = filepath.Abs(into); err != nil {
		return err
	}
	if err := r.contents(ctx, commit); err != nil {
		return err
	}
	if err := r.fits(ctx, commit, filepath.Dir(into)); err != nil {
		return err
	}
	if err := os.Mkdir(into, 0o700); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "berth-index-")
	if err == nil {
		defer os.RemoveAll(scratch)
		err = r.lay(ctx, commit, into, filepath.Join(scratch, "index"))
	}
	if err == nil {
		err = dropLinksOut(into)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(into))
	}
	return nil
}

// contents fetches the files of a commit that the copy lacks, all at once.
func (r *Repository) contents(ctx context.Context, commit string) error {
	missing, err := r.absent(ctx, commit)
	if failed := (*gitError)(nil); errors.As(err, &failed) && ctx.Err() == nil {
		return errors.Join(r.need(ctx, commit), err)
	}
	if err != nil || missing == "" {
		return err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	unlock, err := lock(ctx, r.mirror+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	// Without naming the commits that are there: the host would take it that their files are there too.
	if err := r.download(ctx, "noop", missing, "--stdin", "origin"); err != nil {
		return fmt.Errorf("fetch its files from %s: %w", r.cfg.Repository, err)
	}
	return nil
}

// absent lists the files of a commit that the copy lacks, a hash per line. The error is a gitError where it lacks the commit.
func (r *Repository) absent(ctx context.Context, commit string) (string, error) {
	if !fullSHA.MatchString(commit) {
		return "", fmt.Errorf("%.100q is not the full SHA of a commit", commit)
	}
	listing, err := r.local(ctx, "", "rev-list", "--objects", "--no-object-names", "--missing=print", commit+"^{tree}")
	if err != nil {
		return "", err
	}
	r.lock.Lock()
	r.known[commit] = true
	r.lock.Unlock()
	var missing strings.Builder
	for line := range strings.Lines(listing) {
		if hash, ok := strings.CutPrefix(line, "?"); ok {
			missing.WriteString(hash)
		}
	}
	return missing.String(), nil
}

// lay writes the files by way of an index of its own, as the server does.
func (r *Repository) lay(ctx context.Context, commit, into, index string) error {
	_, err := r.git(ctx, append(isolated(), "GIT_INDEX_FILE="+index), "", "--work-tree="+into, "read-tree", "--reset", "-u", commit)
	return err
}

// dropLinksOut removes the symbolic links that point out of a folder. One without a target yet stays, if it points
// inside: to .env.production, for instance, which is written later.
func dropLinksOut(folder string) error {
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink == 0 {
			return err
		}
		target, err := filepath.EvalSymlinks(path)
		if errors.Is(err, fs.ErrNotExist) {
			if target, err = os.Readlink(path); err == nil && !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(path), target)
			}
		}
		if err == nil && (target == root || strings.HasPrefix(target, root+string(filepath.Separator))) {
			return nil
		}
		return os.Remove(path) // #nosec G122 -- no other process writes to a new checkout
	})
}
