package git

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// maxFile is the most that File reads, in bytes.
const maxFile = 1 << 20

// File reads a file of a commit that Fetch brought. The path is relative to the repository's root, with slashes;
// symbolic links are followed as long as they stay inside the repository. The error is an fs.ErrNotExist where the
// commit has no such file, and an ErrUnknownCommit where the commit was not fetched; a file of more than 1 MiB is
// refused.
func (r *Repository) File(ctx context.Context, commit, path string) ([]byte, error) {
	content, err := r.file(ctx, commit, path)
	if err != nil {
		return nil, fmt.Errorf("read %q of commit %.12s: %w", path, commit, err)
	}
	return content, nil
}

func (r *Repository) file(ctx context.Context, commit, path string) ([]byte, error) {
	if err := validPath(path); err != nil {
		return nil, err
	}
	if err := r.need(ctx, commit); err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	if hash, ok := r.plainFile(commit, path); ok {
		if hash == "" {
			return nil, fs.ErrNotExist
		}
		content, err := r.remote(ctx, "", "cat-file", "blob", hash)
		return []byte(content), err
	}
	answer, err := r.remote(ctx, commit+":"+path+"\n", "cat-file", "--batch-check", "--follow-symlinks")
	if err != nil {
		return nil, err
	}
	answer, _, _ = strings.Cut(answer, "\n")
	kind, rest, _ := strings.Cut(answer, " ")
	switch kind {
	case "symlink":
		return nil, fmt.Errorf("it is a symbolic link that points outside the repository; commit the file itself")
	case "loop":
		return nil, fmt.Errorf("it is a symbolic link that points back to itself; commit the file itself")
	case "dangling", "notdir":
		return nil, fs.ErrNotExist
	}
	if !fullSHA.MatchString(kind) {
		return nil, fs.ErrNotExist
	}
	object, length, _ := strings.Cut(rest, " ")
	size, err := strconv.ParseInt(length, 10, 64)
	switch {
	case object == "tree":
		return nil, fmt.Errorf("it is a folder, not a file")
	case object != "blob" || err != nil:
		return nil, fmt.Errorf("git calls it %q, not a file", answer)
	case size > maxFile:
		return nil, fmt.Errorf("it has %d bytes; at most %d are read", size, maxFile)
	}
	content, err := r.remote(ctx, "", "cat-file", "blob", kind)
	return []byte(content), err
}

// Tree is git's hash of a file's or folder's content at a commit that Fetch brought; the path "" is the root. It is
// not ok where the commit has no such path; symbolic links are not followed. The network is not asked.
func (r *Repository) Tree(ctx context.Context, commit, path string) (hash string, ok bool, err error) {
	hash, err = r.tree(ctx, commit, path)
	if err != nil {
		return "", false, fmt.Errorf("look up %q of commit %.12s: %w", path, commit, err)
	}
	return hash, hash != "", nil
}

func (r *Repository) tree(ctx context.Context, commit, path string) (string, error) {
	if err := r.need(ctx, commit); err != nil {
		return "", err
	}
	if path == "" {
		hash, err := r.local(ctx, "", "rev-parse", "--verify", commit+"^{tree}")
		return strings.TrimSpace(hash), err
	}
	if err := validPath(path); err != nil {
		return "", err
	}
	all, err := r.entries(ctx, commit)
	if err != nil {
		return "", err
	}
	for _, one := range all {
		if one.path == path {
			return one.hash, nil
		}
	}
	return "", nil
}

func validPath(path string) error {
	if !fs.ValidPath(path) || path == "." || strings.ContainsAny(path, "\n\x00") {
		return fmt.Errorf("it is not a path inside the repository")
	}
	return nil
}
