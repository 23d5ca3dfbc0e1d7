package attackers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/rehearsed"
	"berth/tests/report"
)

// Settings has the test of hostile values in settings, which needs no rehearsal, run and say its count.
func Settings(t *testing.T, r *rehearsed.Rehearsal) {
	test := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "TestHostileSettingsRunNothing", "./program")
	test.Dir = r.Project
	output, err := test.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	counts := regexp.MustCompile(`(\d+) values: (\d+) refused, (\d+) taken as values`).FindStringSubmatch(string(output))
	require.NotNil(t, counts, string(output))
	report.Add(t, section, "Hostile values in every setting, in every shape", fmt.Sprintf("%s tried: %s refused by a sentence, %s taken as values, 0 ran", counts[1], counts[2], counts[3]))
}

// Shown has the tests of what an app prints, calls itself or commits to move a terminal or hide text, and say their count.
func Shown(t *testing.T, r *rehearsed.Rehearsal) {
	test := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "TestWhatOthersWroteIsPlainText|TestALogIsPlainText", "./provision")
	test.Dir = r.Project
	output, err := test.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	counts := regexp.MustCompile(`(\d+) characters in (\d+) places: (\d+) got through`).FindStringSubmatch(string(output))
	require.NotNil(t, counts, string(output))
	report.Add(t, section, "What an app prints to move a terminal, forge lines or hide text, in logs, health checks, pages and records", fmt.Sprintf("%s characters in each of %s places: %s got through", counts[1], counts[2], counts[3]))
}

// reaches are ways in which a repository reaches for the server, each with its line beside a service's, the link that it needs,
// and what is said of it.
var reaches = []struct{ name, lines, link, says, allow string }{
	{"mounts the whole disk", "volumes: [\"/:/host\"]", "", "mounts / of the server", "host-mounts"},
	{"mounts Docker's socket", "volumes: [\"/var/run/docker.sock:/var/run/docker.sock:ro\"]", "", "mounts /var/run/docker.sock, which is root on the server", "docker-socket"},
	{"is privileged", "privileged: true", "", "is privileged, which is root on the server", "privileged"},
	{"takes a capability", "cap_add: [SYS_ADMIN]", "", "wants the capability SYS_ADMIN", "capabilities"},
	{"lives in the server's network", "network_mode: host", "", "shares the server's own network", "host-namespaces"},
	{"sees the server's processes", "pid: host", "", "shares the server's own pid", "host-namespaces"},
	{"takes a device", "devices: [\"/dev/kmsg\"]", "", "wants devices of the server", "devices"},
	{"puts off a protection", "security_opt: [\"apparmor:unconfined\"]", "", "puts off a protection", "unconfined"},
	{"is built from the server's files", "build: /etc", "", "is built from /etc, which is not in the repository", "host-mounts"},
	{"leaves by a link", "volumes: [\"./link:/host:ro\"]", "/etc", "is a link to", "host-mounts"},
}

// Repositories has the app's repository reach for the server in every way. The preview refuses it, or says of a link that the
// server will, and so does the server, where somebody went round the preview.
func (s *Scene) Repositories(t *testing.T) {
	r := s.rehearsal.In(t)
	compose := filepath.Join(r.App, "compose.yaml")
	honest, err := os.ReadFile(compose)
	require.NoError(t, err)
	before := r.SSH("sudo readlink /data/releases/current; sudo docker ps --quiet | sort")
	kept := r.SSH("sudo cat /etc/berth/release.json")
	for _, reach := range reaches {
		t.Run(reach.name, func(t *testing.T) {
			r := r.In(t)
			if reach.link != "" {
				require.NoError(t, os.Symlink(reach.link, filepath.Join(r.App, "link")))
				defer func() { require.NoError(t, os.Remove(filepath.Join(r.App, "link"))) }()
			}
			// A service of its own, so that nothing else of it is in the way.
			r.Commit(map[string]string{"compose.yaml": strings.Replace(string(honest), "\nservices:\n", "\nservices:\n  hostile:\n    image: debian:13-slim\n    command: [\"sleep\", \"infinity\"]\n    "+reach.lines+"\n", 1)})
			output, err := r.Try("preview")
			require.Equal(t, reach.link == "", err != nil, output)
			assert.Contains(t, output, reach.says)
			assert.Contains(t, output, "pulumi config set --path 'berth:allow[0]' "+reach.allow)
			output, err = r.TrySSH(r.Named("sudo sed -i 's/\"COMMIT\":\"[0-9a-f]*\"/\"COMMIT\":\"LAST\"/' /etc/berth/release.json; sudo /opt/berth/deploy.sh"), "")
			require.Error(t, err, output)
			assert.Contains(t, output, reach.says)
			assert.Contains(t, output, "cannot be released as it is; what runs is left as it was")
		})
	}
	r.Commit(map[string]string{"compose.yaml": string(honest)})
	r.SSHInput("sudo sh -c 'umask 077; cat >/etc/berth/release.json'", kept+"\n")
	assert.Equal(t, before, r.SSH("sudo readlink /data/releases/current; sudo docker ps --quiet | sort"), "what runs is what ran")
	report.Add(t, section, "Repositories that reach for the server (/, Docker's socket, privileged, host network, a link out of the tree and others)",
		fmt.Sprintf("%d tried: refused by the preview and by the server", len(reaches)))
}
