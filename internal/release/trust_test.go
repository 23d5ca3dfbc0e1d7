package release

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/release/trust"
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
	{`"services":{"web":{"build":{"context":"/source","dockerfile":"../../Dockerfile"}}}`, "host-mounts", "is outside its folder"},
	{`"services":{"web":{"build":{"context":"/source","additional_contexts":{"x":"/root"}}}}`, "host-mounts", "is built from /root"},
	{`"services":{"web":{"build":{"context":"/source","network":"host"}}}`, "host-namespaces", "build.network: host"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"none","o":"bind","device":"/etc"}}}`, "host-mounts", "v is /etc, mounted as none on the server"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"overlay","o":"lowerdir=/etc,upperdir=/root/u,workdir=/root/w","device":"overlay"}}}`, "host-mounts", "v is overlay, mounted as overlay on the server"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"proc","device":"proc"}}}`, "host-mounts", "v is proc, mounted as proc"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"ext4","device":"LABEL=root"}}}`, "host-mounts", "v is LABEL=root, mounted as ext4"},
	{`"services":{},"volumes":{"v":{"driver_opts":{"type":"cifs","device":"/etc"}}}`, "host-mounts", "v is /etc, mounted as cifs"},
	{`"services":{},"secrets":{"s":{"file":"/etc/shadow"}}`, "host-mounts", "s is the file /etc/shadow of the server"},
	{`"services":{},"configs":{"c":{"file":"/etc/shadow"}}`, "host-mounts", "c is the file /etc/shadow"},
	// Devices, by whatever way.
	{svc(`"gpus":[{"count":-1}]`), "devices", "wants devices of the server (gpus)"},
	{svc(`"gpus":"all"`), "devices", "wants devices of the server (gpus)"},
	{svc(`"deploy":{"resources":{"reservations":{"devices":[{"capabilities":["gpu"],"driver":"nvidia","count":1}]}}}`), "devices", "wants devices of the server (deploy.resources.reservations.devices)"},
	{svc(`"deploy":{"resources":{"reservations":{"devices":[{"driver":"cdi","device_ids":["vendor.com/x=all"]}]}}}`), "devices", "wants devices"},
	// Every value that weakens.
	{svc(`"security_opt":["seccomp:./profile.json"]`), "unconfined", "(seccomp:./profile.json)"},
	{svc(`"security_opt":["apparmor=mine"]`), "unconfined", "(apparmor=mine)"},
	{svc(`"security_opt":["label:disable"]`), "unconfined", "(label:disable)"},
	{svc(`"security_opt":["label=type:spc_t"]`), "unconfined", "(label=type:spc_t)"},
	{svc(`"security_opt":["systempaths=unconfined"]`), "unconfined", "systempaths"},
	{svc(`"security_opt":["writable-cgroups=true"]`), "unconfined", "writable-cgroups"},
	{svc(`"security_opt":["no-new-privileges:false"]`), "unconfined", "no-new-privileges:false"},
	{svc(`"security_opt":["no-new-privileges:true\nseccomp=unconfined"]`), "unconfined", "seccomp"},
	{svc(`"pid":"container:other"`), "host-namespaces", "shares the pid of what is not the app's (pid: container:other)"},
	{svc(`"ipc":"container:other"`), "host-namespaces", "ipc: container:other"},
	{svc(`"uts":"other"`), "host-namespaces", "uts: other"},
	{svc(`"network_mode":"app_default"`), "host-namespaces", "is in a network of the server by its name (network_mode: app_default)"},
	{svc(`"network_mode":"Host"`), "host-namespaces", "network_mode: Host"},
	{svc(`"build":{"context":"/source","network":"app_default"}`), "host-namespaces", "build.network: app_default"},
	{svc(`"oom_score_adj":-1000`), "privileged", "oom_score_adj: -1000"},
	{svc(`"cpu_rt_runtime":"950ms"`), "capabilities", "cpu_rt_runtime"},
	{svc(`"ulimits":{"rtprio":99}`), "capabilities", "wants the limit rtprio"},
	{svc(`"ulimits":{"nofile":{"soft":1,"hard":2},"nice":{"soft":1,"hard":2}}`), "capabilities", "wants the limit nice"},
	{svc(`"annotations":{"org.systemd.property.DeviceAllow":"[('/dev/sda','rwm')]"}`), "privileged", "sets the annotation org.systemd.property.DeviceAllow"},
	{svc(`"runtime":"io.containerd.kata.v2"`), "privileged", "chooses the runtime io.containerd.kata.v2"},
	{svc(`"use_api_socket":true`), "docker-socket", "wants Docker's socket"},
	{svc(`"post_start":[{"command":["true"]},{"command":["mount"],"privileged":true}]`), "privileged", "runs a hook that is privileged, which is root on the server (post_start.privileged)"},
	{svc(`"pre_stop":[{"command":["mount"],"privileged":true}]`), "privileged", "pre_stop.privileged"},
	{svc(`"logging":{"driver":"gelf","options":{"gelf-address":"udp://169.254.169.254:80"}}`), "host-namespaces", "has its output sent in the server's own network (logging.driver: gelf)"},
	{svc(`"logging":{"driver":"syslog","options":{"syslog-address":"unixgram:///run/systemd/journal/socket"}}`), "host-namespaces", "(logging.options: syslog-address)"},
	{svc(`"networks":{"default":{"driver_opts":{"com.docker.network.portmap":"x"}}}`), "host-namespaces", "com.docker.network.portmap"},
	{svc(`"volumes":[{"type":"bind","source":"/source/a","target":"/a","bind":{"propagation":"rshared"}}]`), "host-mounts", "has its own mounts appear on the server (propagation: rshared)"},
	{svc(`"volumes":[{"type":"bind","source":"/source/../etc","target":"/a"}]`), "host-mounts", "mounts /source/../etc of the server"},
	{svc(`"volumes":[{"type":"bind","source":"/source/a\n/etc","target":"/a"}]`), "host-mounts", `mounts "/source/a\n/etc" of the server`},
	{svc(`"env_file":[{"path":"/etc/berth/app.env"}]`), "host-mounts", "reads /etc/berth/app.env of the server (env_file.path)"},
	{svc(`"label_file":["/etc/shadow"]`), "host-mounts", "reads /etc/shadow of the server (label_file)"},
	{svc(`"build":{"context":"/source","additional_contexts":{"x":"oci-layout:///var/lib/x"}}`), "host-mounts", "is built from oci-layout:///var/lib/x"},
	{svc(`"build":{"context":"file:///etc"}`), "host-mounts", "is built from file:///etc"},
	// A service may be called as an extension is.
	{`"services":{"x-web":{"image":"x:1","privileged":true}}`, "privileged", "service x-web is privileged"},
	// Volumes: what Docker makes of the options of a mount.
	{vol(`"driver":"local","driver_opts":{"type":"tmpfs","o":"bind","device":"/etc"}`), "host-mounts", "volume v is /etc, mounted as tmpfs on the server (bind)"},
	{vol(`"driver_opts":{"type":"tmpfs","o":"size=1m,rbind","device":"tmpfs"}`), "host-mounts", "(size=1m,rbind)"},
	{vol(`"driver_opts":{"type":"cifs","o":"bind","device":"//etc"}`), "host-mounts", "volume v is //etc"},
	{vol(`"driver_opts":{"type":"cifs","o":"username=a","device":"//etc"}`), "host-mounts", "volume v is //etc"},
	{vol(`"driver_opts":{"type":"cifs","o":"rbind,username=a","device":"//etc/ssh"}`), "host-mounts", "volume v is //etc/ssh"},
	{vol(`"driver_opts":{"type":"cifs","o":"addr=127.0.0.1","device":"//nas/share"}`), "host-mounts", "addr=127.0.0.1"},
	{vol(`"driver_opts":{"type":"nfs","o":"addr=10.0.0.1","device":"/etc"}`), "host-mounts", "volume v is /etc"},
	{vol(`"driver_opts":{"type":"nfs","o":"bind","device":":/etc"}`), "host-mounts", "volume v is :/etc"},
	{vol(`"driver_opts":{"type":"nfs","o":"addr=localhost","device":":/"}`), "host-mounts", "addr=localhost"},
	{vol(`"driver_opts":{"type":"nfs","o":"addr=10.0.0.1,remount","device":":/x"}`), "host-mounts", "remount"},
	{vol(`"driver_opts":{"type":"tmpfs","o":"shared","device":"tmpfs"}`), "host-mounts", "(shared)"},
	{vol(`"driver_opts":{"device":"/dev/nvme0n1p1"}`), "host-mounts", "volume v is /dev/nvme0n1p1"},
	{vol(`"driver_opts":{"type":"NONE","o":"bind","device":"/etc"}`), "host-mounts", "volume v is /etc"},
	{vol(`"driver_opts":{"mountpoint":"/etc"}`), "host-mounts", "volume v is nothing"},
	{vol(`"driver":"vieux/sshfs","driver_opts":{"sshcmd":"a@b:/"}`), "host-mounts", "volume v has the driver vieux/sshfs"},
	// Networks.
	{network(`"driver":"macvlan","driver_opts":{"parent":"ens5"}`), "host-namespaces", "network n has the driver macvlan, beside the server's packet filter"},
	{network(`"driver":"ipvlan"`), "host-namespaces", "has the driver ipvlan"},
	{network(`"driver":"overlay"`), "host-namespaces", "has the driver overlay"},
	{network(`"driver":"host"`), "host-namespaces", "has the driver host"},
	{network(`"driver":"someone/plugin"`), "host-namespaces", "has the driver someone/plugin"},
	{network(`"driver_opts":{"parent":"ens5"}`), "host-namespaces", "has the option parent"},
	{network(`"driver_opts":{"com.docker.network.bridge.name":"ens5"}`), "host-namespaces", "is the interface ens5 of the server"},
	{network(`"driver_opts":{"com.docker.network.bridge.name":"lo"}`), "host-namespaces", "is the interface lo"},
	{network(`"driver_opts":{"com.docker.network.bridge.gateway_mode_ipv4":"nat-unprotected"}`), "host-namespaces", "gateway mode nat-unprotected"},
	{network(`"driver_opts":{"com.docker.network.bridge.trusted_host_interfaces":"ens5"}`), "host-namespaces", "trusted_host_interfaces"},
	{network(`"name":"host","external":true`), "host-namespaces", "network n is Docker's own network host"},
	{network(`"name":"bridge","external":true`), "host-namespaces", "Docker's own network bridge"},
	{network(`"name":"none"`), "host-namespaces", "Docker's own network none"},
	{network(`"external":{"name":"host"}`), "host-namespaces", "Docker's own network host"},
	{network(`"ipam":{"driver":"dhcp"}`), "host-namespaces", "has its addresses given by dhcp"},
	{network(`"ipam":{"options":{"a":"b"}}`), "host-namespaces", "ipam.options"},
	{network(`"ipam":{"config":[{"subnet":"169.254.169.0/24"}]}`), "host-namespaces", "takes the addresses 169.254.169.0/24"},
	{network(`"ipam":{"config":[{"subnet":"140.82.112.0/20"}]}`), "host-namespaces", "takes the addresses 140.82.112.0/20"},
	{network(`"ipam":{"config":[{"subnet":"0.0.0.0/1"}]}`), "host-namespaces", "0.0.0.0/1"},
	{network(`"ipam":{"config":[{"subnet":"10.20.0.0/24"}]}`), "host-namespaces", "10.20.0.0/24, which are not private or the server's own"},
	{network(`"ipam":{"config":[{"subnet":"10.0.0.0/8"}]}`), "host-namespaces", "10.0.0.0/8"},
	{network(`"ipam":{"config":[{"subnet":"10.9.0.0/24","gateway":"169.254.169.254"}]}`), "host-namespaces", "169.254.169.254"},
	{network(`"ipam":{"config":[{"subnet":"fd00:ec2::/64"}]}`), "host-namespaces", "fd00:ec2::/64"},
	{network(`"ipam":{"config":[{"subnet":"2600:1f00::/24"}]}`), "host-namespaces", "2600:1f00::/24"},
}

