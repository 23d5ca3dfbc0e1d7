package attackers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

// secret is one that is looked for, in each of its forms, and where on the server it may be: files of root's alone.
type secret struct {
	name    string
	forms   []string
	allowed *regexp.Regexp
}

const (
	apiToken      = "canary-token-7d1f40b2"
	registryLogin = "you:canary-registry-51c9ae08"
)

// nowhere is where a secret may be that the server never gets.
var nowhere = regexp.MustCompile(`^$`)

// ofTheApp is where the app's own variables are: as they came, in the release's files, in Docker's own.
var ofTheApp = regexp.MustCompile(`^(/etc/berth/(app\.env|plan\.json)|/data/releases/[^/]+/(\.env\.production|app\.json|data\.json)|/data/docker/containers/[^/]+/config\.v2\.json|/(run|var/lib)/containerd/.*)$`)

// keyLine is the line of a PEM key that holds most of what is private, counted from its head.
func keyLine(t *testing.T, pem string, number int) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(pem), "\n")
	require.Greater(t, len(lines), number+1)
	require.Greater(t, len(lines[number]), 40)
	return lines[number]
}

// secrets are all that the stack has, once it is up.
func secrets(t *testing.T, r *harness.Rehearsal) []secret {
	t.Helper()
	var account struct{ D string }
	require.NoError(t, json.Unmarshal([]byte(r.SSH("sudo sh -c 'cat /data/letsencrypt/accounts/*/*/*/private_key.json'")), &account))
	r.SSH("sudo /opt/berth/ssl-manager.sh revert && sudo /opt/berth/ssl-manager.sh install") // There is a placeholder from now on.
	return []secret{
		{"the database's password", []string{r.File("database-password")}, ofTheApp},
		{"a secret variable", []string{apiToken}, ofTheApp},
		{"the SSH key", []string{keyLine(t, r.File("ssh_key"), 4)}, nowhere},
		{"the server's SSH key", []string{keyLine(t, r.SSH("sudo cat /etc/ssh/ssh_host_ed25519_key"), 4)}, regexp.MustCompile(`^(/etc/ssh/ssh_host_ed25519_key|/var/lib/cloud/.*|/run/cloud-init/.*)$`)},
		{"the deploy key", []string{keyLine(t, r.File("git/deploy_key"), 4)}, regexp.MustCompile(`^/etc/berth/deploy_key$`)},
		{"a registry's password", []string{registryLogin, base64.StdEncoding.EncodeToString([]byte(registryLogin))}, regexp.MustCompile(`^/etc/berth/docker/config\.json$`)},
		{"the stack's passphrase", []string{strings.TrimSpace(r.File("passphrase"))}, nowhere},
		{"the certificate's key", []string{keyLine(t, r.SSH("sudo cat /etc/letsencrypt/live/berth/privkey.pem"), 2)}, regexp.MustCompile(`^/data/letsencrypt/archive/berth/`)},
		{"the placeholder's key", []string{keyLine(t, r.SSH("sudo cat /data/tls/placeholder/privkey.pem"), 2)}, regexp.MustCompile(`^/data/tls/placeholder/privkey\.pem$`)},
		{"the certificate account's key", []string{account.D}, regexp.MustCompile(`^/data/letsencrypt/accounts/`)},
	}
}

// search is run on the server. It is given the secrets as lines on its input, so that none is in a command, and looks
// everywhere, as root and as the user nobody. Files of Docker's that are the same as others are passed over.
const search = `set -uo pipefail
all=/dev/shm/canaries; cat >$all; chmod 600 $all
everywhere() { grep -rlaF -D skip -f - --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev --exclude-dir=merged / 2>/dev/null <$all; }
export -f everywhere
nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
for file in $(everywhere); do echo "root $file"; done
for file in $(nobody grep -rlaF -D skip -f - --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev / 2>/dev/null <$all); do echo "nobody $file"; done
journalctl --no-pager 2>/dev/null | grep -caF -f $all | sed 's/^/journal /'
docker image ls --quiet | sort -u | xargs --max-args 1 docker history --no-trunc | grep -caF -f $all | sed 's/^/history /'
docker image ls --quiet | sort -u | xargs docker save | grep -caF -f $all | sed 's/^/layers /'
docker ps --all --quiet | xargs docker inspect | grep -caF -f $all | sed 's/^/inspect /'
nobody docker ps >/dev/null 2>&1 && echo "nobody-docker yes" || echo "nobody-docker no"
rm -f $all
`

