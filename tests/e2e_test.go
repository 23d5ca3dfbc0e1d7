package tests

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/attackers"
	"berth/tests/harness"
)

// hostile is a variable's value with everything that quoting gets wrong: it has to reach the page as it is.
const hostile = `it's "quoted", $HOME ${HOME} $(id) \back\`

// fillDisk leaves 50 MiB, with 300 MiB of it in build cache that nothing needs.
const fillDisk = `sudo bash -euc '
mkdir -p /root/cache && cd /root/cache
printf "FROM debian:13-slim\nRUN head -c 300M /dev/urandom >/big\n" >Dockerfile
docker build --quiet --tag filler . && docker image rm filler
fallocate -l $(($(df --output=avail --block-size=1 /data | tail -n 1) - 52428800)) /data/fill' >/dev/null`

const registryPassword = "canary-9c2e"

// registry runs a registry on the host that asks for a password, and puts an image of the app's web service there. Its
// last line is the image's digest.
const registry = `sudo bash -euc '
exec 3>&1 >/root/registry.log 2>&1
DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install docker-registry apache2-utils
htpasswd -Bbc /etc/docker/registry/htpasswd you ` + registryPassword + `
cat >/etc/docker/registry/config.yml <<EOF
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}
http: {addr: 127.0.0.1:5000}
auth: {htpasswd: {realm: basic-realm, path: /etc/docker/registry/htpasswd}}
EOF
chmod 0644 /etc/docker/registry/htpasswd
systemctl restart docker-registry
mkdir -p /root/client
printf "{\"auths\":{\"127.0.0.1:5000\":{\"auth\":\"%s\"}}}" "$(printf you:` + registryPassword + ` | base64)" >/root/client/config.json
docker tag "$(docker ps --filter label=com.docker.compose.service=web --format "{{.Image}}" | head -n 1)" 127.0.0.1:5000/web:1
timeout 60 bash -c "until docker --config /root/client push 127.0.0.1:5000/web:1; do sleep 0.5; done"
docker image inspect --format "{{index .RepoDigests 0}}" 127.0.0.1:5000/web:1 | cut -d @ -f 2 >&3
docker image rm 127.0.0.1:5000/web:1'`

