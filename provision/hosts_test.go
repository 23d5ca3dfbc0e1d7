package provision

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// saying is a service that says its name and what it was asked; the port is where.
func saying(t *testing.T, name string) int {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s: %s %s %s prefix=%s", name, r.Method, r.Host, r.RequestURI, r.Header.Get("X-Forwarded-Prefix"))
	}))
	t.Cleanup(service.Close)
	return port(t, service.Listener.Addr())
}

// get asks a name for a path, exactly as it is written, on the site's port, and gives the status and the body.
func (e *edge) get(sitePort, host, path string, headers ...string) (int, string) {
	e.t.Helper()
	return e.getAs(sitePort, host, host, path, headers...)
}

// TestEachNameHasItsRoutes: its own first, then those without a host where it is the domain or an alias. A name that nothing is
// released for answers 404, and one that is not the site's nothing.
func TestEachNameHasItsRoutes(t *testing.T) {
	cfg := &config.Config{Domain: "app.example.com", Aliases: []string{"www.example.com", "plain.example.com"}, MaxBody: 1, Timeout: 300,
		Routes: []config.Route{{Path: "/"}, {Host: "api.example.com", Path: "/"}, {Host: "new.example.com", Path: "/"}}}
	web, api, shop := saying(t, "web"), saying(t, "api"), saying(t, "shop")
	e := newEdge(t, cfg, route{"path": "/", "upstream": web}, route{"path": "/api/", "upstream": api}, route{"path": "/shop/old/", "upstream": web},
		route{"host": "www.example.com", "path": "/shop", "upstream": shop}, route{"host": "api.example.com", "path": "/", "upstream": api}, route{"host": "api.example.com", "path": "/shop/", "upstream": shop},
		route{"host": "other.example.com", "path": "/", "upstream": shop})
	for _, c := range []struct{ host, path, want string }{
		{"app.example.com", "/", "web"}, {"app.example.com", "/api", "api"}, {"app.example.com", "/api/x", "api"}, {"app.example.com", "/apix", "web"}, {"app.example.com", "/shop/", "web"},
		{"plain.example.com", "/", "web"}, {"plain.example.com", "/shop/", "web"},
		{"www.example.com", "/", "web"}, {"www.example.com", "/api/", "api"}, {"www.example.com", "/shop", "shop"}, {"www.example.com", "/shop/old/x", "shop"}, {"www.example.com", "/shopping", "web"},
		{"api.example.com", "/", "api"}, {"api.example.com", "/api/", "api"}, {"api.example.com", "/shop/x%2Fy?z=%2F", "shop"},
		{"new.example.com", "/", ""},
	} {
		for _, at := range []string{"443", "18443"} {
			status, body := e.get(at, c.host, c.path)
			if c.want == "" {
				assert.Equal(t, http.StatusNotFound, status, c)
				continue
			}
			assert.Equal(t, http.StatusOK, status, c)
			assert.Equal(t, fmt.Sprintf("%s: GET %s %s prefix=", c.want, c.host, c.path), body)
		}
	}
	raw, err := e.dial(t.Context(), "tcp", "127.0.0.1:443")
	require.NoError(t, err)
	defer func() { _ = raw.Close() }()
	require.Error(t, tls.Client(raw, &tls.Config{ServerName: "other.example.com", MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}).HandshakeContext(t.Context()), "a name that is not the site's, though a release has routes for it")
}

