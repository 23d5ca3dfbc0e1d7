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

	"berth/tests/harness"
	"berth/tests/report"
)

// Settings has the test of hostile values in settings, which needs no rehearsal, run and say its count.
func Settings(t *testing.T, r *harness.Rehearsal) {
	test := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "TestHostileSettingsRunNothing", "./internal/program")
	test.Dir = r.Project
	output, err := test.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	counts := regexp.MustCompile(`(\d+) values: (\d+) refused, (\d+) taken as values`).FindStringSubmatch(string(output))
	require.NotNil(t, counts, string(output))
	report.Add(t, section, "Hostile values in every setting, in every shape", fmt.Sprintf("%s tried: %s refused by a sentence, %s taken as values, 0 ran", counts[1], counts[2], counts[3]))
}

// Shown has the tests of what an app prints, calls itself or commits to move a terminal or hide text, and say their count.
func Shown(t *testing.T, r *harness.Rehearsal) {
	test := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "TestWhatOthersWroteIsPlainText|TestALogIsPlainText", "./provision")
	test.Dir = r.Project
	output, err := test.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	counts := regexp.MustCompile(`(\d+) characters in (\d+) places: (\d+) got through`).FindStringSubmatch(string(output))
	require.NotNil(t, counts, string(output))
	report.Add(t, section, "What an app prints to move a terminal, forge lines or hide text, in logs, health checks, pages and records", fmt.Sprintf("%s characters in each of %s places: %s got through", counts[1], counts[2], counts[3]))
}

// reach is a way in which a repository reaches for the server: its line beside a service's, the text before the
// services, the symbolic links that it needs, what is said of it, and what allows it.
type reach struct {
	name, lines, beside string
	links               map[string]string
	says, allow         string
}

// compose is the app's compose file with a service that reaches so, of its own, so that nothing else of it is in the way.
func (one reach) compose(honest string) string {
	text := strings.Replace(honest, "\nservices:\n", "\nservices:\n  hostile:\n    image: debian:13-slim\n    command: [\"sleep\", \"infinity\"]\n    "+one.lines+"\n", 1)
	if strings.HasPrefix(one.beside, "volumes:") {
		return strings.Replace(text, "\nvolumes:\n", "\n"+one.beside+"\n", 1)
	}
	return text + "\n" + one.beside + "\n"
}

