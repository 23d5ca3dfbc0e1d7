package load

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// usesKey is the key of the number of requests on a connection.
type usesKey struct{}

// served is a site whose behaviour tests change while it is under load.
func served(t *testing.T, handler http.HandlerFunc) Target {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	// A handler may ask how often its connection was used.
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, usesKey{}, new(atomic.Int64))
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return Target{Domain: "example.com", Address: server.Listener.Addr().String(), Roots: roots}
}

// app answers as the load app does.
func app(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Version", "v1")
	switch r.URL.Path {
	case "/count":
		fmt.Fprint(w, `{"id":1}`)
	case "/download":
		w.Header().Set("Content-Length", "4")
		fmt.Fprint(w, "four")
		time.Sleep(50 * time.Millisecond)
	case "/ws":
		socket, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for {
			kind, text, err := socket.Read(r.Context())
			if err != nil || socket.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	default:
		fmt.Fprint(w, "ok")
	}
}

var whole = Plan{Rate: 100, Request: "/", WritePath: "/count", WebSockets: 2, SocketPath: "/ws", Downloads: 1, DownloadPath: "/download"}

func TestASiteThatWorksIsSaidToWork(t *testing.T) {
	target := served(t, app)
	run := Start(t.Context(), target, whole)
	require.NoError(t, run.AwaitVersion(t.Context(), "v1"))
	time.Sleep(time.Second)
	report := run.Stop()
	assert.Zero(t, report.Failed+report.Sockets.Cut+report.Sockets.Failed+report.Downloads.Failed, "%s", report)
	assert.Greater(t, report.Sent, 50)
	assert.NotEmpty(t, report.Written)
	assert.NotZero(t, report.Downloads.Done)
	assert.NotZero(t, report.Sockets.Messages)
	assert.Less(t, report.LongestGap, 500*time.Millisecond)
	require.Len(t, report.Versions, 1)
}

func TestWhatFailsIsCounted(t *testing.T) {
	var broken atomic.Bool
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && r.URL.Path == "/" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		app(w, r)
	})
	run := Start(t.Context(), target, whole)
	require.NoError(t, run.AwaitVersion(t.Context(), "v1"))
	broken.Store(true)
	time.Sleep(400 * time.Millisecond)
	broken.Store(false)
	report := run.Stop()
	assert.Greater(t, report.Failed, 10)
	assert.Contains(t, fmt.Sprint(report.Reasons), "502 Bad Gateway")
}

func TestAWebSocketThatDoesNotEndByItselfWasCut(t *testing.T) {
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			app(w, r)
			return
		}
		socket, err := websocket.Accept(w, r, nil)
		if err == nil {
			time.Sleep(50 * time.Millisecond)
			_ = socket.CloseNow()
		}
	})
	run := Start(t.Context(), target, whole)
	require.NoError(t, run.AwaitVersion(t.Context(), "v1"))
	time.Sleep(200 * time.Millisecond)
	assert.NotZero(t, run.Stop().Sockets.Cut)
}

func TestADownloadThatEndsEarlyFailed(t *testing.T) {
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/download" {
			app(w, r)
			return
		}
		w.Header().Set("Content-Length", "10")
		fmt.Fprint(w, "four")
	})
	run := Start(t.Context(), target, whole)
	require.NoError(t, run.AwaitVersion(t.Context(), "v1"))
	time.Sleep(200 * time.Millisecond)
	assert.NotZero(t, run.Stop().Downloads.Failed)
}

// TestAReadThatIsSentAgainIsSaid: a server that closes kept connections unasked has clients send again.
func TestAReadThatIsSentAgainIsSaid(t *testing.T) {
	var asked atomic.Int64
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%2 == 0 {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = connection.Close()
			}
			return
		}
		app(w, r)
	})
	run := Start(t.Context(), target, Plan{Rate: 100, Request: "/"})
	require.NoError(t, run.AwaitVersion(t.Context(), "v1"))
	time.Sleep(500 * time.Millisecond)
	report := run.Stop()
	assert.NotZero(t, report.SentAgain+report.Failed)
}
