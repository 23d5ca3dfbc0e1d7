package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"
)

// resolveWithin bounds the question to the git host.
const resolveWithin = 60 * time.Second

// Resolve asks the repository which commit cfg.Ref names now, so that a preview shows what would go out, and returns
// its full SHA. A full SHA is taken as it is.
func (r *Repository) Resolve(ctx context.Context) (string, error) {
	if fullSHA.MatchString(r.cfg.Ref) {
		return r.cfg.Ref, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, resolveWithin, fmt.Errorf("no answer within %s; is the git host reachable from here?", resolveWithin))
	defer cancel()
	listing, err := r.remote(ctx, "", "ls-remote", "--heads", "--tags", "--", r.cfg.Repository)
	if failed := (*gitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%w; try it by hand: git ls-remote %s", err, shellescape.Quote(r.cfg.Repository))
	}
	if err != nil {
		return "", fmt.Errorf("ask %s for %q: %w", r.cfg.Repository, r.cfg.Ref, err)
	}
	commit, err := pick(listing, r.cfg.Ref)
	if err != nil {
		return "", fmt.Errorf("resolve berth:ref in %s: %w", r.cfg.Repository, err)
	}
	return commit, nil
}

// Known is the commit that cfg.Ref named when the repository was last fetched, "" where that is not known.
func (r *Repository) Known(ctx context.Context) string {
	if fullSHA.MatchString(r.cfg.Ref) {
		return ""
	}
	text, err := r.local(ctx, "", "for-each-ref", "--count=1", "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)",
		"refs/heads/"+r.cfg.Ref, "refs/tags/"+r.cfg.Ref)
	if commit := strings.TrimSpace(text); err == nil && fullSHA.MatchString(commit) {
		return commit
	}
	return ""
}

// pick finds the ref in the output of git ls-remote: a branch before a tag, an annotated tag by the commit it points
// at, an abbreviated SHA if exactly one branch or tag points there.
func pick(listing, ref string) (string, error) {
	refs, matching := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(listing) {
		sha, name, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || !fullSHA.MatchString(sha) {
			continue
		}
		refs[name] = sha
		if len(ref) >= 7 && strings.HasPrefix(sha, ref) {
			matching[sha] = true
		}
	}
	for _, name := range []string{"refs/heads/" + ref, "refs/tags/" + ref + "^{}", "refs/tags/" + ref, ref + "^{}", ref} {
		if sha, ok := refs[name]; ok {
			return sha, nil
		}
	}
	if len(matching) == 1 {
		for sha := range matching {
			return sha, nil
		}
	}
	return "", fmt.Errorf("there is no branch or tag %q (a commit that no branch or tag points at needs all 40 digits of its SHA); Fix: pulumi config set berth:ref main", ref)
}
