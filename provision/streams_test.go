package provision

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// streamsWithin ends what would otherwise wait for ever, where a stream does not arrive.
const streamsWithin = 20 * time.Second

// streaming is an app that sends a line, and the next one each time that the test has read one.
func streaming(t *testing.T) (app *httptest.Server, read chan struct{}) {
	t.Helper()
	read = make(chan struct{})
	app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := r.URL.Query().Get("type")
		var out io.Writer = w
		if r.URL.Path == "/until-the-end" {
			// As HTTP/1.0 has it: the answer ends with the connection.
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\nContent-Type: %s\r\n\r\n", kind)
			out = conn
		} else {
			w.Header().Set("Content-Type", kind)
			if accelerate := r.URL.Query().Get("accelerate"); accelerate != "" {
				w.Header().Set("X-Accel-Buffering", accelerate)
			}
		}
		for number := range 3 {
			_, _ = fmt.Fprintf(out, "piece %d\n", number)
			if flusher, ok := out.(http.Flusher); ok {
				flusher.Flush()
			}
			select {
			case <-read:
			case <-r.Context().Done():
				return
			case <-time.After(streamsWithin):
				return
			}
		}
	}))
	t.Cleanup(app.Close)
	return app, read
}

// TestStreamsArriveAsTheyAreSent, whatever they are, and whether the visitor's side is HTTP/1.1 or HTTP/2, compressed or not: the app
// sends a piece only when the one before it was read.
func TestStreamsArriveAsTheyAreSent(t *testing.T) {
	app, read := streaming(t)
	e := newEdge(t, &config.Config{MaxBody: 100, Timeout: 300}, route{"path": "/", "upstream": port(t, app.Listener.Addr())},
		route{"path": "/both/", "upstream": port(t, app.Listener.Addr()), "buffering": false}, route{"path": "/whole/", "upstream": port(t, app.Listener.Addr()), "buffering": true})
	for protocol, client := range map[string]*http.Client{"HTTP/1.1": e.client(false), "HTTP/2.0": e.client(true)} {
		client.Timeout = streamsWithin
		for _, path := range []string{"/chunked?", "/until-the-end?", "/both/?", "/whole/?accelerate=no&"} {
			for _, kind := range []string{"text/event-stream", "application/x-ndjson", "text/html", "application/json", "text/plain", "application/octet-stream"} {
				response, err := client.Get("https://app.example.com" + path + "type=" + kind)
				require.NoError(t, err)
				assert.Equal(t, protocol, response.Proto)
				lines := bufio.NewReader(response.Body)
				for number := range 3 {
					line, err := lines.ReadString('\n')
					require.NoErrorf(t, err, "piece %d of %s by %s as %s did not arrive", number, path, protocol, kind)
					assert.Equal(t, fmt.Sprintf("piece %d\n", number), line)
					read <- struct{}{}
				}
				_, err = lines.ReadByte()
				require.ErrorIs(t, err, io.EOF)
				require.NoError(t, response.Body.Close())
			}
		}
	}
}

// TestABodyHasItsLimit, and who sends more gets it in the answer.
func TestABodyHasItsLimit(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		length, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintln(w, length, err)
	}))
	t.Cleanup(app.Close)
	e := newEdge(t, &config.Config{MaxBody: 2, Timeout: 300}, route{"path": "/", "upstream": port(t, app.Listener.Addr())})
	for _, client := range []*http.Client{e.client(false), e.client(true)} {
		for size, want := range map[int]string{2 << 20: fmt.Sprintln(2<<20, nil), 2<<20 + 1: "A request may send at most 2 MiB here.\n"} {
			response, err := client.Post("https://app.example.com/x", "text/plain", bytes.NewReader(make([]byte, size)))
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, want, string(body))
			assert.Equal(t, map[bool]int{true: http.StatusRequestEntityTooLarge, false: http.StatusOK}[size > 2<<20], response.StatusCode)
		}
	}
}

// TestASilentAppHasItsTime: nginx answers for it then.
func TestASilentAppHasItsTime(t *testing.T) {
	app, _ := streaming(t)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	e := newEdge(t, &config.Config{MaxBody: 1, Timeout: 1}, route{"path": "/", "upstream": port(t, silent.Listener.Addr())}, route{"path": "/begun/", "upstream": port(t, app.Listener.Addr())})
	client := e.client(true)
	client.Timeout = streamsWithin
	response, err := client.Get("https://app.example.com/")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusGatewayTimeout, response.StatusCode)
	response, err = client.Get("https://app.example.com/begun/?type=text/plain")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.Error(t, err, "an answer that is cut does not end well")
	assert.False(t, strings.HasPrefix(err.Error(), "context"), "%v", err)
	assert.Equal(t, "piece 0\n", string(body))
	require.NoError(t, response.Body.Close())
}