// TestANameThatRedirects keeps method, path and query, and HTTP goes straight to where it ends.
func TestANameThatRedirects(t *testing.T) {
	cfg := &config.Config{Domain: "app.example.com", Aliases: []string{"www.example.com"}, MaxBody: 1, Timeout: 300, Routes: []config.Route{{Path: "/"}},
		Redirects: map[string]string{"www.example.com": "app.example.com", "old.example.com": "app.example.com"}}
	e := newEdge(t, cfg, route{"path": "/", "upstream": saying(t, "web")})
	for _, client := range []*http.Client{e.client(false), e.client(true)} {
		for _, from := range []string{"https://www.example.com", "https://old.example.com"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				request, err := http.NewRequestWithContext(t.Context(), method, from+"/a%2Fb/%20c?d=%2F&e", strings.NewReader("x"))
				require.NoError(t, err)
				response, err := client.Do(request)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				assert.Equal(t, http.StatusPermanentRedirect, response.StatusCode)
				assert.Equal(t, "https://app.example.com/a%2Fb/%20c?d=%2F&e", response.Header.Get("Location"))
				assert.NotEmpty(t, response.Header.Get("Strict-Transport-Security"))
			}
		}
	}
	plain := e.client(false)
	for _, from := range []string{"http://www.example.com", "http://old.example.com", "http://app.example.com"} {
		response, err := plain.Post(from+"/a%2Fb?c", "text/plain", strings.NewReader("x"))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusPermanentRedirect, response.StatusCode)
		assert.Equal(t, "https://app.example.com/a%2Fb?c", response.Header.Get("Location"))
	}
	e.write("data/maintenance", "")
	status, _ := e.get("443", "app.example.com", "/")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	status, _ = e.get("18443", "app.example.com", "/")
	assert.Equal(t, http.StatusOK, status, "a release is asked while the maintenance page is on")
}

// stripped are paths as a visitor writes them, and as the service gets them: encoded as the visitor did it, but where the visitor wrote
// the prefix in another way, or with dots.
var stripped = [][2]string{
	{"/v1.0", "/"}, {"/v1.0/", "/"}, {"/v1.0?a=%2F", "/?a=%2F"}, {"/v1.0/?a", "/?a"}, {"/v1.0/users", "/users"}, {"/v1.0/users/", "/users/"},
	{"/v1.0/a%2Fb%20c?q=%2F&x=//", "/a%2Fb%20c?q=%2F&x=//"}, {"/v1.0/a//b", "/a//b"}, {"/v1.0//a//b", "/a//b"}, {"/v1.0/https://example.com/", "/https://example.com/"},
	{"/v1.0/caf%C3%A9", "/caf%C3%A9"}, {"/v1.0/%E2%98%83?%E2%98%83", "/%E2%98%83?%E2%98%83"}, {"/v1.0/%252e", "/%252e"}, {"/v1.0/a%3Fb?c", "/a%3Fb?c"}, {"/v1.0/a%23b", "/a%23b"}, {"/v1.0/a+b;c=d", "/a+b;c=d"},
	{"/v1.0/v1.0/x", "/v1.0/x"}, {"/v1.0/.hidden", "/.hidden"}, {"/v1.0/a...b", "/a...b"},
	// nginx has understood these, and the service gets what it has understood.
	{"//v1.0//users", "/users"}, {"/v1%2e0/users", "/users"}, {"/x/../v1.0/y%2Fz", "/y/z"}, {"/v1.0/a/../b", "/b"}, {"/v1.0/%2e%2e/v1.0/w", "/w"}, {"/v1.0%2Fusers?a=b", "/users?a=b"}, {"/v1.0/a/./b", "/a/b"},
}

// TestAPrefixIsTakenAway, and the service gets it in a header. Whoever sends the header is not believed.
func TestAPrefixIsTakenAway(t *testing.T) {
	e := newEdge(t, &config.Config{Domain: "app.example.com", MaxBody: 1, Timeout: 300, Routes: []config.Route{{Path: "/"}}},
		route{"path": "/", "upstream": saying(t, "web")}, route{"path": "/v1.0/", "upstream": saying(t, "api"), "stripPrefix": true}, route{"path": "/v1.0/deep", "upstream": saying(t, "deep"), "stripPrefix": true})
	for _, c := range stripped {
		status, body := e.get("443", "app.example.com", c[0], "X-Forwarded-Prefix: /forged")
		assert.Equal(t, http.StatusOK, status, c)
		assert.Equal(t, "api: GET app.example.com "+c[1]+" prefix=/v1.0", body, c[0])
	}
	for _, c := range [][2]string{{"/v1.0/deep/x", "deep: GET app.example.com /x prefix=/v1.0/deep"}, {"/v1.0/deeper", "api: GET app.example.com /deeper prefix=/v1.0"},
		{"/v1x0/a", "web: GET app.example.com /v1x0/a prefix="}, {"/v1.0x/a%2Fb", "web: GET app.example.com /v1.0x/a%2Fb prefix="}, {"/a//b%2F?c", "web: GET app.example.com /a//b%2F?c prefix="}} {
		_, body := e.get("443", "app.example.com", c[0], "X-Forwarded-Prefix: /forged")
		assert.Equal(t, c[1], body)
	}
}

