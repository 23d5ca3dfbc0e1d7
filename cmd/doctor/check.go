package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// verdict is how bad a finding is. The doctor's exit code is that of the worst.
type verdict int

const (
	ok verdict = iota
	warning
	fails
)

// String is the word that is printed.
func (v verdict) String() string { return [...]string{"ok", "warning", "fails"}[v] }

// MarshalText is String, for JSON.
func (v verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// finding is what a check found: one line.
type finding struct {
	Name string `json:"name"`
	// ID is its kind (docs/problems.md), "" if nothing is wrong.
	ID      string  `json:"id,omitempty"`
	Verdict verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	// Fix is the command that fixes it, "" where nothing has to be fixed.
	Fix string `json:"fix,omitempty"`
	// Details are lines of their own, where there is more to say than fits into one.
	Details []string `json:"details,omitempty"`
	// waits says that the check was skipped, because something else has to be fixed first.
	waits bool
}

func fine(format string, args ...any) finding {
	return finding{Verdict: ok, Reason: fmt.Sprintf(format, args...)}
}

func warn(id, fix, format string, args ...any) finding {
	return finding{ID: id, Verdict: warning, Reason: fmt.Sprintf(format, args...), Fix: fix}
}

func fail(id, fix, format string, args ...any) finding {
	return finding{ID: id, Verdict: fails, Reason: fmt.Sprintf(format, args...), Fix: fix}
}

// wait is a warning of a check that cannot be made before another one is well.
func wait(format string, args ...any) finding {
	found := warn("check-skipped", "", "skipped, because "+format, args...)
	found.waits = true
	return found
}

// check is one check, with its time limit.
type check struct {
	name   string
	within time.Duration
	look   func(ctx context.Context) finding
}

// patience is how much longer than its limit a check is waited for that has its own sentence about it.
const patience = time.Second

// examine makes all checks at once and gives each finding to tell in their order, as soon as those before it are reported.
func examine(ctx context.Context, checks []check, tell func(finding)) []finding {
	found := make([]chan finding, len(checks))
	for i, one := range checks {
		found[i] = make(chan finding, 1)
		go func() { found[i] <- one.examine(ctx) }()
	}
	all := make([]finding, len(checks))
	for i, one := range checks {
		all[i] = <-found[i]
		all[i].Name = one.name
		tell(all[i])
	}
	return all
}

func (c check) examine(ctx context.Context) finding {
	ctx, cancel := context.WithTimeoutCause(ctx, c.within, fmt.Errorf("there was no answer within %s", c.within))
	defer cancel()
	found := make(chan finding, 1)
	go func() {
		defer func() {
			if broken := recover(); broken != nil {
				found <- fail("check-broken", "", "the check itself broke, which is a bug of Berth's: %v", broken)
			}
		}()
		found <- c.look(ctx)
	}()
	select {
	case f := <-found:
		return f
	case <-ctx.Done():
	}
	select {
	case f := <-found:
		return f
	case <-time.After(patience):
		return fail("check-timed-out", "", "%s; is the network as it should be?", context.Cause(ctx))
	}
}

// lazy is something that several checks want to know; the first that asks computes it, and no check waits longer than its
// own limit for it.
type lazy[T any] struct {
	lock  sync.Mutex
	known chan struct{}
	value T
	err   error
}

// of gives the fact, which find finds out within its own limit.
func (f *lazy[T]) of(ctx context.Context, within time.Duration, find func(ctx context.Context) (T, error)) (T, error) {
	f.lock.Lock()
	if f.known == nil {
		f.known = make(chan struct{})
		// It outlasts the check that asked first: the others wait for it, too.
		ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), within, fmt.Errorf("there was no answer within %s", within))
		go func() {
			defer cancel()
			defer close(f.known)
			f.value, f.err = find(ctx)
		}()
	}
	f.lock.Unlock()
	select {
	case <-f.known:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// now is the fact as far as it is known, nothing where it is not yet.
func (f *lazy[T]) now() (value T) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.known == nil {
		return value
	}
	select {
	case <-f.known:
		return f.value
	default:
		return value
	}
}
