package git

import (
	"context"
	"fmt"
	"strings"

	"berth/internal/plain"
)

// maxSubject is the length of a History's subjects, in characters.
const maxSubject = 100

// History is what lies between two commits.
type History struct {
	// Forward counts the commits that the second has and the first has not, Back those of the first alone.
	Forward, Back int
	// Subjects are the newest of the Forward commits, or of the Back ones where Forward is 0, newest first:
	// "abcdef123456 subject", in printable characters, at most 100 of them.
	Subjects []string
}

// Log compares two commits that Fetch brought, with at most limit subjects. The error is an ErrUnknownCommit where one
// of them is not in the copy, as after a rewritten history. The network is not asked.
func (r *Repository) Log(ctx context.Context, from, to string, limit int) (History, error) {
	history, err := r.log(ctx, from, to, limit)
	if err != nil {
		return History{}, fmt.Errorf("compare commit %.12s with %.12s: %w", from, to, err)
	}
	return history, nil
}

func (r *Repository) log(ctx context.Context, from, to string, limit int) (history History, err error) {
	for _, commit := range []string{from, to} {
		if err := r.need(ctx, commit); err != nil {
			return History{}, fmt.Errorf("commit %.12s: %w", commit, err)
		}
	}
	counts, err := r.local(ctx, "", "rev-list", "--left-right", "--count", from+"..."+to)
	if err != nil {
		return History{}, err
	}
	if _, err := fmt.Sscan(counts, &history.Back, &history.Forward); err != nil {
		return History{}, fmt.Errorf("read git's count %q: %w", counts, err)
	}
	if history.Forward == 0 {
		from, to = to, from
	}
	lines, err := r.local(ctx, "", "log", "-z", "--date-order", "--no-color", fmt.Sprintf("--max-count=%d", max(limit, 0)), "--format=%H %s", from+".."+to)
	if err != nil {
		return History{}, err
	}
	for line := range strings.SplitSeq(lines, "\x00") {
		if hash, subject, ok := strings.Cut(line, " "); ok && fullSHA.MatchString(hash) {
			history.Subjects = append(history.Subjects, cut(plain.Line(hash[:12]+" "+subject)))
		}
	}
	return history, nil
}

func cut(text string) string {
	if runes := []rune(text); len(runes) > maxSubject {
		return string(runes[:maxSubject-1]) + "…"
	}
	return text
}
