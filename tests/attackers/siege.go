package attackers

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/load"
	"berth/tests/report"
)

const (
	// slow is how many connections are slow in each way, drip what lies between two of their bytes.
	slow, drip = 500, time.Second
	// calm and siege are how long the site is under load without an attack and with it, at so many requests a second.
	calm, siege, rate = 15 * time.Second, time.Minute, 500
	patience, pause   = 90 * time.Second, 500 * time.Millisecond
)

// slowly is a way to hold a connection: what is sent at first, what is sent over and over, and whether by TLS.
type slowly struct {
	name, first, again string
	plain              bool
	// within is how long such a connection may live, 0 for as long as it likes.
	within time.Duration
}

var waysToBeSlow = []slowly{
	{name: "the header", first: "GET /smuggled/slow HTTP/1.1\r\nHost: " + domain + "\r\n", again: "X-Slow: a\r\n", within: 15 * time.Second},
	{name: "the body", first: "POST /echo HTTP/1.1\r\nHost: " + domain + "\r\nContent-Length: 9000\r\n\r\n", again: "a"},
	// The beginning of a handshake that is announced to be 512 bytes long.
	{name: "the handshake", first: "\x16\x03\x01\x02\x00", again: "\x01", plain: true, within: 15 * time.Second},
}

// hold keeps one such connection, or a new one, until the context ends.
func (s *Scene) hold(ctx context.Context, way slowly, opened *atomic.Int64, longest *atomic.Int64) {
	for ctx.Err() == nil {
		var conn net.Conn
		var err error
		if way.plain {
			conn, err = s.reach("443")
		} else {
			conn, err = s.secure(domain, "http/1.1")
		}
		if err != nil {
			continue
		}
		opened.Add(1)
		began := time.Now()
		s.dripInto(ctx, conn, way)
		if ctx.Err() == nil {
			for lived := int64(time.Since(began)); ; {
				before := longest.Load()
				if lived <= before || longest.CompareAndSwap(before, lived) {
					break
				}
			}
		}
		_ = conn.Close()
	}
}

// dripInto returns when the other side has ended the connection, or the context has.
func (s *Scene) dripInto(ctx context.Context, conn net.Conn, way slowly) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = conn.Read(make([]byte, 1)) // Whatever comes ends it.
		cancel()
	}()
	ticker := time.NewTicker(drip)
	defer ticker.Stop()
	for text := way.first; ; text = way.again {
		if _, err := conn.Write([]byte(text)); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Scene) target(t *testing.T) load.Target {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(s.rehearsal.File("root.pem"))))
	return load.Target{Domain: domain, Address: s.address, Roots: roots}
}

var visits = load.Plan{Rate: rate, Request: "/work", WritePath: "/count", WebSockets: 20, SocketPath: "/ws"}

// during runs the load for a time.
func (s *Scene) during(t *testing.T, plan load.Plan, time_ time.Duration) load.Report {
	t.Helper()
	run := load.Start(t.Context(), s.target(t), plan)
	select {
	case <-time.After(time_):
	case <-t.Context().Done():
	}
	return run.Stop()
}

// Siege holds slow connections in every way and repeats the hostile requests while visitors come.
func (s *Scene) Siege(t *testing.T) {
	before := s.during(t, visits, calm)
	t.Logf("without an attack:\n%s", before)
	require.Zero(t, before.Failed)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var attack sync.WaitGroup
	opened, longest := make([]atomic.Int64, len(waysToBeSlow)), make([]atomic.Int64, len(waysToBeSlow))
	for i, way := range waysToBeSlow {
		for range slow {
			attack.Add(1)
			go func() {
				defer attack.Done()
				s.hold(ctx, way, &opened[i], &longest[i])
			}()
		}
	}
	require.Eventually(t, func() bool {
		for i := range opened {
			if opened[i].Load() < slow {
				return false
			}
		}
		return true
	}, patience, pause, "%d connections of each kind", slow)
	var hostile atomic.Int64
	attack.Add(1)
	go func() {
		defer attack.Done()
		attempts := smuggling()
		for n := 0; ctx.Err() == nil; n++ {
			s.exchange(t, "443", domain, strings.NewReader(attempts[n%len(attempts)].request))
			hostile.Add(1)
		}
	}()
	under := s.during(t, visits, siege)
	stop()
	attack.Wait()
	t.Logf("under attack, with %d hostile requests:\n%s", hostile.Load(), under)

	assert.Zero(t, under.Failed)
	assert.Zero(t, under.Sockets.Cut+under.Sockets.Failed)
	assert.GreaterOrEqual(t, under.Sent, int(siege.Seconds())*rate*95/100, "the load was the load")
	for i, way := range waysToBeSlow {
		if way.within > 0 {
			assert.Greater(t, opened[i].Load(), int64(slow), "%s: none was let go", way.name)
			assert.Less(t, time.Duration(longest[i].Load()), way.within, way.name)
		}
	}
	s.nothingArrived(t)
	row := func(r load.Report) string {
		return fmt.Sprintf("%d of %d failed, p50 %.1f ms, p99 %.1f ms", r.Failed, r.Sent, r.P50.Seconds()*1000, r.P99.Seconds()*1000)
	}
	report.Add(t, section, fmt.Sprintf("%d requests a second without an attack, %s", rate, calm), row(before))
	report.Add(t, section, fmt.Sprintf("%d requests a second with %d connections slow in the handshake, %d in the header, %d in the body, and hostile requests, %s", rate, slow, slow, slow, siege), row(under))
	report.Add(t, section, "A connection that is slow in the header is let go within", time.Duration(longest[0].Load()).Round(100*time.Millisecond).String())
}

// share is how many requests of one address nginx takes at a time. The site's configuration has the other end.
const share = 2048

// Greedy begins more uploads from one address than that has a share in.
func (s *Scene) Greedy(t *testing.T) {
	const greedy = share + 500
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var held, refused atomic.Int64
	for range greedy {
		all.Add(1)
		go func() {
			defer all.Done()
			conn, err := s.secure(domain, "http/1.1")
			if err != nil {
				t.Errorf("connect: %v", err)
				return
			}
			defer func() { _ = conn.Close() }()
			if _, err := conn.Write([]byte(waysToBeSlow[1].first + "a")); err != nil {
				t.Errorf("send: %v", err)
				return
			}
			answered := make(chan string, 1)
			go func() {
				buffer := make([]byte, 1024)
				n, _ := conn.Read(buffer)
				answered <- string(buffer[:n])
			}()
			held.Add(1)
			select {
			case answer := <-answered:
				held.Add(-1)
				if strings.HasPrefix(answer, "HTTP/1.1 429 ") {
					refused.Add(1)
				}
			case <-ctx.Done():
			}
		}()
	}
	require.Eventually(t, func() bool { return held.Load()+refused.Load() == greedy && held.Load() <= share }, patience, pause)
	others := s.during(t, load.Plan{Rate: 50, Request: "/work"}, 5*time.Second)
	stop()
	all.Wait()
	assert.Zero(t, others.Failed)
	report.Add(t, section, fmt.Sprintf("%d uploads at once from one address", greedy), fmt.Sprintf("%d taken, %d answered 429; %d of %d requests of others failed", greedy-refused.Load(), refused.Load(), others.Failed, others.Sent))
}
