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

// reach is a way in which a repository reaches for the server: its line beside a service's, the link that it needs, what is said
// of it, the name that allows it ("" for none), and what it has beside the services.
type reach struct{ name, lines, link, says, allow, beside string }

// compose is the app's compose file with a service that reaches so, of its own, so that nothing else of it is in the way.
func (one reach) compose(honest string) string {
	text := strings.Replace(honest, "\nservices:\n", "\nservices:\n  hostile:\n    image: debian:13-slim\n    command: [\"sleep\", \"infinity\"]\n    "+one.lines+"\n", 1)
	if strings.HasPrefix(one.beside, "volumes:") {
		return strings.Replace(text, "\nvolumes:\n", "\n"+one.beside+"\n", 1)
	}
	return text + one.beside
}

var reaches = []reach{
	{"mounts the whole disk", "volumes: [\"/:/host\"]", "", "mounts / of the server", "host-mounts", ""},
	{"mounts Docker's socket", "volumes: [\"/var/run/docker.sock:/var/run/docker.sock:ro\"]", "", "mounts /var/run/docker.sock, which is root on the server", "docker-socket", ""},
	{"is privileged", "privileged: true", "", "is privileged, which is root on the server", "privileged", ""},
	{"takes a capability", "cap_add: [SYS_ADMIN]", "", "wants the capability SYS_ADMIN", "capabilities", ""},
	{"lives in the server's network", "network_mode: host", "", "shares the server's own network", "host-namespaces", ""},
	{"sees the server's processes", "pid: host", "", "shares the server's own pid", "host-namespaces", ""},
	{"takes a device", "devices: [\"/dev/kmsg\"]", "", "wants devices of the server", "devices", ""},
	{"puts off a protection", "security_opt: [\"apparmor:unconfined\"]", "", "puts off a protection", "unconfined", ""},
	{"is built from the server's files", "build: /etc", "", "is built from /etc, which is not in the repository", "host-mounts", ""},
	{"takes a graphics card", "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: all}]}}}", "", "wants devices of the server (deploy.resources.reservations.devices)", "devices", ""},
	{"brings a profile that permits everything", "security_opt: [\"seccomp:./everything.json\"]", "", "puts off a protection (seccomp:./everything.json)", "unconfined", ""},
	{"goes before the server's processes", "ulimits: {rtprio: 99}", "", "wants the limit rtprio", "capabilities", ""},
	{"outlives the server's processes", "oom_score_adj: -1000", "", "has the server's own processes killed before its own", "privileged", ""},
	{"has Docker send to a socket of the server", "logging: {driver: syslog, options: {syslog-address: \"unixgram:///run/systemd/journal/socket\"}}", "", "has its output sent in the server's own network", "host-namespaces", ""},
	{"sets the server's kernel", "sysctls: {kernel.core_pattern: \"|/bin/sh\"}", "", "sets kernel.core_pattern, which is the server's own", "", ""},
	{"is in a network of the server by its name", "network_mode: app_default", "", "is in a network of the server by its name", "host-namespaces", ""},
	{"has its mounts appear on the server", "volumes: [{type: bind, source: ./files, target: /x, bind: {propagation: rshared}}]", "", "has its own mounts appear on the server", "host-mounts", ""},
	{"writes above what another mount starts from", "volumes: [\"./files:/a\", \"./files/x:/x:ro\"]", "", "which lies in it, while hostile may write there", "", ""},
	{"hides a bind among the options of memory", "volumes: [\"hidden:/x\"]", "", "volume hidden is /etc, mounted as tmpfs on the server (bind)", "host-mounts", "volumes:\n  hidden: {driver_opts: {type: tmpfs, o: bind, device: /etc}}"},
	{"hides a bind in a share's address", "volumes: [\"hidden:/x\"]", "", "volume hidden is //etc/ssh", "host-mounts", "volumes:\n  hidden: {driver_opts: {type: cifs, o: bind, device: //etc/ssh}}"},
	{"names a volume as a path", "volumes: [\"hidden:/x\"]", "", "volume hidden has the name ../../etc", "", "volumes:\n  hidden: {name: ../../etc}"},
	{"goes round the packet filter", "networks: [wide]", "", "network wide has the driver macvlan", "host-namespaces", "networks:\n  wide: {driver: macvlan, driver_opts: {parent: eth0}}\n"},
	{"joins Docker's own network", "networks: [wide]", "", "network wide is Docker's own network host", "host-namespaces", "networks:\n  wide: {external: true, name: host}\n"},
	{"takes the metadata's address", "networks: [wide]", "", "network wide takes the addresses 169.254.169.0/24", "host-namespaces", "networks:\n  wide: {ipam: {config: [{subnet: 169.254.169.0/24}]}}\n"},
	{"ends a build's argument", "build: {context: ., secrets: [hidden]}", "", "has a comma or a quote in its name or its path", "", "secrets:\n  hidden: {file: \"./a,src=/etc/shadow\"}\n"},
	{"leaves by a link", "volumes: [\"./link:/host:ro\"]", "/etc", "is a link to", "host-mounts", ""},
}

// Repositories has the app's repository reach for the server in every way. The preview refuses it, or says of a link that the
// server will, and so does the server, where somebody went round the preview.
func (s *Scene) Repositories(t *testing.T) {
	r := s.rehearsal.In(t)
	compose := filepath.Join(r.App, "compose.yaml")
	honest, err := os.ReadFile(compose)
	require.NoError(t, err)
	before := r.SSH("sudo readlink /data/releases/current; sudo docker ps --quiet | sort")
	kept := r.SSH("sudo cat /etc/berth/release.env")
	for _, reach := range reaches {
		t.Run(reach.name, func(t *testing.T) {
			r := r.In(t)
			if reach.link != "" {
				require.NoError(t, os.Symlink(reach.link, filepath.Join(r.App, "link")))
				defer func() { require.NoError(t, os.Remove(filepath.Join(r.App, "link"))) }()
			}
			r.Commit(map[string]string{"compose.yaml": reach.compose(string(honest))})
			output, err := r.Try("preview")
			require.Equal(t, reach.link == "", err != nil, output)
			assert.Contains(t, output, reach.says)
			if reach.allow != "" {
				assert.Contains(t, output, "pulumi config set --path 'berth:allow[0]' "+reach.allow)
			}
			output, err = r.TrySSH(r.Named("sudo sed -i 's/^COMMIT=.*/COMMIT=LAST/' /etc/berth/release.env; sudo /opt/berth/deploy.sh"), "")
			require.Error(t, err, output)
			assert.Contains(t, output, reach.says)
			assert.Contains(t, output, "cannot be released as it is; what runs is left as it was")
		})
	}
	r.Commit(map[string]string{"compose.yaml": string(honest)})
	r.SSHInput("sudo sh -c 'umask 077; cat >/etc/berth/release.env'", kept+"\n")
	assert.Equal(t, before, r.SSH("sudo readlink /data/releases/current; sudo docker ps --quiet | sort"), "what runs is what ran")
	report.Add(t, section, "Repositories that reach for the server (/, Docker's socket, privileged, devices, networks and volumes of every kind, binds that contain each other, a link out of the tree and others)",
		fmt.Sprintf("%d tried: refused by the preview and by the server", len(reaches)))
}
