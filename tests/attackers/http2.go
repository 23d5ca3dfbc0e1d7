package attackers

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"berth/tests/report"
)

// frames speaks HTTP/2 without any of a client's manners.
type frames struct {
	*http2.Framer
	conn *tls.Conn
}

func (s *Scene) frames(t *testing.T) *frames {
	t.Helper()
	conn, err := s.secure(domain, "h2")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalWrites = true
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(t, framer.WriteSettings())
	return &frames{framer, conn}
}

// block packs a header as it is: pairs of names and values.
func block(fields []string) []byte {
	var packed bytes.Buffer
	encoder := hpack.NewEncoder(&packed)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // A buffer takes everything.
	}
	return packed.Bytes()
}

// ask sends one request and returns the answer's status, "reset" or "closed".
func (f *frames) ask(fields []string, body string) string {
	if f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(fields), EndHeaders: true, EndStream: body == ""}) != nil {
		return "closed"
	}
	if body != "" {
		_ = f.WriteData(1, true, []byte(body)) // Whoever refuses early also stops reading.
	}
	return f.answer()
}

func (f *frames) answer() string {
	_ = f.conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "closed"
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return "reset"
		case *http2.GoAwayFrame:
			return "closed"
		}
	}
}

// HTTP2 sends requests over HTTP/2 that mean something else once they are HTTP/1.1 for the app.
func (s *Scene) HTTP2(t *testing.T) {
	request := func(more ...string) []string {
		return append([]string{":method", "POST", ":scheme", "https", ":path", "/echo", ":authority", domain}, more...)
	}
	with := func(name, value string) []string {
		fields := request()
		fields[slices.Index(fields, name)+1] = value
		return fields
	}
	refused := []string{"400", "405", "414", "421", "501", "reset", "closed"}
	either := append(slices.Clone(refused), "200", "404")
	attempts := []struct {
		name    string
		fields  []string
		body    string
		allowed []string
	}{
		{"H2.CL, shorter", request("content-length", "0"), smuggled, refused},
		{"H2.CL, longer", request("content-length", "1000"), smuggled, refused},
		{"H2.CL, twice", request("content-length", "5", "content-length", "0"), "xxxxx", refused},
		{"H2.TE", request("transfer-encoding", "chunked"), "0\r\n\r\n" + smuggled, either},
		{"CRLF in a value", request("x", "a\r\nTransfer-Encoding: chunked"), "0\r\n\r\n" + smuggled, refused},
		{"CRLF in a name", request("x: a\r\ntransfer-encoding", "chunked"), "0\r\n\r\n" + smuggled, either},
		{"LF in a value", request("x", "a\nTransfer-Encoding: chunked"), "0\r\n\r\n" + smuggled, refused},
		{"NUL in a value", request("x", "a\x00"), "", refused},
		{"a colon in a name", request("transfer-encoding: chunked", "x"), "0\r\n\r\n" + smuggled, either},
		{"capitals in a name", request("Transfer-Encoding", "chunked"), "0\r\n\r\n" + smuggled, either},
		{"CRLF in the path", with(":path", "/echo HTTP/1.1\r\nHost: x\r\n\r\nGET /smuggled/path"), "", refused},
		{"a space in the path", with(":path", "/smuggled/a HTTP/1.1 b"), "", refused},
		{"CRLF in the method", with(":method", "GET /smuggled/method HTTP/1.1\r\nX: "), "", refused},
		{"no path", request()[:4], "", refused},
		{"an empty path", with(":path", ""), "", refused},
		{"a path without a slash", with(":path", "smuggled/relative"), "", refused},
		{"two paths", request(":path", "/smuggled/second"), "", refused},
		{"another scheme", with(":scheme", "file"), "", either},
		{"another name", with(":authority", "evil.test"), "", refused},
		{"no name", request()[:6], "", refused},
		{"a user in the name", with(":authority", "evil@"+domain), "", refused},
		{"another name in host", request("host", "evil.test"), "", either},
		{"a connection header", request("connection", "transfer-encoding"), "", either},
		{"an upgrade", request("upgrade", "h2c", "connection", "upgrade"), "", either},
		{"CONNECT", []string{":method", "CONNECT", ":authority", "127.0.0.1:22"}, "", refused},
	}
	for _, a := range attempts {
		assert.Containsf(t, a.allowed, s.frames(t).ask(a.fields, a.body), a.name)
	}
	assert.NotEqual(t, "closed", s.frames(t).ask([]string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", domain}, ""), "an honest request is answered")
	s.nothingArrived(t)
	report.Add(t, section, "Smuggled requests over HTTP/2", fmt.Sprintf("%d tried, 0 arrived", len(attempts)))
}
