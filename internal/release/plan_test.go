package release

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"berth/internal/release/plan"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// planned plans services, given as JSON, for a release with a route from / to port 80 of web.
func planned(t *testing.T, model string, changes map[string]any) (made *Plan, whole map[string]any) {
	t.Helper()
	given := map[string]any{
		"commit": "c0ffee", "source": "/src", "binds": "/data/binds", "files": "/data/files",
		"trees": map[string]any{"/src": "t0", "/src/web": "t1", "/src/init.sql": "t2", "/src/uploads": ""}, "images": map[string]any{},
		"strategy": "blue-green", "migration": nil, "database": nil,
		"routes": []any{map[string]any{"path": "/", "service": "web", "port": 80, "health": ""}},
	}
	maps.Copy(given, changes)
	text, err := json.Marshal(given)
	require.NoError(t, err)
	var known plan.Given
	require.NoError(t, json.Unmarshal(text, &known))
	read, err := plan.ReadModel([]byte(model), known.Images)
	require.NoError(t, err)
	made = plan.Make(read, &known)
	text, err = json.Marshal(made)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &whole))
	return made, whole
}

// at walks into decoded JSON.
func at(value any, path ...string) any {
	for _, key := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[key]
	}
	return value
}

const web = `"web":{"build":{"context":"/src/web","dockerfile":"Dockerfile"},"networks":{"default":null},"restart":"always","healthcheck":{"test":["CMD","true"]}}`

