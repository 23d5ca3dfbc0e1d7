// Package grow tries several servers: from one to three and back, with visitors there all the time.
package grow

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
	"berth/tests/report"
)

const (
	instanceType = "aws:ec2/instance:Instance"
	// section is the heading of docs/growth.md that has the figures.
	section = "Measured"
	// wait bounds what Auto Scaling does on its own: a server boots, gets its packages and joins.
	wait = 6 * time.Minute
)

// scene is the site that all parts of the test use.
type scene struct {
	*harness.Rehearsal
	roots *x509.CertPool
}

func (s scene) in(t *testing.T) scene { return scene{s.Rehearsal.In(t), s.roots} }

// visitors come to the site by its name, whose address they know for a second.
func (s scene) visitors(rate int, holds time.Duration) *load.Run {
	return load.Start(s.T().Context(), s.target(holds), everything(rate))
}

// everything is all that visitors do, with the data and without.
func everything(rate int) load.Plan {
	return load.Plan{Rate: rate, Request: "/work?ms=20", WritePath: "/count", WebSockets: 5, SocketPath: "/ws"}
}

// measure is what visitors notice in so long a time.
func (s scene) measure(plan load.Plan, length time.Duration) load.Report {
	run := load.Start(s.T().Context(), s.target(time.Second), plan)
	time.Sleep(length)
	return run.Stop()
}

// awaitWell waits for a second in which everything is answered.
func (s scene) awaitWell(plan load.Plan, within time.Duration) {
	s.T().Helper()
	for began := time.Now(); s.measure(plan, time.Second).Failed > 0; {
		require.Less(s.T(), time.Since(began), within)
	}
}

func (s scene) target(holds time.Duration) load.Target {
	return load.Target{Domain: harness.Domain, Resolver: s.Address(nameServer) + ":53", Holds: holds, Roots: s.roots}
}

// nameServer is the host of the rehearsal's public network that answers for Route 53 (rehearsal/aws/internet.go).
const nameServer = 2

// web are the servers that Auto Scaling runs, by their states.
func (s scene) web(state string) (all []*harness.Resource) {
	for _, instance := range s.Account().All(instanceType) {
		if now, ok := instance.Outputs["lifecycleState"].(string); ok && (state == "" || now == state) {
			all = append(all, instance)
		}
	}
	return all
}

// first is the server that has the data.
func (s scene) first() *harness.Resource {
	for _, instance := range s.Account().All(instanceType) {
		if _, of := instance.Outputs["lifecycleState"]; !of {
			return instance
		}
	}
	require.Fail(s.T(), "there is no first server")
	return nil
}

// await waits until as many web servers take requests, and no other is there.
func (s scene) await(number int) {
	s.T().Helper()
	require.Eventuallyf(s.T(), func() bool { return len(s.web("InService")) == number && len(s.web("")) == number }, wait, 200*time.Millisecond,
		"%d web servers are in service", number)
}

func (s scene) host(instance *harness.Resource) string { return s.Name + "-" + instance.ID }

func (s scene) docker(args ...string) string {
	s.T().Helper()
	output, err := exec.CommandContext(s.T().Context(), "docker", args...).CombinedOutput()
	require.NoErrorf(s.T(), err, "docker %s:\n%s", strings.Join(args, " "), output)
	return strings.TrimSpace(string(output))
}

// databaseSince is when the database was started.
func (s scene) databaseSince() string {
	return s.SSH(`sudo docker inspect --format '{{.State.StartedAt}}' "$(sudo docker ps --quiet --filter label=com.docker.compose.service=db --filter label=com.docker.compose.project=app)"`)
}

// took is how many seconds a release says that it took.
func took(t *testing.T, output string) string {
	t.Helper()
	found := regexp.MustCompile(`released \S+ in (\d+) seconds`).FindStringSubmatch(output)
	require.NotNil(t, found, output)
	t.Logf("%s", regexp.MustCompile(`seconds of each step: .*`).FindString(output))
	return found[1]
}

// servesEverywhere says that every server has the release that the first one serves.
func (s scene) servesEverywhere() {
	s.T().Helper()
	status := s.SSH("sudo /opt/berth/deploy.sh status")
	now := s.SSH("sudo readlink /data/releases/current")
	for _, server := range s.web("InService") {
		assert.Regexpf(s.T(), regexp.QuoteMeta(server.ID)+`.*`+regexp.QuoteMeta(now), status, "%s serves another release", server.ID)
	}
}

