package provision

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"berth/internal/config"
)

// echo is a service of gRPC: it sends back each message of a stream when it comes, and ends with an error of its own where that is
// what it got.
var echo = grpc.ServiceDesc{ServiceName: "shop.Echo", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{StreamName: "Say", ServerStreams: true, ClientStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
	headers, _ := metadata.FromIncomingContext(stream.Context())
	for {
		var got wrapperspb.StringValue
		if err := stream.RecvMsg(&got); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		switch got.Value {
		case "fail":
			return status.Error(codes.FailedPrecondition, "as asked")
		case "headers":
			got.Value = strings.Join(append(headers.Get("x-forwarded-for"), append(headers.Get("x-forwarded-proto"), headers.Get("forwarded")...)...), " ")
		}
		if err := stream.SendMsg(&got); err != nil {
			return err
		}
	}
}}}}

// echoing serves it; the port is where.
func echoing(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	server.RegisterService(&echo, nil)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return port(t, listener.Addr())
}

// say opens a stream of the service by the site's name.
func (e *edge) say(ctx context.Context) grpc.ClientStream {
	e.t.Helper()
	connection, err := grpc.NewClient("passthrough:///app.example.com:443", grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: e.roots, MinVersion: tls.VersionTLS12})),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return e.dial(ctx, "tcp", address) }))
	require.NoError(e.t, err)
	e.t.Cleanup(func() { _ = connection.Close() })
	stream, err := connection.NewStream(ctx, &echo.Streams[0], "/shop.Echo/Say")
	require.NoError(e.t, err)
	return stream
}

func exchangeOn(t *testing.T, stream grpc.ClientStream, text string) string {
	t.Helper()
	require.NoError(t, stream.SendMsg(wrapperspb.String(text)))
	var got wrapperspb.StringValue
	require.NoError(t, stream.RecvMsg(&got))
	return got.Value
}

// TestGRPCPasses, both ways and message by message, with its own errors, while one release serves and while two do; a stream is a
// connection of its own, which a release waits for.
func TestGRPCPasses(t *testing.T) {
	upstream := echoing(t)
	routes := []route{{"path": "/", "upstream": upstream, "health": "", "protocol": "grpc", "timeout": 300}}
	for _, releases := range [][][]route{{routes}, {routes, {{"path": "/", "upstream": upstream}}}} {
		e := newEdgeBetween(t, &config.Config{MaxBody: 1, Timeout: 300}, releases...)
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "x-forwarded-for", "192.0.2.66", "forwarded", "for=192.0.2.66"), 2*streamsWithin)
		defer cancel()
		stream := e.say(ctx)
		for i := range 30 {
			text := strings.Repeat("x", 100_000) + strconv.Itoa(i)
			assert.Equal(t, text, exchangeOn(t, stream, text), "3 MB in all, which is more than a body may have")
		}
		assert.Equal(t, "127.0.0.1 https", exchangeOn(t, stream, "headers"))
		assert.Equal(t, "1", e.open(), "the open stream")
		require.NoError(t, stream.SendMsg(wrapperspb.String("fail")))
		err := stream.RecvMsg(&wrapperspb.StringValue{})
		assert.Equal(t, codes.FailedPrecondition, status.Code(err), "%v", err)
		said, err := e.source("deploy.sh", `DOMAIN=app.example.com; await 10 drained a a && echo drained; unanswered a`)
		require.NoError(t, err, said)
		assert.Equal(t, "drained\n", said, "a service of gRPC is asked in its own way")
	}
}

// TestStreamsHaveNoShareOfTheSpaceForBodies, while one release serves and while two do with other options.
func TestStreamsHaveNoShareOfTheSpaceForBodies(t *testing.T) {
	upstream := echoing(t)
	routes := []route{{"path": "/", "upstream": upstream, "protocol": "grpc"}}
	for _, releases := range [][][]route{{routes}, {routes, {{"path": "/", "upstream": upstream}}}} {
		// An address may send one large body at a time.
		e := newEdgeBetween(t, &config.Config{MaxBody: bodySpace / 2, Timeout: 300}, releases...)
		ctx, cancel := context.WithTimeout(t.Context(), 2*streamsWithin)
		defer cancel()
		first, second := e.say(ctx), e.say(ctx)
		assert.Equal(t, "one", exchangeOn(t, first, "one"))
		assert.Equal(t, "two", exchangeOn(t, second, "two"))
		assert.Equal(t, "one", exchangeOn(t, first, "one"))
	}
}

// open is what a release has to wait for.
func (e *edge) open() string {
	said, err := e.source("deploy.sh", `open_connections a`)
	require.NoError(e.t, err, said)
	return strings.TrimSpace(said)
}

// TestWhatNginxFailsAtIsAStatusOfGRPC: a service that is not there, and one that is silent for too long.
func TestWhatNginxFailsAtIsAStatusOfGRPC(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	for what, address := range map[string]net.Addr{"closed": closed.Addr(), "silent": silent.Addr()} {
		e := newEdge(t, &config.Config{MaxBody: 1, Timeout: 300}, route{"path": "/", "upstream": port(t, address), "health": "", "protocol": "grpc", "timeout": 1})
		ctx, cancel := context.WithTimeout(t.Context(), streamsWithin)
		defer cancel()
		stream := e.say(ctx)
		require.NoError(t, stream.SendMsg(wrapperspb.String("x")))
		// A client that is silent, too, would be let go as one.
		require.NoError(t, stream.CloseSend())
		err := stream.RecvMsg(&wrapperspb.StringValue{})
		assert.Equal(t, codes.Unavailable, status.Code(err), "%s: %v", what, err)
	}
}
