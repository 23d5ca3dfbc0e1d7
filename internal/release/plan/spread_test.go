package plan

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// placed plans services, given as JSON, with a route to web and the commit's files in /src.
func placed(t *testing.T, model string, change func(*Given)) *Plan {
	t.Helper()
	given := &Given{Source: "/src", Binds: "/data/binds", Files: "/data/files", Trees: map[string]string{"/src/conf": "t1", "/src/data": ""}, Dockerfiles: map[string]string{}}
	given.Strategy = "blue-green"
	given.Routes = []Route{{Path: "/", Service: "web", Port: 80}}
	if change != nil {
		change(given)
	}
	read, err := ReadModel([]byte(model), nil)
	require.NoError(t, err)
	return Make(read, given)
}

// TestWhereServicesRun has a row for each rule: the services beside web, which a route uses, those that run on every server, and why
// one runs where it does.
func TestWhereServicesRun(t *testing.T) {
	for name, test := range map[string]struct {
		services string
		change   func(*Given)
		spread   []string
		service  string
		why      string
	}{
		"a route": {`"web":{"image":"x:1"}`, nil, []string{"web"}, "web", "a route uses it"},
		"no route": {`"web":{"image":"x:1"},"worker":{"image":"x:1"}`, nil, []string{"web"}, "worker",
			"no route uses it, and nothing that runs on every server depends on it"},
		"what it depends on": {`"web":{"image":"x:1","depends_on":{"api":{"condition":"service_started"}}},"api":{"image":"x:1"}`, nil, []string{"api", "web"}, "api",
			"web depends on it, and runs on every server"},
		"what that depends on": {`"web":{"image":"x:1","depends_on":{"api":{}}},"api":{"image":"x:1","depends_on":{"render":{}}},"render":{"image":"x:1"}`, nil, []string{"api", "render", "web"}, "render",
			"api depends on it, and runs on every server"},
		"what depends on it": {`"web":{"image":"x:1"},"worker":{"image":"x:1","depends_on":{"web":{}}}`, nil, []string{"web"}, "worker",
			"no route uses it, and nothing that runs on every server depends on it"},
		"only through one that stays": {`"web":{"image":"x:1","depends_on":{"db":{}}},"db":{"image":"postgres:17","depends_on":{"init":{"required":false}}},"init":{"image":"x:1"}`, nil, []string{"web"}, "init",
			"no route uses it, and nothing that runs on every server depends on it"},
		"labelled all": {`"web":{"image":"x:1"},"worker":{"image":"x:1","labels":{"berth.servers":"all"}}`, nil, []string{"web", "worker"}, "worker",
			"it is labelled berth.servers: all"},
		"labelled all, with what it depends on": {`"web":{"image":"x:1"},"worker":{"image":"x:1","labels":{"berth.servers":"all"},"depends_on":{"api":{}}},"api":{"image":"x:1"}`, nil, []string{"api", "web", "worker"}, "api",
			"worker depends on it, and runs on every server"},
		"labelled first": {`"web":{"image":"x:1","labels":{"berth.servers":"first"}}`, nil, []string{}, "web", "it is labelled berth.servers: first"},
		"labelled first, and needed": {`"web":{"image":"x:1","depends_on":{"api":{}}},"api":{"image":"x:1","labels":{"berth.servers":"first"}}`, nil, []string{"web"}, "api",
			"it is labelled berth.servers: first"},
		"persistent": {`"web":{"image":"x:1","volumes":[{"type":"volume","source":"v","target":"/d"}]}`, nil, []string{}, "web",
			"it is persistent, because it has the named volume v"},
		"once": {`"web":{"image":"x:1","depends_on":{"migrate":{"condition":"service_completed_successfully"}}},"migrate":{"image":"x:1"}`, nil, []string{"web"}, "migrate", "it runs once"},
		"alone": {`"web":{"image":"x:1","depends_on":{"beat":{}}},"beat":{"image":"x:1","labels":{"berth.overlap":"false"}}`, nil, []string{"web"}, "beat",
			"it never runs twice (berth.overlap)"},
		"a cache that keeps nothing": {`"web":{"image":"x:1","depends_on":{"cache":{}}},"cache":{"image":"redis:8","labels":{"berth.stateful":"false"}}`, nil, []string{"web"}, "cache",
			"its image is redis:8, and all who use it have to find the same there"},
		"a broker that keeps nothing": {`"web":{"image":"x:1","depends_on":{"mq":{}}},"mq":{"image":"rabbitmq:4","labels":{"berth.stateful":"false"}}`, nil, []string{"web"}, "mq",
			"its image is rabbitmq:4, and all who use it have to find the same there"},
		"a cache that is no store": {`"web":{"image":"x:1","depends_on":{"cache":{}}},"cache":{"image":"docker.io/library/memcached:1.6-alpine"}`, nil, []string{"web"}, "cache",
			"its image is docker.io/library/memcached:1.6-alpine, and all who use it have to find the same there"},
		"its client": {`"web":{"image":"x:1","depends_on":{"cache":{}}},"cache":{"image":"you/memcached-exporter:1"}`, nil, []string{"cache", "web"}, "cache",
			"web depends on it, and runs on every server"},
		"a cache that is built": {`"web":{"image":"x:1","depends_on":{"cache":{}}},"cache":{"build":{"context":"/src/cache"}}`, func(g *Given) { g.Dockerfiles["cache"] = "FROM memcached:1.6\n" }, []string{"web"}, "cache",
			"its image is memcached:1.6, and all who use it have to find the same there"},
		"a volume": {`"web":{"image":"x:1","labels":{"berth.stateful":"false"},"volumes":[{"type":"volume","source":"v","target":"/d"}]}`, nil, []string{}, "web",
			"it has the named volume v"},
		"an anonymous volume": {`"web":{"image":"x:1","volumes":[{"type":"volume","target":"/d"}]}`, nil, []string{"web"}, "web", "a route uses it"},
		"files of the commit": {`"web":{"image":"x:1","volumes":[{"type":"bind","source":"/src/conf","target":"/d"}]}`, nil, []string{"web"}, "web", "a route uses it"},
		"files beside the commit, only read": {`"web":{"image":"x:1","volumes":[{"type":"bind","source":"/src/data","target":"/d","read_only":true}]}`, nil, []string{}, "web",
			"it mounts data of the first server"},
		"files of the server, only read": {`"web":{"image":"x:1","volumes":[{"type":"bind","source":"/srv/conf","target":"/d","read_only":true}]}`, nil, []string{}, "web",
			"it mounts /srv/conf of the first server"},
		"what each system has": {`"web":{"image":"x:1","volumes":[{"type":"bind","source":"/etc/localtime","target":"/etc/localtime","read_only":true}]}`, nil, []string{"web"}, "web", "a route uses it"},
		"an env file of the server": {`"web":{"image":"x:1"}`, func(g *Given) { g.EnvFiles = map[string][]string{"web": {"/etc/web.env"}} }, []string{}, "web",
			"it reads /etc/web.env, a file of the first server"},
		"a label file of the server": {`"web":{"image":"x:1"}`, func(g *Given) { g.LabelFiles = map[string][]string{"web": {"/etc/web.labels"}} }, []string{}, "web",
			"it reads /etc/web.labels, a file of the first server"},
		"a secret of the server": {`"web":{"image":"x:1","secrets":[{"source":"key"}]}},"secrets":{"key":{"file":"/etc/key"}`, nil, []string{}, "web",
			"it reads /etc/key, a file of the first server"},
		"a secret of the commit": {`"web":{"image":"x:1","secrets":[{"source":"key"}]}},"secrets":{"key":{"file":"/src/key"}`, nil, []string{"web"}, "web", "a route uses it"},
		"a config of the server": {`"web":{"image":"x:1","configs":[{"source":"c"}]}},"configs":{"c":{"file":"/etc/c"}`, nil, []string{}, "web",
			"it reads /etc/c, a file of the first server"},
		"an external network": {`"web":{"image":"x:1","networks":{"shared":null}}},"networks":{"shared":{"external":true}`, nil, []string{}, "web", "it is in the external network shared"},
		"who is in its network": {`"web":{"image":"x:1"},"php":{"image":"x:1","network_mode":"service:web"}`, nil, []string{"php", "web"}, "php",
			"it shares a namespace of web, which runs on every server"},
		"in whose network it is": {`"web":{"image":"x:1","network_mode":"service:vpn"},"vpn":{"image":"x:1"}`, nil, []string{"vpn", "web"}, "vpn",
			"web shares a namespace of it, and runs on every server"},
		"in whose processes it is, and that stays": {`"web":{"image":"x:1","pid":"service:beat"},"beat":{"image":"x:1","labels":{"berth.servers":"first"}}`, nil, []string{}, "web",
			"it shares a namespace of beat, which runs there"},
		"the host's network": {`"web":{"image":"x:1","network_mode":"host"}`, nil, []string{"web"}, "web", "a route uses it"},
	} {
		t.Run(name, func(t *testing.T) {
			made := placed(t, `{"services":{`+test.services+`}}`, test.change)
			assert.Equal(t, test.spread, made.Spread)
			assert.Equal(t, test.why, made.Where[test.service])
			for _, one := range made.Spread {
				assert.Contains(t, made.Stateless, one)
			}
			assert.Len(t, made.Where, len(made.Stateless)+len(made.Stateful), "every service has a reason")
		})
	}
}