// stage is the scene of a rehearsal that stands.
func stage(r *harness.Rehearsal) scene {
	s := scene{r, x509.NewCertPool()}
	// AWS's own authority signs for the load balancer.
	for _, file := range []string{"root.pem", "cloudwatch/api-root.pem"} {
		require.True(r.T(), s.roots.AppendCertsFromPEM([]byte(r.File(file))))
	}
	return s
}

func unnoticed(t *testing.T, visitors load.Report) {
	t.Helper()
	t.Logf("%s", visitors)
	assert.Zero(t, visitors.Failed, "requests that failed: %v", visitors.Reasons)
	assert.Zero(t, visitors.Sockets.Cut)
	assert.Greater(t, visitors.Sent, 100)
}

func TestSeveralServers(t *testing.T) {
	r := harness.New(t, "berth-grow")
	settings := r.LoadApp()
	r.Commit(map[string]string{"VERSION": "v1"})
	r.Run(append([]string{"up"}, settings...)...)
	s := stage(r)
	alone := ""
	t.Run("a release with one server", func(t *testing.T) {
		s := s.in(t)
		s.Commit(map[string]string{"VERSION": "v2"})
		run := s.visitors(100, time.Second)
		alone = took(t, s.Run("up"))
		unnoticed(t, run.Stop())
	})
	since := s.databaseSince()

	grown := t.Run("from one to three", func(t *testing.T) {
		s := s.in(t)
		preview := s.Run("preview", "--set", "servers=3")
		assert.Regexp(t, `web +.*every server`, preview)
		assert.Regexp(t, `db +.*first`, preview)
		run, late := s.visitors(100, time.Second), s.visitors(5, 5*time.Minute)
		s.Run("up", "--set", "servers=3")
		s.await(2)
		visitors := run.Stop()
		unnoticed(t, visitors)
		behind := late.Stop()
		assert.Zero(t, behind.Failed, "visitors whose resolvers still have the old address: %v", behind.Reasons)
		assert.Equal(t, since, s.databaseSince(), "the database was not restarted")
		s.servesEverywhere()
		report.Add(t, section, "From one server to three, 100 requests a second", fmt.Sprintf("%d requests, %d failed; the database was not restarted", visitors.Sent+behind.Sent, visitors.Failed+behind.Failed))
	})
	if !grown {
		return
	}
	t.Run("a release and a rollback", func(t *testing.T) {
		s := s.in(t)
		s.Commit(map[string]string{"VERSION": "v3"})
		run := s.visitors(100, time.Second)
		release := took(t, s.Run("up"))
		released := run.Stop()
		unnoticed(t, released)
		s.servesEverywhere()
		run = s.visitors(100, time.Second)
		rollback := took(t, s.SSH("sudo /opt/berth/deploy.sh rollback"))
		back := run.Stop()
		unnoticed(t, back)
		s.servesEverywhere()
		report.Add(t, section, "A release and a rollback on three servers, 100 requests a second",
			fmt.Sprintf("%s s and %s s (a release with one server: %s s); %d requests, %d failed, %d connections cut", release, rollback, alone, released.Sent+back.Sent, released.Failed+back.Failed, released.Sockets.Cut+back.Sockets.Cut))
	})
	t.Run("a release that is not well", func(t *testing.T) {
		s := s.in(t)
		now := s.SSH("sudo readlink /data/releases/current")
		s.Commit(map[string]string{"VERSION": "bad", "behaviour": "broken-after"})
		run := s.visitors(100, time.Second)
		output, err := s.Try("up")
		require.Error(t, err, output)
		visitors := run.Stop()
		unnoticed(t, visitors)
		assert.Equal(t, now, s.SSH("sudo readlink /data/releases/current"))
		s.servesEverywhere()
		assert.NotContains(t, fmt.Sprint(visitors.Versions), "bad")
		s.Commit(map[string]string{"VERSION": "good", "behaviour": "ok"})
		s.Run("up")
		report.Add(t, section, "A release that is not well on three servers", fmt.Sprintf("nowhere to be seen; %d requests, %d failed", visitors.Sent, visitors.Failed))
	})
	t.Run("deploy.sh is killed", func(t *testing.T) {
		s := s.in(t)
		for _, step := range []string{"images", "create", "start", "rehearse", "switch", "drain", "stop"} {
			t.Run("at "+step, func(t *testing.T) {
				s := s.in(t)
				s.Commit(map[string]string{"VERSION": "killed-at-" + step})
				killer := `sudo bash -c 'n=$(grep -c -- "--- step ` + step + `" /var/log/berth/release.log); for i in $(seq 1200); do [ "$(grep -c -- "--- step ` + step + `" /var/log/berth/release.log)" -gt "$n" ] && break; sleep 0.05; done; pkill -KILL -f "^bash /opt/berth/deploy.sh|^/bin/bash /opt/berth/deploy.sh|bash /opt/berth/deploy.sh"'`
				killed := make(chan string, 1)
				go func() {
					output, _ := s.TrySSH(killer, "")
					killed <- output
				}()
				run := s.visitors(100, time.Second)
				output, err := s.Try("up")
				<-killed
				require.Error(t, err, output)
				visitors := run.Stop()
				unnoticed(t, visitors)
				s.Run("up")
				s.servesEverywhere()
			})
		}
		report.Add(t, section, "deploy.sh killed at seven of its steps, then pulumi up", "no request failed, and every server has the new release")
	})
	t.Run("what a web server is asked to do is killed there", func(t *testing.T) {
		s := s.in(t)
		for _, command := range []string{"fetch", "prepare", "switch", "settle"} {
			t.Run("at "+command, func(t *testing.T) {
				s := s.in(t)
				s.Commit(map[string]string{"VERSION": "killed-there-at-" + command})
				// The brackets keep it from finding itself.
				killer := fmt.Sprintf(`sudo timeout 180 bash -c "until pkill -KILL -f [f]ollow.sh.%s; do :; done"`, command)
				killed := make(chan error, 1)
				go func() {
					_, err := s.TrySSH("sudo /opt/berth/servers.sh ssh "+s.web("InService")[0].ID+" '"+killer+"'", "")
					killed <- err
				}()
				run := s.visitors(100, time.Second)
				output, err := s.Try("up")
				require.NoError(t, <-killed)
				unnoticed(t, run.Stop())
				// To ssh a command that is killed is a server that does not answer: the release goes on without it, and it has to join again, or
				// another one in its place. Images that it did not get ahead it gets then.
				require.NoError(t, err, output)
				s.await(2)
				s.servesEverywhere()
			})
		}
		report.Add(t, section, "A web server's part of a release killed as it gets images, prepares, switches and settles", "no request failed; the release went on, and where it went on without this server, it or another one in its place has joined since")
	})
	t.Run("a web server's power is cut", func(t *testing.T) {
		s := s.in(t)
		gone := s.web("InService")[0]
		run := s.visitors(100, time.Second)
		s.docker("kill", s.host(gone))
		began := time.Now()
		require.Eventually(t, func() bool {
			return !slices.ContainsFunc(s.web(""), func(r *harness.Resource) bool { return r.ID == gone.ID })
		}, wait, 200*time.Millisecond)
		s.await(2)
		replaced := time.Since(began)
		visitors := run.Stop()
		t.Logf("%s", visitors)
		s.servesEverywhere()
		// The load balancer needs two failed checks, five seconds apart, of two seconds each; a third of the requests go there, and a
		// request may wait for its connection as long as the visitor does.
		assert.Less(t, visitors.Failed, 100*(5*2+2+2)/3+50)
		report.Add(t, section, "A web server's power is cut, 100 requests a second", fmt.Sprintf("%d of %d requests failed until the load balancer took it out; replaced after %s, nothing done by hand", visitors.Failed, visitors.Sent, replaced.Round(time.Second)))
	})
	t.Run("the first server is rebooted", func(t *testing.T) {
		s := s.in(t)
		first := s.first()
		s.docker("stop", "--time", "120", s.host(first))
		// The load balancer takes it out by two checks that fail. What needs no data is answered from then on.
		dataless := load.Plan{Rate: 100, Request: "/work?ms=20"}
		s.awaitWell(dataless, 20*time.Second)
		away := s.measure(dataless, 5*time.Second)
		assert.Zero(t, away.Failed, "requests that failed while the first server was away: %v", away.Reasons)
		s.docker("start", s.host(first))
		began := time.Now()
		s.awaitWell(everything(100), wait)
		report.Add(t, section, "From the first server's start after a shutdown to the first second in which every request was answered, writes included", time.Since(began).Round(time.Second).String())
		s.await(2)
	})
	t.Run("from three to one", func(t *testing.T) {
		s := s.in(t)
		since := s.databaseSince()
		run, late := s.visitors(100, time.Second), s.visitors(5, time.Minute)
		s.Run("up", "--set", "servers=1")
		visitors, behind := run.Stop(), late.Stop()
		t.Logf("%s", visitors)
		// Who keeps a connection to the load balancer until it is deleted may be asking just then.
		assert.LessOrEqual(t, visitors.Failed, 3, "requests that failed: %v", visitors.Reasons)
		assert.LessOrEqual(t, behind.Failed, 1, "visitors whose resolvers still have the old address: %v", behind.Reasons)
		assert.Empty(t, s.web(""))
		assert.Equal(t, since, s.databaseSince(), "the database was not restarted")
		assert.Contains(t, s.Run("up"), "SSH connections opened: 0")
		report.Add(t, section, "From three servers back to one, 100 requests a second", fmt.Sprintf("%d requests, %d failed; the database was not restarted", visitors.Sent+behind.Sent, visitors.Failed+behind.Failed))
	})
}

