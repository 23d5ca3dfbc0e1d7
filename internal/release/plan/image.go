package plan

import (
	"regexp"
	"slices"
	"strings"
)

var (
	imageDigest = regexp.MustCompile(`@.*$`)
	imageTag    = regexp.MustCompile(`:[^:]*$`)
	noWord      = regexp.MustCompile(`[^a-z0-9]+`)
	version     = regexp.MustCompile(`[0-9]+$`)
)

// imageName is an image's name: of the last path element, without tag and digest.
func imageName(image string) string {
	name := imageDigest.ReplaceAllString(strings.ToLower(image), "")
	return imageTag.ReplaceAllString(name[strings.LastIndex(name, "/")+1:], "")
}

// words are those of a name, as they are and without a version's digits.
func words(name string) (all []string) {
	for _, word := range noWord.Split(name, -1) {
		if word != "" {
			all = append(all, word, version.ReplaceAllString(word, ""))
		}
	}
	return all
}

func hasWord(words []string, these ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(these, word) })
}

// A database, a broker or a store of objects: a word says so, or how it ends (…db, …sql, …mq). What only talks to one
// carries its name, too, with a word for what it does.
var (
	companions = strings.Fields(`
		adapter admin agent api app backup backups bench benchmark bouncer box bridge browser checker cli client commander connect connector console consumer
		cron curator dashboard dashboards demo dump exporter express frontend gateway gui head hq importer init insight job listener loader manager mc mcp
		meta migrate migration migrations migrator monitor operator perf pool pooler producer proxy publisher reaper relay replicator rest restore router
		scraper sdk seed seeder setup shell sidecar sink site subscriber surveyor sync test tests tool tools top ui viewer wait web webui worker xtrabackup`)
	stores = strings.Fields(`
		activemq aerospike arango arangodb artemis azurite beanstalkd cassandra ceph chroma citus clickhouse cockroach consul couchbase couchdb crate dgraph
		dolt doris dragonfly dragonflydb druid edgedb elasticsearch emqx etcd eventstore firebird foundationdb fuseki garage garnet gel greenplum hbase hivemq
		ignite immudb influxdb kafka keydb kvrocks libsql manticore manticoresearch mariadb marqo meilisearch memgraph milvus minio mongo mongodb mosquitto
		mssql mysql nats neo4j nsq nsqd openldap opensearch oracle percona pgvecto pgvector pinot pocketbase postgis postgres postgresql pulsar qdrant
		quickwit rabbitmq ravendb redis redisearch redisgraph redismod redpanda rejson rethinkdb risingwave rqlite rustfs scylla seaweedfs solr sqlserver
		starrocks surrealdb tarantool timescale timescaledb tidb tikv typesense valkey vchord vernemq vespa virtuoso weaviate yugabyte zincsearch zookeeper`)
	storeEnding = regexp.MustCompile(`[a-z](db|sql|mq)$`)
	storeName   = regexp.MustCompile(`^victoria-?(metrics|logs|traces)|(^|-)sql-edge$|(^|[-_])(db|database)$`)
	// Some makers put the product's name before the last element.
	storePath = regexp.MustCompile(`(^|/)mssql(/rhel)?/server([:@]|$)|oracle\.com/database/`)
	// proxies are known by their images or their names.
	proxies = strings.Fields(`angie apache apisix caddy envoy gateway haproxy httpd ingress kong nginx openresty proxy swag traefik varnish`)
)

// knownStore says whether an image keeps data in a format of its own.
func knownStore(image string) bool {
	if storePath.MatchString(strings.ToLower(image)) {
		return true
	}
	name := imageName(image)
	all := words(name)
	if len(all) == 0 || hasWord(all, companions...) {
		return false
	}
	return hasWord(all, stores...) || slices.ContainsFunc(all, storeEnding.MatchString) || storeName.MatchString(name)
}

// kindByImage is the kind of a database that an image is, "" for none that is known.
func kindByImage(image string) string {
	all := words(imageName(image))
	switch {
	case !knownStore(image):
	case hasWord(all, "mongo", "mongodb"):
		return "mongo"
	case hasWord(all, "postgres", "postgresql", "postgis", "timescaledb", "pgvector", "pgvecto"):
		return "postgres"
	case hasWord(all, "mysql", "mariadb", "percona"):
		return "mysql"
	// Redis' modules keep what Redis alone cannot read.
	case hasWord(all, "redis", "valkey", "keydb") && !hasWord(all, "stack", "sentinel", "cluster"):
		return "redis"
	}
	return ""
}