// TestWhatIsNeededFromAfar: services of the first server, by all names that the others know them by.
func TestWhatIsNeededFromAfar(t *testing.T) {
	for name, test := range map[string]struct {
		services string
		change   func(*Given)
		reach    []Reach
	}{
		"a database":                      {`"web":{"image":"x:1"},"db":{"image":"postgres:17"}`, nil, []Reach{{"db", true, []string{"db"}, []string{"web"}}}},
		"one that every release replaces": {`"web":{"image":"x:1"},"worker":{"image":"x:1"}`, nil, []Reach{{"worker", false, []string{"worker"}, []string{"web"}}}},
		"all of its names": {`"web":{"image":"x:1","networks":{"front":null,"back":null},"links":["db:database"]},
			"db":{"image":"postgres:17","container_name":"my-db","hostname":"sql","networks":{"back":{"aliases":["main-db"]},"admin":{"aliases":["hidden"]}}}`, nil,
			[]Reach{{"db", true, []string{"database", "db", "main-db", "my-db", "sql"}, []string{"web"}}}},
		"for each that shares a network": {`"web":{"image":"x:1","networks":{"front":null},"depends_on":{"api":{}}},"api":{"image":"x:1","networks":{"front":null,"back":null}},"db":{"image":"postgres:17","networks":{"back":null}}`, nil,
			[]Reach{{"db", true, []string{"db"}, []string{"api"}}}},
		"no network in common": {`"web":{"image":"x:1","networks":{"front":null}},"db":{"image":"postgres:17","networks":{"back":null}}`, nil, []Reach{}},
		"a job that has run":   {`"web":{"image":"x:1","depends_on":{"migrate":{"condition":"service_completed_successfully"}}},"migrate":{"image":"x:1"}`, nil, []Reach{}},
		"in another's network": {`"web":{"image":"x:1"},"vpn":{"image":"x:1"},"worker":{"image":"x:1","network_mode":"service:vpn"}`, nil, []Reach{{"vpn", false, []string{"vpn"}, []string{"web"}}}},
		"a route to what stays": {`"web":{"image":"x:1","networks":{"front":null}},"files":{"image":"x:1","networks":{"back":null},"volumes":[{"type":"volume","source":"v","target":"/d"}]}`,
			func(g *Given) { g.Routes = append(g.Routes, Route{Path: "/files/", Service: "files", Port: 9000}) }, []Reach{{"files", true, []string{"files"}, []string{}}}},
		"everything stays": {`"web":{"image":"x:1","labels":{"berth.servers":"first"}},"db":{"image":"postgres:17"}`, nil, []Reach{{"web", false, []string{"web"}, []string{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.reach, placed(t, `{"services":{`+test.services+`}}`, test.change).Reach)
		})
	}
}

func TestTheLabelOfServersIsChecked(t *testing.T) {
	problems := func(services string) (all []string) {
		for _, one := range placed(t, `{"services":{`+services+`}}`, nil).Problems {
			all = append(all, one.Text)
		}
		return all
	}
	for _, sound := range []string{
		`"web":{"image":"x:1","labels":{"berth.servers":"all"}}`, `"web":{"image":"x:1","labels":{"berth.servers":"first"}}`, `"web":{"image":"postgres:17","labels":{"berth.servers":"first"}}`,
	} {
		assert.Empty(t, problems(sound), sound)
	}
	assert.Equal(t, []string{`service web has the label berth.servers: "every", which takes all or first [label-servers-invalid]; write: labels: {berth.servers: "all"}, or "first"`},
		problems(`"web":{"image":"x:1","labels":{"berth.servers":"every"}}`))
	assert.Len(t, problems(`"web":{"image":"x:1","labels":{"berth.servers":true}}`), 1)
	assert.Len(t, problems(`"web":{"image":"x:1","labels":{"berth.servers":2}}`), 1)
	assert.Equal(t, []string{`service db has the label berth.servers: "all", but runs on the first server alone, because it is persistent, because its image is postgres:17 [label-servers-all]; take the label out, or what ties the service to one server`},
		problems(`"web":{"image":"x:1"},"db":{"image":"postgres:17","labels":{"berth.servers":"all"}}`))
	assert.Equal(t, []string{"service web has the label berth.server, which does not exist [label-unknown]; the nearest is berth.servers, which takes all or first"},
		problems(`"web":{"image":"x:1","labels":{"berth.server":"all"}}`))
}

// TestTheDocumentSaysWhereServicesRun, as lists, and not why.
func TestTheDocumentSaysWhereServicesRun(t *testing.T) {
	read, err := ReadModel([]byte(`{"services":{"web":{"image":"x:1"},"db":{"image":"postgres:17"}}}`), nil)
	require.NoError(t, err)
	given := &Given{Source: "/src"}
	given.Routes = []Route{{Path: "/", Service: "web", Port: 80}}
	text, err := MakeDocument(read, given).Text("/src")
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	assert.Equal(t, []any{"web"}, document["spread"])
	assert.Equal(t, []any{map[string]any{"service": "db", "persistent": true, "names": []any{"db"}, "for": []any{"web"}}}, document["reach"])
	assert.NotContains(t, text, "a route uses it")
	// An image that declares a volume keeps its service on the first server.
	other := document["persistent"].(map[string]any)["web"].(map[string]any)
	assert.Equal(t, []any{}, other["spread"])
}

func TestPlacementIsATable(t *testing.T) {
	made := placed(t, `{"services":{"web":{"image":"x:1"},"worker":{"image":"x:1"},"db":{"image":"postgres:17"}}}`, nil)
	assert.Equal(t, []string{
		"db      first server  it is persistent, because its image is postgres:17",
		"web     every server  a route uses it",
		"worker  first server  no route uses it, and nothing that runs on every server depends on it",
	}, made.Placement())
	before := placed(t, `{"services":{"web":{"image":"x:1"},"old":{"image":"x:1"},"db":{"image":"postgres:17"}}}`, nil)
	assert.Equal(t, []string{
		"db      stays        first server  it is persistent, because its image is postgres:17, and recreated only if a variable of its changed",
		"old     stops                      it is no longer in the compose file; volumes stay",
		"web     is replaced  every server  it keeps no data: the new one starts beside it and takes over; runs there because a route uses it",
		"worker  starts       first server  it keeps no data, so every release replaces it; runs there because no route uses it, and nothing that runs on every server depends on it",
	}, made.ChangesOnServers(before))
}