// TestAnOptionCountsForItsOwnRelease, before and after the switch, at the same path, and neither the switch nor the way back reloads nginx.
func TestAnOptionCountsForItsOwnRelease(t *testing.T) {
	e := prepareEdge(t, &config.Config{Domain: "app.example.com", MaxBody: 1, Timeout: 300, Routes: []config.Route{{Path: "/"}, {Host: "api.example.com", Path: "/"}}},
		[]route{{"path": "/", "upstream": saying(t, "web a")}, {"path": "/v1.0", "upstream": saying(t, "api a")}})
	e.release("b", "2", route{"path": "/", "upstream": saying(t, "web b")}, route{"path": "/v1.0/", "upstream": saying(t, "api b"), "stripPrefix": true},
		route{"host": "api.example.com", "path": "/", "upstream": saying(t, "host b")})
	e.learn("a", "b")
	e.certificate([]string{"app.example.com", "api.example.com"})
	e.start()
	for _, serving := range []string{"a", "b", "a"} {
		said, err := e.source("deploy.sh", "switch_traffic "+serving)
		require.NoError(t, err, said)
		for _, c := range stripped {
			_, body := e.get("443", "app.example.com", c[0])
			want := "api a: GET app.example.com " + c[0] + " prefix="
			if serving == "b" {
				want = "api b: GET app.example.com " + c[1] + " prefix=/v1.0"
			}
			assert.Equal(t, want, body)
		}
		_, body := e.get("443", "app.example.com", "/a%2Fb")
		assert.Equal(t, "web "+serving+": GET app.example.com /a%2Fb prefix=", body)
		status, _ := e.get("443", "api.example.com", "/")
		assert.Equal(t, map[string]int{"a": http.StatusNotFound, "b": http.StatusOK}[serving], status, "a host that the release which serves does not have")
		status, _ = e.get("443", "app.example.com", "/@berth/1/2/v1.0/x")
		assert.Equal(t, http.StatusNotFound, status, "which location it is, no visitor says")
	}
}

// TestAccessBelongsToTheSettings: a path that was closed since stays closed for a release of before, and one that was opened is open.
func TestAccessBelongsToTheSettings(t *testing.T) {
	e := prepareEdge(t, &config.Config{Domain: "app.example.com", MaxBody: 1, Timeout: 300, Auth: map[string]string{"alice": "x"}, Routes: []config.Route{{Path: "/"}}},
		[]route{{"path": "/", "upstream": saying(t, "web")}, {"path": "/admin/", "upstream": saying(t, "admin"), "auth": false}, {"path": "/secret/", "upstream": saying(t, "secret"), "auth": false},
			{"path": "/open", "upstream": saying(t, "open"), "auth": false, "allowFrom": []string{"203.0.113.0/24"}}, {"path": "/gone", "upstream": saying(t, "gone"), "auth": false, "allowFrom": []string{"203.0.113.0/24"}}})
	e.write("users", "")
	e.write("etc/release.json", `{"APP":{"routes":[{"path":"/","auth":false},{"path":"/secret"},{"path":"/admin","auth":false,"allowFrom":["203.0.113.0/24"]},{"path":"/open/","auth":false},{"path":"/later","auth":false,"allowFrom":["203.0.113.0/24"]},{"host":"api.example.com","path":"/gone"}]}}`)
	e.learn("a")
	e.start()
	visitor := e.from(ownAddress(t))
	for path, want := range map[string]int{"/": http.StatusOK, "/secret/": http.StatusUnauthorized, "/admin/": http.StatusForbidden, "/open/": http.StatusOK, "/gone/": http.StatusForbidden, "/later/x": http.StatusForbidden, "/latest": http.StatusOK} {
		response, body := visitor.ask(path)
		assert.Equal(t, want, response.StatusCode, "%s: %s", path, body)
	}
}

