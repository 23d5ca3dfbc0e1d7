package tests

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
)

// way is one of the ways to release, as shell on the host: prepare brings version v0 up, release and back go to a
// version, whose commit is $COMMIT. A bare one neither dumps the database nor migrates it, as the others.
type way struct {
	name, prepare, release, back string
	bare                         bool
}

// The ways that Berth is measured against. Each has what it needs beside the same app on the same host: nginx led to a
// published port, or to the containers' own addresses and reloaded as they come and go.
var ways = []way{
	{
		name:    "berth",
		prepare: `sudo /opt/berth/deploy.sh`,
		release: `sudo /opt/berth/deploy.sh`,
		back:    `sudo /opt/berth/deploy.sh rollback`,
	},
	{
		name:    "berth, without dump and migration",
		prepare: `sudo /opt/berth/deploy.sh`,
		release: `sudo /opt/berth/deploy.sh`,
		back:    `sudo /opt/berth/deploy.sh rollback`,
		bare:    true,
	},
	{
		name: "git pull && docker compose up -d --build",
		prepare: checkOut + `
printf 'services: {web: {ports: ["127.0.0.1:20000:8000"]}}' | sudo tee override.yaml >/dev/null
sudo docker compose -p bench --env-file /etc/berth/app.env -f compose.yaml -f override.yaml up -d --build --wait
led 127.0.0.1:20000`,
		release: checkOut + `sudo docker compose -p bench --env-file /etc/berth/app.env -f compose.yaml -f override.yaml up -d --build`,
		back:    checkOut + `sudo docker compose -p bench --env-file /etc/berth/app.env -f compose.yaml -f override.yaml up -d --build`,
	},
	{
		name:    "docker-rollout's way",
		prepare: checkOut + `sudo docker compose -p bench --env-file /etc/berth/app.env -f compose.yaml up -d --build --wait; led $(addresses)`,
		release: rollout,
		back:    rollout,
	},
}

// checkOut is git pull, to $COMMIT.
const checkOut = `
[ -d /srv/bench ] || sudo git clone --quiet /srv/wild /srv/bench
cd /srv/bench; sudo git fetch --quiet; sudo git checkout --quiet --force "$COMMIT"
`

// rollout scales to two, waits for the new one, removes the old one, and reloads nginx after each step.
const rollout = checkOut + `
old=$(sudo docker compose -p bench --env-file /etc/berth/app.env -f compose.yaml ps --quiet web)
sudo docker compose -p bench --env-file /etc/berth/app.env -f compose.yaml up -d --build --no-deps --scale web=2 --no-recreate web
new=$(sudo docker compose -p bench --env-file /etc/berth/app.env -f compose.yaml ps --quiet web | grep -v "$old")
until [ "$(sudo docker inspect --format '{{.State.Health.Status}}' "$new")" = healthy ]; do sleep 0.2; done
led $(addresses)
sudo docker stop "$old" >/dev/null; sudo docker rm "$old" >/dev/null
led $(addresses)`

// benchHost has what the ways share.
const benchHost = `set -eu
addresses() { for c in $(sudo docker ps --quiet --filter label=com.docker.compose.project=bench --filter label=com.docker.compose.service=web); do sudo docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}:8000' "$c"; done; }
led() {
  sudo mkdir -p /data/edge/bench
  echo 'server { server_name ` + harness.Domain + `; include /etc/nginx/berth/server.conf; location / { proxy_pass http://bench; include /etc/nginx/berth/proxy.conf; } }' | sudo tee /data/edge/bench/servers.conf >/dev/null
  { echo "upstream bench {"; for a in "$@"; do echo "server $a;"; done; echo "}"; } | sudo tee /data/edge/bench/upstreams.conf >/dev/null
  sudo rm -f /run/berth/routes
  sudo ln -sfn bench /data/edge/now
  sudo nginx -s reload
}
`

// peakMemory keeps the highest resident memory of the host's containers and services in a file until that is removed.
const peakMemory = `sudo systemd-run --quiet --collect --unit peak bash -c 'echo 0 >/run/peak; while [ -e /run/peak ]; do
  now=$(awk "/^(total_rss|anon) / { print \$2; exit }" /sys/fs/cgroup/memory/memory.stat /sys/fs/cgroup/memory.stat 2>/dev/null)
  [ "$now" -le "$(cat /run/peak)" ] || echo "$now" >/run/peak
  sleep 0.1
done'`

// measured is what one release and its way back were like.
type measured struct {
	failed, cut           int
	gap                   time.Duration
	forward, back, memory float64
}

