package release

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"berth/internal/config"
)

func TestWhatEndsTLSItselfIsPassedBy(t *testing.T) {
	edge := func(service, others string) string {
		return "services:\n  web: {restart: always, healthcheck: {test: [CMD, x]}, " + service + "}\n" + others
	}
	const shop = "  shop: {image: \"x:1\", restart: always, expose: [3000]}\n"
	check(t, map[string]app{
		"Traefik": {compose: edge(`image: "traefik:v3", ports: ["80:80", "443:443"]`, shop),
			advised: []string{"compose.yaml:2: web ends TLS itself, which nginx of the server does already: what it sends from http to https comes back to it for ever; route to what is behind it, shop: pulumi config set --path 'berth:routes[0].service' shop && pulumi config set --path 'berth:routes[0].port' 3000"}},
		"by a label":                       {compose: edge(`image: "traefik:v3", ports: ["80:80", "443:443"]`, "  shop: {image: \"x:1\", restart: always, labels: [traefik.http.services.shop.loadbalancer.server.port=2368]}\n"), advised: []string{"route to what is behind it, shop", "'berth:routes[0].port' 2368"}},
		"Caddy, whose app says no port":    {compose: edge(`image: "caddy:2", ports: ["80:80", "443:443", "443:443/udp"], depends_on: [shop]`, "  shop: {image: \"x:1\", restart: always}\n  aside: {image: \"x:1\", restart: always}\n"), advised: []string{"'berth:routes[0].service' shop && pulumi config set --path 'berth:routes[0].port' PORT"}},
		"nginx-proxy":                      {compose: edge(`image: "nginxproxy/nginx-proxy:1", ports: ["80:80", "443:443"]`, "  shop: {image: \"x:1\", restart: always, environment: {VIRTUAL_HOST: a.example, VIRTUAL_PORT: 8080}}\n"), advised: []string{"route to what is behind it, shop", "port' 8080"}},
		"Traefik, without 443":             {compose: edge(`image: "traefik:v3", ports: ["80:80"], command: ["--entrypoints.web.http.redirections.entrypoint.to=websecure"]`, shop), advised: []string{"web ends TLS itself"}},
		"alone":                            {compose: edge(`image: "nginx:1.27", ports: ["80:80", "443:443"]`, ""), advised: []string{"have it answer with plain HTTP on a port and route to that: pulumi config set --path 'berth:routes[0].port' PORT"}},
		"the port that speaks TLS":         {compose: edge(`image: "x:1", expose: [443]`, ""), stack: func(c *config.Config) { c.Routes[0].Port = 443 }, advised: []string{"route / points to port 443 of web, which speaks TLS, and nginx of the server speaks HTTP to it"}},
		"no route to it":                   {compose: edge(`image: "x:1", expose: [80]`, "  edge: {image: \"traefik:v3\", restart: always, ports: [\"443:443\"]}\n"), silent: []string{"ends TLS itself"}},
		"plain":                            {compose: edge(`image: "nginx:1.27", ports: ["80:80"]`, shop), silent: []string{"TLS"}},
		"what is behind it is no database": {compose: edge(`image: "caddy:2", ports: ["443:443"], depends_on: [db]`, "  db: {image: \"postgres:17\", expose: [5432], volumes: [\"pg:/d\"]}\nvolumes: {pg: {}}\n"), stack: nil, silent: []string{"behind it, db"}},
	})
}

