package tests

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
)

// hostile is a variable's value with everything that quoting gets wrong: it has to reach the page as it is.
const hostile = `it's "quoted", $HOME ${HOME} $(id) \back\`

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

func secondUp(t *testing.T, s scene) {
	r := s.r
	output := r.Run("up")
	assert.Contains(t, output, "SSH connections opened: 0")
	assert.Regexp(t, `\d+ unchanged`, output)
	assert.NotRegexp(t, `\d+ (created|updated|replaced|deleted|to )`, output)
}

func refreshAndPreview(t *testing.T, s scene) {
	r := s.r
	for _, command := range []string{"refresh", "preview"} {
		output := r.Run(command)
		assert.Regexp(t, `\d+ unchanged`, output)
		assert.NotRegexp(t, `\d+ (created|updated|replaced|deleted|to )`, output)
	}
}

func changedVariable(t *testing.T, s scene) {
	r, site := s.r, s.site
	greeting := func() string {
		return harness.Greeting(t, site.Do(http.MethodGet, "https://"+harness.Domain+"/api/version", ""))
	}
	before, changed := greeting(), fmt.Sprint(hostile, time.Now().Unix())
	unnoticed(t, s, func() {
		output := r.Run("up", "--set", "environment.GREETING="+changed)
		assert.Equal(t, []string{"release"}, harness.Changed(output))
		assert.Equal(t, changed, greeting())
	})
	site.Write("written since")
	output := r.SSH("sudo /opt/berth/deploy.sh rollback --with-database --yes")
	assert.Contains(t, output, "restoring the database of db")
	assert.Equal(t, before, greeting())
	assert.NotContains(t, site.Notes(), "written since")
	assert.Contains(t, site.Notes(), kept)
	assert.Contains(t, r.SSH("sudo ls -t /data/dumps | head -n 1"), "_db.postgres", "what was taken away is in a dump")
	unnoticed(t, s, func() {
		r.SSH("sudo /opt/berth/deploy.sh")
		assert.Equal(t, changed, greeting())
		r.SSH("sudo /opt/berth/deploy.sh rollback")
		assert.Equal(t, before, greeting())
	})
	_, err := r.TrySSH("sudo /opt/berth/deploy.sh rollback --with-database", "nonsense\n")
	require.Error(t, err, "it was not confirmed")
}

// unnoticed has visitors ask for the page while something is done, and none of them may notice.
func unnoticed(t *testing.T, s scene, do func()) {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(s.r.File("root.pem"))))
	run := load.Start(t.Context(), load.Target{Domain: harness.Domain, Address: s.address, Roots: roots}, load.Plan{Request: "/"})
	do()
	report := run.Stop()
	t.Logf("%s", report)
	assert.Zero(t, report.Failed, "requests that failed: %v", report.Reasons)
	assert.Greater(t, report.Sent, 200)
}

func imageByDigest(t *testing.T, s scene) {
	r := s.r
	digest := r.SSH(registry)
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", digest)
	output := r.Run("up", "--set", "images.web=127.0.0.1:5000/web@"+digest, "--set", `!registries["127.0.0.1:5000"]=you:`+registryPassword)
	assert.Contains(t, output, "pulling 127.0.0.1:5000/web@"+digest)
	assert.NotContains(t, output, "building web")
	assert.NotContains(t, output, registryPassword)
	assert.NotContains(t, r.Backend(), registryPassword)
	assert.Contains(t, r.SSH("sudo docker ps --filter label=com.docker.compose.service=web --format '{{.Image}}'"), "berth/web:")
}

func anotherStacksRelease(t *testing.T, s scene) {
	r := s.r
	r.SSH("echo elsewhere | sudo tee /data/stack")
	output, err := r.Try("up", "--set", "environment.GREETING=from another stack")
	require.Error(t, err)
	assert.Contains(t, output, "this server's data belongs to stack elsewhere, and this is a release of stack rehearsal")
	r.SSH("echo rehearsal | sudo tee /data/stack")
	assert.Contains(t, r.SSH("sudo /opt/berth/deploy.sh status"), "serves; kept: ")
}

func killedUpdate(t *testing.T, s scene) {
	r, site := s.r, s.site
	up := r.Start("up", "--set", "environment.GREETING=resumed")
	up.Await(func(output string) string { return regexp.MustCompile("Command release").FindString(output) })
	up.Kill()
	_, err := up.Wait()
	require.Error(t, err)
	r.Run("up")
	assert.Equal(t, "resumed", harness.Greeting(t, site.Do(http.MethodGet, "https://"+harness.Domain+"/api/version", "")))
}

func commandsByHand(t *testing.T, s scene) {
	r := s.r
	const deploy = "sudo /opt/berth/deploy.sh "
	assert.Equal(t, "42", r.SSH(deploy+`exec api python3 -c 'print(6 * 7)'`))
	assert.Equal(t, "bash or sh", r.SSHInput(deploy+"shell db", "echo bash or sh\n"))
	assert.Contains(t, r.SSH(deploy+"run api python3 -c 'print(\"once\")'"), "once")
	assert.Empty(t, r.SSH("sudo docker ps --all --quiet --filter label=com.docker.compose.oneoff=True"), "it is gone when it ends")
	assert.Contains(t, r.SSHInput(deploy+"db", "SELECT 6 * 7 AS answer;\n"), "42")
	names := r.SSH(deploy + "env")
	assert.Contains(t, names, "DATABASE_PASSWORD")
	assert.NotContains(t, names, r.File("database-password"))
	// From the operator's machine, with the outputs of the stack.
	output, err := r.Try("shell", "--", "make", "--silent", "--no-print-directory", "-C", r.Project, "run", "STACK=rehearsal", "SERVICE=api", "COMMAND=printenv DATABASE_NAME")
	require.NoError(t, err, output)
	assert.Contains(t, output, "notes")
	output, err = r.TrySSH(deploy+"run db postgres", "")
	require.Error(t, err)
	assert.Contains(t, output, "db is no service that every release replaces")
}
