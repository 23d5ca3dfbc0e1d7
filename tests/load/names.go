package load

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// names knows a target's address.
type names struct {
	Target

	lock  sync.Mutex
	known string
	until time.Time
}

func (n *names) address(ctx context.Context) (string, error) {
	if n.Resolver == "" {
		return n.Address, nil
	}
	n.lock.Lock()
	defer n.lock.Unlock()
	if time.Now().Before(n.until) {
		return n.known, nil
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, n.Resolver)
	}}
	addresses, err := resolver.LookupNetIP(ctx, "ip4", n.Domain)
	if err != nil {
		return "", fmt.Errorf("ask for the address of %s: %w", n.Domain, err)
	}
	n.known, n.until = addresses[0].String(), time.Now().Add(n.Holds)
	return n.known, nil
}
