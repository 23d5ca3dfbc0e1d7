// Package dns is the rehearsal's name server: authoritative for the hosted zones of the account, and a resolver that
// forwards every other name, as the one of a VPC.
package dns

import (
	"context"
	"fmt"
	"net"

	"github.com/miekg/dns"
)

// Server is a handler's sockets: one for UDP and one for TCP, on one port.
type Server struct {
	packets net.PacketConn
	stream  net.Listener
	handler *Handler
}

// Listen binds an address ("host:port"; port 0 takes a free one) for both transports. Questions are answered once
// Serve runs; until then they wait.
func Listen(ctx context.Context, address string, handler *Handler) (*Server, error) {
	var config net.ListenConfig
	stream, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	_, port, err := net.SplitHostPort(stream.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	packets, err := config.ListenPacket(ctx, "udp", net.JoinHostPort(host, port))
	if err != nil {
		_ = stream.Close() // Nothing was read from it.
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	return &Server{packets: packets, stream: stream, handler: handler}, nil
}

// Address is where the server listens, "host:port".
func (s *Server) Address() string { return s.stream.Addr().String() }

// Serve answers until the context ends, which is no error, or a transport fails.
func (s *Server) Serve(ctx context.Context) error {
	ended := make(chan error, 2)
	servers := []*dns.Server{{PacketConn: s.packets, Handler: s.handler}, {Listener: s.stream, Handler: s.handler}}
	for _, server := range servers {
		go func() { ended <- server.ActivateAndServe() }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
		err = fmt.Errorf("serve DNS: %w", err)
	}
	// Closing the sockets ends what still reads from them; both were ours alone.
	_ = s.packets.Close()
	_ = s.stream.Close()
	return err
}
