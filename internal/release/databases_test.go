package release

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPlanKnowsKindsOfDatabases: by the image, and Redis by keeping something at all.
func TestPlanKnowsKindsOfDatabases(t *testing.T) {
	const kept = `,"volumes":[{"type":"volume","source":"v","target":"/data"}]`
	for service, kind := range map[string]string{
		`"image":"redis:7"` + kept:                               "redis",
		`"image":"docker.io/bitnami/valkey:8.0"` + kept:          "redis",
		`"image":"eqalpha/keydb:latest"` + kept:                  "redis",
		`"image":"redis:7"`:                                      "",
		`"image":"redis/redis-stack-server:7"` + kept:            "",
		`"image":"rediscommander/redis-commander:latest"` + kept: "",
		`"image":"mongo:8"` + kept:                               "mongo",
		`"image":"percona/percona-server-mongodb:7"` + kept:      "mongo",
		`"image":"mongo-express:1"` + kept:                       "",
		`"image":"mariadb:11"` + kept:                            "mysql",
		`"image":"shop-db:1","environment":{"POSTGRES_HOST_AUTH_METHOD":"trust"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/postgresql/data"}]`: "postgres",
		`"image":"shop-db:1","environment":{"MYSQL_ALLOW_EMPTY_PASSWORD":"yes"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/mysql"}]`:            "mysql",
		`"image":"shop-db:1","environment":{"MARIADB_ROOT_PASSWORD_FILE":"/run/secrets/p"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/mysql"}]`: "mysql",
		`"image":"shop-web:1","environment":{"MYSQL_PASSWORD":"p"},"volumes":[{"type":"volume","source":"v","target":"/var/lib/mysql-files"}]`:                   "",
	} {
		_, whole := planned(t, `{"services":{`+web+`,"other":{`+service+`}},"volumes":{"v":{"name":"app_v"}}}`, nil)
		found := ""
		for _, one := range whole["databases"].([]any) {
			found += at(one, "kind").(string)
		}
		assert.Equal(t, kind, found, service)
	}
}

// TestPlanKnowsDatabasesThatAreBuilt here: by the program that the container starts, or by what the image is built on.
func TestPlanKnowsDatabasesThatAreBuilt(t *testing.T) {
	const debian = "FROM debian:13-slim\nRUN apt-get install redis-server mongodb\n"
	for _, test := range []struct{ dockerfile, service, kind string }{
		{debian + `CMD ["redis-server", "--appendonly", "yes"]`, "", "redis"},
		{debian + `ENTRYPOINT ["/usr/bin/valkey-server"]` + "\n" + `CMD ["/etc/valkey.conf"]`, "", "redis"},
		{debian + "CMD mongod --bind_ip_all", "", "mongo"},
		{"FROM redis:7\nCOPY redis.conf /etc/\n", "", "redis"},
		{"FROM mongo:8 AS base\nFROM base\nCOPY init.js /docker-entrypoint-initdb.d/\n", "", "mongo"},
		{debian, `,"command":["redis-server","/etc/redis.conf"]`, "redis"},
		// What only has the tools.
		{debian + `CMD ["python3", "worker.py"]`, "", ""},
		{"FROM mongo:8\n" + `CMD ["backup.sh"]`, "", ""},
		{"FROM redis:7\n", `,"command":["sh","backup.sh"]`, ""},
		{debian + `CMD ["redis-server"]`, `,"command":["python3","worker.py"]`, ""},
		{debian, "", ""},
	} {
		model := `{"services":{` + web + `,"other":{"build":{"context":"/src/web"},"volumes":[{"type":"volume","source":"v","target":"/data"}]` + test.service + `}},"volumes":{"v":{"name":"app_v"}}}`
		_, whole := planned(t, model, map[string]any{"dockerfiles": map[string]any{"other": test.dockerfile}})
		found := ""
		for _, one := range whole["databases"].([]any) {
			found += at(one, "kind").(string)
		}
		assert.Equal(t, test.kind, found, "%s %s", test.dockerfile, test.service)
	}
	_, whole := planned(t, `{"services":{`+web+`,"other":{"build":{"context":"/src/web"}}}}`, map[string]any{"dockerfiles": map[string]any{"other": "FROM redis:7\n"}})
	assert.Empty(t, whole["databases"], "a cache keeps nothing")
}

