package ec2host

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

// TestRehearsalsStandSideBySide: each has a public network of its own, and keeps it.
func TestRehearsalsStandSideBySide(t *testing.T) {
	open := func(name, dir string) *World {
		internet, err := aws.ReadInternet(dir + "/aws")
		require.NoError(t, err)
		return &World{Name: fmt.Sprintf("berth-test-%d-%s", os.Getpid(), name), Dir: dir, Internet: internet}
	}
	folders := []string{t.TempDir(), t.TempDir()}
	one, two := open("one", folders[0]), open("two", folders[1])
	for _, w := range []*World{one, two} {
		t.Cleanup(func() { _, _ = docker(context.Background(), "", "network", "rm", w.internet()) })
		require.NoError(t, w.makeInternet(t.Context()))
	}
	assert.NotEqual(t, one.nameServer(), two.nameServer())
	assert.NotEqual(t, one.Internet.VPC(), two.Internet.VPC())
	again := open("two", folders[1])
	assert.Equal(t, two.Internet, again.Internet)
	require.NoError(t, again.makeInternet(t.Context()))

	// What an account has given out stays where it is: without its network, its range and no other is taken.
	_, err := docker(t.Context(), "", "network", "rm", one.internet())
	require.NoError(t, err)
	other := open("other", t.TempDir())
	t.Cleanup(func() { _, _ = docker(context.Background(), "", "network", "rm", other.internet()) })
	other.Internet = one.Internet
	require.NoError(t, other.Internet.Keep(other.path("aws")))
	require.NoError(t, other.makeInternet(t.Context()))
	require.ErrorContains(t, one.makeInternet(t.Context()), "another Docker network has its range, "+one.Internet.Prefix())
}