// TestRoutesAreAskedUnderTheirNames, on the site as a visitor would, and directly as nginx would.
func TestRoutesAreAskedUnderTheirNames(t *testing.T) {
	const plan = `{"routes":[{"path":"/","health":"","service":"web","port":80,"upstream":20100},{"path":"/api","health":"/api/healthz?a=b","service":"api","port":80,"upstream":20101,"stripPrefix":true},
		{"host":"app.example.com","path":"/","health":"","service":"own","port":80,"upstream":20102},{"host":"api.example.com","path":"/v1","health":"","service":"api","port":80,"upstream":20101},
		{"path":"/gone","health":"","service":"gone","port":80,"upstream":20103},{"host":"www.example.com","path":"/gone","health":"","service":"gone","port":80,"upstream":20103},
		{"host":"old.example.com","path":"/","health":"","service":"old","port":80,"upstream":20104}]}`
	folder := t.TempDir()
	output, err := withDocker(t, "", `HOSTS=$RELEASES/hosts.json DOMAIN=app.example.com; source scripts/release/edge.sh; site_answers new 443; unanswered new`, map[string]string{
		"hosts.json":    `{"names":["app.example.com","www.example.com"],"hosts":["api.example.com"],"redirects":[]}`,
		"new/plan.json": plan,
		"bin/curl":      "#!/bin/bash\nprintf '%s ' \"$@\" >>" + folder + "/asked; echo >>" + folder + "/asked\ncase $* in *redirect_url*) printf '200 ' ;; *) printf 200 ;; esac\n",
	})
	require.NoError(t, err, output)
	assert.Empty(t, output)
	output, err = withDocker(t, "", `HOSTS=$RELEASES/hosts.json DOMAIN=app.example.com; source scripts/release/edge.sh; site_answers new 443 || echo "$UNWELL"`, map[string]string{
		"hosts.json":    `{"names":["app.example.com"],"hosts":[],"redirects":[]}`,
		"new/plan.json": `{"routes":[{"host":"old.example.com","path":"/","health":"","service":"old","port":80,"upstream":20104}]}`,
	})
	require.NoError(t, err, output)
	assert.Contains(t, output, "no name of the site has a route of release new")
	text, err := os.ReadFile(filepath.Join(folder, "asked"))
	require.NoError(t, err)
	var public, direct []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if _, of, found := strings.Cut(line, "--connect-to "); found {
			name := strings.Split(of, ":")[0]
			assert.Contains(t, words[len(words)-1], "https://"+name+"/")
			public = append(public, words[len(words)-1])
			continue
		}
		_, host, _ := strings.Cut(line, "--header Host: ")
		_, prefix, _ := strings.Cut(line, "X-Forwarded-Prefix: ")
		direct = append(direct, strings.TrimSpace(strings.Fields(host)[0]+" "+words[len(words)-1]+" "+strings.Split(prefix, " ")[0]))
	}
	assert.Equal(t, []string{"https://www.example.com/", "https://www.example.com/api/healthz?a=b", "https://app.example.com/", "https://api.example.com/v1", "https://www.example.com/gone"}, public,
		"each under a name that is routed to it, and what no name is routed to not at all")
	assert.Equal(t, []string{"www.example.com http://127.0.0.1:20100/", "www.example.com http://127.0.0.1:20101/healthz?a=b /api", "app.example.com http://127.0.0.1:20102/",
		"api.example.com http://127.0.0.1:20101/v1", "app.example.com http://127.0.0.1:20103/gone", "www.example.com http://127.0.0.1:20103/gone", "old.example.com http://127.0.0.1:20104/"}, direct)
}

// getAs is get with another name in the request than in the handshake, as a load balancer asks.
func (e *edge) getAs(sitePort, shown, host, path string, headers ...string) (int, string) {
	e.t.Helper()
	raw, err := e.dial(e.t.Context(), "tcp", "127.0.0.1:"+sitePort)
	require.NoError(e.t, err)
	conn := tls.Client(raw, &tls.Config{RootCAs: e.roots, ServerName: shown, MinVersion: tls.VersionTLS12})
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", path, host, strings.Join(append(headers, ""), "\r\n"))
	require.NoError(e.t, err, host)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(e.t, err, host+path)
	body, err := io.ReadAll(response.Body)
	require.NoError(e.t, err)
	require.NoError(e.t, response.Body.Close())
	return response.StatusCode, string(body)
}
