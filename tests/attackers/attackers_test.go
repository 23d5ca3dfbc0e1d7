package attackers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// TestAttackers starts a rehearsal of its own, with an app that tells what it was asked for.
func TestAttackers(t *testing.T) {
	r := harness.New(t, "berth-attackers")
	settings := r.LoadApp()
	// It makes the environment that the others attack.
	require.True(t, t.Run("no secret is found where it does not belong", func(t *testing.T) { Canaries(t, r.In(t), settings) }))
	t.Run("quick", func(t *testing.T) { Quick(t, r.In(t)) })
	t.Run("hostile settings run nothing", func(t *testing.T) { Settings(t, r.In(t)) })
	t.Run("what an app prints is text", func(t *testing.T) { Shown(t, r.In(t)) })
	t.Run("what Berth is made of is checked", func(t *testing.T) { Checks(t, r.In(t)) })
	s := New(t, r)
	t.Run("packages are Debian's", s.Archive)
	t.Run("hostile repositories are refused", s.Repositories)
	t.Run("strangers reach two ports", s.FromOutside)
	t.Run("containers reach two ports of their server", s.FromContainers)
	t.Run("builds reach what containers do", s.FromBuilds)
	t.Run("only root on the server reaches the instance's metadata", s.Metadata)
	t.Run("TLS has no known weakness", s.TLS)
	t.Run("headers of a proxy are the edge's", s.Forged)
	t.Run("the site stays up under load and attack", s.Siege)
	t.Run("one address does not take every connection", s.Greedy)
	t.Run("uploads have their share of a bounded space", s.Uploads)
	t.Run("another server in the middle is refused", s.Impostor)
	t.Run("another git host in the middle is refused", s.GitImpostor)
	t.Run("it is all as closed after a reboot", s.AfterReboot)
}
