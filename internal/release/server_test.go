package release

import (
	"testing"

	"berth/internal/config"
)

func TestWhatTheServerLacksIsAProblem(t *testing.T) {
	on := func(instanceType string, allow ...string) func(*config.Config) {
		return func(cfg *config.Config) { cfg.InstanceType, cfg.Allow = instanceType, allow }
	}
	limits := func(kind, what string) string {
		return other("image: \"x:1\", deploy: {resources: {" + kind + ": {" + what + "}}}")
	}
	check(t, map[string]app{
		// Processors and memory.
		"processors":                {compose: limits("limits", `cpus: "4"`), refused: []string{"compose.yaml:3: service other may take 4 CPUs (deploy.resources.limits.cpus), and a t3.micro has 2, so Docker would not start it; lower it, or take a larger server: pulumi config set berth:instanceType t3.xlarge"}},
		"as many as there are":      {compose: limits("limits", `cpus: "2.0"`)},
		"more than any has":         {compose: limits("limits", `cpus: "64"`), refused: []string{"lower it: no server of the family has as much"}},
		"on a larger one":           {compose: limits("limits", `cpus: "4"`), stack: on("t3a.xlarge")},
		"of a general one":          {compose: limits("limits", `cpus: "6"`), stack: on("m7i.large"), refused: []string{"and a m7i.large has 2", "berth:instanceType m7i.2xlarge"}},
		"of a compute one, memory":  {compose: limits("limits", "memory: 6G"), stack: on("c7i.large"), refused: []string{"and a c7i.large has 4 GiB", "berth:instanceType c7i.xlarge"}},
		"of the other family":       {compose: limits("limits", `cpus: "6"`), stack: on("t3a.nano"), refused: []string{"berth:instanceType t3a.2xlarge"}},
		"cpus":                      {compose: other(`image: "x:1", cpus: 2.5`), refused: []string{"may take 2.5 CPUs (cpus)"}},
		"cpuset":                    {compose: other(`image: "x:1", cpuset: "0-3"`), refused: []string{"is to run on the CPUs 0-3, and a t3.micro has 0 to 1"}},
		"cpuset, in it":             {compose: other(`image: "x:1", cpuset: "0,1"`)},
		"memory":                    {compose: limits("limits", "memory: 4G"), refused: []string{"service other is to have 4 GiB of memory (deploy.resources.limits.memory), and a t3.micro has 1 GiB; lower it, or take a larger server: pulumi config set berth:instanceType t3.medium"}},
		"memory that is kept":       {compose: limits("reservations", "memory: 2G"), refused: []string{"deploy.resources.reservations.memory"}},
		"mem_limit":                 {compose: other(`image: "x:1", mem_limit: 1500m`), refused: []string{"is to have 1.465 GiB of memory (mem_limit)"}},
		"memory of replicas":        {compose: other(`image: "x:1", mem_limit: 400m, deploy: {replicas: 3}`), refused: []string{"the 3 containers of service other are to have 400 MiB of memory each (mem_limit), 1.172 GiB together, and a t3.micro has 1 GiB; run fewer of them, or lower it, or take a larger server: pulumi config set berth:instanceType t3.small"}},
		"memory of few replicas":    {compose: other(`image: "x:1", mem_limit: 400m, scale: 2`)},
		"processors of replicas":    {compose: other(`image: "x:1", cpus: 1.5, scale: 3`)},
		"mem_limit, all there is":   {compose: other(`image: "x:1", mem_limit: 1g`)},
		"mem_reservation":           {compose: other(`image: "x:1", mem_reservation: 768m`), stack: on("t3.nano"), refused: []string{"is to have 768 MiB of memory (mem_reservation), and a t3.nano has 512 MiB"}},
		"processors that are kept":  {compose: limits("reservations", `cpus: "3"`), refused: []string{"deploy.resources.reservations.cpus"}},
		"half a processor":          {compose: limits("limits", `cpus: "0.50", memory: 64M`)},
		"by a variable that is set": {compose: limits("limits", `cpus: "${CPUS}"`), stack: with(map[string]string{"CPUS": "8"}), refused: []string{"may take 8 CPUs"}},

		// Hardware.
		"a GPU":                 {compose: limits("reservations", "devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]"), refused: []string{"service other wants devices of the server (deploy.resources.reservations.devices), and the server has no GPU"}, silent: []string{"berth:allow"}},
		"a GPU, allowed":        {compose: limits("reservations", "devices: [{capabilities: [gpu]}]"), stack: on("t3.micro", "devices"), refused: []string{"has no GPU"}},
		"gpus":                  {compose: other(`image: "x:1", gpus: all`), refused: []string{"wants devices of the server (gpus), and the server has no GPU"}, silent: []string{"berth:allow"}},
		"the runtime of a GPU":  {compose: other(`image: "x:1", runtime: nvidia`), refused: []string{"wants the runtime nvidia, which the server does not have"}, silent: []string{"berth:allow"}},
		"a graphics card":       {compose: other(`image: "x:1", devices: ["/dev/dri:/dev/dri"]`), refused: []string{"wants the device /dev/dri, which the server does not have"}, silent: []string{"berth:allow"}},
		"a stick, allowed":      {compose: other(`image: "x:1", devices: ["/dev/ttyUSB0:/dev/ttyUSB0"]`), stack: on("t3.micro", "devices"), refused: []string{"wants the device /dev/ttyUSB0"}},
		"a tunnel":              {compose: other(`image: "x:1", devices: ["/dev/net/tun"]`), refused: []string{"devices of the server (devices); if the app needs it", "berth:allow[0]' devices"}},
		"a tunnel, allowed":     {compose: other(`image: "x:1", devices: ["/dev/net/tun"]`), stack: on("t3.micro", "devices")},
		"another platform":      {compose: other(`image: "x:1", platform: linux/arm64`), refused: []string{"compose.yaml:3: service other is for the platform linux/arm64, and the server is linux/amd64"}},
		"a platform with a hat": {compose: other(`image: "x:1", platform: linux/arm/v7`), refused: []string{"is for the platform linux/arm/v7"}},
		"another system":        {compose: other(`image: "x:1", platform: windows/amd64`), refused: []string{"is for the platform windows/amd64"}},
		"this platform":         {compose: other(`image: "x:1", platform: linux/amd64`)},
		"in another way":        {compose: other(`image: "x:1", platform: linux/x86_64`)},

		// Plugins.
		"a logging driver":          {compose: other(`image: "x:1", logging: {driver: loki, options: {loki-url: "http://x"}}`), refused: []string{"service other logs with loki, a plugin that the server's Docker does not have"}, silent: []string{"berth:allow"}},
		"one that Docker has":       {compose: other(`image: "x:1", logging: {driver: local, options: {max-size: 1m}}`)},
		"one that Docker has, far":  {compose: other(`image: "x:1", logging: {driver: gelf}`), refused: []string{"service other has its output sent in the server's own network (logging.driver: gelf)"}, silent: []string{"plugin"}},
		"a volume's driver":         {compose: other(`image: "x:1", volumes: ["v1:/d"]`, "volumes: {v1: {driver: rexray/ebs}}"), refused: []string{"volume v1 has the driver rexray/ebs, a plugin"}, silent: []string{"berth:allow"}},
		"a volume's driver, local":  {compose: other(`image: "x:1", volumes: ["v1:/d"]`, "volumes: {v1: {driver: local}}")},
		"a network for many":        {compose: other(`image: "x:1", networks: [n]`, "networks: {n: {driver: overlay}}"), refused: []string{"network n has the driver overlay, which a single server does not have"}, silent: []string{"berth:allow"}},
		"a network beside the rest": {compose: other(`image: "x:1", networks: [n]`, "networks: {n: {driver: macvlan}}"), refused: []string{"berth:allow[0]' host-namespaces"}},

		// What is shared.
		"processes of another project": {compose: routed + "  debug: {image: \"x:1\", restart: always, volumes: [\"core:/c\"], pid: \"service:web\"}\nvolumes: {core: {}}\n",
			refused: []string{"compose.yaml:3: service debug shares the processes of web (pid: service:web), but only debug is persistent, because it has the named volume core"}},
		"memory of another project": {compose: routed + "  debug: {image: \"x:1\", restart: always, ipc: \"service:db\"}\n  db: {image: \"postgres:17\", ipc: shareable, volumes: [\"pg:/d\"]}\nvolumes: {pg: {}}\n",
			refused: []string{"service debug shares the shared memory of db (ipc: service:db), but only db is persistent"}},
		"of the same project": {compose: other("image: \"x:1\", pid: \"service:web\"")},
	})
}
