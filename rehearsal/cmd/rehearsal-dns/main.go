// rehearsal-dns answers from the hosted zones of the AWS stand-in and forwards the rest.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	mdns "github.com/miekg/dns"

	"berth/rehearsal/dns"
)

// upstreams collects a flag that may be given more than once.
type upstreams []string

func (u *upstreams) String() string { return fmt.Sprint([]string(*u)) }

func (u *upstreams) Set(value string) error {
	if _, _, err := net.SplitHostPort(value); err != nil {
		return fmt.Errorf("it has the form address:port, for example 192.0.2.53:53: %w", err)
	}
	*u = append(*u, value)
	return nil
}

func main() {
	var forwardTo upstreams
	state := flag.String("state", ".", "folder of the AWS stand-in's state")
	listen := flag.String("listen", ":53", "address to serve on, UDP and TCP")
	noForward := flag.Bool("no-forward", false, "refuse names outside the hosted zones")
	flag.Var(&forwardTo, "upstream", "address:port of a resolver for other names; may be given again (default: those of /etc/resolv.conf)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *state, *listen, forwardTo, *noForward); err != nil {
		fmt.Fprintln(os.Stderr, "rehearsal-dns:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, state, listen string, forwardTo []string, noForward bool) error {
	handler := &dns.Handler{
		Zones:  func() ([]dns.Zone, error) { return zones(state) },
		Failed: func(err error) { fmt.Fprintln(os.Stderr, "rehearsal-dns:", err) },
	}
	switch {
	case noForward:
	case len(forwardTo) > 0:
		handler.Upstreams = forwardTo
	default:
		config, err := mdns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil {
			return fmt.Errorf("find the resolvers to forward to: %w; name one with -upstream or give -no-forward", err)
		}
		for _, address := range config.Servers {
			handler.Upstreams = append(handler.Upstreams, net.JoinHostPort(address, config.Port))
		}
	}
	server, err := dns.Listen(ctx, listen, handler)
	if err != nil {
		return err
	}
	return server.Serve(ctx)
}