func TestPlanTellsStatefulFromStateless(t *testing.T) {
	for name, test := range map[string]struct{ service, because string }{
		"named volume":                {`"image":"x:1","volumes":[{"type":"volume","source":"v","target":"/d"}]`, "it has the named volume v"},
		"named volume, marked not":    {`"image":"x:1","labels":{"berth.stateful":"false"},"volumes":[{"type":"volume","source":"v","target":"/d"}]`, ""},
		"marked":                      {`"image":"x:1","labels":{"berth.stateful":"true"}`, "it is labelled berth.stateful"},
		"anonymous volume":            {`"image":"x:1","volumes":[{"type":"volume","target":"/d"}]`, ""},
		"a database without a volume": {`"image":"docker.io/library/postgres:17"`, "its image is docker.io/library/postgres:17"},
		"a store by digest":           {`"image":"redis@sha256:abc"`, "its image is redis@sha256:abc"},
		"no store, just its client":   {`"image":"you/postgres-client:1"`, ""},
		"uncommitted files":           {`"image":"x:1","volumes":[{"type":"bind","source":"/src/uploads","target":"/d"}]`, "it keeps files in uploads"},
		"committed files":             {`"image":"x:1","volumes":[{"type":"bind","source":"/src/init.sql","target":"/d"}]`, ""},
		"the host's files":            {`"image":"x:1","volumes":[{"type":"bind","source":"/etc/localtime","target":"/d"}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			made, _ := planned(t, `{"services":{`+web+`,"other":{`+test.service+`}}}`, nil)
			assert.Equal(t, test.because, made.Because["other"])
			assert.Empty(t, made.Problems)
			if test.because == "" {
				assert.Contains(t, made.Stateless, "other")
			} else {
				assert.Equal(t, []string{"other"}, made.Stateful)
			}
		})
	}
}

func TestPlanTellsADatabaseFromItsClients(t *testing.T) {
	const (
		password = `,"environment":{"POSTGRES_PASSWORD":"p"}`
		files    = `,"volumes":[{"type":"volume","source":"media","target":"/media"}]`
		site     = `"web":{"image":"x:1"` + password + files + `},`
		worker   = `"worker":{"image":"x:1"` + password + files + `},`
	)
	database := func(image, target string) string {
		return `"db":{"image":"` + image + `"` + password + `,"volumes":[{"type":"volume","source":"v","target":"` + target + `"}]}`
	}
	for name, test := range map[string]struct{ services, databases string }{
		"an env file that all share":            {site + worker + database("postgres:17", "/elsewhere"), "db"},
		"the database's image is built":         {site + worker + database("shop-db:1", "/var/lib/postgresql/data"), "db"},
		"built, and its files in another place": {site + database("shop-db:1", "/elsewhere"), "db"},
		"the database is elsewhere":             {site + `"db":{"image":"x:1"}`, ""},
		"MySQL beside it":                       {worker + database("shop-db:1", "/var/lib/postgresql/data") + `,"web":{"image":"mysql:8","environment":{"POSTGRES_PASSWORD":"p"}}`, "db web"},
	} {
		_, whole := planned(t, `{"services":{`+test.services+`}}`, nil)
		var found, stores []string
		for _, one := range whole["databases"].([]any) {
			found = append(found, at(one, "service").(string))
		}
		for _, one := range whole["stores"].([]any) {
			stores = append(stores, one.(string))
		}
		assert.Equal(t, test.databases, strings.Join(found, " "), name)
		assert.Equal(t, test.databases, strings.Join(stores, " "), name)
	}
}

func TestPlanAdvisesWhatKeepsFiles(t *testing.T) {
	const media = `"volumes":[{"type":"volume","source":"media","target":"/media"}]`
	twice := func(name string) Advice {
		return Advice{Service: name, Key: "volumes", Text: name + " never runs twice, because it has the named volume media: a release that changes it stops it before the new one starts; if two may use its files at the same time, let it take over without a gap: labels: {berth.stateful: \"false\"}"}
	}
	made, _ := planned(t, `{"services":{
	  "web":{"build":{"context":"/src/web"},`+media+`},
	  "worker":{"build":{"context":"/src/web"},`+media+`},
	  "marked":{"build":{"context":"/src/web"},"restart":"always","labels":{"berth.stateful":"false"},`+media+`},
	  "meant":{"build":{"context":"/src/web"},"labels":{"berth.stateful":"true"},`+media+`},
	  "theirs":{"image":"x:1",`+media+`},
	  "db":{"build":{"context":"/src/web"},"environment":{"POSTGRES_PASSWORD":"p"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/postgresql/data"}]}}}`, nil)
	restart := func(name string) Advice {
		return Advice{Service: name, Key: "restart", Text: name + " has no restart policy, so it is started again whenever it ends, since it is persistent; add to it: restart: unless-stopped; or, if it is a job that runs once: restart: \"no\""}
	}
	assert.ElementsMatch(t, []Advice{
		twice("web"), twice("worker"), restart("worker"), restart("meant"), restart("theirs"),
		{Service: "web", Key: "healthcheck", Text: "web has no health check, so it counts as ready when it answers on its port; a healthcheck: in the compose file is surer"},
		{Service: "db", Key: "healthcheck", Text: "db has no health check, so nothing waits until it is ready; give it a healthcheck: and let others depend on it with condition: service_healthy"},
	}, made.Advice)
}

func TestPlanSplitsTheApp(t *testing.T) {
	made, whole := planned(t, `{"name":"app","networks":{"default":{"name":"app_default","ipam":{}},"back":{"name":"fixed","ipam":{"config":[{"subnet":"10.9.0.0/24"}]}}},
	  "volumes":{"v":{"name":"app_v"},"shared":{"name":"app_shared"}},
	  "services":{`+web+`,
	    "api":{"image":"registry.example.com/you/api:1","container_name":"my-api","networks":{"default":null,"back":{"aliases":["backend"]}},"ports":[{"target":8000,"published":"8000"}],"links":["db:database","web"],
	      "volumes":[{"type":"volume","source":"shared","target":"/s"}],"labels":{"berth.stateful":"false"},
	      "depends_on":{"db":{"condition":"service_healthy"},"migrate":{"condition":"service_completed_successfully"}}},
	    "migrate":{"image":"registry.example.com/you/api:1","restart":"no","networks":{"back":null},"depends_on":{"db":{"condition":"service_healthy"}}},
	    "db":{"image":"postgres:17","networks":{"back":null},"ports":[{"target":5432,"published":"5432"}],"volumes":[{"type":"volume","source":"v","target":"/d"},{"type":"bind","source":"/src/init.sql","target":"/i"}]}}}`, nil)
	assert.Equal(t, []string{"api", "migrate", "web"}, made.Stateless)
	assert.Equal(t, []string{"db"}, made.Stateful)

	app := at(whole, "app")
	assert.Equal(t, "\x00PROJECT", at(app, "name"), "the server gives it")
	assert.Equal(t, map[string]any{"migrate": map[string]any{"condition": "service_completed_successfully"}}, at(app, "services", "api", "depends_on"))
	assert.Equal(t, []any{"web"}, at(app, "services", "api", "links"))
	assert.Nil(t, at(app, "services", "api", "container_name"))
	assert.Equal(t, []any{"backend", "my-api"}, at(app, "services", "api", "networks", "back", "aliases"), "its name is still one on its networks")
	assert.Empty(t, at(app, "services", "api", "ports"), "nothing is published but what is routed")
	assert.Equal(t, []any{map[string]any{"mode": "ingress", "host_ip": "127.0.0.1", "target": 80.0, "published": "\x00PORT:web:80", "protocol": "tcp"}}, at(app, "services", "web", "ports"))
	assert.Equal(t, "unless-stopped", at(app, "services", "web", "restart"), "a kept release stays down when the server starts")
	assert.Equal(t, "no", at(app, "services", "migrate", "restart"))
	assert.Equal(t, "300ms", at(app, "services", "web", "healthcheck", "start_interval"))
	assert.Equal(t, map[string]any{"default": map[string]any{}, "back": map[string]any{}}, at(app, "networks"), "each release has networks of its own")
	assert.Equal(t, map[string]any{"shared": map[string]any{"name": "app_shared", "external": true}}, at(app, "volumes"))
	assert.Nil(t, at(app, "services", "web", "build"))

	db := at(whole, "data", "services", "db")
	assert.Equal(t, "/data/files/t2", db.(map[string]any)["volumes"].([]any)[1].(map[string]any)["source"], "a committed file is found by its content")
	assert.Empty(t, at(db, "ports"))
	assert.Equal(t, map[string]any{}, at(db, "labels"), "the release is no part of what it is")
	assert.Equal(t, []any{map[string]any{"source": "/src/init.sql", "hash": "t2"}}, at(whole, "files"))
	assert.Equal(t, []any{map[string]any{"service": "db", "network": "back", "aliases": []any{"database", "db"}}}, at(whole, "join"))
	assert.Equal(t, []any{map[string]any{"service": "db", "kind": "postgres"}}, at(whole, "databases"))
	assert.Empty(t, made.Problems)
	text := advised(made)
	assert.Contains(t, text, "api container_name: the container_name my-api of api")
	assert.Contains(t, text, "db ports: the published ports of db stay closed")
}

func TestPlanKeepsTheLoopbackPortOfARoutedStatefulService(t *testing.T) {
	for service, of := range map[string]string{`"volumes":[{"type":"volume","source":"v","target":"/d"}]`: "kept", `"network_mode":"host"`: "host", `"restart":"always"`: "release"} {
		made, _ := planned(t, `{"services":{"web":{"image":"x:1",`+service+`}}}`, map[string]any{"strategy": "stop-first"})
		assert.Equal(t, []plan.Port{{Service: "web", Port: 80, Of: of}}, made.Ports)
	}
}

func TestPlanBuildsEqualContentOnce(t *testing.T) {
	build := func(more string) string {
		return `{"services":{"web":{"image":"mine","build":{"context":"/src/web","dockerfile":"Dockerfile"` + more + `}},"worker":{"image":"mine"}}}`
	}
	material := func(model string, changes map[string]any) string {
		made, _ := planned(t, model, changes)
		require.Len(t, made.Builds, 1)
		assert.Equal(t, []string{"web", "worker"}, made.Builds[0].Services)
		assert.Empty(t, made.Pulls)
		return made.Builds[0].Material
	}
	same := material(build(""), nil)
	assert.Equal(t, same, material(build(""), map[string]any{"commit": "another"}), "a commit that leaves the folder alone builds nothing")
	assert.NotEqual(t, same, material(build(`,"args":{"A":"1"}`), nil))
	assert.NotEqual(t, same, material(build(""), map[string]any{"trees": map[string]any{"/src/web": "t9"}}))
	assert.NotEqual(t, same, material(build(`,"additional_contexts":{"x":"/src/y"}`), nil), "what git does not tell is built for every commit")
}

func TestPlanNamesWhatCannotBeReleased(t *testing.T) {
	for problem, test := range map[string]struct {
		services string
		changes  map[string]any
	}{
		"route / names service web, which the compose file does not have [route-to-unknown-service]; it has: api": {`"api":{"image":"x:1"}`, nil},
		"the compose file has no service that runs":                                                               {``, nil},
		"berth:migration names service nowhere":                                                                   {web, map[string]any{"migration": map[string]any{"service": "nowhere", "command": "x"}}},
		"berth:images names service nowhere":                                                                      {web, map[string]any{"images": map[string]any{"nowhere": "x:1"}}},
		"service web uses the host's network":                                                                     {`"web":{"image":"x:1","network_mode":"host"}`, nil},
		"uses the network of a container by name":                                                                 {web + `,"a":{"image":"x:1","network_mode":"container:b"}`, nil},
		"only one of them is stateful":                                                                            {web + `,"a":{"image":"x:1","network_mode":"service:db"},"db":{"image":"postgres:17"}`, nil},
		"has a fixed address":                                                                                     {web + `,"a":{"image":"x:1","networks":{"n":{"ipv4_address":"10.0.0.2"}}}`, nil},
		"uses volumes_from":                                                                                       {web + `,"a":{"image":"x:1","volumes_from":["b"]}`, nil},
		"has neither an image nor a build":                                                                        {`"web":{}`, nil},
	} {
		made, _ := planned(t, `{"services":{`+test.services+`}}`, test.changes)
		assert.Contains(t, problemsOf(made), problem)
	}
	made, whole := planned(t, `{"services":{"web":{"image":"x:1","network_mode":"host"}}}`, map[string]any{"strategy": "stop-first"})
	assert.Empty(t, made.Problems)
	assert.Equal(t, "host", whole["ports"].([]any)[0].(map[string]any)["of"])
}

func TestImagesFromElsewhereReplaceABuild(t *testing.T) {
	made, _ := planned(t, `{"services":{`+web+`}}`, map[string]any{"images": map[string]any{"web": "registry.example.com/you/web@sha256:abc"}})
	assert.Empty(t, made.Builds)
	require.Len(t, made.Pulls, 1)
	assert.Equal(t, "registry.example.com/you/web@sha256:abc", made.Pulls[0].Reference)
	assert.Empty(t, made.Advice)
}

// TestChangesAreATable with a line for each service.
func TestChangesAreATable(t *testing.T) {
	before, _ := planned(t, `{"services":{`+web+`,"db":{"image":"postgres:16"},"cache":{"image":"redis:7"},"old":{"image":"x:1"}}}`, nil)
	after, _ := planned(t, `{"services":{`+web+`,"db":{"image":"postgres:17"},"cache":{"image":"redis:7"},"queue":{"image":"rabbitmq:4"},"worker":{"image":"x:1"}}}`, nil)
	assert.Equal(t, []string{
		"cache   stays                     it is persistent, because its image is redis:7, and recreated only if a variable of its changed",
		"db      is STOPPED AND RECREATED  its definition changed, and what needs it waits; it is persistent, because its image is postgres:17",
		"old     stops                     it is no longer in the compose file; volumes stay",
		"queue   starts                    it is persistent, because its image is rabbitmq:4",
		"web     is replaced               it keeps no data: the new one starts beside it and takes over",
		"worker  starts                    it keeps no data, so every release replaces it",
	}, after.Changes(before))
	alone, _ := planned(t, `{"services":{`+web+`,"worker":{"image":"x:2","labels":{"berth.overlap":"false"}}}}`, nil)
	assert.Equal(t, []string{"worker"}, alone.Alone)
	const stops = "worker  is replaced  it is stopped before the new one starts, because berth.overlap is false"
	assert.Contains(t, alone.Changes(after), stops)
	assert.Contains(t, after.Changes(alone), stops, "the old one says so")
	assert.Contains(t, alone.Changes(nil), "worker  starts  it keeps no data, so every release replaces it")
	assert.Equal(t, []string{"web  starts  it keeps no data, so every release replaces it"}, func() []string {
		only, _ := planned(t, `{"services":{`+web+`}}`, nil)
		return only.Changes(nil)
	}())
}

// advised is a plan's advice, one per line: service, key, sentence.
func advised(made *Plan) string {
	var lines []string
	for _, advice := range made.Advice {
		lines = append(lines, advice.Service+" "+advice.Key+": "+advice.Text)
	}
	return strings.Join(lines, "\n")
}

func TestPlanAdvises(t *testing.T) {
	healthy := `,"healthcheck":{"test":["CMD","true"]},"restart":"always"`
	web := `"web":{"image":"x:1"` + healthy + `}`
	for _, c := range []struct{ services, advice string }{
		{`"web":{"image":"x:1"}`, "web healthcheck: web has no health check, so it counts as ready"},
		{web + `,"db":{"image":"postgres:17"}`, "db healthcheck: db has no health check, so nothing waits"},
		{web + `,"worker":{"image":"x:1"}`, "worker restart: worker has no restart policy"},
		{web + `,"other":{"image":"x"` + healthy + `}`, "other image: the image x of other can be another one tomorrow"},
		{web + `,"other":{"image":"x:latest"` + healthy + `}`, "other image: the image x:latest of other"},
		{web + `,"other":{"image":"x:1","volumes":[{"type":"volume","target":"/v"}]` + healthy + `}`, "other volumes: other has an anonymous volume at /v"},
		{`"web":{"build":{"context":"/src/web"},"volumes":[{"type":"bind","source":"/src/web","target":"/app"}]` + healthy + `}`, "web volumes: web mounts committed files over what its image holds at /app"},
		{`"web":{"build":{"context":"/src/web"},"volumes":[{"type":"bind","source":"/src/web/src","target":"/app"}]` + healthy + `}`, "web volumes: web mounts committed files"},
		{web + `,"tick":{"image":"mcuadros/ofelia:0.3","restart":"always"}`, "tick image: tick looks like a scheduler"},
		{web + `,"tick":{"image":"x:1","restart":"always","command":["/usr/sbin/crond","-f"]}`, "tick image: tick looks like a scheduler"},
		{web + `,"tick":{"image":"x:1","restart":"always","entrypoint":["cron","-f"]}`, "pulumi config set --path 'berth:jobs[0].name' NAME"},
	} {
		made, _ := planned(t, `{"services":{`+c.services+`}}`, map[string]any{"trees": map[string]any{"/src/web": "t1", "/src/web/src": "t2", "/src/conf": "t3"}})
		assert.Contains(t, advised(made), c.advice)
		assert.Len(t, made.Advice, 1, "%s", advised(made))
	}
	quiet := web + `,"api":{"build":{"context":"/src/web"},"volumes":[{"type":"bind","source":"/src/conf","target":"/etc/conf"}],"depends_on":{"once":{"condition":"service_completed_successfully"}}` + healthy +
		`},"once":{"image":"x:1"},"db":{"image":"postgres:17","healthcheck":{"test":["CMD","true"]}}`
	made, _ := planned(t, `{"services":{`+quiet+`}}`, map[string]any{"trees": map[string]any{"/src/web": "t1", "/src/conf": "t3"}})
	assert.Empty(t, advised(made))
}

// TestStoresAreKnownByTheirImages, however it comes; what only talks to one is none.
func TestStoresAreKnownByTheirImages(t *testing.T) {
	stores := strings.Fields(`postgres:17 docker.io/library/postgres@sha256:abc localhost:5000/a/b/postgres bitnami/postgresql-repmgr:17 timescale/timescaledb-ha:pg17 tensorchord/pgvecto-rs:pg17 supabase/postgres:15
		mcr.microsoft.com/mssql/server:2022-latest mcr.microsoft.com/azure-sql-edge:1 mongodb/mongodb-community-server:8.0-ubi9 redis/redis-stack:7 redis/redis-stack-server redislabs/redismod percona/percona-server:8 percona/percona-server-mongodb:7
		neo4j:5 cockroachdb/cockroach:v24 qdrant/qdrant:v1 typesense/typesense:27.0 apache/kafka:3 confluentinc/cp-kafka:7 bitnami/kafka redpandadata/redpanda:v24 nats:2 quay.io/coreos/etcd:v3 bitnami/etcd surrealdb/surrealdb:v2
		docker.dragonflydb.io/dragonflydb/dragonfly ghcr.io/microsoft/garnet geldata/gel:6 gvenzl/oracle-free:23 container-registry.oracle.com/database/free:23 victoriametrics/victoria-metrics:v1 questdb/questdb:8 influxdb2:2 you/shop-db:1 cloudamqp/lavinmq
		REDIS:7 elasticsearch:8 docker.elastic.co/elasticsearch/elasticsearch:8 clickhouse/clickhouse-server:24 minio/minio:latest eclipse-mosquitto:2`)
	others := strings.Fields(`nginx:1 you/postgres-client:1 prometheuscommunity/postgres-exporter mongo-express:1 oliver006/redis_exporter rediscommander/redis-commander provectuslabs/kafka-ui minio/mc supabase/postgres-meta:1 dpage/pgadmin4
		postgrest/postgrest:v12 phpmyadmin:5 adminer prodrigestivill/postgres-backup-local natsio/nats-box mcr.microsoft.com/mssql-tools postgres.example.com/you/web:1 redis/app:1 you/web:postgres memcached:1 ghcr.io/you/server:1`)
	for _, image := range stores {
		made, _ := planned(t, `{"services":{`+web+`,"other":{"image":"`+image+`"}}}`, nil)
		assert.Equal(t, "its image is "+image, made.Because["other"])
		assert.Equal(t, []string{"other"}, made.Stores, image)
	}
	for _, image := range others {
		made, _ := planned(t, `{"services":{`+web+`,"other":{"image":"`+image+`"}}}`, nil)
		assert.Empty(t, made.Because, image)
	}
}

// TestPlanKeepsRestartPolicies: what the file says stays, but that nothing of a kept release starts at a boot.
func TestPlanKeepsRestartPolicies(t *testing.T) {
	const data = `,"volumes":[{"type":"volume","source":"v","target":"/v"}]`
	for _, test := range []struct {
		service string
		want    any
	}{
		{`"image":"x:1","restart":"always"`, "unless-stopped"},
		{`"image":"x:1"`, nil},
		{`"image":"x:1","restart":"no"` + data, "no"},
		{`"image":"x:1"` + data, "unless-stopped"},
		{`"image":"x:1","labels":{"berth.stateful":"true"}`, "unless-stopped"},
		{`"image":"x:1","restart":"on-failure:3"` + data, "on-failure:3"},
		{`"image":"postgres:17"`, "unless-stopped"},
		{`"image":"postgres:17","restart":"no"`, "no"},
		{`"image":"x:1","deploy":{"restart_policy":{"condition":"any"}}`, "unless-stopped"},
		{`"image":"x:1","restart":"no","deploy":{"restart_policy":{}}`, "unless-stopped"},
		{`"image":"x:1","restart":"always","deploy":{"restart_policy":{"condition":"none"}}` + data, "no"},
		{`"image":"x:1","deploy":{"restart_policy":{"condition":"on-failure"}}`, "on-failure"},
		{`"image":"x:1","deploy":{"restart_policy":{"condition":"on-failure","max_attempts":4}}` + data, "on-failure:4"},
	} {
		_, whole := planned(t, `{"services":{`+web+`,"other":{`+test.service+`}}}`, nil)
		project := "app"
		if at(whole, "data", "services", "other") != nil {
			project = "data"
		}
		assert.Equal(t, test.want, at(whole, project, "services", "other", "restart"), test.service)
		assert.Nil(t, at(whole, project, "services", "other", "deploy", "restart_policy"), test.service)
	}
	_, whole := planned(t, `{"services":{"web":{"image":"x:1"}}}`, nil)
	assert.Equal(t, "unless-stopped", at(whole, "app", "services", "web", "restart"), "what a route uses runs all the time")
	made, _ := planned(t, `{"services":{`+web+`,"worker":{"image":"x:1","deploy":{"restart_policy":{"condition":"any"}}},"job":{"image":"x:1","restart":"no"}}}`, nil)
	assert.NotContains(t, advised(made), "restart")
}

// TestPlanKeepsTheOrderOfJobs: what a stateful service waits for is in its project, with all that says when.
func TestPlanKeepsTheOrderOfJobs(t *testing.T) {
	made, whole := planned(t, `{"services":{"web":{"image":"x:1","restart":"always","volumes":[{"type":"volume","source":"v","target":"/v"}],"depends_on":{"migrate":{"condition":"service_completed_successfully","required":true}}},
	  "migrate":{"image":"x:1","depends_on":{"db":{"condition":"service_healthy","required":true}}},"db":{"image":"postgres:17"},
	  "worker":{"image":"x:1","restart":"always","depends_on":{"migrate":{"condition":"service_completed_successfully","required":true}}}}}`, nil)
	assert.Empty(t, made.Problems)
	assert.Equal(t, []string{"db", "migrate", "web"}, made.Stateful)
	assert.Equal(t, []string{"worker"}, made.Stateless)
	assert.Contains(t, at(whole, "data", "services", "web", "depends_on"), "migrate")
	assert.Contains(t, at(whole, "data", "services", "migrate", "depends_on"), "db")
	assert.Nil(t, at(whole, "data", "services", "migrate", "restart"))
	assert.Equal(t, []any{"migrate"}, at(whole, "once"), "the worker waits until it has ended")
}

// TestPlanHeedsVolumesOfImages, as the server finds them in what it built and pulled.
func TestPlanHeedsVolumesOfImages(t *testing.T) {
	volumes := map[string]any{"image_volumes": map[string]any{"other": []any{"/var/www/html", "/tmp"}}}
	for service, because := range map[string]string{
		`"image":"wordpress:6"`: "its image declares the volume /var/www/html",
		`"image":"wordpress:6","volumes":[{"type":"bind","source":"/src/web","target":"/var/www/html"}]`:               "",
		`"image":"wordpress:6","volumes":[{"type":"tmpfs","target":"/var/www/html/"}]`:                                 "",
		`"image":"wordpress:6","tmpfs":["/var/www/html"]`:                                                              "",
		`"image":"wordpress:6","labels":{"berth.stateful":"false"}`:                                                    "",
		`"image":"wordpress:6","volumes":[{"type":"volume","target":"/var/www/html"}]`:                                 "its image declares the volume /var/www/html",
		`"image":"wordpress:6","volumes":[{"type":"bind","source":"/src/web","target":"/var/www","read_only":true}]`:   "its image declares the volume /var/www/html",
		`"image":"wordpress:6","volumes":[{"type":"volume","source":"v","target":"/var/www/html"}],"restart":"always"`: "it has the named volume v",
	} {
		made, _ := planned(t, `{"services":{`+web+`,"other":{`+service+`}}}`, volumes)
		assert.Equal(t, because, made.Because["other"], service)
	}
}

func TestPlanTellsRemoteContextsApart(t *testing.T) {
	made, _ := planned(t, `{"services":{"web":{"build":{"context":"https://example.com/a/web.git"}},"api":{"build":{"context":"https://example.com/b/api.git"}},"far":{"build":{"context":"git@example.com:c.git"}}}}`,
		map[string]any{"source": "/data/releases/0123456789ab-abcdef/source"})
	require.Len(t, made.Builds, 3)
	materials := map[string]bool{}
	for _, build := range made.Builds {
		materials[build.Material] = true
	}
	assert.Len(t, materials, 3)
}
