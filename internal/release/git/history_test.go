package git

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLog(t *testing.T) {
	o := newOrigin(t)
	base := o.commit("base")
	one, two := o.commit("one"), o.commit("two")
	three := o.commit("three\n\nwith a body")
	o.git("checkout", "--quiet", "-b", "other", base)
	side := o.commit("side")
	r := o.open("main")
	require.NoError(t, r.Fetch(t.Context(), three, side))
	o.vanish()
	line := func(commit, subject string) string { return commit[:12] + " " + subject }
	for name, test := range map[string]struct {
		from, to string
		limit    int
		want     History
	}{
		"the same":     {one, one, 5, History{}},
		"forward":      {base, three, 5, History{Forward: 3, Subjects: []string{line(three, "three"), line(two, "two"), line(one, "one")}}},
		"limited":      {base, three, 2, History{Forward: 3, Subjects: []string{line(three, "three"), line(two, "two")}}},
		"no subjects":  {base, three, 0, History{Forward: 3}},
		"below zero":   {base, three, -1, History{Forward: 3}},
		"back":         {three, one, 5, History{Back: 2, Subjects: []string{line(three, "three"), line(two, "two")}}},
		"diverged":     {two, side, 5, History{Forward: 1, Back: 2, Subjects: []string{line(side, "side")}}},
		"diverged too": {side, two, 1, History{Forward: 2, Back: 1, Subjects: []string{line(two, "two")}}},
	} {
		got, err := r.Log(t.Context(), test.from, test.to, test.limit)
		require.NoError(t, err, name)
		assert.Equal(t, test.want, got, name)
	}
	absent := strings.Repeat("a", 40)
	_, err := r.Log(t.Context(), absent, one, 5)
	require.ErrorIs(t, err, ErrUnknownCommit)
	_, err = r.Log(t.Context(), one, absent, 5)
	require.ErrorIs(t, err, ErrUnknownCommit)
}

func TestSubjectsAreHarmless(t *testing.T) {
	o := newOrigin(t)
	from := o.commit("base")
	for _, subject := range []string{
		"\x1b[31mred\x1b[0m\x07", "tab\there", "right\u202eto left", strings.Repeat("ü", 200), "-n",
	} {
		o.commit(subject)
	}
	to := o.git("rev-parse", "HEAD")
	r := o.open("main")
	require.NoError(t, r.Fetch(t.Context(), to))
	history, err := r.Log(t.Context(), from, to, 10)
	require.NoError(t, err)
	var subjects []string
	for _, line := range history.Subjects {
		assert.LessOrEqual(t, len([]rune(line)), maxSubject)
		subjects = append(subjects, line[13:])
	}
	assert.Equal(t, []string{"-n", strings.Repeat("ü", 86) + "…", "rightto left", "tab here", "red"}, subjects)
}
