package provision

import (
	"context"
	"crypto/tls"
	"errors"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// visitor is who asks the site from an address of this machine.
type visitor struct {
	*http.Client
	t *testing.T
}

func (e *edge) from(address string) visitor {
	e.t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: e.roots, MinVersion: tls.VersionTLS12}}
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		return dialer.DialContext(ctx, "tcp", "127.0.0.1:"+e.ports["443"])
	}
	e.t.Cleanup(transport.CloseIdleConnections)
	return visitor{&http.Client{Transport: transport}, e.t}
}

// ask asks for a path with headers, "Name: value" each, and gives the answer with its body.
func (v visitor) ask(path string, headers ...string) (*http.Response, string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, "https://app.example.com"+path, nil)
	require.NoError(v.t, err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	response, err := v.Do(request)
	require.NoError(v.t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(v.t, err)
	require.NoError(v.t, response.Body.Close())
	return response, string(body)
}

// seeing is an app that says which address it was asked for.
func seeing(t *testing.T) int {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Header.Get("X-Real-IP"), " ", strings.Join(r.Header.Values("X-Forwarded-For"), ","))
	}))
	t.Cleanup(app.Close)
	return port(t, app.Listener.Addr())
}

// TestOnlyTrustedProxiesSayWhoTheVisitorIs: 127.0.0.3 is one, 127.0.0.2 is anybody.
func TestOnlyTrustedProxiesSayWhoTheVisitorIs(t *testing.T) {
	e := newEdge(t, &config.Config{MaxBody: 1, Timeout: 300, TrustedProxies: []string{"127.0.0.3/32", ownAddress(t) + "/32", "cloudfront"}}, route{"path": "/", "upstream": seeing(t)})
	for _, c := range []struct{ from, forwarded, want string }{
		{"127.0.0.2", "192.0.2.9", "127.0.0.2"},
		{"127.0.0.3", "192.0.2.9", "192.0.2.9"},
		{"127.0.0.3", "2001:db8::9", "2001:db8::9"},
		{"127.0.0.3", "198.51.100.1, 192.0.2.9", "192.0.2.9"},
		{"127.0.0.3", "127.0.0.1, 192.0.2.9", "192.0.2.9"},
		{"127.0.0.3", "198.51.100.1, 192.0.2.9, 15.158.0.7", "192.0.2.9"},
		{"127.0.0.3", "nonsense", "127.0.0.3"},
	} {
		_, body := e.from(c.from).ask("/", "X-Forwarded-For: "+c.forwarded, "CF-Connecting-IP: 203.0.113.66", "X-Real-IP: 203.0.113.66", "Forwarded: for=203.0.113.66")
		assert.Equal(t, c.want+" "+c.want, body, "%v", c)
	}
	// Loopback is the server itself, whose checks no route asks for anything.
	for _, forged := range []string{"127.0.0.1", "::1", "127.9.9.9", "::ffff:127.0.0.1"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example.com/", nil)
		require.NoError(t, err)
		request.Header.Set("X-Forwarded-For", forged)
		_, err = e.from(ownAddress(t)).Do(request) //nolint:bodyclose // there is none
		isCut(t, err)
	}
	assert.Equal(t, "X-Forwarded-For", realIPHeader([]string{"cloudflare", "10.0.0.0/8"}), "another proxy passes on a visitor's CF-Connecting-IP")
	assert.Equal(t, "CF-Connecting-IP", realIPHeader([]string{"cloudflare"}))
}

// isCut says whether nginx ended the connection without an answer; it may still have sent the end of TLS.
func isCut(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET), err)
}

// TestNobodyElseGetsIn but the proxies and the server itself; the certificate authority still does, on port 80.
func TestNobodyElseGetsIn(t *testing.T) {
	e := newEdge(t, &config.Config{MaxBody: 1, Timeout: 300, TrustedProxies: []string{"127.0.0.0/8", "cloudflare"}, OnlyTrustedProxies: true}, route{"path": "/", "upstream": seeing(t)})
	e.write("acme/.well-known/acme-challenge/token", "there")
	own := ownAddress(t)
	_, body := e.from("127.0.0.1").ask("/")
	assert.Equal(t, "127.0.0.1 127.0.0.1", body)
	_, err := e.from(own).Get("https://app.example.com/") //nolint:bodyclose // there is none
	isCut(t, err)
	stranger := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(own)}}
		return dialer.DialContext(ctx, "tcp", "127.0.0.1:"+e.ports["80"])
	}}}
	_, err = stranger.Get("http://app.example.com/") //nolint:bodyclose // there is none
	isCut(t, err)
	response, err := stranger.Get("http://app.example.com/.well-known/acme-challenge/token")
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "there", string(text))
}