// Canaries starts the rehearsal, releases, and goes back, while the list of processes is watched, and then looks for
// every secret everywhere.
func Canaries(t *testing.T, r *harness.Rehearsal, settings []string) {
	watched := watchProcesses(t)
	// Given to a command, they would be in the list of processes by the test's own doing.
	require.NoError(t, os.MkdirAll(r.Dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, "settings.json"), fmt.Appendf(nil,
		`[{"Path": "secrets.API_TOKEN", "Value": %q, "Secret": true}, {"Path": "registries[\"registry.example.test\"]", "Value": %q, "Secret": true}]`, apiToken, registryLogin), 0o600))
	said := r.Run(append([]string{"up"}, settings...)...)
	r.Commit(map[string]string{"VERSION": "v2"})
	said += r.Run("up")
	said += r.SSH("sudo /opt/berth/deploy.sh rollback")
	// A command that is given a secret is seen.
	planted := exec.CommandContext(t.Context(), "sh", "-c", "sleep 1; : canary-planted")
	require.NoError(t, planted.Run())
	watched.end()
	require.True(t, watched.shows("canary-planted", ""))

	all := secrets(t, r)
	namespace := namespaceOf(t, r)
	var forms []string
	for _, secret := range all {
		for _, form := range secret.forms {
			require.Greater(t, len(form), 15, secret.name)
			forms = append(forms, form)
			assert.Falsef(t, watched.shows(form, namespace), "%s was in the list of processes", secret.name)
			assert.NotContainsf(t, said, form, "%s was in the output", secret.name)
			assert.NotContainsf(t, r.Backend(), form, "%s is in Pulumi's state", secret.name)
		}
	}
	if os.Getuid() == 0 {
		require.NotEmpty(t, watched.environments[namespace], "environments on the server were seen")
	}
	places := lookEverywhere(t, r, all, forms)
	report.Add(t, section, "Secrets searched for during a first up, a release and a rollback", fmt.Sprintf("%d, in %d command lines of %d reads of the list of processes, in Pulumi's output and state, and in every file, image and log of the server", len(all), len(watched.lines), watched.looks))
	report.Add(t, section, "Secrets found in Pulumi's output and plain state, in the list of processes during every step, in the journal, in the logs of nginx and certbot, in layers and histories of images, and in containers as another user sees them", "0")
	report.Add(t, section, "Secrets found where they do not belong, of all files of the server", fmt.Sprintf("0 (%d files of root's alone have one)", places))
}

// namespaceOf is the namespace of the server's processes, without those of its containers.
func namespaceOf(t *testing.T, r *harness.Rehearsal) string {
	t.Helper()
	host := r.Name + "-" + r.Account().Only("aws:ec2/instance:Instance").ID
	namespace, err := os.Readlink("/proc/" + docker(t, "container", "inspect", "--format", "{{.State.Pid}}", host) + "/ns/pid")
	if os.Getuid() == 0 {
		require.NoError(t, err)
	}
	return namespace
}

// lookEverywhere searches the server and returns in how many files secrets are where they may be.
func lookEverywhere(t *testing.T, r *harness.Rehearsal, all []secret, forms []string) int {
	t.Helper()
	r.SSHInput("umask 022; cat >/tmp/planted", forms[0])
	found := r.SSHInput("sudo bash -c '"+strings.ReplaceAll(search, "'", `'\''`)+"'", strings.Join(forms, "\n")+"\n")
	r.SSH("rm /tmp/planted")
	count := 0
	for line := range strings.Lines(found) {
		kind, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "root":
			if what == "/tmp/planted" {
				continue
			}
			count++
			for _, secret := range all {
				held := r.SSHInput("sudo grep -caF -f - "+what+" || true", strings.Join(secret.forms, "\n"))
				if held != "0" {
					assert.Regexpf(t, secret.allowed, what, "%s is in a file", secret.name)
				}
			}
		case "nobody":
			assert.Equal(t, "/tmp/planted", what, "readable for everybody")
		case "journal", "history", "layers":
			assert.Equal(t, "0", what, kind)
		case "inspect":
			assert.NotEqual(t, "0", what, "root finds the app's variables in its containers, so the search is no blind one")
		case "nobody-docker":
			assert.Equal(t, "no", what, "a user without rights asks Docker")
		default:
			assert.Fail(t, "not an answer", line)
		}
	}
	for _, control := range []string{"root /tmp/planted", "nobody /tmp/planted", "nobody-docker no", "journal 0", "layers 0", "history 0", "root /etc/berth/app.env", "root /etc/berth/deploy_key"} {
		assert.Contains(t, found, control)
	}
	return count
}
