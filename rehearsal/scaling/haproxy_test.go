package scaling

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

// targets is a web server that speaks TLS and whose answers tell what it was asked. /slow answers after three seconds; it is ready while /tmp/ready is there.
const targets = `
import http.server, os, ssl, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/slow": time.sleep(3)
        ready = self.path != "/ready" or os.path.exists("/tmp/ready")
        body = "".join(f"{key}: {value}\n" for key, value in self.headers.items()).encode() + self.server.server_address[0].encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer((sys.argv[1], 9000), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
`

// TestHAProxy has the real one follow an engine.
func TestHAProxy(t *testing.T) {
	if os.Geteuid() != 0 || !machineimage.Exists(t.Context(), "image", machineimage.AMI) {
		t.Skip("the machine image is made by a rehearsal, as root")
	}
	require.NoError(t, machineimage.BuildBalancer(t.Context(), io.Discard))
	f := newFixture(t, 0, 0)
	folder, name := t.TempDir(), fmt.Sprintf("berth-test-%d-balancer", os.Getpid())
	require.NoError(t, os.Mkdir(filepath.Join(folder, "certificates"), 0o700))
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=app.example.test",
		"-keyout", filepath.Join(folder, "key"), "-out", filepath.Join(folder, "certificate")).CombinedOutput()
	require.NoError(t, err, string(out))
	key, err1 := os.ReadFile(filepath.Join(folder, "key"))
	certificate, err2 := os.ReadFile(filepath.Join(folder, "certificate"))
	require.NoError(t, err1)
	require.NoError(t, err2)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "certificates", "site.pem"), append(certificate, key...), 0o600))
	_, err = machineimage.Docker(t.Context(), "", "run", "--detach", "--name", name, "--volume", folder+":"+inside, machineimage.Balancer)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = machineimage.Docker(context.Background(), "", "rm", "--force", "--volumes", name) })
	run := func(args ...string) string {
		output, _ := machineimage.Docker(t.Context(), "", append([]string{"exec", name}, args...)...)
		return output
	}
	for _, address := range []string{"127.0.0.1", "127.0.0.2"} {
		_, err := machineimage.Docker(t.Context(), "", "exec", "--detach", name, "python3", "-c", targets, address, inside+"/certificates/site.pem")
		require.NoError(t, err)
	}

	f.Balancer, f.Now = HAProxy{Folder: folder}, time.Now
	f.change(func(a *aws.Account) {
		site := a.Resources[aws.TargetGroupType+"::"+siteARN].Outputs
		site["protocol"], site["port"] = "HTTPS", 9000.0
		site["healthCheck"] = map[string]any{"path": "/ready", "protocol": "HTTPS", "matcher": "200", "interval": 1.0, "timeout": 1.0, "healthyThreshold": 2.0, "unhealthyThreshold": 2.0}
		a.Resources[instanceType+"::i-first"].Outputs["privateIp"] = "127.0.0.1"
		delete(a.Resources, aws.TargetAttachmentType+"::a-1")
		a.Resources[instanceType+"::i-two"] = &aws.Resource{Type: instanceType, ID: "i-two", Outputs: map[string]any{"privateIp": "127.0.0.2"}}
	})
	state := func(id string) string {
		require.NoError(t, f.Step(t.Context()))
		if one := f.targets[targetKey{siteARN, id}]; one != nil {
			return one.state
		}
		return "unused"
	}
	curl := func(args ...string) string {
		return run(append([]string{"curl", "-sSk", "--max-time", "8"}, args...)...)
	}
	code := func(url string) string { return curl("-o", "/dev/null", "-w", "%{http_code}", url) }

	assert.Equal(t, stateInitial, state("i-first"))
	require.Eventually(t, func() bool { return code("https://127.0.0.1/") == "503" }, 10*time.Second, 100*time.Millisecond, "a new target serves nobody, %s", run("cat", inside+"/haproxy.cfg"))
	time.Sleep(2500 * time.Millisecond)
	assert.Equal(t, stateUnhealthy, state("i-first"))
	require.Eventually(t, func() bool { return code("https://127.0.0.1/") == "200" }, 5*time.Second, 100*time.Millisecond, "where all targets are unhealthy, all get requests")
	run("touch", "/tmp/ready")
	require.Eventually(t, func() bool { return state("i-first") == stateHealthy }, 10*time.Second, 300*time.Millisecond)

	asked := curl("--http2", "-w", "%{http_version}", "-H", "X-Forwarded-For: 192.0.2.1", "https://127.0.0.1/")
	for _, want := range []string{"x-forwarded-for: 192.0.2.1, 127.0.0.1\n", "x-forwarded-proto: https\n", "x-forwarded-port: 443\n", "127.0.0.12"} {
		assert.Contains(t, asked, want)
	}
	assert.Equal(t, "301 https://app.example.test:443/a?b=1", curl("-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "-H", "Host: app.example.test", "http://127.0.0.1/a?b=1"))
	assert.Equal(t, "503", code("http://127.0.0.1/.well-known/acme-challenge/x"), "its target group has no target")

	// A second target joins, without a visitor's noticing, and starts as one that is not healthy.
	slow := make(chan string)
	go func() { slow <- code("https://127.0.0.1/slow") }()
	time.Sleep(500 * time.Millisecond)
	f.change(func(a *aws.Account) {
		a.Resources[aws.TargetAttachmentType+"::a-3"] = &aws.Resource{Type: aws.TargetAttachmentType, ID: "a-3", Outputs: map[string]any{"targetGroupArn": siteARN, "targetId": "i-two"}}
	})
	assert.Equal(t, stateInitial, state("i-two"))
	assert.Equal(t, stateHealthy, state("i-first"), "a reload forgets no health")
	require.Eventually(t, func() bool { return state("i-two") == stateHealthy }, 10*time.Second, 200*time.Millisecond)
	assert.Equal(t, "200", <-slow)

	// The first one drains: its request ends, new ones go to the other.
	go func() { slow <- curl("https://127.0.0.1/slow") + curl("https://127.0.0.1/slow") }()
	go func() { slow <- curl("https://127.0.0.1/slow") }()
	time.Sleep(500 * time.Millisecond)
	f.change(func(a *aws.Account) { delete(a.Resources, aws.TargetAttachmentType+"::a-2") })
	assert.Equal(t, stateDraining, state("i-first"))
	time.Sleep(200 * time.Millisecond)
	for range 4 {
		assert.True(t, strings.HasSuffix(curl("https://127.0.0.1/"), "127.0.0.2"))
	}
	began := time.Now()
	require.Eventually(t, func() bool { return state("i-first") == "unused" }, 10*time.Second, 200*time.Millisecond)
	assert.Greater(t, time.Since(began), time.Second, "its request is waited for")
	for range 2 {
		assert.Contains(t, <-slow, "x-forwarded-for")
	}

	counted := func() (sum Requests) {
		_, requests, err := f.Balancer.Servers()
		require.NoError(t, err)
		for _, one := range requests {
			sum = sum.plus(one)
		}
		return sum
	}
	// A reload begins to count again.
	before := counted()
	assert.Equal(t, "200", code("https://127.0.0.1/"))
	assert.Equal(t, before.plus(Requests{Count: 1}), counted())
	run("pkill", "python3")
	assert.Equal(t, "502", code("https://127.0.0.1/"), "its target refuses the connection")
	assert.Equal(t, before.plus(Requests{Count: 2, Errors: 1}), counted(), "an answer of the load balancer's own")
	assert.Equal(t, "503", code("http://127.0.0.1/.well-known/acme-challenge/x"))
	assert.Equal(t, before.plus(Requests{Count: 2, Errors: 2}), counted(), "no target was chosen")
}
