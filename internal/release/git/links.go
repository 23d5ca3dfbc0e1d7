package git

import (
	"context"
	"fmt"
	"strconv"
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
type entry struct {
	mode, hash, path string
	// size is that of a file in bytes, -1 where it was not asked for or is none.
	size int64
}

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
		one, err := parseEntry(line)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	r.listed[commit] = all
	return all, nil
}

// parseEntry reads a line of git ls-tree: <mode> <type> <hash>[ <size>]<tab><path>.
func parseEntry(line string) (entry, error) {
	about, path, _ := strings.Cut(line, "\t")
	fields := strings.Fields(about)
	if len(fields) < 3 || len(fields) > 4 || !fullSHA.MatchString(fields[2]) {
		return entry{}, fmt.Errorf("git answered %q", about)
	}
	one := entry{mode: fields[0], hash: fields[2], path: path, size: -1}
	if len(fields) == 4 && fields[3] != "-" {
		size, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil || size < 0 {
			return entry{}, fmt.Errorf("git answered %q", about)
		}
		one.size = size
	}
	return one, nil
}

// plainFile finds a file of a commit in what Checkout has read of it, without git. It is not ok where that does not tell: nothing was
// read, a symbolic link is on the way, or it is no file. The hash is "" where the commit has nothing there.
func (r *Repository) plainFile(commit, path string) (hash string, ok bool) {
	r.lock.Lock()
	all, listed := r.listed[commit]
	r.lock.Unlock()
	if !listed {
		return "", false
	}
	for _, one := range all {
		if one.path == path {
			return one.hash, strings.HasPrefix(one.mode, "100") && one.size >= 0 && one.size <= maxFile
		}
		if one.mode == "120000" && strings.HasPrefix(path, one.path+"/") {
			return "", false
		}
	}
	return "", true
}