var reaches = []reach{
	{name: "mounts the whole disk", lines: "volumes: [\"/:/host\"]", says: "mounts / of the server", allow: "host-mounts"},
	{name: "mounts Docker's socket", lines: "volumes: [\"/var/run/docker.sock:/var/run/docker.sock:ro\"]", says: "mounts /var/run/docker.sock, which is root on the server", allow: "docker-socket"},
	{name: "is privileged", lines: "privileged: true", says: "is privileged, which is root on the server", allow: "privileged"},
	{name: "takes a capability", lines: "cap_add: [SYS_ADMIN]", says: "wants the capability SYS_ADMIN", allow: "capabilities"},
	{name: "lives in the server's network", lines: "network_mode: host", says: "shares the server's own network", allow: "host-namespaces"},
	{name: "sees the server's processes", lines: "pid: host", says: "shares the server's own pid", allow: "host-namespaces"},
	{name: "takes a device", lines: "devices: [\"/dev/kmsg\"]", says: "wants devices of the server", allow: "devices"},
	{name: "puts off a protection", lines: "security_opt: [\"apparmor:unconfined\"]", says: "puts off a protection", allow: "unconfined"},
	{name: "is built from the server's files", lines: "build: /etc", says: "is built from /etc, which is not in the repository", allow: "host-mounts"},
	{name: "mounts a link out of the tree", lines: "volumes: [\"./link:/host\"]", links: map[string]string{"link": "/etc"}, says: "service hostile mounts link, and link is a symbolic link there"},
	{name: "mounts a link by .. for good", lines: "volumes: [\"./link/etc:/host\"]\n    labels: {berth.stateful: \"true\"}", links: map[string]string{"link": "../../.."}, says: "service hostile mounts link/etc, and link is a symbolic link there"},
	{name: "mounts a link without a target yet", lines: "volumes: [\"./link:/host\"]", links: map[string]string{"link": "/etc/cron.d/later"}, says: "is a symbolic link there"},
	{name: "keeps a folder with a link in it", lines: "volumes: [\"./hostile-folder:/host\"]\n    labels: {berth.stateful: \"true\"}", links: map[string]string{"hostile-folder/link": "/etc"}, says: "holds the symbolic link hostile-folder/link"},
	{name: "has a link for a secret", lines: "secrets: [hostile]", beside: "secrets: {hostile: {file: ./link}}", links: map[string]string{"link": "/etc/shadow"}, says: "secret hostile is the file link, and link is a symbolic link there"},
	{name: "has a link for a Dockerfile", lines: "build: {context: ., dockerfile: link}", links: map[string]string{"link": "/etc/shadow"}, says: "service hostile is built from link, and link is a symbolic link there"},
	{name: "reads an env file of the server's", lines: "env_file: /etc/berth/app.env", says: "service hostile reads /etc/berth/app.env of the server", allow: "host-mounts"},
	{name: "reads an env file by a link", lines: "env_file: link", links: map[string]string{"link": "/etc/berth/app.env"}, says: "service hostile reads link, which the commit does not hold"},
	{name: "extends a file of the server's", lines: "extends: {file: /etc/hosts, service: x}", says: "points outside the repository"},
	{name: "includes a file of the server's", lines: "restart: always", beside: "include: [../../../../../../../../etc/hosts]", says: "points outside the repository"},
	{name: "takes a graphics card", lines: "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: all}]}}}", says: "wants devices of the server (deploy.resources.reservations.devices)"},
	{name: "brings a profile that permits everything", lines: "security_opt: [\"seccomp:./everything.json\"]", says: "puts off a protection (seccomp:./everything.json)", allow: "unconfined"},
	{name: "goes before the server's processes", lines: "ulimits: {rtprio: 99}", says: "wants the limit rtprio", allow: "capabilities"},
	{name: "outlives the server's processes", lines: "oom_score_adj: -1000", says: "has the server's own processes killed before its own", allow: "privileged"},
	{name: "has Docker send to a socket of the server", lines: "logging: {driver: syslog, options: {syslog-address: \"unixgram:///run/systemd/journal/socket\"}}", says: "has its output sent in the server's own network", allow: "host-namespaces"},
	{name: "sets the server's kernel", lines: "sysctls: {kernel.core_pattern: \"|/bin/sh\"}", says: "sets kernel.core_pattern, which is the server's own"},
	{name: "is in a network of the server by its name", lines: "network_mode: app_default", says: "is in a network of the server by its name", allow: "host-namespaces"},
	{name: "has its mounts appear on the server", lines: "volumes: [{type: bind, source: ./files, target: /x, bind: {propagation: rshared}}]", says: "has its own mounts appear on the server", allow: "host-mounts"},
	{name: "writes above what another mount starts from", lines: "volumes: [\"./files:/a\", \"./files/x:/x:ro\"]", says: "which lies in it, while hostile may write there"},
	{name: "hides a bind among the options of memory", lines: "volumes: [\"hidden:/x\"]", beside: "volumes:\n  hidden: {driver_opts: {type: tmpfs, o: bind, device: /etc}}", says: "volume hidden is /etc, mounted as tmpfs on the server (bind)", allow: "host-mounts"},
	{name: "hides a bind in a share's address", lines: "volumes: [\"hidden:/x\"]", beside: "volumes:\n  hidden: {driver_opts: {type: cifs, o: bind, device: //etc/ssh}}", says: "volume hidden is //etc/ssh", allow: "host-mounts"},
	{name: "names a volume as a path", lines: "volumes: [\"hidden:/x\"]", beside: "volumes:\n  hidden: {name: ../../etc}", says: "volume hidden has the name ../../etc"},
	{name: "goes round the packet filter", lines: "networks: [wide]", beside: "networks:\n  wide: {driver: macvlan, driver_opts: {parent: eth0}}\n", says: "network wide has the driver macvlan", allow: "host-namespaces"},
	{name: "joins Docker's own network", lines: "networks: [wide]", beside: "networks:\n  wide: {external: true, name: host}\n", says: "network wide is Docker's own network host", allow: "host-namespaces"},
	{name: "takes the metadata's address", lines: "networks: [wide]", beside: "networks:\n  wide: {ipam: {config: [{subnet: 169.254.169.0/24}]}}\n", says: "network wide takes the addresses 169.254.169.0/24", allow: "host-namespaces"},
	{name: "ends a build's argument", lines: "build: {context: ., secrets: [hidden]}", beside: "secrets:\n  hidden: {file: \"./a,src=/etc/shadow\"}\n", says: "has a comma or a quote in its name or its path"},
}

// Repositories has the app's repository reach for the server in every way. The preview refuses it, and the server takes no commit
// that has no plan.
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
			for path, target := range reach.links {
				path = filepath.Join(r.App, path)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.Symlink(target, path))
				defer func() { require.NoError(t, os.Remove(path)) }()
			}
			r.Commit(map[string]string{"compose.yaml": reach.compose(string(honest))})
			output, err := r.Try("preview")
			require.Error(t, err, output)
			assert.Contains(t, output, reach.says)
			if reach.allow != "" {
				assert.Contains(t, output, "pulumi config set --path 'berth:allow[0]' "+reach.allow)
			}
			output, err = r.TrySSH(r.Named("sudo sed -i 's/\"COMMIT\":\"[0-9a-f]*\"/\"COMMIT\":\"LAST\"/' /etc/berth/release.json; sudo /opt/berth/deploy.sh"), "")
			require.Error(t, err, output)
			assert.Regexp(t, `is not one of version \d+ for commit`, output)
		})
	}
	assert.Empty(t, r.SSH("sudo find /data/files /data/binds -type l 2>/dev/null; true"), "no link is kept")
	r.Commit(map[string]string{"compose.yaml": string(honest)})
	r.SSHInput("sudo sh -c 'umask 077; cat >/etc/berth/release.json'", kept+"\n")
	assert.Equal(t, before, r.SSH("sudo readlink /data/releases/current; sudo docker ps --quiet | sort"), "what runs is what ran")
	report.Add(t, section, "Repositories that reach for the server (/, Docker's socket, privileged, devices, networks and volumes of every kind, binds that contain each other, links, files that are included, extended or read, and others)",
		fmt.Sprintf("%d tried: refused by the preview and by the server", len(reaches)))
}
