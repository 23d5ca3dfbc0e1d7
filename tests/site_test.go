package tests

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/attackers"
	"berth/tests/harness"
)

func pageAnswers(t *testing.T, s scene) {
	site := s.site
	for _, name := range []string{harness.Domain, "www." + harness.Domain} {
		response := site.Do(http.MethodGet, "https://"+name+"/", "")
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.Equal(t, 2, response.ProtoMajor)
		assert.NotEmpty(t, response.Header.Get("Strict-Transport-Security"))
		response = site.Do(http.MethodGet, "http://"+name+"/x?y=1", "")
		assert.Equal(t, http.StatusPermanentRedirect, response.StatusCode)
		assert.Equal(t, "https://"+name+"/x?y=1", response.Header.Get("Location"))
	}
}

func pageOverIPv6(t *testing.T, s scene) {
	r, account := s.r, s.account
	v6 := account.Only("aws:ec2/instance:Instance").Outputs["ipv6Addresses"].([]any)[0].(string)
	response := harness.NewSite(t, v6, r.File("root.pem")).Do(http.MethodGet, "https://"+harness.Domain+"/", "")
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

func hostAsAsked(t *testing.T, s scene) {
	r, account := s.r, s.account
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
}

func rowReadBack(t *testing.T, s scene) {
	site := s.site
	site.Write("written and read back")
	assert.Subset(t, site.Notes(), []string{kept, "written and read back"})
}

func browserShowsRow(t *testing.T, s scene) {
	r, address := s.r, s.address
	look(t, address, r.File("root.pem"), "https://"+harness.Domain+"/", kept, "artefacts/page.png")
}

func closedPorts(t *testing.T, s scene) {
	r, site := s.r, s.site
	// The registry of the app's loopback ports, Postgres, Docker's API, and a port that listens to the world.
	r.SSH("sudo systemd-run --quiet --unit listener python3 -m http.server 8080")
	for _, port := range []string{"8080", "20000", "5432", "2375"} {
		site.Closed(port)
	}
}

func metadataIsRoots(t *testing.T, s scene) {
	r := s.r
	token := `sudo curl -s -m 3 -o /dev/null -w '%{http_code}' -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60'`
	assert.Equal(t, "200", r.SSH(token))
	assert.Equal(t, "unreachable", r.SSH(`sudo docker exec $(sudo docker ps --quiet --filter label=com.docker.compose.service=api) python3 -c 'import urllib.request as u
try: u.urlopen(u.Request("http://169.254.169.254/latest/api/token", method="PUT"), timeout=3); print("reached")
except Exception: print("unreachable")'`))
}

func secretsStay(t *testing.T, s scene) {
	r, output := s.r, s.output
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
}

func attackersQuick(t *testing.T, s scene) {
	r := s.r
	attackers.Quick(t, r)
}

func maintenancePage(t *testing.T, s scene) {
	r, site := s.r, s.site
	r.SSH("sudo /opt/berth/deploy.sh maintenance on; echo x | sudo tee /var/lib/berth/acme/.well-known/acme-challenge/token")
	response := site.Do(http.MethodGet, "https://"+harness.Domain+"/api/notes", "")
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	assert.Equal(t, "60", response.Header.Get("Retry-After"))
	assert.Equal(t, http.StatusOK, site.Do(http.MethodGet, "http://"+harness.Domain+"/.well-known/acme-challenge/token", "").StatusCode)
	r.SSH("sudo /opt/berth/deploy.sh maintenance off")
	assert.Equal(t, http.StatusOK, site.Do(http.MethodGet, "https://"+harness.Domain+"/api/notes", "").StatusCode)
}

func noWeakCipher(t *testing.T, s scene) {
	r := s.r
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
}

func residentProcesses(t *testing.T, s scene) {
	r := s.r
	// What Debian's cloud image runs, and the two that the site is made of.
	own := `^(containerd|docker|nginx|ssh|dbus|systemd-.*|polkit|getty@.*|serial-getty@.*|user@.*|cron|chrony)\.service$`
	// A run of a timer's unit may be under way, and is over soon.
	assert.Eventually(t, func() bool {
		return r.SSH("systemctl list-units --type=service --state=running,activating --no-legend --plain | cut -d ' ' -f 1 | grep -vE '"+own+"' || true") == ""
	}, 30*time.Second, 500*time.Millisecond, "%s", r.SSH("systemctl list-units --type=service --state=running,activating --no-legend --plain"))
	assert.Eventually(t, func() bool {
		return r.SSH("ps -eo args | grep -E '[/]opt/berth|[u]nattended|[c]ertbot' || true") == ""
	}, 30*time.Second, 500*time.Millisecond)
	for _, timer := range []string{"berth-health", "berth-dump", "berth-certificate"} {
		assert.Equal(t, "active", r.SSH("systemctl is-active "+timer+".timer"))
	}
}
