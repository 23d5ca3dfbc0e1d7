package attackers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

// smuggled is a request inside another one's body; whoever disagrees about where that ends takes it for one.
const smuggled = "GET /smuggled/inside HTTP/1.1\r\nHost: " + domain + "\r\n\r\n"

// post is a request to the app's echo with these lines beside the usual ones, and a body.
func post(lines, body string) string {
	return "POST /echo HTTP/1.1\r\nHost: " + domain + "\r\nConnection: close\r\n" + lines + "\r\n" + body
}

// chunk is a body as one chunk.
func chunk(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

// whole is a Content-Length that covers everything.
func whole(body string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(body)) }

// smuggling are the requests whose end can be read in two ways.
func smuggling() []attempt {
	refused, either := []string{"400", "405", "413", "431", "501", "505", "closed"}, []string{"200", "400", "404", "405", "501", "505", "closed"}
	early := "0\r\n\r\n" + smuggled
	attempts := []attempt{
		{"CL.TE", post("Content-Length: "+fmt.Sprint(len(early))+"\r\nTransfer-Encoding: chunked\r\n", early), refused},
		{"TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", chunk(smuggled)), refused},
		{"CL.0 by Expect", post("Expect: 100-continue\r\n"+whole(smuggled), smuggled), append(either, "100", "417")},
		{"a GET with a body", "GET /echo HTTP/1.1\r\nHost: " + domain + "\r\nConnection: close\r\n" + whole(smuggled) + "\r\n" + smuggled, either},
		{"a chunk that ends in LF", post("Transfer-Encoding: chunked\r\n", "5;\nxxxxx\r\n0\r\n\r\n"), either},
		{"a chunk's length in two words", post("Transfer-Encoding: chunked\r\n", "5 5\r\nxxxxx\r\n0\r\n\r\n"), either},
		{"a chunk longer than 64 bits", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nx\r\n0\r\n\r\n"), refused},
		{"a chunk of negative length", post("Transfer-Encoding: chunked\r\n", "-5\r\nxxxxx\r\n0\r\n\r\n"), refused},
		{"a length in a chunked trailer", post("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 100\r\n\r\n"), either},
		{"CR alone in a value", post("X: a\rContent-Length: 100\r\n", ""), refused},
		{"CR alone between lines", "GET /smuggled/cr HTTP/1.1\rHost: " + domain + "\r\r", refused},
		{"LF alone between lines", "GET /echo HTTP/1.1\nHost: " + domain + "\nConnection: close\n\n", either},
		{"NUL in a value", post("X: a\x00b\r\n", ""), refused},
		{"NUL in a name", post("X\x00Y: a\r\n", ""), refused},
		{"a folded line", post("X: a\r\n Transfer-Encoding: chunked\r\n"+whole(early), early), either},
		{"a line without a colon", post("Transfer-Encoding chunked\r\n"+whole(early), early), either},
		{"a space in the target", "GET /smuggled/a HTTP/1.1 b HTTP/1.1\r\nHost: " + domain + "\r\nConnection: close\r\n\r\n", refused},
		{"CRLF in the method", "GE\r\nT /smuggled/method HTTP/1.1\r\nHost: " + domain + "\r\n\r\n", refused},
		{"HTTP/0.9", "GET /smuggled/09\r\n", refused},
		{"HTTP/1.0 with chunks", "POST /smuggled/10 HTTP/1.0\r\nHost: " + domain + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("x"), refused},
		{"HTTP/9.9", "GET /smuggled/99 HTTP/9.9\r\nHost: " + domain + "\r\n\r\n", refused},
		{"HTTP/2 by word", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refused},
		{"CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: " + domain + "\r\n\r\n", refused},
		{"TRACE", "TRACE /smuggled/trace HTTP/1.1\r\nHost: " + domain + "\r\n\r\n", refused},
		{"an upgrade to HTTP/2", "GET /echo HTTP/1.1\r\nHost: " + domain + "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", either},
	}
	for _, length := range []string{"5\r\nContent-Length: 60", "5, 60", "5, 5", "+5", "0x5", "-1", "5 5", "5;q=1", "5\x0b", "18446744073709551621", "1e1", "\u0665"} {
		attempts = append(attempts, attempt{fmt.Sprintf("Content-Length: %q", length), post("Content-Length: "+length+"\r\n", "xxxxx"+smuggled), refused})
	}
	// The length covers everything: a server that uses it reads one request, one that reads chunks reads two.
	for _, line := range []string{
		"Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding:\x0bchunked",
		"Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunKed", "Transfer-Encoding: chunked;q=1", "X: x\nTransfer-Encoding: chunked", "X: x\rTransfer-Encoding: chunked", "transfer_encoding: chunked",
		"Transfer-Encoding\x00: chunked", "Transfer-Encoding\x0b: chunked", "\x00Transfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: chunked\x00", "Transfer\u2010Encoding: chunked",
		"Connection: Content-Length", "Connection: close, Host, X-Forwarded-For, Content-Length",
	} {
		attempts = append(attempts, attempt{fmt.Sprintf("%q", line), post(line+"\r\n"+whole(early), early), either})
	}
	return attempts
}

