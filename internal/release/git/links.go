package git

import (
	"context"
	"fmt"
	"strings"
)

// Links are the symbolic links of a commit that Fetch brought, by their paths.
func (r *Repository) Links(ctx context.Context, commit string) ([]string, error) {
	if err := r.need(ctx, commit); err != nil {
		return nil, err
	}
	listing, err := r.local(ctx, "", "ls-tree", "-r", "-z", commit)
	if err != nil {
		return nil, fmt.Errorf("list the links of commit %.12s: %w", commit, err)
	}
	var links []string
	for entry := range strings.SplitSeq(listing, "\x00") {
		if about, path, _ := strings.Cut(entry, "\t"); strings.HasPrefix(about, "120000 ") {
			links = append(links, path)
		}
	}
	return links, nil
}
