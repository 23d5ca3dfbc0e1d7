package release

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// TestSeveralServers: what keeps an app from them, and what would be better otherwise. With one server nothing of it is said.
func TestSeveralServers(t *testing.T) {
	of := func(servers config.Servers, changes ...func(*config.Config)) func(*config.Config) {
		return func(cfg *config.Config) {
			cfg.Servers = servers
			for _, change := range changes {
				change(cfg)
			}
		}
	}
	three, sticky := config.Servers{Min: 3, Max: 3, CPU: 60, First: true}, config.Servers{Min: 2, Max: 4, CPU: 60, First: true, Sticky: true}
	web := func(more string) string {
		return "services:\n  web:\n    image: \"x:1\"\n    restart: always\n    healthcheck: {test: [CMD, \"true\"]}\n" + more
	}
	hosts := func(cfg *config.Config) { cfg.Allow = []string{"host-namespaces"} }
	rated := func(cfg *config.Config) {
		cfg.Routes[0].RateLimit = &config.RateLimit{Requests: 30, Per: "minute", Burst: 10}
	}
	named := func(cfg *config.Config) {
		for i := range 10 {
			cfg.Aliases = append(cfg.Aliases, fmt.Sprintf("%d.example.org", i))
		}
	}
	const nothing = "compose.yaml: berth:servers has several servers, and no service can run on more than the first (web: it is persistent, because it has the named volume vol); keep files"
	const own = "web runs on every server, and what it writes to "
	const rates = "the rateLimit of route / counts on each server separately"
	stateful := web("    volumes: [\"vol:/v\"]\nvolumes: {vol: {}}\n")
	host := web("    network_mode: host\n")
	internal := web("    networks: [back]\n  db: {image: \"postgres:17\", restart: always, networks: [back, front]}\nnetworks: {back: {internal: true}, front: {}}\n")
	check(t, map[string]app{
		"everything is persistent": {compose: stateful, stack: of(three), refused: []string{nothing}},
		"another problem, too":     {compose: strings.Replace(stateful, "image:", "privileged: true\n    image:", 1), stack: of(three), refused: []string{"service web "}, silent: []string{"berth:servers"}},
		"the host's network":       {compose: host, stack: of(three, hosts), refused: []string{"compose.yaml:6: service web uses the host's network (network_mode: host), which does not work with several servers"}, silent: []string{"stop-first"}},
		"a route to the host's network": {compose: web("    volumes: [\"vol:/v\"]\n    network_mode: host\n  api: {image: \"x:1\", restart: always, labels: {berth.servers: all}}\nvolumes: {vol: {}}\n"), stack: of(three, hosts),
			refused: []string{"compose.yaml:7: a route uses service web, which runs on the first server and uses its network (network_mode: host)"}},
		"an internal network":             {compose: internal, stack: of(three), refused: []string{"compose.yaml:6: service web runs on every server and is only on networks with internal: true, from which it does not reach db on the first server"}},
		"an internal network and another": {compose: strings.Replace(internal, "[back]", "[back, front]", 1), stack: of(three)},
		"memory": {compose: web("    tmpfs: [\"/sessions:size=10m\", /run]\n"), stack: of(three),
			advised: []string{"compose.yaml:2: " + own + "/sessions is on that server alone", "stay at one server: pulumi config rm berth:servers && pulumi config set --path berth:servers.min 3 && pulumi config set --path berth:servers.max 3 && pulumi config set --path berth:servers.sticky true"}},
		"memory, written long":      {compose: web("    volumes: [{type: tmpfs, target: /tmp}]\n"), stack: of(three), advised: []string{own + "/tmp "}},
		"an anonymous volume":       {compose: web("    volumes: [/uploads]\n"), stack: of(three), advised: []string{own + "/uploads "}},
		"what holds nothing":        {compose: web("    tmpfs: [/run, /var/run/php, /var/cache/nginx]\n"), stack: of(three), silent: []string{own}},
		"on the first alone":        {compose: web("  worker: {image: \"x:1\", restart: always, tmpfs: /uploads}\n"), stack: of(three), silent: []string{"/uploads"}},
		"sticky":                    {compose: web("    tmpfs: /sessions\n"), stack: of(sticky), silent: []string{own}},
		"a rate":                    {compose: web(""), stack: of(three, rated), advised: []string{rates + ", so that an address may send up to 3 times as many requests", "pulumi config set --path 'berth:routes[0].rateLimit' 10/minute"}},
		"a rate, without the first": {compose: web(""), stack: of(config.Servers{Min: 2, Max: 4, CPU: 60}, rated), advised: []string{"up to 3 times"}},
		"many names":                {compose: web(""), stack: of(three, named), advised: []string{"the load balancer's certificate would have 11 names"}},
		"one server, many names":    {compose: web(""), stack: of(config.Servers{}, named), silent: []string{"certificate would have"}},
		"one server, persistent":    {compose: stateful, stack: of(config.Servers{Min: 1, Max: 1, First: true})},
		"one server, internal":      {compose: internal},
		"one server, its network":   {compose: host, stack: of(config.Servers{}, hosts), refused: []string{"where two releases cannot run side by side"}, silent: []string{"several"}},
		"one server, memory":        {compose: web("    tmpfs: /sessions\n"), stack: of(config.Servers{}, rated), silent: []string{own, rates}},
	})
}

// TestAPreviewSaysWhereServicesRun with several servers, and nothing of it with one.
func TestAPreviewSaysWhereServicesRun(t *testing.T) {
	s := newSource(t)
	s.cfg.InstanceType, s.cfg.VolumeSize, s.cfg.Region = "t3.micro", 20, "eu-central-1"
	first := s.commit("first", map[string]string{"compose.yaml": sample, "web/Dockerfile": "FROM scratch\n", "init.sql": "SELECT 1;\n"})
	second := s.commit("second", map[string]string{"web/index.html": "x"})
	describe := func(before string) string {
		release, err := Make(t.Context(), s.cfg, s.repo, second)
		require.NoError(t, err)
		text, err := release.describe(t.Context(), s.cfg, s.repo, last{commit: before})
		require.NoError(t, err)
		return text
	}
	for _, before := range []string{"", first, second} {
		text := describe(before)
		assert.NotContains(t, text, "server  ")
		assert.NotContains(t, text, "cost: ")
	}
	release, err := Make(t.Context(), s.cfg, s.repo, second)
	require.NoError(t, err)
	document := release.Plan.Document

	s.cfg.Servers = config.Servers{Min: 2, Max: 2, CPU: 60, First: true}
	assert.Contains(t, describe(""), "db   starts  first server  it is persistent, because it has the named volume data\n")
	text := describe(first)
	assert.Contains(t, text, "\n  db   stays        first server  it is persistent, because it has the named volume data, and recreated only if a variable of its changed\n")
	assert.Contains(t, text, "\n  web  is replaced  every server  it keeps no data: the new one starts beside it and takes over; runs there because a route uses it\n")
	assert.Contains(t, text, "\n  cost: about 63 USD a month: ")
	assert.Contains(t, describe(second), "\n  db   first server  it is persistent, because it has the named volume data\n  web  every server  a route uses it\n", "the setting alone may have changed")
	release, err = Make(t.Context(), s.cfg, s.repo, second)
	require.NoError(t, err)
	assert.Equal(t, document, release.Plan.Document, "the plan is the same for any number of servers")
}
