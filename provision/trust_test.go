package provision

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/config"
)

// beyond are models of apps that reach beyond their containers, with the name that allows each and words of the refusal.
var beyond = []struct{ model, allow, says string }{
	{`"services":{"web":{"image":"x:1","privileged":true}}`, "privileged", "service web is privileged, which is root on the server"},
	{`"services":{"web":{"image":"x:1","runtime":"other"}}`, "privileged", "chooses the runtime other"},
	{`"services":{"web":{"image":"x:1","cap_add":["NET_ADMIN"]}}`, "capabilities", "wants the capability NET_ADMIN"},
	{`"services":{"web":{"image":"x:1","cap_add":["cap_sys_admin"]}}`, "capabilities", "wants the capability SYS_ADMIN"},
	{`"services":{"web":{"image":"x:1","cap_add":["ALL"]}}`, "capabilities", "wants the capability ALL"},
	{`"services":{"web":{"image":"x:1","network_mode":"host"}}`, "host-namespaces", "shares the server's own network (network_mode: host)"},
	{`"services":{"web":{"image":"x:1","pid":"host"}}`, "host-namespaces", "shares the server's own pid"},
	{`"services":{"web":{"image":"x:1","ipc":"host"}}`, "host-namespaces", "(ipc: host)"},
	{`"services":{"web":{"image":"x:1","uts":"host"}}`, "host-namespaces", "(uts: host)"},
	{`"services":{"web":{"image":"x:1","userns_mode":"host"}}`, "host-namespaces", "shares the server's own userns"},
	{`"services":{"web":{"image":"x:1","cgroup":"host"}}`, "host-namespaces", "(cgroup: host)"},
	{`"services":{"web":{"image":"x:1","cgroup_parent":"/"}}`, "host-namespaces", "cgroup_parent"},
	{`"services":{"web":{"image":"x:1","devices":[{"source":"/dev/sda","target":"/dev/sda"}]}}`, "devices", "wants devices of the server"},
	{`"services":{"web":{"image":"x:1","device_cgroup_rules":["a *:* rwm"]}}`, "devices", "wants devices"},
	{`"services":{"web":{"image":"x:1","security_opt":["apparmor:unconfined"]}}`, "unconfined", "puts off a protection (apparmor:unconfined)"},
	{`"services":{"web":{"image":"x:1","security_opt":["seccomp=unconfined"]}}`, "unconfined", "seccomp=unconfined"},
	{`"services":{"web":{"image":"x:1","volumes":[{"type":"bind","source":"/var/run/docker.sock","target":"/s","read_only":true}]}}`, "docker-socket", "mounts /var/run/docker.sock, which is root"},
	{`"services":{"web":{"image":"x:1","volumes":[{"type":"bind","source":"/","target":"/host"}]}}`, "host-mounts", "mounts / of the server"},
	{`"services":{"web":{"image":"x:1","volumes":[{"type":"bind","source":"/source-of-another","target":"/x"}]}}`, "host-mounts", "mounts /source-of-another"},
	{`"services":{"web":{"image":"x:1","volumes":[{"type":"bind","source":"/etc/localtime","target":"/etc/localtime"}]}}`, "host-mounts", "mounts /etc/localtime"},
	{`"services":{"web":{"build":{"context":"/etc"}}}`, "host-mounts", "is built from /etc, which is not in the repository"},
	{`"services":{"web":{"build":{"context":"/source","dockerfile":"../../Dockerfile"}}}`, "host-mounts", "leads out of its folder"},
	{`"services":{"web":{"build":{"context":"/source","additional_contexts":{"x":"/root"}}}}`, "host-mounts", "is built from /root"},
	{`"services":{"web":{"build":{"context":"/source","network":"host"}}}`, "host-namespaces", "build.network: host"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"none","o":"bind","device":"/etc"}}}`, "host-mounts", "v is /etc, mounted as none on the server"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"overlay","o":"lowerdir=/etc,upperdir=/root/u,workdir=/root/w","device":"overlay"}}}`, "host-mounts", "v is overlay, mounted as overlay on the server"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"proc","device":"proc"}}}`, "host-mounts", "v is proc, mounted as proc"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"ext4","device":"LABEL=root"}}}`, "host-mounts", "v is LABEL=root, mounted as ext4"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"cifs","device":"/etc"}}}`, "host-mounts", "v is /etc, mounted as cifs"},
	{`"services":{},"secrets":{"s":{"file":"/etc/shadow"}}`, "host-mounts", "s is the file /etc/shadow of the server"},
	{`"services":{},"configs":{"c":{"file":"/etc/shadow"}}`, "host-mounts", "c is the file /etc/shadow"},
}

func trusted(t *testing.T, model string, allow ...string) string {
	t.Helper()
	made, err := MakePlan(&config.Config{ReleaseStrategy: config.StopFirst, Routes: []config.Route{{Path: "/", Service: "web", Port: 80}}, Allow: allow},
		Commit{SHA: "c0ffee", Folder: "/source", Model: []byte("{" + model + "}"), Tree: func(string) (string, error) { return "t", nil }})
	require.NoError(t, err)
	return strings.Join(made.Problems, "\n")
}

func TestAHostileRepositoryIsRefusedUnlessAllowed(t *testing.T) {
	tried := map[string]bool{}
	for _, test := range beyond {
		tried[test.allow] = true
		refused := trusted(t, test.model)
		assert.Contains(t, refused, test.says)
		assert.Contains(t, refused, "pulumi config set --path 'berth:allow[0]' "+test.allow)
		assert.NotContains(t, trusted(t, test.model, test.allow), test.says)
		others := strings.Split(strings.ReplaceAll(strings.Join(config.Allowable, " "), test.allow, ""), " ")
		assert.Contains(t, trusted(t, test.model, others...), test.says, "what else is allowed is no matter")
	}
	for _, name := range config.Allowable {
		assert.True(t, tried[name], name)
	}
}

func TestAnOrdinaryRepositoryIsTrusted(t *testing.T) {
	assert.Empty(t, trusted(t, `"services":{"web":{"build":{"context":"/source/web","dockerfile":"deploy/Dockerfile","additional_contexts":{"base":"docker-image://debian:13"}},
		"cap_add":["NET_BIND_SERVICE"],"cap_drop":["ALL"],"security_opt":["no-new-privileges:true"],
		"volumes":[{"type":"bind","source":"/source/conf","target":"/c"},{"type":"volume","source":"v","target":"/v"},{"type":"bind","source":"/etc/localtime","target":"/etc/localtime","read_only":true}]},
		"far":{"build":{"context":"https://example.com/x.git"}}},
		"volumes":{"v":{},"nfs":{"driver_opts":{"type":"nfs","device":":/export"}},"ram":{"driver_opts":{"type":"tmpfs","device":"tmpfs","o":"size=1m"}},"share":{"driver_opts":{"type":"cifs","device":"//nas/share"}}},"secrets":{"s":{"file":"/source/s"},"e":{"environment":"E"}}`))
}