// TestAThousandRequests a second are answered by one server, and by three, through a release and a rollback.
func TestAThousandRequests(t *testing.T) {
	const rate = 1000
	r := harness.New(t, "berth-thousand")
	r.HelloApp()
	r.Run("up", "--set", "routes=web:8080", "--set", "drainWithin=5")
	s := stage(r)
	visitors := func() *load.Run {
		// As many connections as a site's visitors and crawlers keep: with a new one for each request that waits, two processors would do
		// nothing but handshakes, for three servers, the load balancer and the visitors.
		return load.Start(t.Context(), s.target(time.Second), load.Plan{Rate: rate, Request: "/", Connections: 200, WebSockets: 5, SocketPath: "/echo"})
	}
	r.Commit(map[string]string{"index": "the first server's"})
	run := visitors()
	alone := took(t, r.Run("up"))
	unnoticed(t, run.Stop())
	r.Run("up", "--set", "servers.min=3", "--set", "servers.max=3", "--set", "servers.accessLogs=30")
	s.await(2)
	r.Commit(map[string]string{"index": "another"})
	run = visitors()
	release := took(t, r.Run("up"))
	released := run.Stop()
	unnoticed(t, released)
	s.servesEverywhere()
	run = visitors()
	rollback := took(t, r.SSH("sudo /opt/berth/deploy.sh rollback"))
	back := run.Stop()
	unnoticed(t, back)
	s.servesEverywhere()
	report.Add(t, section, "A release and a rollback on three servers, 1,000 requests a second",
		fmt.Sprintf("%s s and %s s (a release with one server: %s s); %d requests, %d failed, %d connections cut", release, rollback, alone, released.Sent+back.Sent, released.Failed+back.Failed, released.Sockets.Cut+back.Sockets.Cut))
}

