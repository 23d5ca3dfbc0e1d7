package tests

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// edges are what visitors may meet first, all in front of the same container on the same host, with the site's certificate. Each is
// asked on a port of loopback; processes is what its own are named.
var edges = []struct{ name, url, processes string }{
	{"Berth", "https://" + harness.Domain, "nginx"},
	{"nginx, with kept connections", "https://" + harness.Domain + ":8443", "nginx"},
	{"HAProxy", "https://" + harness.Domain + ":8444", "haproxy"},
	{"HAProxy, without an access log", "https://" + harness.Domain + ":8446", "haproxy"},
	{"Caddy", "https://" + harness.Domain + ":8445", "caddy"},
}

// edgesOnHost installs Debian's edges in front of port $PORT of loopback, each as its manual has it, and with the access log that it can
// write: nginx and Caddy into a file, HAProxy as Debian's configuration has it.
const edgesOnHost = `sudo PORT=$PORT bash -euc '
exec 3>&1 >/root/edges.log 2>&1
DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install wrk haproxy caddy
echo "127.0.0.1 ` + harness.Domain + `" >>/etc/hosts
cat /data/tls/current/fullchain.pem /data/tls/current/privkey.pem >/etc/haproxy/site.pem
install -o caddy -m 0400 /data/tls/current/fullchain.pem /data/tls/current/privkey.pem /etc/caddy
cat >/etc/nginx/conf.d/bench-edge.conf <<EOF
upstream bench { server 127.0.0.1:$PORT; keepalive 64; }
server {
  listen 127.0.0.1:8443 ssl;
  server_name ` + harness.Domain + `;
  client_max_body_size 100m;
  ssl_certificate /data/tls/current/fullchain.pem;
  ssl_certificate_key /data/tls/current/privkey.pem;
  location / { proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Upgrade \$berth_upgrade; proxy_set_header Connection \$berth_connection; proxy_read_timeout 300s; }
}
EOF
cat >/etc/haproxy/haproxy.cfg <<EOF
global
  maxconn 8192
  log /dev/log local0
defaults
  mode http
  option httplog
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout tunnel 300s
frontend site
  log global
  bind 127.0.0.1:8444 ssl crt /etc/haproxy/site.pem
  default_backend app
frontend silent
  no log
  bind 127.0.0.1:8446 ssl crt /etc/haproxy/site.pem
  default_backend app
backend app
  server app 127.0.0.1:$PORT
EOF
cat >/etc/caddy/Caddyfile <<EOF
{
  auto_https off
  admin off
}
https://` + harness.Domain + `:8445 {
  bind 127.0.0.1
  log {
    output file /var/log/caddy/site.log
  }
  tls /etc/caddy/fullchain.pem /etc/caddy/privkey.pem
  reverse_proxy 127.0.0.1:$PORT
}
EOF
systemctl reload nginx
systemctl restart haproxy caddy
for port in 443 8443 8444 8445 8446; do
  timeout 30 bash -c "until [ \"\$(curl --silent --insecure https://` + harness.Domain + `:$port/)\" = hello ]; do sleep 0.2; done"
done'`

// edgeFigures are two functions: processor prints what the processes named $1 have used, in µs (Linux counts in hundredths of a
// second, proc_pid_stat(5)), memory the share of memory that is theirs, in KiB.
const edgeFigures = `processor() { for p in $(pgrep -x "$1"); do cut -d ' ' -f 14,15 "/proc/$p/stat"; done | awk '{ sum += $1 + $2 } END { print sum * 10000 }'; }
memory() { for p in $(pgrep -x "$1"); do sudo awk '/^Pss:/ { print $2 }' "/proc/$p/smaps_rollup"; done | awk '{ sum += $1 } END { print sum }'; }
`

// idleSockets opens 1,000 WebSockets at $1 and keeps them until its input ends.
const idleSockets = `import asyncio, ssl, sys
# One for all: each holds the machine's certificates.
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
async def one(url):
    host, _, port = url.removeprefix("https://").partition(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port or 443), ssl=context, server_hostname=host)
    writer.write(f"GET /idle HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    assert b" 101 " in await reader.readline()
    return writer
async def main():
    kept = [await one(sys.argv[1]) for _ in range(1000)]
    print(len(kept), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
`

// edgeMeasured is what one edge did in one round; times are in µs, memory is in KiB, the rest is per second.
type edgeMeasured struct{ requests, p99, processor, handshakes, download, upload, memory, sockets float64 }

