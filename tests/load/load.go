// Package load puts a site under load while something is done to it, and says what its visitors noticed. Requests are
// sent on schedule, whatever the answers take.
package load

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Target is where a site is reached: its name, and its address in place of DNS. Without an address the name server Resolver,
// HOST:PORT, is asked for one of IPv4, and an answer is used for as long as Holds says, as a visitor's resolver does.
type Target struct {
	Domain, Address string
	Resolver        string
	Holds           time.Duration
	Roots           *x509.CertPool
}

// Plan is what is asked of the site, all at once.
type Plan struct {
	// Rate is how many requests a second are sent to the path Request, 100 unless it is set.
	Rate    int
	Request string
	// Connections are how many there are at most for requests, 0 for as many as they take: requests wait for one then.
	Connections int
	// WritePath gets every tenth request as a POST, "" for none. Its answer is {"id": number}.
	WritePath string
	// WebSockets are kept open at SocketPath, an echo: each for about three seconds, then closed and opened again.
	WebSockets int
	SocketPath string
	// Downloads run at DownloadPath, one after the other.
	Downloads    int
	DownloadPath string
}

const (
	// timeout bounds one request, and settle what is in flight when a run is stopped.
	timeout, settle = 10 * time.Second, 20 * time.Second
	// pause lies between a download or a WebSocket that failed and the next try.
	pause = 200 * time.Millisecond
)

// Run is running load.
type Run struct {
	target    Target
	plan      Plan
	transport *http.Transport
	began     time.Time
	// stopped is when Stop was called, since the run began.
	stopped time.Duration
	stop    context.CancelFunc
	// inFlight ends with stop's context for what only has to be begun; what was begun may finish.
	inFlight sync.WaitGroup

	lock    sync.Mutex
	answers []answer
	noted   []note
	report  Report
	// seen is closed and recreated whenever a version answers for the first time.
	seen     chan struct{}
	versions map[string]bool
}

type answer struct {
	at, took time.Duration
	version  string
}

type note struct {
	at     time.Duration
	reason string
}

// Start begins. The context bounds the whole run; Stop ends it.
func Start(ctx context.Context, target Target, plan Plan) *Run {
	plan.Rate = cmp.Or(plan.Rate, 100)
	dialer := &net.Dialer{Timeout: timeout}
	known := &names{Target: target}
	dial := func(ctx context.Context, network, to string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(to)
		if err != nil {
			return nil, err
		}
		// An address with a port of its own is a test's.
		if _, _, err := net.SplitHostPort(target.Address); err == nil {
			return dialer.DialContext(ctx, network, target.Address)
		}
		address, err := known.address(ctx)
		if err != nil {
			return nil, err
		}
		return dialer.DialContext(ctx, network, net.JoinHostPort(address, port))
	}
	ctx, stop := context.WithCancel(ctx)
	r := &Run{
		target: target, plan: plan, began: time.Now(), stop: stop, seen: make(chan struct{}), versions: map[string]bool{},
		// HTTP/1.1 with kept connections: stricter than HTTP/2, which tells a client that it has to go elsewhere.
		transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: target.Roots, NextProtos: []string{"http/1.1"}}, MaxIdleConnsPerHost: 200, MaxIdleConns: 200, MaxConnsPerHost: plan.Connections},
	}
	r.inFlight.Add(1)
	go r.requests(ctx)
	for range plan.WebSockets {
		r.inFlight.Add(1)
		go r.sockets(ctx)
	}
	for range plan.Downloads {
		r.inFlight.Add(1)
		go r.downloads(ctx)
	}
	return r
}

// Stop ends the run, waits for what is in flight and reports.
func (r *Run) Stop() Report {
	r.lock.Lock()
	r.stopped = r.since()
	r.lock.Unlock()
	r.stop()
	done := make(chan struct{})
	go func() {
		r.inFlight.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(settle):
		r.fail(errors.New("something never ended"))
	}
	r.transport.CloseIdleConnections()
	return r.summary()
}

// AwaitVersion waits until an answer came from a version.
func (r *Run) AwaitVersion(ctx context.Context, version string) error {
	for {
		r.lock.Lock()
		there, seen := r.versions[version], r.seen
		r.lock.Unlock()
		if there {
			return nil
		}
		select {
		case <-seen:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *Run) since() time.Duration { return time.Since(r.began) }

func (r *Run) client() *http.Client {
	return &http.Client{Transport: r.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (r *Run) url(path string) string { return "https://" + r.target.Domain + path }

// fail notes a request that failed.
func (r *Run) fail(err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.report.Failed++
	r.noted = append(r.noted, note{r.since(), err.Error()})
}

// note counts something else that went wrong.
func (r *Run) note(count *int, err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	*count++
	r.noted = append(r.noted, note{r.since(), err.Error()})
}

func (r *Run) count(count *int) {
	r.lock.Lock()
	defer r.lock.Unlock()
	*count++
}
