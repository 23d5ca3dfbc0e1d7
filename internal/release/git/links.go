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
	listing, err := r.local(ctx, "", "ls-tree", "-r", "-z", commit)
	if err != nil {
		return nil, fmt.Errorf("list what commit %.12s holds: %w", commit, err)
	}
	var paths []string
	for entry := range strings.SplitSeq(listing, "\x00") {
		if about, path, _ := strings.Cut(entry, "\t"); strings.HasPrefix(about, mode+" ") {
			paths = append(paths, path)
		}
	}
	return paths, nil
}