// TestBenchEdge prints what an edge takes and gives, Berth's and others', in front of the same container on the same host, as ratios
// of one run. Run it with make bench.
func TestBenchEdge(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("BERTH_BENCH"))
	if err != nil {
		t.Skip("a benchmark, not a test; run it with: make bench")
	}
	r := harness.New(t, "berth-bench")
	r.HelloApp()
	r.Run("up", "--set", "routes=web:8080")
	port := r.SSH("sudo jq '.routes[0].upstream' /data/releases/current/plan.json")
	r.SSH("PORT=" + port + "\n" + edgesOnHost)
	r.SSHInput("cat >/tmp/idle.py", idleSockets)

	results := map[string][]edgeMeasured{}
	number := func(command string) float64 {
		said := r.SSH(edgeFigures + command)
		value, err := strconv.ParseFloat(said, 64)
		require.NoErrorf(t, err, "%s: %s", command, said)
		return value
	}
	for range rounds {
		for _, edge := range edges {
			var m edgeMeasured
			// None holds memory of the one before.
			r.SSH("sudo systemctl restart " + edge.processes + "; timeout 30 bash -c 'until [ \"$(curl --silent --insecure " + edge.url + "/)\" = hello ]; do sleep 0.2; done'")
			before := number("processor " + edge.processes)
			said := r.SSH("wrk --threads 1 --connections 32 --duration 8s --latency " + edge.url + "/")
			var total float64
			m.requests, m.p99, total = wrk(t, said)
			t.Logf("%s\n%s", edge.name, said)
			m.processor = (number("processor "+edge.processes) - before) / total
			m.handshakes, _, _ = wrk(t, r.SSH("wrk --threads 1 --connections 32 --duration 5s --latency --header 'Connection: close' "+edge.url+"/"))
			m.download = number("curl --silent --show-error --fail --insecure --http1.1 --output /dev/null --write-out '%{speed_download}' '" + edge.url + "/download?mib=256'")
			m.upload = number("head -c 90M /dev/zero >/tmp/up; curl --silent --show-error --fail --insecure --http1.1 --output /tmp/got --write-out '%{speed_upload}' --request POST --upload-file /tmp/up " + edge.url + "/upload")
			assert.Equal(t, strconv.Itoa(90<<20), r.SSH("cat /tmp/got"))
			m.memory = number("memory " + edge.processes)
			m.sockets = number(`coproc idle { python3 /tmp/idle.py `+edge.url+`; }; read -r opened <&"${idle[0]}"; [ "$opened" = 1000 ]; memory `+edge.processes+`; eval "exec ${idle[1]}>&-"; wait`) - m.memory
			results[edge.name] = append(results[edge.name], m)
			// The next one begins when this one's connections to the app are closed, but for those that edges keep idle.
			require.Eventually(t, func() bool {
				return number("ss --no-header --tcp state established '( dport = :"+port+" )' | wc -l") < 200
			}, 30*time.Second, time.Second)
		}
	}
	fmt.Printf("\nEdges before one container that answers hello, over HTTPS with 32 connections on 2 cores; medians of %d rounds, and in parentheses\nhow many times Berth's.\n\n", rounds)
	fmt.Println("| edge | requests/s | p99 | processor per request | new TLS connections/s | download | upload | memory | memory for 1,000 idle WebSockets |\n|---|---|---|---|---|---|---|---|---|")
	for _, edge := range edges {
		cell := func(figure func(edgeMeasured) float64, unit string, per float64) string {
			of := func(name string) float64 {
				var all []float64
				for _, m := range results[name] {
					all = append(all, figure(m))
				}
				return middle(all)
			}
			return fmt.Sprintf("%.1f%s (%.2f)", of(edge.name)/per, unit, of(edge.name)/of(edges[0].name))
		}
		fmt.Println("| " + strings.Join([]string{
			edge.name,
			cell(func(m edgeMeasured) float64 { return m.requests }, "", 1), cell(func(m edgeMeasured) float64 { return m.p99 }, " ms", 1000),
			cell(func(m edgeMeasured) float64 { return m.processor }, " µs", 1), cell(func(m edgeMeasured) float64 { return m.handshakes }, "", 1),
			cell(func(m edgeMeasured) float64 { return m.download }, " MiB/s", 1<<20), cell(func(m edgeMeasured) float64 { return m.upload }, " MiB/s", 1<<20),
			cell(func(m edgeMeasured) float64 { return m.memory }, " MiB", 1024), cell(func(m edgeMeasured) float64 { return m.sockets }, " MiB", 1024),
		}, " | ") + " |")
	}
}

// wrk reads what wrk says: requests a second, the 99th percentile of latency in µs, and how many requests there were. None may fail.
func wrk(t *testing.T, said string) (rate, p99, total float64) {
	t.Helper()
	assert.NotContains(t, said, "Non-2xx", said)
	assert.NotContains(t, said, "Socket errors", said)
	read := func(pattern string) string {
		found := regexp.MustCompile(pattern).FindStringSubmatch(said)
		require.NotNil(t, found, said)
		return found[1]
	}
	rate, err := strconv.ParseFloat(read(`Requests/sec: +([\d.]+)`), 64)
	require.NoError(t, err)
	took, err := time.ParseDuration(read(`(?m)^ +99% +([\d.]+[a-z]+)`))
	require.NoError(t, err)
	total, err = strconv.ParseFloat(read(`(\d+) requests in`), 64)
	require.NoError(t, err)
	return rate, float64(took.Microseconds()), total
}