// TestHeadersWithUnderscoresDoNotReachTheApp: what makes X_Forwarded_For and X-Forwarded-For one variable, as CGI and WSGI do, would
// take the visitor's for the edge's.
func TestHeadersWithUnderscoresDoNotReachTheApp(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			_, _ = fmt.Fprintln(w, name, values)
		}
	}))
	t.Cleanup(app.Close)
	e := newEdge(t, &config.Config{MaxBody: 1, Timeout: 300}, route{"path": "/", "upstream": port(t, app.Listener.Addr())})
	for _, client := range []*http.Client{e.client(false), e.client(true)} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example.com/", nil)
		require.NoError(t, err)
		for _, name := range []string{"X_Forwarded_For", "x_forwarded-for", "X-Forwarded_For", "X_Real_IP", "X_Forwarded_Proto", "Content_Length", "Transfer_Encoding", "My_Own"} {
			request.Header[name] = []string{"forged"}
		}
		request.Header.Set("My-Own", "passes")
		response, err := client.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.NotContains(t, string(body), "forged")
		assert.Contains(t, string(body), "My-Own [passes]")
		assert.Contains(t, string(body), "X-Forwarded-For [127.0.0.1]")
	}
}

// counting is an app that says how much it got, and when the first byte came; it goes on when the test has seen that.
func counting(t *testing.T) (app *httptest.Server, begun chan struct{}) {
	t.Helper()
	begun = make(chan struct{})
	app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, 1)
		n, _ := io.ReadFull(r.Body, first)
		if r.URL.Query().Get("wait") != "" {
			begun <- struct{}{}
		}
		rest, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, int64(n)+rest, " ", err, " of ", r.ContentLength, "\n")
	}))
	t.Cleanup(app.Close)
	return app, begun
}