func TestWhatRunsTwiceIsNamed(t *testing.T) {
	const clock, queue = "and both start what is due; to have the old one stopped before the new one starts, write at it: labels: {berth.overlap: \"false\"}", "the old code and the new on the same queue"
	check(t, map[string]app{
		"a scheduler by its name":       {compose: other(`image: "x:1", command: ./run`) + "", silent: []string{"run beside each other"}},
		"celery beat":                   {compose: routed + "  celery-beat: {image: \"x:1\", restart: always, command: celery -A app beat}\n  celeryworker: {image: \"x:1\", restart: always, command: celery -A app worker}\n", advised: []string{"compose.yaml:3: while a release takes over, two of celery-beat run beside each other, " + clock, "compose.yaml:4: while a release takes over, two of celeryworker run"}},
		"by its command":                {compose: other(`image: "x:1", command: php artisan schedule:work`), advised: []string{"two of other run beside each other, " + clock}},
		"a queue by its command":        {compose: other(`image: "x:1", command: [bundle, exec, sidekiq]`), advised: []string{"two of other run beside each other, " + queue}},
		"labelled either way":           {compose: routed + "  celery-beat: {image: \"x:1\", restart: always, labels: {berth.overlap: \"false\"}}\n  worker: {image: \"x:1\", restart: always, labels: {berth.overlap: \"true\"}}\n", silent: []string{"beside each other"}},
		"several in one line":           {compose: routed + "  queue-default: {image: \"x:1\", restart: always}\n  queue_mail: {image: \"x:1\", restart: always}\n", advised: []string{"two of queue-default, queue_mail run beside each other", `write at it: labels: {berth.overlap: "false"}; if two may run, "true"`}},
		"a persistent one":              {compose: routed + "  scheduler: {image: \"x:1\", restart: always, labels: {berth.stateful: \"true\"}}\n", silent: []string{"run beside each other"}},
		"one that may":                  {compose: routed + "  worker: {image: \"x:1\", restart: always, labels: {berth.stateful: \"false\"}}\n", silent: []string{"run beside each other"}},
		"the old release stops first":   {compose: routed + "  worker: {image: \"x:1\", restart: always}\n", stack: func(c *config.Config) { c.ReleaseStrategy = "stop-first" }, silent: []string{"run beside each other"}},
		"a job that others wait for":    {compose: "services:\n  web: {image: \"x:1\", restart: always, depends_on: {cron-setup: {condition: service_completed_successfully}}}\n  cron-setup: {image: \"x:1\"}\n", silent: []string{"run beside each other"}},
		"one that takes requests, too":  {compose: "services:\n  worker: {image: \"x:1\", restart: always}\n", stack: func(c *config.Config) { c.Routes[0].Service = "worker" }, silent: []string{"run beside each other"}},
		"an image that is not built":    {compose: "services:\n  web: {image: \"ghcr.io/you/app:1\", restart: always, volumes: [\"media:/m\"]}\nvolumes: {media: {}}\n", advised: []string{"web never runs twice, because it has the named volume media"}},
		"a job by its deployment":       {compose: routed + "  init: {image: \"x:1\", deploy: {restart_policy: {condition: none}}, volumes: [\"pg:/d\"]}\nvolumes: {pg: {}}\n", silent: []string{"never runs twice"}},
		"a database is meant to":        {compose: routed + "  db: {image: \"postgres:17\", volumes: [\"pg:/d\"]}\nvolumes: {pg: {}}\n", silent: []string{"never runs twice"}},
		"a job that keeps files is not": {compose: routed + "  init: {image: \"x:1\", restart: \"no\", volumes: [\"pg:/d\"]}\nvolumes: {pg: {}}\n", silent: []string{"never runs twice"}},
	})
}