// TestGrowthOnAnAccount has tools/growth.sh measure the rehearsal, as an operator has it measure a stack of an account.
func TestGrowthOnAnAccount(t *testing.T) {
	t.Parallel() // It waits for most of its time.
	r := harness.New(t, "berth-account")
	r.HelloApp()
	r.Run("up", "--set", "routes=web:8080", "--set", "drainWithin=5")
	s := stage(r)
	// The operator's machine trusts the authorities that signed here, as every machine trusts those that sign for an account.
	roots := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(roots, []byte(r.File("root.pem")+r.File("cloudwatch/api-root.pem")), 0o600))
	output := r.Run("shell", "--", "env", "SSL_CERT_FILE="+roots, "RATE=50", "RESOLVER="+s.Address(nameServer)+":53", filepath.Join(r.Project, "tools", "growth.sh"), "rehearsal")
	t.Log(output)
	// How many requests may fail: of a power cut those that go there until the load balancer takes it out, and on the way back those of
	// who keeps a connection to the load balancer until it is deleted.
	parts := regexp.MustCompile(`## (.+): (\d+) seconds\nrequests (\d+), failed (\d+)`).FindAllStringSubmatch(output, -1)
	require.Len(t, parts, 6)
	for i, part := range []struct {
		name string
		fail int
	}{
		{"A release with one server", 0}, {"From one server to three", 0}, {"A release on three servers", 0}, {"A rollback on three servers", 0},
		{"A web server is gone", 50*14/3 + 25}, {"From three servers back to one", 3},
	} {
		assert.Equal(t, part.name, parts[i][1])
		failed, err := strconv.Atoi(parts[i][4])
		require.NoError(t, err)
		assert.LessOrEqual(t, failed, part.fail, part.name)
	}
	assert.Len(t, regexp.MustCompile(`(?m)^released \S+ in \d+ seconds`).FindAllString(output, -1), 3)
	assert.Empty(t, s.web(""))
}