// Smuggling sends requests whose end can be read in two ways, over HTTP/1.1.
func (s *Scene) Smuggling(t *testing.T) {
	attempts := smuggling()
	tried := s.try(t, "443", domain, attempts)
	s.nothingArrived(t)
	report.Add(t, section, "Smuggled requests over HTTP/1.1", fmt.Sprintf("%d tried, 0 arrived", tried))
}

// Forged sends headers that the edge alone may set, and checks what the app gets.
func (s *Scene) Forged(t *testing.T) {
	if !s.tells {
		t.Skip("this app does not tell what it gets")
	}
	forged := "X-Forwarded-For: 192.0.2.66\r\nX-Real-IP: 192.0.2.66\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 22\r\n" +
		"Forwarded: for=192.0.2.66;host=evil.test\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nProxy: http://evil.test\r\nUpgrade: h2c\r\n"
	got := decode[struct{ Headers map[string]string }](t, s.exchange(t, "443", domain, strings.NewReader(post(forged+whole("x"), "x"))))
	assert.Equal(t, domain, got.Headers["host"])
	assert.Equal(t, domain, got.Headers["x-forwarded-host"])
	assert.Equal(t, "https", got.Headers["x-forwarded-proto"])
	for name, value := range got.Headers {
		for _, mark := range []string{"192.0.2.66", "evil.test", "/admin", "h2c"} {
			assert.NotContains(t, value, mark, name)
		}
	}
	assert.NotContains(t, got.Headers, "x-forwarded-port")
	report.Add(t, section, "Forged headers of a proxy that reach the app", "0 of 10")
}

// nothingArrived checks what the app was asked for, where the app tells; the attackers' paths are all the same to it.
func (s *Scene) nothingArrived(t *testing.T) {
	t.Helper()
	if !s.tells {
		return
	}
	assert.Empty(t, s.seen(t))
	// An honest request by such a path is seen: the list is no blind one.
	s.exchange(t, "443", domain, strings.NewReader(get("/smuggled/honest", domain)))
	assert.Equal(t, []string{"/smuggled/honest"}, s.seen(t))
	s.exchange(t, "443", domain, strings.NewReader(get("/seen?forget=yes", domain)))
}

// seen are the paths, of those that no request should have, that the app was asked for.
func (s *Scene) seen(t *testing.T) []string {
	t.Helper()
	return decode[[]string](t, s.exchange(t, "443", domain, strings.NewReader(get("/seen", domain))))
}

// decode reads the JSON of an answer.
func decode[T any](t *testing.T, answer string) T {
	t.Helper()
	var value T
	_, body, found := strings.Cut(answer, "\r\n\r\n")
	require.Truef(t, found, "%.300s", answer)
	require.NoErrorf(t, json.Unmarshal([]byte(body), &value), "%.300s", answer)
	return value
}