// TestBench prints what visitors notice of a release, Berth's and others', on the same host with the same app, as ratios
// of one run. Run it with make bench.
func TestBench(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("BERTH_BENCH"))
	if err != nil {
		t.Skip("a benchmark, not a test; run it with: make bench")
	}
	r := harness.New(t, "berth-bench")
	r.Run(append([]string{"up"}, r.LoadApp()...)...)
	address := r.Account().Only("aws:ec2/eip:Eip").Output("publicIp")
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.File("root.pem"))))
	password := r.File("database-password")

	results := map[string][]measured{}
	for round := range rounds {
		for _, w := range ways {
			r.SSH(wildAway + "; sudo rm -rf /srv/bench")
			// The app as a repository of two versions, neither built before.
			first, second := fmt.Sprintf("%d-%s-1", round, w.name), fmt.Sprintf("%d-%s-2", round, w.name)
			repository, commits := wildRepository(t, r, versions(t, r.App, first, second))
			app := wildApp{Routes: []map[string]any{{"path": "/", "service": "web", "port": 8000, "health": "/healthz"}}, Migration: map[string]string{"service": "web", "command": "python3 migrate.py"}, Strategy: "blue-green", Variables: map[string]string{"DATABASE_PASSWORD": password}}
			if w.bare {
				app.Migration, app.Database = nil, map[string]string{"service": "db", "dump": "echo nothing", "restore": "cat"}
			}
			on := func(commit, script string) {
				app.configure(t, r, repository, commit)
				r.SSH(benchHost + "COMMIT=" + commit + "\n" + script)
			}
			r.SSHInput("sudo bash -euc 'umask 077; cat > /etc/berth/app.env'", "DATABASE_PASSWORD='"+password+"'\n")
			on(commits[0], w.prepare)
			target := load.Target{Domain: harness.Domain, Address: address, Roots: roots}
			var m measured
			move := func(commit, script, version string) float64 {
				run := load.Start(t.Context(), target, load.Plan{Rate: 100, Request: "/work?ms=20", WebSockets: 5, SocketPath: "/ws"})
				began := time.Now()
				done := make(chan struct{})
				var took float64
				go func() {
					defer close(done)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					if run.AwaitVersion(ctx, version) == nil {
						took = time.Since(began).Seconds()
					}
				}()
				on(commit, script)
				<-done
				report := run.Stop()
				t.Logf("%s, to %s\n%s", w.name, version, report)
				m.failed += report.Failed
				m.cut += report.Sockets.Cut + report.Sockets.Failed
				m.gap = max(m.gap, report.LongestGap)
				return took
			}
			r.SSH(peakMemory)
			m.forward = move(commits[1], w.release, second)
			m.back = move(commits[0], w.back, first)
			if strings.HasPrefix(w.name, "berth") {
				t.Logf("%s, the steps' times:\n%s", w.name, r.SSH("sudo grep -a '^seconds of each step: ' /var/log/berth/release.log | tail -n 2"))
			}
			peak, err := strconv.ParseFloat(r.SSH("cat /run/peak; sudo rm /run/peak"), 64)
			require.NoError(t, err)
			m.memory = peak / (1 << 20)
			results[w.name] = append(results[w.name], m)
		}
	}
	printResults(rounds, results)
}

func printResults(rounds int, results map[string][]measured) {
	median := func(name string, figure func(measured) float64) float64 {
		var all []float64
		for _, m := range results[name] {
			all = append(all, figure(m))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	fmt.Printf("\nA release and its way back under 100 requests a second and 5 WebSockets; medians of %d rounds, and in\nparentheses how many times Berth's.\n\n", rounds)
	fmt.Printf("| %-41s | failed | cut | longest gap | to the new version | back | peak memory |\n|---|---|---|---|---|---|---|\n", "way")
	for _, w := range ways {
		times := func(figure func(measured) float64, unit string) string {
			own := median(ways[0].name, figure)
			value := median(w.name, figure)
			return fmt.Sprintf("%.2f%s (%.1f)", value, unit, value/own)
		}
		fmt.Printf("| %-41s | %.0f | %.0f | %s | %s | %s | %s |\n", w.name,
			median(w.name, func(m measured) float64 { return float64(m.failed) }), median(w.name, func(m measured) float64 { return float64(m.cut) }),
			times(func(m measured) float64 { return m.gap.Seconds() }, " s"), times(func(m measured) float64 { return m.forward }, " s"),
			times(func(m measured) float64 { return m.back }, " s"), times(func(m measured) float64 { return m.memory }, " MiB"))
	}
}

// versions lays the app out twice, in folders v1 and v2.
func versions(t *testing.T, app, first, second string) string {
	t.Helper()
	whole := t.TempDir()
	for folder, version := range map[string]string{"v1": first, "v2": second} {
		require.NoError(t, os.CopyFS(whole+"/"+folder, os.DirFS(app)))
		require.NoError(t, os.WriteFile(whole+"/"+folder+"/VERSION", []byte(version), 0o644))
	}
	return whole
}