// TestFromNothingToHTTPSAndBack is the main job, whole, in the order in which a person would do it.
func TestFromNothingToHTTPSAndBack(t *testing.T) {
	r := harness.New(t, "berth-test")

	output := r.Run("up")
	require.Contains(t, output, "https://"+harness.Domain+"/ answers 200")
	account := r.Account()
	address := account.Only("aws:ec2/eip:Eip").Output("publicIp")
	site := harness.NewSite(t, address, r.File("root.pem"))

	t.Run("the page answers over HTTPS, on every name, and over HTTP leads there", func(t *testing.T) {
		site := site.In(t)
		for _, name := range []string{harness.Domain, "www." + harness.Domain} {
			response := site.Do(http.MethodGet, "https://"+name+"/", "")
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, 2, response.ProtoMajor)
			assert.NotEmpty(t, response.Header.Get("Strict-Transport-Security"))
			response = site.Do(http.MethodGet, "http://"+name+"/x?y=1", "")
			assert.Equal(t, http.StatusMovedPermanently, response.StatusCode)
			assert.Equal(t, "https://"+name+"/x?y=1", response.Header.Get("Location"))
		}
	})
	t.Run("the page answers over IPv6 too", func(t *testing.T) {
		v6 := account.Only("aws:ec2/instance:Instance").Outputs["ipv6Addresses"].([]any)[0].(string)
		response := harness.NewSite(t, v6, r.File("root.pem")).Do(http.MethodGet, "https://"+harness.Domain+"/", "")
		assert.Equal(t, http.StatusOK, response.StatusCode)
	})
	t.Run("the host is the instance that was asked for", func(t *testing.T) {
		r := r.In(t)
		assert.Equal(t, "1073741824", r.SSH("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"), "a t3.micro has 1 GiB")
		assert.Contains(t, r.SSH("cloud-init status"), "status: done")
		assert.Contains(t, r.SSH("findmnt --noheadings --output SOURCE,FSTYPE /data"), "ext4")
		assert.Equal(t, "/data/docker", r.SSH("sudo docker info --format '{{.DockerRootDir}}'"))
		assert.Empty(t, r.SSH("systemctl --failed --no-legend"))
		var host string
		for _, role := range account.All("aws:iam/role:Role") {
			if strings.HasPrefix(role.ID, "berth-host-") {
				host = role.ID
			}
		}
		assert.Equal(t, host, r.SSH(`token=$(sudo curl -s -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60'); sudo curl -s -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/iam/security-credentials/`))
	})
	testResident(t, r)
	t.Run("a row written through the API can be read back", func(t *testing.T) {
		site := site.In(t)
		site.Write("kept through everything")
		assert.Contains(t, site.Notes(), "kept through everything")
	})
	t.Run("the browser shows the row behind a padlock", func(t *testing.T) {
		look(t, address, r.File("root.pem"), "kept through everything", "artefacts/page.png")
	})
	t.Run("what the security group closes is closed", func(t *testing.T) {
		site := site.In(t)
		r := r.In(t)
		// The registry of the app's loopback ports, Postgres, Docker's API, and a port that listens to the world.
		r.SSH("sudo systemd-run --quiet --unit listener python3 -m http.server 8080")
		for _, port := range []string{"8080", "20000", "5432", "2375"} {
			site.Closed(port)
		}
	})
	t.Run("containers do not reach the instance's metadata, root on the host does", func(t *testing.T) {
		r := r.In(t)
		token := `sudo curl -s -m 3 -o /dev/null -w '%{http_code}' -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60'`
		assert.Equal(t, "200", r.SSH(token))
		assert.Equal(t, "unreachable", r.SSH(`sudo docker exec $(sudo docker ps --quiet --filter label=com.docker.compose.service=api) python3 -c 'import urllib.request as u
try: u.urlopen(u.Request("http://169.254.169.254/latest/api/token", method="PUT"), timeout=3); print("reached")
except Exception: print("unreachable")'`))
	})
	t.Run("secrets stay where they belong", func(t *testing.T) {
		r := r.In(t)
		secret := r.File("database-password")
		assert.NotContains(t, output, secret)
		assert.NotContains(t, r.Backend(), secret)
		assert.NotContains(t, r.Backend(), "OPENSSH PRIVATE KEY")
		assert.Equal(t, "600 root", r.SSH("sudo stat --format '%a %U' /data/releases/current/.env.production"))
		// The secret is looked for without naming it in a command, where it would be found, in a file of root's: systemd-logind removes
		// a user's files in /dev/shm when the last session ends.
		r.SSHInput("sudo install -m 600 /dev/stdin /run/canary", secret)
		assert.Empty(t, r.SSH("ps -eo args | sudo grep -F -f /run/canary || true"))
		assert.Empty(t, r.SSH("sudo journalctl --no-pager | sudo grep -F -f /run/canary || true"))
		assert.Empty(t, r.SSH("sudo grep -rlF -f /run/canary /var/log /opt/berth || true"))
		assert.Equal(t, "/etc/berth/app.env\n/etc/berth/plan.json", r.SSH("sudo grep -rlF -f /run/canary /etc | sort"))
		assert.Equal(t, "600 root\n600 root", r.SSH("sudo stat --format '%a %U' /etc/berth/app.env /etc/berth/plan.json"))
		assert.Empty(t, r.SSH("sudo bash -c 'grep -lF -f /run/canary /data/releases/*/plan.json || true'"), "what a release keeps of its plan has no values")
	})
	testDoctor(t, r)
	t.Run("attackers get nothing but sane answers", func(t *testing.T) { attackers.Quick(t, r.In(t)) })
	t.Run("a second up changes nothing and opens no connection", func(t *testing.T) {
		output := r.In(t).Run("up")
		assert.Contains(t, output, "SSH connections opened: 0")
		assert.Regexp(t, `\d+ unchanged`, output)
		assert.NotRegexp(t, `\d+ (created|updated|replaced|deleted|to )`, output)
	})
	t.Run("refresh and preview find nothing to do", func(t *testing.T) {
		for _, command := range []string{"refresh", "preview"} {
			output := r.In(t).Run(command)
			assert.Regexp(t, `\d+ unchanged`, output)
			assert.NotRegexp(t, `\d+ (created|updated|replaced|deleted|to )`, output)
		}
	})
	t.Run("a changed variable runs the release step alone", func(t *testing.T) {
		output := r.In(t).Run("up", "--set", "environment.GREETING="+hostile)
		assert.Equal(t, []string{"release"}, harness.Changed(output))
		response := site.In(t).Do(http.MethodGet, "https://"+harness.Domain+"/api/version", "")
		assert.Equal(t, hostile, harness.Greeting(t, response))
	})
	t.Run("a release can be gone back on, with the database", func(t *testing.T) {
		r, site := r.In(t), site.In(t)
		site.Write("written since")
		output := r.SSH("sudo /opt/berth/deploy.sh rollback --with-database --yes")
		assert.Contains(t, output, "restoring the database of db")
		assert.Equal(t, "Hello from the rehearsal", harness.Greeting(t, site.Do(http.MethodGet, "https://"+harness.Domain+"/api/version", "")))
		assert.NotContains(t, site.Notes(), "written since")
		assert.Contains(t, site.Notes(), "kept through everything")
		assert.Contains(t, r.SSH("sudo ls -t /data/dumps | head -n 1"), "_db.postgres", "what was taken away is in a dump")
		_, err := r.TrySSH("sudo /opt/berth/deploy.sh rollback --with-database", "nonsense\n")
		require.Error(t, err, "nobody confirmed")
	})
	t.Run("the maintenance page is served and nothing else, but for the authority", func(t *testing.T) {
		r, site := r.In(t), site.In(t)
		r.SSH("sudo /opt/berth/deploy.sh maintenance on; echo x | sudo tee /var/lib/berth/acme/.well-known/acme-challenge/token")
		response := site.Do(http.MethodGet, "https://"+harness.Domain+"/api/notes", "")
		assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		assert.Equal(t, "60", response.Header.Get("Retry-After"))
		assert.Equal(t, http.StatusOK, site.Do(http.MethodGet, "http://"+harness.Domain+"/.well-known/acme-challenge/token", "").StatusCode)
		r.SSH("sudo /opt/berth/deploy.sh maintenance off")
		assert.Equal(t, http.StatusOK, site.Do(http.MethodGet, "https://"+harness.Domain+"/api/notes", "").StatusCode)
	})
	t.Run("an image built elsewhere is pulled by digest with the stack's credentials", func(t *testing.T) {
		r := r.In(t)
		digest := r.SSH(registry)
		require.Regexp(t, "^sha256:[0-9a-f]{64}$", digest)
		output := r.Run("up", "--set", "images.web=127.0.0.1:5000/web@"+digest, "--set", `!registries["127.0.0.1:5000"]=you:`+registryPassword)
		assert.Contains(t, output, "pulling 127.0.0.1:5000/web@"+digest)
		assert.NotContains(t, output, "building web")
		assert.NotContains(t, output, registryPassword)
		assert.NotContains(t, r.Backend(), registryPassword)
		assert.Contains(t, r.SSH("sudo docker ps --filter label=com.docker.compose.service=web --format '{{.Image}}'"), "berth/web:")
	})
	t.Run("another stack's release does not go out on this server", func(t *testing.T) {
		r := r.In(t)
		r.SSH("echo elsewhere | sudo tee /data/stack")
		output, err := r.Try("up", "--set", "environment.GREETING=from another stack")
		require.Error(t, err)
		assert.Contains(t, output, "this server's data belongs to stack elsewhere, and this is a release of stack rehearsal")
		r.SSH("echo rehearsal | sudo tee /data/stack")
		assert.Contains(t, r.SSH("sudo /opt/berth/deploy.sh status"), "serves; kept: ")
	})
	t.Run("an update that was killed is taken up again", func(t *testing.T) {
		r := r.In(t)
		up := r.Start("up", "--set", "environment.GREETING=taken up")
		up.Await(func(output string) string { return regexp.MustCompile("Command release").FindString(output) })
		up.Kill()
		_, err := up.Wait()
		require.Error(t, err)
		r.Run("up")
		assert.Equal(t, "taken up", harness.Greeting(t, site.In(t).Do(http.MethodGet, "https://"+harness.Domain+"/api/version", "")))
	})
	t.Run("a replaced instance serves the same data with the same certificate", func(t *testing.T) {
		r, site := r.In(t), site.In(t)
		before := account.Only("aws:ec2/instance:Instance").ID
		serial := site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").TLS.PeerCertificates[0].SerialNumber
		output := r.Run("up", "--set", "ami="+harness.OtherAMI)
		assert.NotEqual(t, before, r.Account().Only("aws:ec2/instance:Instance").ID)
		assert.Contains(t, harness.Changed(output), "volume")
		site.Client.CloseIdleConnections()
		assert.Contains(t, site.Notes(), "kept through everything")
		assert.Equal(t, serial, site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").TLS.PeerCertificates[0].SerialNumber)
	})
	t.Run("a bigger volume grows with its file system", func(t *testing.T) {
		r := r.In(t)
		output := r.Run("up", "--set", "volumeSize=24")
		assert.ElementsMatch(t, []string{"data", "volume"}, harness.Changed(output))
		assert.Equal(t, "24", r.SSH("df --output=size --block-size=1G /data | tail -n 1"))
	})
	t.Run("renewal by the timer's unit replaces the certificate and nginx serves it", func(t *testing.T) {
		r, site := r.In(t), site.In(t)
		serial := func() string {
			site.Client.CloseIdleConnections()
			return site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").TLS.PeerCertificates[0].SerialNumber.String()
		}
		before := serial()
		r.SSH("sudo systemctl start berth-certificate.service")
		assert.Equal(t, before, serial(), "a certificate with most of its life left is kept")
		old := age(r, address, 90, 70)
		renew(r, true)
		serves(t, address, old, false)
		assert.NotEqual(t, before, serial(), "the new certificate is served")
		assert.Contains(t, r.SSH("systemctl list-timers --all --no-legend berth-certificate.timer"), "berth-certificate.timer")
	})
	t.Run("the certificate's state is told, and the placeholder is a command away", func(t *testing.T) {
		r, site := r.In(t), site.In(t)
		var status struct {
			Severity int
			Names    []string
			Issuer   string
		}
		require.NoError(t, json.Unmarshal([]byte(r.SSH("sudo /opt/berth/ssl-manager.sh check --json")), &status))
		assert.Equal(t, 0, status.Severity)
		assert.ElementsMatch(t, []string{harness.Domain, "www." + harness.Domain}, status.Names)
		r.SSH("sudo /opt/berth/ssl-manager.sh revert")
		output, err := r.TrySSH("sudo /opt/berth/ssl-manager.sh check", "")
		require.Error(t, err, "the exit code is a warning's")
		assert.Contains(t, output, `issued by "placeholder"`)
		assert.Contains(t, output, "sudo /opt/berth/ssl-manager.sh generate")
		r.SSH("sudo /opt/berth/ssl-manager.sh install")
		// nginx puts a reload through in its own time.
		assert.Eventually(t, func() bool { _, err := r.TrySSH("sudo /opt/berth/ssl-manager.sh check", ""); return err == nil }, 10*time.Second, 100*time.Millisecond)
		site.Client.CloseIdleConnections()
		assert.Equal(t, http.StatusOK, site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").StatusCode)
	})
	t.Run("an authority that refused is not asked again at once", func(t *testing.T) {
		r := r.In(t)
		output, err := r.TrySSH(`sudo bash -c 'printf "%s\n1\n%s\n" "$(date +%s)" "$(jq -r .NAMES /etc/berth/certificate.json)" >/data/tls/refused
mv /data/letsencrypt/live /data/letsencrypt/away; trap "mv /data/letsencrypt/away /data/letsencrypt/live; rm /data/tls/refused" EXIT
/opt/berth/ssl-manager.sh generate'`, "")
		require.Error(t, err)
		assert.Contains(t, output, "the authority refused before, so it is asked again from")
	})
	t.Run("the health check says how everything is, and finds what is wrong", func(t *testing.T) {
		r := r.In(t)
		r.SSH("sudo systemctl start berth-dump.service")
		verdicts := r.Health()
		for _, check := range []string{"release", "containers", "database", "site", "certificate", "backup", "disk", "clock", "reboot", "units"} {
			assert.Equal(t, "ok", verdicts[check], check)
		}
		// What the machine around the host is busy with is its own affair.
		for _, check := range []string{"root", "memory", "swap", "load"} {
			assert.NotEmpty(t, verdicts[check], check)
		}
		output, _ := r.TrySSH("sudo /opt/berth/health-check.sh", "")
		assert.Regexp(t, `(?m)^ok +database +db answers a query$`, output)
		assert.NotContains(t, output, "\x1b")
		r.SSH("sudo docker stop $(sudo docker ps --quiet --filter label=com.docker.compose.service=db)")
		verdicts = r.Health()
		assert.Equal(t, "critical", verdicts["containers"])
		assert.Equal(t, "critical", verdicts["database"])
		_, err := r.TrySSH("sudo /opt/berth/health-check.sh", "")
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, 2, exit.ExitCode())
		// Releasing again heals.
		r.SSH("sudo /opt/berth/deploy.sh")
		verdicts = r.Health()
		assert.Equal(t, "ok", verdicts["containers"])
		assert.Equal(t, "ok", verdicts["database"])
		assert.Contains(t, r.SSH("systemctl list-timers --all --no-legend"), "berth-health.timer")
	})
	t.Run("no weak cipher, on neither door", func(t *testing.T) {
		r := r.In(t)
		r.SSH("sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install sslscan ssh-audit")
		tls := r.SSH("sslscan --no-colour --sni-name=" + harness.Domain + " 127.0.0.1:443")
		for _, old := range []string{"SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"} {
			assert.Regexp(t, old+` +disabled`, tls)
		}
		assert.Contains(t, tls, "TLSv1.3   enabled")
		accepted := regexp.MustCompile(`(?m)^(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)`).FindAllStringSubmatch(tls, -1)
		require.NotEmpty(t, accepted)
		for _, cipher := range accepted {
			assert.Regexp(t, "GCM|CHACHA20", cipher[2])
		}
		assert.Contains(t, tls, "Compression disabled")
		// ssh-audit's exit code is 0 only without a warning.
		output, err := r.TrySSH("ssh-audit --level=warn --no-colors 127.0.0.1", "")
		require.NoErrorf(t, err, "%s", output)
		settings := r.SSH("sudo sshd -T")
		for _, line := range []string{"permitrootlogin no", "passwordauthentication no", "allowusers admin"} {
			assert.Contains(t, settings, line)
		}
	})
	t.Run("a full disk is mailed and leaves the site up, and the space comes back", func(t *testing.T) {
		r, site := r.In(t), site.In(t)
		assert.Contains(t, r.Run("up", "--set", "alarmEmail=ops@example.test"), "dashboard")
		r.SSH("sudo systemctl start berth-health.service")
		assert.NotContains(t, r.Mails(), "ALARM: \"app.example.test disk\" in eu-central-1 to ops@example.test")
		r.SSH(fillDisk)
		r.SSH("sudo systemctl start berth-health.service")
		assert.Contains(t, r.Mails(), "ALARM: \"app.example.test disk\" in eu-central-1 to ops@example.test")
		output, err := r.TrySSH("sudo /opt/berth/health-check.sh", "")
		require.Error(t, err)
		assert.Regexp(t, `(?m)^critical +disk +/data is \d+ % full; see what takes it`, output)
		site.Write("written with the disk full")
		assert.Contains(t, site.Notes(), "written with the disk full")
		assert.Contains(t, r.SSH("sudo /opt/berth/log-monitor.sh sizes"), "dumps of the databases")
		before := r.SSH("df --output=avail --block-size=1M /data | tail -n 1")
		assert.Regexp(t, `freed \d{3,} MiB`, r.SSH("sudo /opt/berth/log-monitor.sh clean"))
		t.Logf("free: %s MiB, then %s MiB", before, r.SSH("df --output=avail --block-size=1M /data | tail -n 1"))
		assert.Contains(t, site.Notes(), "kept through everything")
		r.SSH("sudo rm /data/fill")
		// The alarm looks at a period: what is pushed in the next one ends it.
		assert.Eventually(t, func() bool {
			r.SSH("sudo systemctl start berth-health.service")
			return slices.Contains(r.Mails(), "OK: \"app.example.test disk\" in eu-central-1 to ops@example.test")
		}, 3*time.Minute, 5*time.Second)
		view := r.SSH("sudo /opt/berth/log-monitor.sh view web --since 1h --grep 'get / '")
		for line := range strings.Lines(view) {
			assert.Regexp(t, `^web \| \S+ .*GET / `, line)
		}
		assert.NotEmpty(t, view)
		assert.Contains(t, r.SSH("sudo /opt/berth/log-monitor.sh view --since 1h"), "db | ")
		assert.Contains(t, r.SSH("sudo /opt/berth/log-monitor.sh rotate"), "new log files")
	})
	testAlarms(t, r)
	testCertificates(t, r, address)
	t.Run("a dump is copied off site, by a server that may add and nothing else", func(t *testing.T) {
		r := r.In(t)
		r.Run("up", "--set", "dumpBucket=true")
		r.SSH("sudo systemctl start berth-dump.service")
		bucket := r.Account().Only("aws:s3/bucketV2:BucketV2").Output("bucket")
		copies, err := filepath.Glob(filepath.Join(r.Dir, "s3", bucket, "dumps", "*_db.postgres"))
		require.NoError(t, err)
		require.Len(t, copies, 1)
		compressed, err := os.Open(copies[0])
		require.NoError(t, err)
		defer func() { _ = compressed.Close() }()
		dump, err := gzip.NewReader(compressed)
		require.NoError(t, err)
		content, err := io.ReadAll(dump)
		require.NoError(t, err, "it is whole")
		assert.Contains(t, string(content), "kept through everything")
		// AWS takes away an empty bucket alone, and Berth empties none.
		require.NoError(t, os.RemoveAll(filepath.Join(r.Dir, "s3", bucket)))
		r.Run("up", "--set", "dumpBucket=false")
	})
	t.Run("the state fits a terminal and a browser", func(t *testing.T) { statusPage(t, r.In(t)) })
	t.Run("the runbook's commands on the server run", func(t *testing.T) { runTheRunbookOnTheServer(t, r.In(t)) })
	t.Run("a snapshot comes back on a new server", func(t *testing.T) {
		r, site := r.In(t), site.In(t)
		site.Write("in the snapshot")
		snapshot := strings.TrimSpace(r.Run("snapshot"))
		site.Write("after the snapshot")
		before := r.Account().Only("aws:ebs/volume:Volume").ID
		r.Run("up", "--set", "volumeSnapshot="+snapshot)
		assert.NotEqual(t, before, r.Account().Only("aws:ebs/volume:Volume").ID)
		site.Client.CloseIdleConnections()
		assert.Contains(t, site.Notes(), "in the snapshot")
		assert.NotContains(t, site.Notes(), "after the snapshot")
	})
	t.Run("with protection on, destroy refuses and says how to go on", func(t *testing.T) {
		r := r.In(t)
		r.Run("up", "--set", "protect=true")
		before := r.Account().Inventory()
		output, err := r.Try("destroy")
		require.Error(t, err)
		assert.Contains(t, output, "pulumi config set berth:protect false")
		assert.Equal(t, before, r.Account().Inventory(), "nothing was destroyed")
		r.Run("up", "--set", "protect=false")
	})
	t.Run("destroy leaves the final snapshot and the account's boundary, and nothing else", func(t *testing.T) {
		r := r.In(t)
		output := r.Run("destroy")
		assert.Contains(t, output, "SSH connections opened: 0")
		for _, line := range r.Account().Inventory() {
			assert.Truef(t, strings.HasPrefix(line, "aws:ebs/snapshot:Snapshot") || strings.HasPrefix(line, "aws:route53/zone:Zone") || strings.HasPrefix(line, "aws:iam/policy:Policy"), "left: %s", line)
		}
		assert.NotEmpty(t, r.Account().All("aws:ebs/snapshot:Snapshot"))
		r.Run("clean")
		assert.Empty(t, harness.DockerObjects(t, r.Name))
	})
}
