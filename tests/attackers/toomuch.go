package attackers

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"berth/tests/harness"
	"berth/tests/report"
)

const megabyte = 1 << 20

// endless repeats a text until so many bytes are read, and counts those.
type endless struct {
	text string
	left int
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && e.left > 0 {
		copied := copy(p[n:min(len(p), n+e.left)], e.text[e.at:])
		n, e.left, e.at = n+copied, e.left-copied, (e.at+copied)%len(e.text)
	}
	return n, nil
}

// TooMuch sends more of everything than anybody needs. The edge says so early, and goes on.
func (s *Scene) TooMuch(t *testing.T) {
	begin := "GET /smuggled/much HTTP/1.1\r\nHost: " + domain + "\r\n"
	refused := []string{"400", "413", "414", "431", "494", "closed"}
	attempts := []struct {
		name  string
		begin string
		rest  *endless
		size  int
	}{
		{"100 MB of headers", begin, &endless{text: "X-Much: " + strings.Repeat("a", 1000) + "\r\n"}, 100 * megabyte},
		{"a header of 100 MB", begin + "X-Much: ", &endless{text: strings.Repeat("a", 1000)}, 100 * megabyte},
		{"a header's name of 100 MB", begin, &endless{text: strings.Repeat("a", 1000)}, 100 * megabyte},
		{"a million small headers", begin, &endless{text: "a:b\r\n"}, 5_000_000},
		{"a target of 100 MB", "GET /smuggled/", &endless{text: strings.Repeat("a", 1000)}, 100 * megabyte},
		{"a method of 100 MB", "", &endless{text: strings.Repeat("A", 1000)}, 100 * megabyte},
		{"empty lines of 100 MB", "", &endless{text: "\r\n"}, 100 * megabyte},
		{"a body of 101 MB", "POST /smuggled/body HTTP/1.1\r\nHost: " + domain + "\r\nContent-Length: 105906176\r\n\r\n", &endless{text: strings.Repeat("a", 1000)}, 101 * megabyte},
	}
	longest := time.Duration(0)
	for _, a := range attempts {
		a.rest.left = a.size
		began := time.Now()
		answer := s.exchange(t, "443", domain, io.MultiReader(strings.NewReader(a.begin), a.rest))
		assert.Subsetf(t, refused, statuses(answer), "%s: %.200s", a.name, answer)
		took := time.Since(began)
		t.Logf("%s: %v after %d KB in %s", a.name, statuses(answer), (a.size-a.rest.left)>>10, took.Round(time.Millisecond))
		longest = max(longest, took)
	}
	assert.Equal(t, "closed", s.continued(t), "100 MB of headers over HTTP/2")
	assert.Equal(t, "closed", s.resets(t), "streams that are begun and taken back")
	s.nothingArrived(t)
	response := harness.NewSite(t, s.address, s.rehearsal.File("root.pem")).Do(http.MethodGet, "https://"+domain+"/", "")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Less(t, longest, 15*time.Second)
	report.Add(t, section, "100 MB of headers, targets, methods, and other floods on one connection", fmt.Sprintf("%d tried, each refused or let go within %.1f s", len(attempts)+2, longest.Seconds()))
}

// continued begins a header over HTTP/2 and goes on with it for 100 MB.
func (s *Scene) continued(t *testing.T) string {
	t.Helper()
	f := s.frames(t)
	require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block([]string{":method", "GET", ":scheme", "https", ":path", "/smuggled/continued", ":authority", domain})}))
	more := block(slices.Repeat([]string{"x-much", strings.Repeat("a", 1000)}, 10))
	for range 100 * megabyte / len(more) {
		if f.WriteContinuation(1, false, more) != nil {
			return "closed"
		}
	}
	return f.answer()
}

// resets begins requests and takes them back, ever so often.
func (s *Scene) resets(t *testing.T) string {
	t.Helper()
	f := s.frames(t)
	// Its first answers are not waited for, since none comes.
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, f.conn)
	}()
	header := block([]string{":method", "GET", ":scheme", "https", ":path", "/work", ":authority", domain})
	for stream := uint32(1); stream < 200_000; stream += 2 {
		if f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header, EndHeaders: true, EndStream: true}) != nil ||
			f.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			<-done
			return "closed"
		}
	}
	return "took 100,000 of them"
}