// TestARouteHasItsOwnLimit, before, between and after releases that differ in it.
func TestARouteHasItsOwnLimit(t *testing.T) {
	app, _ := counting(t)
	upstream := port(t, app.Listener.Addr())
	old := []route{{"path": "/", "upstream": upstream}, {"path": "/up/", "upstream": upstream, "maxBody": 3}, {"path": "/stream/", "upstream": upstream, "buffering": false, "maxBody": 20}}
	other := []route{{"path": "/", "upstream": upstream, "maxBody": 1}, {"path": "/up/", "upstream": upstream, "maxBody": 1}}
	for _, releases := range [][][]route{{old}, {old, other}} {
		e := newEdgeBetween(t, &config.Config{MaxBody: 2, Timeout: 300}, releases...)
		for _, client := range []*http.Client{e.client(false), e.client(true)} {
			for path, limit := range map[string]int{"/": 2, "/up/x": 3, "/up": 3, "/stream/x": 20} {
				for size, code := range map[int]int{limit << 20: http.StatusOK, limit<<20 + 1: http.StatusRequestEntityTooLarge} {
					response, err := client.Post("https://app.example.com"+path, "text/plain", io.LimitReader(zeros{}, int64(size)))
					if err != nil {
						// Without a length, the limit is met while the visitor still sends.
						assert.Equal(t, http.StatusRequestEntityTooLarge, code, "%s with %d: %v", path, size, err)
						continue
					}
					body, err := io.ReadAll(response.Body)
					require.NoError(t, err)
					require.NoError(t, response.Body.Close())
					assert.Equal(t, code, response.StatusCode, "%s with %d", path, size)
					if code == http.StatusOK {
						assert.True(t, strings.HasPrefix(string(body), fmt.Sprint(size, " <nil> ")), string(body))
					} else {
						assert.Equal(t, fmt.Sprintf("A request may send at most %d MiB here.\n", limit), string(body))
					}
				}
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestLargeBodiesOfRoutesShareTheSpace: the largest of a route counts for all of them, and what waits nowhere does not.
func TestLargeBodiesOfRoutesShareTheSpace(t *testing.T) {
	for _, c := range []struct{ routes, want string }{
		{`{"path":"/","upstream":20100}`, ""},
		{`{"path":"/","upstream":20100},{"path":"/up/","upstream":20100,"maxBody":256},{"path":"/small/","upstream":20100,"maxBody":5}`, "limit_conn berth_routes 2;"},
		{`{"path":"/","upstream":20100,"maxBody":100}`, "limit_conn berth_routes 5;"},
		{`{"path":"/","upstream":20100,"maxBody":5000,"buffering":false}`, ""},
		{`{"path":"/","upstream":20100,"maxBody":5000,"protocol":"grpc"},{"path":"/x/","upstream":20100,"maxBody":3}`, "limit_conn berth_routes 170;"},
	} {
		r := newRebooted(t)
		r.write("etc/hosts.json", `{"names":["app.example.com"],"hosts":[],"redirects":[]}`)
		r.write("data/releases/a/slot", "1\n")
		r.write("data/releases/a/plan.json", `{"id":"a","routes":[`+c.routes+`]}`)
		said, err := r.source("deploy.sh", nginx+`learn_routes a; cat "$INCLUDED/now/upstreams.conf"`)
		require.NoError(t, err, said)
		if c.want == "" {
			assert.NotContains(t, said, "limit_conn")
			continue
		}
		assert.Contains(t, said, c.want)
	}
}

// TestAnUploadIsTakenInWhole before the app is asked, but where the route says otherwise.
func TestAnUploadIsTakenInWhole(t *testing.T) {
	app, begun := counting(t)
	upstream := port(t, app.Listener.Addr())
	e := newEdge(t, &config.Config{MaxBody: 2, Timeout: 300}, route{"path": "/", "upstream": upstream}, route{"path": "/stream/", "upstream": upstream, "buffering": false, "timeout": 300})
	for _, client := range []*http.Client{e.client(false), e.client(true)} {
		client.Timeout = streamsWithin
		for path, streamed := range map[string]bool{"/": false, "/stream/": true} {
			body, send := io.Pipe()
			answers := make(chan string, 1)
			go func() {
				response, err := client.Post("https://app.example.com"+path+"?wait=yes", "text/plain", body)
				if err != nil {
					answers <- err.Error()
					return
				}
				defer func() { _ = response.Body.Close() }()
				text, _ := io.ReadAll(response.Body)
				answers <- string(text)
			}()
			_, err := send.Write(make([]byte, 20000))
			require.NoError(t, err)
			// nginx announces the length of what it took in whole, and of nothing else.
			length := 20010
			if streamed {
				<-begun
				length = -1
			}
			_, err = send.Write(make([]byte, 10))
			require.NoError(t, err)
			require.NoError(t, send.Close())
			if !streamed {
				<-begun
			}
			assert.Equal(t, fmt.Sprintf("20010 <nil> of %d\n", length), <-answers, path)
		}
	}
}

// TestHTTP3IsOffered where it is set, on a port of UDP, and what nginx says of itself is right.
func TestHTTP3IsOffered(t *testing.T) {
	modules, err := exec.CommandContext(t.Context(), "nginx", "-V").CombinedOutput()
	if err != nil || !strings.Contains(string(modules), "http_v3_module") {
		t.Skip("this nginx has no HTTP/3; the server's has")
	}
	app, _ := counting(t)
	for _, offered := range []bool{false, true} {
		e := newEdge(t, &config.Config{MaxBody: 1, Timeout: 300, HTTP3: offered}, route{"path": "/", "upstream": port(t, app.Listener.Addr())})
		response, err := e.client(true).Get("https://app.example.com/")
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		listener, err := net.ListenPacket("udp", "127.0.0.1:"+e.ports["443"])
		if offered {
			assert.Equal(t, `h3=":443"; ma=86400`, response.Header.Get("Alt-Svc"))
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			continue
		}
		assert.Empty(t, response.Header.Get("Alt-Svc"))
		require.NoError(t, err)
		require.NoError(t, listener.Close())
	}
}

// TestNginxsOwnDirectivesAreChecked: what nginx takes is in the site, and what it refuses is not, with its line.
func TestNginxsOwnDirectivesAreChecked(t *testing.T) {
	app, _ := counting(t)
	for own, refused := range map[string]string{
		"add_header X-Own \"it's\" always;\nlocation = /own {\n\treturn 200 own;\n}": "",
		"# a comment\nno_such_directive on;":                                         `unknown directive "no_such_directive" in DIR/own.conf:2`,
		"}\nserver {\n\tlisten 81;":                                                  `unexpected "}" in DIR/own.conf:1`,
		"listen 127.0.0.1:0":                                                         "DIR/own.conf:",
	} {
		e := prepareEdge(t, &config.Config{MaxBody: 1, Timeout: 300, Nginx: own}, []route{{"path": "/", "upstream": port(t, app.Listener.Addr())}})
		e.write("own.conf", "# before\n")
		e.write("text", own)
		said, err := e.source("lib.sh", `nginx() { command nginx "$@" -e "$DIR/error.log" -p "$DIR" -c "$DIR/nginx.conf"; }; put_checked "$DIR/own.conf" nginx nginx -t -q <"$DIR/text"`)
		now, readErr := os.ReadFile(filepath.Join(e.dir, "own.conf"))
		require.NoError(t, readErr)
		if refused != "" {
			require.Error(t, err)
			assert.Contains(t, said, strings.ReplaceAll(refused, "DIR", e.dir))
			assert.Contains(t, said, "the previous file is back")
			assert.Equal(t, "# before\n", string(now))
			continue
		}
		require.NoError(t, err, said)
		e.start()
		response, err := e.client(true).Get("https://app.example.com/own")
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, "own", string(body))
		assert.Equal(t, "it's", response.Header.Get("X-Own"))
	}
}