func svc(lines string) string {
	image := `"image":"x:1",`
	if strings.HasPrefix(lines, `"build"`) {
		image = ""
	}
	return `"services":{"web":{` + image + lines + `}}`
}
func vol(lines string) string {
	return `"services":{"web":{"image":"x:1"}},"volumes":{"v":{` + lines + `}}`
}
func network(lines string) string {
	return `"services":{"web":{"image":"x:1"}},"networks":{"n":{` + lines + `}}`
}

// never are models that nothing lets through.
var never = []struct{ model, says string }{
	{svc(`"new_key":{"a":["b"]}`), `service web has new_key: {"a":["b"]}, which Berth does not know; nothing lets it through`},
	{svc(`"new_key":"value"`), "service web has new_key: value, which Berth does not know"},
	{svc(`"new_key":false`), "service web has new_key: false"},
	{svc(`"healthcheck":{"test":["CMD","true"],"run_on_host":true}`), "service web has healthcheck.run_on_host: true"},
	{svc(`"volumes":[{"type":"bind","source":"/source/a","target":"/a","bind":{"as_root":true}}]`), "service web has volumes.bind.as_root: true"},
	{svc(`"deploy":{"resources":{"reservations":{"host":"all"}}}`), "service web has deploy.resources.reservations.host: all"},
	{svc(`"environment":{"A":{"from":"/etc/shadow"}}`), `service web has environment.A: {"from":"/etc/shadow"}`},
	{svc(`"depends_on":{"db":{"condition":"service_patched"}}`), "depends_on.db.condition: service_patched"},
	{svc(`"volumes":[{"type":"npipe","source":"a","target":"/a"}]`), "mounts something as npipe, which is not supported here"},
	{svc(`"volumes":[{"type":"cluster","source":"a","target":"/a"}]`), "mounts something as cluster"},
	{svc(`"provider":{"type":"awesomecloud","options":{"type":"mysql"}}`), "service web has provider, which is not supported here"},
	{svc(`"models":{"llm":null}`), "service web has models, which is not supported here"},
	{svc(`"credential_spec":{"file":"a.json"}`), "service web has credential_spec, which is not supported here"},
	{svc(`"pre_start":[{"image":"x:1","privileged":true}]`), "service web has pre_start, which is not supported here"},
	{svc(`"extends":{"file":"/etc/passwd","service":"a"}`), "service web has extends"},
	{svc(`"isolation":"hyperv"`), "wants the isolation hyperv"},
	{svc(`"sysctls":{"kernel.core_pattern":"|/bin/sh"}`), "sets kernel.core_pattern, which is the server's own and no container's"},
	{svc(`"sysctls":["vm.max_map_count=262144"]`), "sets vm.max_map_count"},
	{svc(`"storage_opt":{"dm.thinpooldev":"x"}`), "has the storage option dm.thinpooldev"},
	{svc(`"networks":{"default":{"link_local_ips":["169.254.169.254"]}}`), "has networks.default.link_local_ips"},
	{svc(`"build":{"context":"/source","privileged":true}`), "service web has the build option privileged, which is not supported here; build the image elsewhere and name it: pulumi config set --path 'berth:images[\"web\"]' REFERENCE"},
	{svc(`"build":{"context":"/source","entitlements":["security.insecure"]}`), "has the build option entitlements"},
	{svc(`"build":{"context":"/source","ssh":["default"]}`), "has the build option ssh"},
	{svc(`"build":{"context":"/source","new_key":true}`), "has build.new_key: true, which Berth does not know"},
	{svc(`"depends_on":{"db":{"condition":"service_started","new_key":"x"}}`), "has depends_on.db.new_key: x"},
	{svc(`"secrets":[{"source":"s","new_key":"x"}]`), "has secrets.new_key: x"},
	{svc(`"volumes":[{"type":"volume","source":"v","target":"/v","new_key":"x"}]`), "has volumes.new_key: x"},
	{svc(`"build":{"context":"/source","additional_contexts":{"a=/etc":"/source"}}`), "has the build context a=/etc, which is no name"},
	{svc(`"build":{"context":"/source","secrets":[{"source":"s"}]}`) + `,"secrets":{"s":{"file":"/source/a,src=/etc/shadow"}}`, "has a comma or a quote in its name or its path (/source/a,src=/etc/shadow)"},
	{svc(`"build":{"context":"/source","secrets":[{"source":"s","target":"a,type=env"}]}`) + `,"secrets":{"s":{"file":"/source/a"}}`, "has a comma or a quote"},
	{svc(`"command":["true"]`) + `,"models":{"llm":{"model":"ai/smollm2"}}`, "the compose file has models, which is not supported here"},
	{svc(`"command":["true"]`) + `,"jobs":{"j":{"image":"x:1"}}`, "has jobs, which is not supported here"},
	{svc(`"command":["true"]`) + `,"new_key":{"a":1}`, "has new_key: {\"a\":1}, which Berth does not know"},
	{`"services":{"web":{"image":"x:1"},"a b":{"image":"x:1"}}`, "service a b has the name a b; allowed are letters, digits, _, . and -"},
	{`"services":{"web":{"image":"x:1"}},"volumes":{"a/../b":{}}`, "volume a/../b has the name a/../b"},
	{vol(`"name":"../../etc"`), "volume v has the name ../../etc"},
	{vol(`"name":"$(reboot)"`), "volume v has the name $(reboot)"},
	{vol(`"name":"--all"`), "volume v has the name --all"},
	{vol(`"name":"a\nb"`), `volume v has the name "a\nb"`},
	{vol(`"external":true,"name":"a b"`), "volume v has the name a b"},
	{network(`"name":"a;b"`), "network n has the name a;b"},
	{`"services":{"web":{"image":"x:1"}},"secrets":{"s":{"name":"a/b","file":"/source/s"}}`, "secret s has the name a/b"},
	{`"services":{"web":{"image":"x:1"}},"configs":{"c":{"name":"a/b","content":"x"}}`, "config c has the name a/b"},
	{`"name":"a b","services":{"web":{"image":"x:1"}}`, "has the name a b"},
	{network(`"new_key":true`), "network n has new_key: true"},
	{vol(`"new_key":true`), "volume v has new_key: true"},
	{`"services":{"web":{"image":"x:1"}},"secrets":{"s":{"file":"/source/s","new_key":"x"}}`, "secret s has new_key: x"},
}