// TestEverybodyGetsInAgain where the setting is taken away: nginx takes the site's configuration before it takes what its servers share.
func TestEverybodyGetsInAgain(t *testing.T) {
	on := &config.Config{Domain: "app.example.com", MaxBody: 1, Timeout: 300, TrustedProxies: []string{"192.0.2.0/24"}, OnlyTrustedProxies: true}
	e := newEdge(t, &config.Config{MaxBody: 1, Timeout: 300}, route{"path": "/", "upstream": seeing(t)})
	_, server, err := site(on)
	require.NoError(t, err)
	e.write("server.conf", e.local.Replace(server))
	e.nginx("-t")
}

// ownAddress is one of this machine's that is none of loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil && !network.IP.IsLoopback() {
			return network.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback's")
	return ""
}

// TestRoutesLetIn who has a password, is of the network, or does not ask too often; the server itself always, and nobody who says that
// he is.
func TestRoutesLetIn(t *testing.T) {
	upstream := seeing(t)
	e := prepareEdge(t, &config.Config{MaxBody: 1, Timeout: 300, TrustedProxies: []string{"127.0.0.3/32"}, Auth: map[string]string{"alice": "geheim"}}, []route{
		{"path": "/", "upstream": upstream}, {"path": "/open/", "upstream": upstream, "auth": false},
		{"path": "/net/", "upstream": upstream, "auth": false, "allowFrom": []string{"192.0.2.0/24", "2001:db8::/32"}},
		{"path": "/slow/", "upstream": upstream, "auth": false, "rateLimit": config.RateLimit{Requests: 2, Per: "minute", Burst: 3}},
		{"path": "/one/", "upstream": upstream, "auth": false, "rateLimit": config.RateLimit{Requests: 1, Per: "minute", Burst: 1}},
	})
	said, err := e.source("steps/edge.sh", `chown() { :; }; USERS='{"alice":"geheim","bob":"it'"'"'s; \"$(id)\" `+"`id`"+`"}'; write_users; echo said`)
	require.NoError(t, err, said)
	assert.Equal(t, "said\n", said)
	users, err := os.ReadFile(filepath.Join(e.dir, "users"))
	require.NoError(t, err)
	assert.Regexp(t, `^alice:\$6\$\S+\nbob:\$6\$\S+\n$`, string(users))
	info, err := os.Stat(filepath.Join(e.dir, "users"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	e.start()
	status := func(from, path string, headers ...string) int {
		response, _ := e.from(from).ask(path, headers...)
		return response.StatusCode
	}
	const alice, bob = "Authorization: Basic YWxpY2U6Z2VoZWlt", "Authorization: Basic Ym9iOml0J3M7ICIkKGlkKSIgYGlkYA=="
	for _, c := range []struct {
		from, path string
		headers    []string
		want       int
	}{
		{"127.0.0.2", "/", nil, 401}, {"127.0.0.2", "/", []string{alice}, 200}, {"127.0.0.2", "/", []string{bob}, 200}, {"127.0.0.2", "/", []string{alice + "x"}, 401},
		{"127.0.0.1", "/", nil, 200}, {"127.0.0.2", "/", []string{"X-Forwarded-For: 127.0.0.1"}, 401}, {"127.0.0.3", "/", []string{"X-Forwarded-For: 127.0.0.1"}, 401},
		{"127.0.0.2", "/open/", nil, 200}, {"127.0.0.2", "/open/../", nil, 401}, {"127.0.0.2", "/openx", nil, 401},
		{"127.0.0.2", "/net/", nil, 403}, {"127.0.0.2", "/net", []string{"X-Forwarded-For: 192.0.2.1"}, 403}, {"127.0.0.3", "/net/", []string{"X-Forwarded-For: 192.0.2.1"}, 200},
		{"127.0.0.3", "/net", []string{"X-Forwarded-For: 2001:db8::1"}, 200}, {"127.0.0.3", "/net/", []string{"X-Forwarded-For: 192.0.2.1, 192.0.3.1"}, 403}, {"127.0.0.1", "/net/", nil, 200},
		{"127.0.0.2", "/one/", nil, 200}, {"127.0.0.2", "/one", nil, 429}, {"127.0.0.3", "/one/", []string{"X-Forwarded-For: 192.0.2.1"}, 200},
		{"127.0.0.3", "/one/", []string{"X-Forwarded-For: 2001:db8::1"}, 200}, {"127.0.0.3", "/one/", []string{"X-Forwarded-For: 2001:db8::2"}, 429},
	} {
		assert.Equal(t, c.want, status(c.from, c.path, c.headers...), "%v", c)
	}
	for range 3 {
		assert.Equal(t, 200, status("127.0.0.2", "/slow/"))
	}
	response, body := e.from("127.0.0.2").ask("/slow/x")
	assert.Equal(t, []any{429, "30", "Too many requests.\n"}, []any{response.StatusCode, response.Header.Get("Retry-After"), body})
	for range 5 {
		assert.Equal(t, 200, status("127.0.0.1", "/slow/"))
	}
}

// TestListsOfProxiesAreSound: those that Berth brings are taken, and what makes no sense is refused with a sentence.
func TestListsOfProxiesAreSound(t *testing.T) {
	r := newRebooted(t)
	for _, vendor := range config.Vendors {
		output, err := exec.CommandContext(t.Context(), "bash", "-c", `grep -c '^[^#].*/' "$1"`, "bash", filepath.Join(r.dir, "scripts", "edge", vendor+".txt")).Output()
		require.NoError(t, err)
		said, err := r.source("edge/proxies.sh", `networks <"$DIR/scripts/edge/`+vendor+`.txt" | wc -l`)
		require.NoError(t, err, said)
		assert.Equal(t, strings.TrimSpace(string(output)), strings.TrimSpace(said), vendor)
	}
	var ten []string
	for i := range 10 {
		ten = append(ten, fmt.Sprintf("198.51.%d.0/24", i))
	}
	sound := strings.Join(ten, "\n")
	for _, bad := range []string{"", "<!doctype html>", sound + "\n0.0.0.0/0", sound + "\n::/0", sound + "\n10.0.0.0/8", sound + "\n127.0.0.1/32", sound + "\n192.168.1.0/24", sound + "\n172.20.0.0/16", sound + "\n169.254.169.254/32",
		sound + "\n198.51.100.256/32", sound + "\n198.51.100.0/33", sound + "\n128.0.0.0/1", sound + "\n2000::/3", sound + "\nfe80::/64", sound + "\n198.51.100.1", sound + "\n198.51.100.0/24; allow all", sound + "\nunix:", strings.Join(ten[1:], "\n")} {
		r.write("list", bad)
		said, err := r.source("edge/proxies.sh", `networks <"$DIR/list"`)
		require.Error(t, err, "%q: %s", bad, said)
	}
	r.write("list", "# a comment\r\n"+strings.ReplaceAll(sound, "\n", "\r\n")+"\n\n2001:db8::/32")
	said, err := r.source("edge/proxies.sh", `networks <"$DIR/list"`)
	require.NoError(t, err, said)
	assert.Equal(t, sound+"\n2001:db8::/32\n", said)
}

// TestListsOfProxiesAreRefreshed where they are sound and for the most part those that are known; else what is known stays, and that
// is no failure.
func TestListsOfProxiesAreRefreshed(t *testing.T) {
	for name, c := range map[string]struct {
		publish, says string
		taken         bool
	}{
		"one more":        {`cat "$DIR/known"; echo 203.0.113.0/24`, "nginx knows the networks of cloudflare as they are now", true},
		"the same":        {`tac "$DIR/known"`, "", false},
		"no network":      {`echo "curl: (6) Could not resolve host" >&2; return 1`, "cannot be refreshed", false},
		"cut":             {`head -n 4 "$DIR/known"`, "cannot be refreshed", false},
		"a page":          {`echo "<html>"`, "cannot be refreshed", false},
		"all others":      {`for i in $(seq 30); do echo "203.0.$i.0/24"; done`, "those that are known stay", false},
		"nginx says no":   {`touch "$DIR/refuses"; cat "$DIR/known"; echo 203.0.113.0/24`, "refuses its configuration", false},
		"everyone in it":  {`cat "$DIR/known"; echo 0.0.0.0/0`, "cannot be refreshed", false},
		"with directives": {`cat "$DIR/known"; echo "203.0.113.0/24; include /etc/shadow"`, "cannot be refreshed", false},
	} {
		r := newRebooted(t)
		const prepare = `nginx() { [ ! -e "$DIR/refuses" ]; }; apply_nginx() { echo reload >>"$DIR/reloads"; }; provide cloudflare; sed -n 's/set_real_ip_from \(.*\);/\1/p' "$FOLDER/cloudflare.conf" >"$DIR/known"; cp "$FOLDER/cloudflare.conf" "$DIR/before"
`
		said, err := r.source("edge/proxies.sh", prepare+`published() { `+c.publish+`; }; (refresh cloudflare) || true; cmp -s "$DIR/before" "$FOLDER/cloudflare.conf" || echo changed; ! grep -h 203.0.113 "$FOLDER"/* || true`)
		require.NoError(t, err, "%s: %s", name, said)
		if c.says == "" {
			assert.Empty(t, said, name)
		}
		assert.Contains(t, said, c.says, name)
		_, err = os.Stat(filepath.Join(r.dir, "reloads"))
		assert.Equal(t, c.taken, err == nil, name)
		assert.Equal(t, c.taken, strings.Contains(said, "changed\n"), "%s: %s", name, said)
		if c.taken {
			assert.Contains(t, said, "set_real_ip_from 203.0.113.0/24;\n203.0.113.0/24 \"\";\n", name)
		}
	}
}