func TestAdviceIsNeverFalse(t *testing.T) {
	check(t, map[string]app{
		"a default":                       {compose: other(`image: "x:1", environment: {PGPASSWORD: "${DB_PASSWORD:-secret}"}`), advised: []string{"the value of PGPASSWORD of other can be read by everyone who has the repository; write PGPASSWORD: ${DB_PASSWORD:?} there, and set a new value: pulumi config set --secret --path berth:secrets.DB_PASSWORD"}, silent: []string{"secrets.PGPASSWORD"}},
		"a default that is not taken":     {compose: other(`image: "x:1", environment: {PGPASSWORD: "${PASSWORD:-secret}"}`), silent: []string{"can be read"}},
		"the same value":                  {compose: routed + "  app: {image: \"x:1\", restart: always, environment: {DB_PASS: hunter2}}\n  db: {image: \"postgres:17\", environment: {POSTGRES_PASSWORD: hunter2}}\n", advised: []string{"write DB_PASS: ${DB_PASS:?}", "write POSTGRES_PASSWORD: ${DB_PASS:?}"}},
		"a password in a URL":             {compose: routed + "  db: {image: \"postgres:17\", environment: {POSTGRES_PASSWORD: hunter2}}\n  app: {image: \"x:1\", restart: always, environment: {URL: \"postgres://app:hunter2@db/app\"}}\n", advised: []string{"write ${POSTGRES_PASSWORD:?} for the password in URL there"}},
		"a job that ends":                 {compose: other(`image: "x:1", command: mc mb store/media`, "") + "", advised: nil},
		"a job without a restart policy":  {compose: routed + "  job: {image: \"x:1\", command: ./manage.py migrate}\n", silent: []string{"no restart policy"}},
		"a job by its name":               {compose: routed + "  createbuckets: {image: \"minio/mc:1\", entrypoint: /x}\n", silent: []string{"no restart policy"}},
		"a worker without one":            {compose: routed + "  worker: {image: \"x:1\"}\n", advised: []string{"worker has no restart policy"}},
		"a file for production beside it": {compose: routed, files: []string{"compose.prod.yaml services: {}"}, advised: []string{"compose.yaml: compose.prod.yaml beside it is not read; where the app is started with both: pulumi config set --path 'berth:composeFile[0]' compose.yaml && pulumi config set --path 'berth:composeFile[1]' compose.prod.yaml"}},
		"which is in the list": {compose: routed, files: []string{"compose.prod.yaml services: {web: {restart: always}}", "compose.live.yaml services: {}", "compose.override.yaml services: {web: {image: \"laptop:1\"}}"}, stack: func(cfg *config.Config) {
			cfg.ComposeFiles = append(cfg.ComposeFiles, "compose.prod.yaml")
		}, silent: []string{"is not read", "laptop:1"}},
		"lines of the second file": {compose: routed + "  a: {image: \"x:1\"}\n", files: []string{"compose.prod.yaml services:\n  web: {image: \"${TAG}\"}\n  b: {image: \"x:1\"}\n"}, stack: func(cfg *config.Config) {
			cfg.ComposeFiles = append(cfg.ComposeFiles, "compose.prod.yaml")
			cfg.Environment = map[string]string{"TAG": "x"}
		}, advised: []string{"compose.prod.yaml:2: the image x of web can be another one tomorrow", "compose.yaml:3: a has no restart policy", "the same is true of b (compose.prod.yaml:3)"}},
		"refused in the second file": {compose: routed, files: []string{"compose.prod.yaml services:\n  web:\n    secrets: [s]\nsecrets:\n  s: {file: ./s.txt}\n"}, stack: func(cfg *config.Config) {
			cfg.ComposeFiles = append(cfg.ComposeFiles, "compose.prod.yaml")
		}, refused: []string{"compose.prod.yaml:5: secret s (of web) is the file ./s.txt, which the commit does not hold"}},
		"in other words":   {compose: routed, files: []string{"docker-compose.production.yml services: {}"}, advised: []string{"docker-compose.production.yml beside it is not read"}},
		"the laptop's own": {compose: routed, files: []string{"compose.override.yaml services: {}", "compose.dev.yaml services: {}", "compose.test.yml services: {}"}, silent: []string{"is not read"}},
	})
}

