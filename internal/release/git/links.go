package git

import (
	"context"
	"fmt"
	"strings"
)

// Links are the symbolic links of a commit that Fetch brought, by their paths.
func (r *Repository) Links(ctx context.Context, commit string) ([]string, error) {
	return r.ofMode(ctx, commit, "120000")
}

// Submodules are the submodules of a commit that Fetch brought, by their paths. What they hold is in other repositories.
func (r *Repository) Submodules(ctx context.Context, commit string) ([]string, error) {
	return r.ofMode(ctx, commit, "160000")
}

// ofMode are the paths of a commit that git keeps with a mode.
func (r *Repository) ofMode(ctx context.Context, commit, mode string) ([]string, error) {
	if err := r.need(ctx, commit); err != nil {
		return nil, err
	}
	all, err := r.entries(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("list what commit %.12s holds: %w", commit, err)
	}
	var paths []string
	for _, one := range all {
		if one.mode == mode {
			paths = append(paths, one.path)
		}
	}
	return paths, nil
}

// entry is a file, folder, link or submodule of a commit.
type entry struct{ mode, hash, path string }

// entries are all of a commit that is in the copy, read once.
func (r *Repository) entries(ctx context.Context, commit string) ([]entry, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if all, ok := r.listed[commit]; ok {
		return all, nil
	}
	listing, err := r.local(ctx, "", "ls-tree", "-r", "-t", "-z", commit)
	if err != nil {
		return nil, err
	}
	var all []entry
	for line := range strings.SplitSeq(strings.TrimSuffix(listing, "\x00"), "\x00") {
		if line == "" {
			continue // It holds nothing.
		}
		// <mode> <type> <hash><tab><path>
		about, path, _ := strings.Cut(line, "\t")
		fields := strings.Fields(about)
		if len(fields) != 3 || !fullSHA.MatchString(fields[2]) {
			return nil, fmt.Errorf("git answered %q", about)
		}
		all = append(all, entry{mode: fields[0], hash: fields[2], path: path})
	}
	r.listed[commit] = all
	return all, nil
}
