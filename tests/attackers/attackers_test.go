package attackers

import (
	"testing"

	"berth/tests/rehearsed"
)

// TestAttackers stands a rehearsal of its own, with an app that tells what it was asked for.
func TestAttackers(t *testing.T) {
	r := rehearsed.New(t, "berth-attackers")
	settings := r.LoadApp()
	t.Run("no secret is found where it does not belong", func(t *testing.T) { Canaries(t, r.In(t), settings) })
	s := New(t, r)
	t.Run("strangers reach two ports", s.FromOutside)
	t.Run("containers reach two ports of their server", s.FromContainers)
	t.Run("only the site's own names lead to it", s.Names)
	t.Run("the authority's folder is not left", s.Paths)
	t.Run("no request is smuggled over HTTP/1.1", s.Smuggling)
	t.Run("no request is smuggled over HTTP/2", s.HTTP2)
	t.Run("headers of a proxy are the edge's", s.Forged)
	t.Run("more than enough is refused", s.TooMuch)
	t.Run("the site stays up under load and attack", s.Siege)
	t.Run("one address does not take every connection", s.Greedy)
	t.Run("another server in the middle is refused", s.Impostor)
	t.Run("another git host in the middle is refused", s.GitImpostor)
	t.Run("containers reach two ports after a reboot", s.AfterReboot)
}