// TestPlanSaysWhereSQLiteFilesMayBe: in what is no database's own, and each volume once.
func TestPlanSaysWhereSQLiteFilesMayBe(t *testing.T) {
	_, whole := planned(t, `{"services":{`+web+`,
	  "app":{"image":"x:1","volumes":[{"type":"volume","source":"storage","target":"/s"},{"type":"volume","source":"read","target":"/r","read_only":true},{"type":"bind","source":"/src/kept","target":"/k"},{"type":"volume","target":"/nameless"}]},
	  "jobs":{"image":"x:1","volumes":[{"type":"volume","source":"storage","target":"/s"},{"type":"volume","source":"dumps","target":"/d"}]},
	  "db":{"image":"postgres:17","volumes":[{"type":"volume","source":"db-data","target":"/var/lib/postgresql/data"}]},
	  "queue":{"image":"rabbitmq:4","volumes":[{"type":"volume","source":"queue","target":"/q"}]},
	  "backup":{"image":"y:1","volumes":[{"type":"volume","source":"db-data","target":"/d"}]}},
	  "volumes":{"storage":{"name":"app_storage"},"read":{"name":"app_read"},"dumps":{"name":"elsewhere"},"db-data":{"name":"app_db-data"},"queue":{"name":"app_queue"}}}`, nil)
	text := fmt.Sprint(whole["sqlite"])
	assert.Contains(t, text, "service:app volumes:[")
	assert.Contains(t, text, "app_storage")
	assert.Contains(t, text, "/kept")
	assert.Contains(t, text, "map[service:jobs volumes:[elsewhere]]")
	for _, other := range []string{"app_read", "app_db-data", "app_queue", "backup"} {
		assert.NotContains(t, text, other)
	}
}

// TestPlanRefusesARootPasswordThatNobodyKnows, in the first preview, with both ways out.
func TestPlanRefusesARootPasswordThatNobodyKnows(t *testing.T) {
	for environment, variable := range map[string]string{
		`"MYSQL_RANDOM_ROOT_PASSWORD":"1"`:                               "MYSQL_RANDOM_ROOT_PASSWORD",
		`"MARIADB_RANDOM_ROOT_PASSWORD":"yes"`:                           "MARIADB_RANDOM_ROOT_PASSWORD",
		`"MYSQL_RANDOM_ROOT_PASSWORD":true`:                              "MYSQL_RANDOM_ROOT_PASSWORD",
		`"MYSQL_RANDOM_ROOT_PASSWORD":"no","MYSQL_ROOT_PASSWORD":"p"`:    "MYSQL_RANDOM_ROOT_PASSWORD",
		`"MARIADB_ROOT_PASSWORD_HASH":"*AB"`:                             "MARIADB_ROOT_PASSWORD_HASH",
		`"MARIADB_ROOT_PASSWORD_HASH":"*AB","MARIADB_ROOT_PASSWORD":"p"`: "",
		`"MYSQL_RANDOM_ROOT_PASSWORD":"","MYSQL_ROOT_PASSWORD":"p"`:      "",
		`"MYSQL_ALLOW_EMPTY_PASSWORD":"1"`:                               "",
		`"MYSQL_ROOT_PASSWORD_FILE":"/run/secrets/p","MYSQL_USER":"app"`: "",
	} {
		model := `{"services":{` + web + `,"db":{"image":"mysql:8","environment":{` + environment + `}}}}`
		made, _ := planned(t, model, nil)
		if variable == "" {
			assert.Empty(t, made.Problems, environment)
			continue
		}
		if assert.Len(t, made.Problems, 1, environment) {
			assert.Contains(t, made.Problems[0].Text, "service db has "+variable+", so its root password is unknown")
			assert.Contains(t, made.Problems[0].Text, "pulumi config set --path berth:database.service db")
		}
		made, _ = planned(t, model, map[string]any{"database": map[string]any{"service": "db", "dump": "x", "restore": "y"}})
		assert.Empty(t, made.Problems, environment)
	}
}
