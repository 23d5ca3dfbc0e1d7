package git

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFetchAsksTheNetworkOnce(t *testing.T) {
	for _, filter := range []string{"true", "false"} {
		o := newOrigin(t)
		o.git("config", "uploadpack.allowFilter", filter)
		first := o.commit("first", "a.txt", "a\n")
		o.git("tag", "--annotate", "--message", "one", "v1")
		o.git("checkout", "--quiet", "-b", "other", first)
		second := o.commit("second")
		r := o.open("main")
		require.NoError(t, r.Fetch(t.Context(), first, second))
		o.vanish()
		require.NoError(t, r.Fetch(t.Context(), second, first), "filter %s", filter)
		_, err := r.Log(t.Context(), first, second, 1)
		require.NoError(t, err)
		_, err = r.File(t.Context(), first, "a.txt")
		// A host that gives parts gave no content.
		assert.Equal(t, filter == "true", err != nil, err)
	}
}

func TestFetchFollowsTheRepository(t *testing.T) {
	o := newOrigin(t)
	first := o.commit("first")
	o.git("branch", "topic")
	o.git("tag", "v1")
	r := o.open("main")
	require.NoError(t, r.Fetch(t.Context(), first))
	// The history is rewritten, a tag moves, and a branch makes way for one below its name.
	o.git("commit", "--quiet", "--amend", "--allow-empty", "--message", "rewritten")
	o.git("tag", "--force", "v1")
	o.git("branch", "-D", "topic")
	o.git("branch", "topic/below")
	second := o.git("rev-parse", "HEAD")
	require.NoError(t, r.Fetch(t.Context(), second))
	require.NoError(t, r.Fetch(t.Context(), first), "what was there stays for a while")
}

func TestFetchTakesACommitOfNoBranch(t *testing.T) {
	o := newOrigin(t)
	o.commit("first")
	o.git("checkout", "--quiet", "--detach")
	lone := o.commit("alone")
	o.git("checkout", "--quiet", "main")
	r := o.open(lone)
	require.NoError(t, r.Fetch(t.Context(), lone))
	history, err := r.Log(t.Context(), o.git("rev-parse", "main"), lone, 5)
	require.NoError(t, err)
	assert.Equal(t, History{Forward: 1, Subjects: []string{lone[:12] + " alone"}}, history)
}

func TestFetchSaysWhatToDo(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first")
	absent := strings.Repeat("a", 40)
	r := o.open("main")
	err := r.Fetch(t.Context(), absent, commit)
	require.ErrorIs(t, err, ErrUnknownCommit)
	assert.ErrorContains(t, err, absent)
	assert.ErrorContains(t, err, "push it (git push), or release another: pulumi config set berth:ref main")
	o.vanish()
	require.NoError(t, r.Fetch(t.Context(), commit), "the others are there")
	err = r.Fetch(t.Context(), absent)
	assert.NotErrorIs(t, err, ErrUnknownCommit, "a host that does not answer says nothing about the commit")
	assert.ErrorContains(t, err, "try it by hand: git ls-remote "+o.url())
	assert.NotContains(t, err.Error(), "\n")
}

func TestFetchesAtOnce(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first", "a.txt", "a\n")
	var together sync.WaitGroup
	for range 6 {
		together.Go(func() {
			r := o.open("main")
			assert.NoError(t, r.Fetch(t.Context(), commit))
			_, err := r.File(t.Context(), commit, "a.txt")
			assert.NoError(t, err)
		})
	}
	together.Wait()
}

func TestFetchWaitsForAnotherNoLongerThanItMay(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first")
	r := o.open("main")
	unlock, err := lock(t.Context(), r.mirror+".lock")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = r.Fetch(ctx, commit)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "another preview")
	unlock()
	require.NoError(t, r.Fetch(t.Context(), commit))
}

// TestFetchEndsWithItsContext: a host that never answers holds nothing up.
func TestFetchEndsWithItsContext(t *testing.T) {
	o := newOrigin(t)
	commit := o.commit("first")
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ssh"), []byte("#!/bin/sh\nexec sleep 60\n"), 0o755))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	r := o.open("main")
	_, err := r.local(t.Context(), "", "config", "remote.origin.url", "git@git.example.com:app.git")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	assert.ErrorIs(t, r.Fetch(ctx, commit), context.DeadlineExceeded)
	assert.Less(t, time.Since(began), 20*time.Second)
}