// TestAdviceIsGathered by what it is about, and kept short.
func TestAdviceIsGathered(t *testing.T) {
	var text strings.Builder
	text.WriteString("services:\n  web: {image: \"x\", ports: [\"80:80\"], environment: [\"A=${A}\", \"B=${B}\"]}\n")
	for i := range 40 {
		fmt.Fprintf(&text, "  s%d: {image: x%d, ports: [\"%d:80\"], container_name: c%d, environment: {TOKEN%d_KEY: aaa%d, X: \"${X%d}\", Y: \"${Y%d}\"}}\n", i, i, 9000+i, i, i, i, i, i)
	}
	found := app{compose: text.String()}.examined(t)
	advice := found.adviseAll()
	assert.LessOrEqual(t, len(advice), 20)
	assert.Contains(t, advice[0], "can be read by everyone", "the most important first")
	assert.Contains(t, advice[19], "more pieces of advice are shown when these are followed")

	text.Reset()
	text.WriteString("services:\n")
	for i := range 30 {
		fmt.Fprintf(&text, "  s%d: {image: \"x:1\", restart: always, volumes: [\"v%d:/d\"]}\n", i, i)
	}
	text.WriteString("volumes:\n")
	for i := range 30 {
		fmt.Fprintf(&text, "  v%d: {}\n", i)
	}
	advice = app{compose: text.String(), stack: with(map[string]string{"A": "1"})}.examined(t).adviseAll()
	assert.Len(t, advice, 2)
	assert.Contains(t, advice[0], "s0 never runs twice, because it has the named volume v0")
	assert.Contains(t, advice[0], "the same is true of s1 (line 3), ")
	assert.Contains(t, advice[0], "and 19 more")

	found = app{compose: "services:\n  web: {image: \"x\", ports: [\"80:80\"]}\n  a: {image: \"y\", ports: [\"81:80\"]}\n  b: {image: \"z\"}\n"}.examined(t)
	assert.ElementsMatch(t, []string{
		"compose.yaml: the repository has no .env.example beside it, so a missing one of the stack's 1 variables is not noticed; commit one that names them",
		"compose.yaml:2: web has no health check, so it counts as ready when it answers on its port; a healthcheck: in the compose file is surer",
		"compose.yaml:3: a has no restart policy, so it stays down after a crash or a reboot; add to it: restart: unless-stopped; or, if it is a job that runs once: restart: \"no\"; the same is true of b (line 4)",
		"compose.yaml:2: the image x of web can be another one tomorrow; name a version or a digest; the same is true of a (line 3), b (line 4)",
		"compose.yaml:2: the published ports of web stay closed on the server, where the site is reached through its routes; publish them in compose.override.yaml, which stays on the laptop; the same is true of a (line 3)",
	}, found.adviseAll())
}

func TestWhatTheServersComposeDoesNotKnowIsAProblem(t *testing.T) {
	docker := []string{"Dockerfile FROM x", "labels a=b"}
	check(t, map[string]app{
		"a hook":                {compose: other(`image: "x:1", post_start: [{command: "true"}]`), refused: []string{"compose.yaml:3: service other has post_start, a key of Compose that the server's (2.26, Debian 13) does not know"}},
		"another hook":          {compose: other(`image: "x:1", pre_stop: [{command: "true"}]`), refused: []string{"service other has pre_stop"}},
		"a policy":              {compose: other(`image: "x:1", pull_policy: daily`), refused: []string{"service other has pull_policy, with daily a value of Compose"}},
		"a known policy":        {compose: other(`image: "x:1", pull_policy: always`)},
		"a priority":            {compose: other(`image: "x:1", networks: {n: {gw_priority: 1}}`, "networks: {n: {}}"), refused: []string{"service other has networks.n.gw_priority"}},
		"an interface's name":   {compose: other(`image: "x:1", networks: {n: {interface_name: eth9}}`, "networks: {n: {}}"), refused: []string{"service other has networks.n.interface_name"}},
		"a network's option":    {compose: other(`image: "x:1", networks: [n]`, "networks: {n: {enable_ipv4: true}}"), refused: []string{"compose.yaml:4: network n has enable_ipv4"}},
		"the files of an image": {compose: other(`image: "x:1", volumes: [{type: image, source: busybox, target: /x}]`), refused: []string{"service other has volumes, for a mount of an image, a kind of Compose"}},
		"the laptop's section":  {compose: other(`build: ., develop: {watch: [{action: sync+exec, path: ./src, target: /src, exec: {command: kill -HUP 1}}]}`), files: docker, silent: []string{"develop"}},
		"older keys":            {compose: other(`image: "x:1", healthcheck: {test: [CMD, x], start_interval: 1s}, annotations: {org.opencontainers.image.title: x}`)},

		// Builds.
		"another platform":    {compose: other(`build: {context: ., platforms: [linux/arm64]}`), files: docker, refused: []string{"service other is built for linux/arm64, and the server is linux/amd64"}},
		"this one among them": {compose: other(`build: {context: ., platforms: [linux/arm64, linux/amd64]}`), files: docker},
		"a service's image":   {compose: "services:\n  web: {build: ., restart: always}\n  other: {restart: always, build: {context: ., additional_contexts: {base: \"service:web\"}}}\n", files: docker, refused: []string{"service other is built from the image of web (additional_contexts: service:web), which the server does not hand on to builds"}},
	})
}
