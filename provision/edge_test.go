package provision

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/provision/scripts"
)

// edge is a real nginx with the site's configuration, in front of release "a" in slot 1.
type edge struct {
	*rebooted
	// ports are those that it listens on, by the site's own.
	ports map[string]string
	roots *x509.CertPool
	// local has what nginx reads say where this one's files and ports are.
	local *strings.Replacer
}

// route is one of a plan, as JSON has it; its upstream is a loopback port.
type route map[string]any

// newEdge starts nginx with the site of these settings and routes, where there is an nginx.
func newEdge(t *testing.T, cfg *config.Config, routes ...route) *edge {
	t.Helper()
	return newEdgeBetween(t, cfg, routes)
}

// newEdgeBetween is newEdge with the routes of several releases: "a", which serves, in slot 1, and "b" in slot 2.
func newEdgeBetween(t *testing.T, cfg *config.Config, releases ...[]route) *edge {
	t.Helper()
	e := prepareEdge(t, cfg, releases...)
	e.start()
	return e
}

// start runs nginx until the test ends.
func (e *edge) start() {
	e.t.Helper()
	e.nginx()
	e.t.Cleanup(func() {
		text, err := os.ReadFile(filepath.Join(e.dir, "nginx.pid"))
		require.NoError(e.t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(e.t, err)
		require.NoError(e.t, syscall.Kill(pid, syscall.SIGTERM))
	})
}

// release leaves a release with its routes on the server.
func (e *edge) release(name, slot string, routes ...route) {
	e.t.Helper()
	plan, err := json.Marshal(map[string]any{"id": name, "routes": routes})
	require.NoError(e.t, err)
	e.write("data/releases/"+name+"/slot", slot+"\n")
	e.write("data/releases/"+name+"/plan.json", string(plan))
}

// learn writes what nginx includes for the releases that are named.
func (e *edge) learn(releases ...string) {
	e.t.Helper()
	said, err := e.source("deploy.sh", nginx+"learn_routes "+strings.Join(releases, " "))
	require.NoError(e.t, err, said)
	for _, name := range []string{"servers.conf", "upstreams.conf"} {
		written, err := os.ReadFile(filepath.Join(e.data, "edge", "now", name))
		require.NoError(e.t, err)
		e.write("data/edge/now/"+name, e.local.Replace(string(written)))
	}
}

// prepareEdge writes what nginx reads, and does not start it.
func prepareEdge(t *testing.T, cfg *config.Config, releases ...[]route) *edge {
	t.Helper()
	version, err := exec.CommandContext(t.Context(), "nginx", "-v").CombinedOutput()
	if err != nil {
		t.Skip("there is no nginx here; make test-machine installs it: " + err.Error())
	}
	if cfg.Domain == "" {
		cfg.Domain = "app.example.com"
	}
	e := &edge{rebooted: newRebooted(t), ports: map[string]string{}}
	names := []string{"a", "b"}[:len(releases)]
	for i, name := range names {
		e.release(name, fmt.Sprint(i+1), releases[i]...)
	}
	hostnames, err := hosts(cfg).text()
	require.NoError(t, err)
	e.write("etc/hosts.json", hostnames)
	said, err := e.source("deploy.sh", nginx+"switch_traffic a; point next "+names[len(names)-1])
	require.NoError(t, err, said)
	text, server, err := site(cfg)
	require.NoError(t, err)
	// Another for each port of the site's configuration. All are open until the last is chosen, or two could be the same.
	var pairs []string
	var chosen []net.Listener
	for _, port := range []string{"18443", "18480", "18481", "8443", "443", "80"} {
		listener := listenBelowTheKernels(t)
		_, free, err := net.SplitHostPort(listener.Addr().String())
		require.NoError(t, err)
		chosen = append(chosen, listener)
		e.ports[port] = free
		pairs = append(pairs, "127.0.0.1:"+port+" ", "127.0.0.1:"+free+" ", "127.0.0.1:"+port+";", "127.0.0.1:"+free+";", "\tlisten [::]:"+port, "\t#", "\tlisten "+port, "\tlisten 127.0.0.1:"+free, "\t"+port+" next;", "\t"+free+" next;")
	}
	for _, listener := range chosen {
		require.NoError(t, listener.Close())
	}
	pairs = append(pairs, "/data/edge/now", filepath.Join(e.data, "edge", "now"), "/run/berth-edge", filepath.Join(e.dir, "slots"), "/data/tls/current", filepath.Join(e.dir, "tls"),
		"/etc/nginx/berth/", e.dir+"/", "/var/lib/berth/", e.dir+"/", "/data/maintenance", filepath.Join(e.data, "maintenance"), "/data/running", filepath.Join(e.data, "running"))
	if regexp.MustCompile(`nginx/1\.(1\d|2[0-4])\.`).Match(version) {
		// Before 1.25.1 it is a word of listen.
		pairs = append(pairs, "\thttp2 on;\n", "", " ssl;", " ssl http2;")
	}
	e.local = strings.NewReplacer(pairs...)
	e.write("site.conf", e.local.Replace(text))
	e.write("server.conf", e.local.Replace(server))
	e.learn(names...)
	for _, file := range []string{"proxy.conf", "grpc.conf", "maintenance.html", "starting.html"} {
		text, err := scripts.Read("edge/" + file)
		require.NoError(t, err)
		e.write(file, e.local.Replace(text))
		e.write("pages/"+file, text)
	}
	for _, proxy := range cfg.TrustedProxies {
		if isVendor(proxy) {
			said, err := e.source("edge/proxies.sh", "provide "+proxy)
			require.NoError(t, err, said)
		}
	}
	e.certificate(cfg.Names())
	e.write("nginx.conf", fmt.Sprintf(`user root;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log info;
events { worker_connections 512; }
http {
	access_log %[1]s/access.log;
	client_body_temp_path %[1]s/temporary-body;
	proxy_temp_path %[1]s/temporary-proxy;
	fastcgi_temp_path %[1]s/temporary-fastcgi;
	uwsgi_temp_path %[1]s/temporary-uwsgi;
	scgi_temp_path %[1]s/temporary-scgi;
	types { text/html html; }
	include %[1]s/site.conf;
}
`, e.dir))
	return e
}

// certificate makes one for the names, that e.roots trusts.
func (e *edge) certificate(names []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	require.NoError(e.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(cryptorand.Reader, template, template, key.Public(), key)
	require.NoError(e.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(e.t, err)
	e.write("tls/fullchain.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	e.write("tls/privkey.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	parsed, err := x509.ParseCertificate(der)
	require.NoError(e.t, err)
	e.roots = x509.NewCertPool()
	e.roots.AddCert(parsed)
}

// listenBelowTheKernels takes a port that the kernel gives to no connection that begins, so that it is still free when nginx wants it.
func listenBelowTheKernels(t *testing.T) net.Listener {
	t.Helper()
	for range 100 {
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))); err == nil {
			return listener
		}
	}
	require.Fail(t, "no port is free")
	return nil
}

// nginx runs nginx with the configuration; it has its ports when the command returns.
func (e *edge) nginx(arguments ...string) {
	e.t.Helper()
	output, err := exec.CommandContext(e.t.Context(), "nginx", append([]string{"-q", "-e", filepath.Join(e.dir, "error.log"), "-p", e.dir, "-c", filepath.Join(e.dir, "nginx.conf")}, arguments...)...).CombinedOutput()
	require.NoErrorf(e.t, err, "%s", output)
}

// client asks the site by its name over HTTP/2, or HTTP/1.1.
func (e *edge) client(http2 bool) *http.Client {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{
		Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: e.roots, MinVersion: tls.VersionTLS12},
	}
	transport.DialContext = e.dial
	e.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// dial connects to where nginx listens for a port of the site.
func (e *edge) dial(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+e.ports[port])
}

// port is the one of a test server's address.
func port(t *testing.T, address net.Addr) int {
	t.Helper()
	tcp, ok := address.(*net.TCPAddr)
	require.True(t, ok)
	return tcp.Port
}