func trusted(t *testing.T, model string, allow ...string) string {
	t.Helper()
	made, err := MakePlan(&config.Config{ReleaseStrategy: config.StopFirst, Routes: []config.Route{{Path: "/", Service: "web", Port: 80}}, Allow: allow, VPCCIDR: netip.MustParsePrefix("10.20.0.0/16")},
		Commit{SHA: "c0ffee", Folder: "/source", Model: []byte("{" + model + "}"), Tree: func(string) (string, error) { return "t", nil }})
	require.NoError(t, err)
	return identified.ReplaceAllString(problemsOf(made), "$1")
}

// A sentence ends with its identifier, before what to do about it.
func TestWhatReachesBeyondHasAnIdentifier(t *testing.T) {
	found, err := trust.Check([]byte(`{"services":{"web":{"privileged":true,"new_key":1,"volumes":[{"type":"bind","source":"/etc","target":"/e"}]}}}`), trust.Given{Source: "/source"})
	require.NoError(t, err)
	var sentences []string
	for _, one := range found {
		sentences = append(sentences, one.Text)
	}
	text := strings.Join(sentences, "\n")
	assert.Contains(t, text, "service web is privileged, which is root on the server [compose-privileged]; if the app needs it")
	assert.Contains(t, text, "which Berth does not know [compose-key-unknown]; nothing lets it through")
	assert.Contains(t, text, "service web mounts /etc of the server [compose-host-mount]; if the app needs it")
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

func TestWhatIsNotClassedIsRefused(t *testing.T) {
	for _, test := range never {
		for _, allow := range [][]string{nil, config.Allowable} {
			assert.Contains(t, trusted(t, test.model, allow...), test.says)
		}
	}
}

func TestAnOrdinaryRepositoryIsTrusted(t *testing.T) {
	assert.Empty(t, trusted(t, `"services":{"web":{"build":{"context":"/source/web","dockerfile":"deploy/Dockerfile","additional_contexts":{"base":"docker-image://debian:13"}},
		"cap_add":["NET_BIND_SERVICE"],"cap_drop":["ALL"],"security_opt":["no-new-privileges:true"],
		"volumes":[{"type":"bind","source":"/source/conf","target":"/c"},{"type":"volume","source":"v","target":"/v"},{"type":"bind","source":"/etc/localtime","target":"/etc/localtime","read_only":true}]},
		"far":{"build":{"context":"https://example.com/x.git"}}},
		"volumes":{"v":{},"nfs":{"driver_opts":{"type":"nfs","device":":/export"}},"ram":{"driver_opts":{"type":"tmpfs","device":"tmpfs","o":"size=1m"}},"share":{"driver_opts":{"type":"cifs","device":"//nas/share"}}},"secrets":{"s":{"file":"/source/s"},"e":{"environment":"E"}}`))
}

// TestWhatIsHarmlessIsTrusted has keys as public compose files have them.
func TestWhatIsHarmlessIsTrusted(t *testing.T) {
	for _, model := range []string{
		svc(`"privileged":false,"init":true,"tty":true,"stdin_open":true,"read_only":true,"user":"1000:1000","working_dir":"/x","hostname":"a","domainname":"b","platform":"linux/amd64","attach":false,"stop_signal":"SIGINT","stop_grace_period":"5s"`),
		svc(`"annotations":{"org.opencontainers.image.title":"x"},"labels":{"traefik.enable":"true"},"group_add":["999"],"shm_size":"67108864","tmpfs":["/tmp:size=1m,exec"],"storage_opt":{"size":"1g"},"runtime":"runc","isolation":"default"`),
		svc(`"ulimits":{"nofile":{"soft":1,"hard":2},"memlock":{"soft":-1,"hard":-1},"nproc":65535},"sysctls":{"net.core.somaxconn":"1024","net.ipv6.conf.all.disable_ipv6":"1","kernel.shmmax":"1"},"oom_score_adj":500,"oom_kill_disable":true`),
		svc(`"cpus":1.5,"cpuset":"0","cpu_shares":5,"cpu_quota":5,"cpu_period":5,"cpu_rt_period":0,"mem_limit":"5","memswap_limit":"-1","mem_reservation":"5","mem_swappiness":"0","pids_limit":-1,"blkio_config":{"weight":10,"weight_device":[{"Path":"/dev/sda","Weight":5}]}`),
		svc(`"dns":["1.1.1.1"],"dns_search":["x"],"dns_opt":["ndots:1"],"extra_hosts":["host.docker.internal=host-gateway"],"mac_address":"02:42:ac:11:65:43","links":["web"],"external_links":["x"],"expose":["80"]`),
		svc(`"network_mode":"none"`), svc(`"network_mode":"bridge"`), svc(`"pid":"service:web"`), svc(`"ipc":"shareable"`), svc(`"cgroup":"private"`),
		svc(`"logging":{"driver":"json-file","options":{"max-size":"10m","max-file":"3","tag":"{{.Name}}"}}`), svc(`"logging":{"driver":"none"}`), svc(`"logging":{"driver":"journald","options":{"tag":"x"}}`),
		svc(`"security_opt":["no-new-privileges:true","no-new-privileges","seccomp=builtin","apparmor=docker-default"]`),
		svc(`"develop":{"watch":[{"path":"/source/a","action":"sync+exec","target":"/b","exec":{"command":["x"],"privileged":true}}]},"deploy":{"mode":"global","placement":{"constraints":["node.role==manager"]},"update_config":{"order":"start-first"},"restart_policy":{"condition":"any"},"resources":{"limits":{"cpus":1,"memory":"5","pids":5},"reservations":{"generic_resources":[{"discrete_resource_spec":{"kind":"a","value":1}}]}}}`),
		svc(`"depends_on":{"web":{"condition":"service_healthy","required":true,"restart":true}},"x-own":{"any":["thing"]}`),
		svc(`"volumes":[{"type":"bind","source":"/source/a","target":"/a","bind":{"create_host_path":true,"propagation":"rslave","selinux":"z"}},{"type":"volume","source":"v","target":"/v","volume":{"nocopy":true,"subpath":"x"}},{"type":"tmpfs","target":"/t","tmpfs":{"size":"1","mode":511}}]`),
		svc(`"secrets":[{"source":"s","target":"/run/secrets/s"}],"configs":[{"source":"c","target":"/c","mode":"0444"}],"build":{"context":"/source","args":{"A":"1","B":null},"secrets":[{"source":"s"}],"cache_from":["x"],"tags":["x"],"network":"none","additional_contexts":{"docker.io/library/alpine:3":"docker-image://alpine:3.20","x":"https://example.com/x.git"}}`) + `,"secrets":{"s":{"name":"app_s","file":"/source/s"}},"configs":{"c":{"name":"app_c","content":"x"}}`,
		vol(`"name":"app_v","labels":{"a":"b"}`), vol(`"name":"old","external":true`), vol(`"driver":"local","driver_opts":{}`), vol(`"driver_opts":{"type":"tmpfs","device":"tmpfs","o":"size=100m,uid=1000,noexec"}`),
		vol(`"driver_opts":{"type":"nfs","o":"addr=nas.example.com,nolock,soft,rw,nfsvers=4","device":":/export/a b"}`), vol(`"driver_opts":{"type":"nfs4","device":"nas.example.com:/export"}`), vol(`"driver_opts":{"type":"nfs","o":"addr=10.0.0.1,rw,vers=4.1","device":"[fd00::5]:/x"}`),
		vol(`"driver_opts":{"type":"cifs","device":"//nas.example.com/share/a","o":"username=a,password=b,vers=3.0,uid=1000,file_mode=0777,addr=nas.example.com"}`),
		network(`"name":"app_n","driver":"bridge","driver_opts":{"com.docker.network.driver.mtu":"1450","com.docker.network.bridge.name":"br-app","com.docker.network.bridge.enable_icc":"true"},"internal":true,"attachable":true,"enable_ipv6":true,"ipam":{"driver":"default","config":[{"subnet":"172.28.0.0/16","gateway":"172.28.0.1","ip_range":"172.28.5.0/24","aux_addresses":{"a":"172.28.1.5"}},{"subnet":"fd12:3456::/64"},{"subnet":"10.21.0.0/16"},{"subnet":"192.168.5.0/24"}]}`),
		network(`"name":"proxy","external":true`), `"x-own":{"privileged":true},"version":"3.8","name":"app","services":{"web":{"image":"x:1","command":null,"networks":{"default":null}}},"networks":{"default":{"name":"app_default","ipam":{}}}`,
	} {
		assert.Empty(t, trusted(t, model), model)
	}
	made, err := MakePlan(&config.Config{ReleaseStrategy: config.StopFirst, Routes: []config.Route{{Path: "/", Service: "web", Port: 80}}, Images: map[string]string{"web": "x:1"}},
		Commit{SHA: "c0ffee", Folder: "/source", Model: []byte(`{"services":{"web":{"build":{"context":"/source","privileged":true}}}}`), Tree: func(string) (string, error) { return "t", nil }})
	require.NoError(t, err)
	assert.Empty(t, made.Problems, "what is not built is built with no option")
}
