package load

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reset ends a connection as a killed server does.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if secure, is := connection.(interface{ NetConn() net.Conn }); is {
		_ = secure.NetConn().(*net.TCPConn).SetLinger(0)
		_ = secure.NetConn().Close()
	}
}

// TestNobodyListening: for 300 ms connections are refused, and those that were open are gone.
func TestNobodyListening(t *testing.T) {
	target := served(t, app)
	// Both servers have httptest's certificate.
	first := httptest.NewUnstartedServer(http.HandlerFunc(app))
	first.Config.ErrorLog = log.New(io.Discard, "", 0)
	first.StartTLS()
	target.Address = first.Listener.Addr().String()
	run := Start(t.Context(), target, Plan{Rate: 100, Request: "/"})
	require.NoError(t, run.AwaitVersion(t.Context(), "v1"))
	time.Sleep(100 * time.Millisecond)
	first.CloseClientConnections()
	first.Close()
	time.Sleep(300 * time.Millisecond)
	listener, err := net.Listen("tcp", target.Address)
	require.NoError(t, err)
	second := &http.Server{Handler: http.HandlerFunc(app), TLSConfig: first.TLS, ErrorLog: first.Config.ErrorLog, ReadHeaderTimeout: time.Second}
	t.Cleanup(func() { _ = second.Close() })
	go func() { _ = second.ServeTLS(listener, "", "") }()
	time.Sleep(300 * time.Millisecond)
	report := run.Stop()
	assert.Greater(t, report.Failed, 15)
	assert.Less(t, report.Failed, 60)
	assert.Greater(t, report.LongestGap, 250*time.Millisecond)
	assert.Less(t, report.LongestGap, 800*time.Millisecond)
	assert.Contains(t, fmt.Sprint(report.Reasons), "connection refused")
	assert.LessOrEqual(t, len(report.Reasons), 5, "%s", report)
}

// TestResetsAreOneReason: each connection has a port of its own, which is no reason of its own.
func TestResetsAreOneReason(t *testing.T) {
	target := served(t, func(w http.ResponseWriter, _ *http.Request) { reset(w) })
	run := Start(t.Context(), target, Plan{Rate: 100, Request: "/"})
	time.Sleep(400 * time.Millisecond)
	report := run.Stop()
	assert.Greater(t, report.Failed, 15)
	assert.LessOrEqual(t, len(report.Reasons), 3, "%s", strings.Join(report.Reasons, "\n"))
}

// TestAWriteIsNeverSentAgain: on a kept connection that died it counts as failed.
func TestAWriteIsNeverSentAgain(t *testing.T) {
	var writes, cut atomic.Int64
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && writes.Add(1)%2 == 0 {
			cut.Add(1)
			reset(w)
			return
		}
		app(w, r)
	})
	run := Start(t.Context(), target, Plan{Rate: 200, Request: "/", WritePath: "/count"})
	time.Sleep(time.Second)
	report := run.Stop()
	assert.Positive(t, cut.Load())
	assert.EqualValues(t, cut.Load(), report.Failed)
	assert.EqualValues(t, writes.Load()-cut.Load(), len(report.Written))
	assert.Zero(t, report.SentAgain)
}

// resettingReused resets every connection that is used a second time.
func resettingReused(w http.ResponseWriter, r *http.Request) {
	if r.Context().Value(usesKey{}).(*atomic.Int64).Add(1) == 2 {
		reset(w)
		return
	}
	app(w, r)
}

// TestAReadIsSentAgainWithoutAFailure, and that is counted.
func TestAReadIsSentAgainWithoutAFailure(t *testing.T) {
	run := Start(t.Context(), served(t, resettingReused), Plan{Rate: 50, Request: "/"})
	time.Sleep(time.Second)
	report := run.Stop()
	assert.Positive(t, report.SentAgain)
	assert.Zero(t, report.Failed, "%s", report)
}

// TestADownloadThatIsSentAgainIsSaid: it uses kept connections too.
func TestADownloadThatIsSentAgainIsSaid(t *testing.T) {
	run := Start(t.Context(), served(t, resettingReused), Plan{Rate: 1, Request: "/", Downloads: 1, DownloadPath: "/download"})
	time.Sleep(700 * time.Millisecond)
	report := run.Stop()
	assert.Positive(t, report.SentAgain)
	assert.Zero(t, report.Downloads.Failed, "%s", report)
}

// TestASiteThatStaysAwayHasAGapUntilTheEnd, although no answer ends it.
func TestASiteThatStaysAwayHasAGapUntilTheEnd(t *testing.T) {
	var gone atomic.Bool
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		if gone.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		app(w, r)
	})
	run := Start(t.Context(), target, Plan{Rate: 100, Request: "/"})
	require.NoError(t, run.AwaitVersion(t.Context(), "v1"))
	gone.Store(true)
	time.Sleep(500 * time.Millisecond)
	assert.Greater(t, run.Stop().LongestGap, 400*time.Millisecond)
}

func TestARefusedDownloadIsNotAskedForWithoutPause(t *testing.T) {
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/download" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		app(w, r)
	})
	run := Start(t.Context(), target, Plan{Rate: 10, Request: "/", Downloads: 1, DownloadPath: "/download"})
	time.Sleep(time.Second)
	failed := run.Stop().Downloads.Failed
	assert.Positive(t, failed)
	assert.LessOrEqual(t, failed, 20)
}

func TestAPlanWithoutARateHasOne(t *testing.T) {
	run := Start(t.Context(), served(t, app), Plan{Request: "/"})
	time.Sleep(500 * time.Millisecond)
	assert.Greater(t, run.Stop().Sent, 30)
}
