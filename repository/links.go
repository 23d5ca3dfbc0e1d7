package repository

import (
	"context"
	"fmt"
	"path"
	"strings"
)

// Link is a symbolic link of a commit.
type Link struct{ Path, Target string }

// LinksOut are the symbolic links of a commit that was checked out which lead out of the repository. One that does so by way
// of another is not among them, but that other is.
func (r *Repository) LinksOut(ctx context.Context, commit string) ([]Link, error) {
	listing, err := r.local(ctx, "", "ls-tree", "-r", "-z", commit)
	if err != nil {
		return nil, fmt.Errorf("list the links of commit %.12s: %w", commit, err)
	}
	var links []Link
	for entry := range strings.SplitSeq(listing, "\x00") {
		about, name, _ := strings.Cut(entry, "\t")
		fields := strings.Fields(about)
		if len(fields) != 3 || fields[0] != "120000" {
			continue
		}
		target, err := r.local(ctx, "", "cat-file", "blob", fields[2])
		if err != nil {
			return nil, fmt.Errorf("read the link %s of commit %.12s: %w", name, commit, err)
		}
		if leads := path.Join(path.Dir(name), target); path.IsAbs(target) || leads == ".." || strings.HasPrefix(leads, "../") {
			links = append(links, Link{name, target})
		}
	}
	return links, nil
}
