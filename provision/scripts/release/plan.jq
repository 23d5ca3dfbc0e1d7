# Plans a release: takes Compose's normalised model of the app and what is given about this server, and splits the app
# into the project of this release and the project "app", which persists across releases.
#
# Input: [model, given]. model is what `docker compose config --format json` prints. given has
#   id        the release                        commit   its commit
#   source    its checkout, an absolute path     trees    {absolute path: hash of the committed content, "" for none}
#   routes    [{path, service, port, health}]    base     the first loopback port of this release
#   ports     {"service:port": loopback port} of routed stateful services, as they are now
#   binds     where uncommitted files are kept   files    where committed files of stateful services are kept
#   links     the commit's symbolic links, by their paths in the checkout
#   images    {service: reference} that replace what the compose file says
#   strategy  "blue-green" or "stop-first"           folders  those of trees that are folders
#   root      the folder that holds the checkout: what lies in it and not in the checkout was reached by ".."
#   dockerfiles    {service: text of its Dockerfile}
#   image_volumes  {service: [path]}, the volumes that the images themselves declare, as far as they are known
#   migration {service, command} or null         database {service, dump, restore} or null
#   allow     what berth:allow names
# Output: {id, problems, advice, because, stateful, stateless, builds, pulls, files, mountpoints, volumes, app, data, join,
# routes, ports, stores, databases, sqlite}. app and data are compose files, problems are sentences, advice is of {service, key, text}.

# An image's name by its words: of the last path element, without tag and digest, as it is and without a version's digits.
def name_of_image: ascii_downcase | sub("@.*$"; "") | split("/")[-1] // "" | sub(":[^:]*$"; "");
def words: [splits("[^a-z0-9]+") | select(. != "") | ., sub("[0-9]+$"; "")];
def has_word($these): any(.[]; IN($these[]));

# A database, a broker or a store of objects: a word says so, or how it ends (…db, …sql, …mq). What only talks to one
# carries its name, too, with a word for what it does.
def companions: ["adapter", "admin", "agent", "api", "app", "backup", "backups", "bench", "benchmark", "bouncer", "box", "bridge", "browser", "checker", "cli", "client", "commander",
  "connect", "connector", "console", "consumer", "cron", "curator", "dashboard", "dashboards", "demo", "dump", "exporter", "express", "frontend", "gateway", "gui", "head", "hq", "importer", "init",
  "insight", "job", "listener", "loader", "manager", "mc", "mcp", "meta", "migrate", "migration", "migrations", "migrator", "monitor", "operator", "perf", "pool", "pooler", "producer", "proxy",
  "publisher", "reaper", "relay", "replicator", "rest", "restore", "router", "scraper", "sdk", "seed", "seeder", "setup", "shell", "sidecar", "sink", "site", "subscriber", "surveyor", "sync", "test",
  "tests", "tool", "tools", "top", "ui", "viewer", "wait", "web", "webui", "worker", "xtrabackup"];
def stores: ["activemq", "aerospike", "arango", "arangodb", "artemis", "azurite", "beanstalkd", "cassandra", "ceph", "chroma", "citus", "clickhouse", "cockroach", "consul", "couchbase", "couchdb", "crate",
  "dgraph", "dolt", "doris", "dragonfly", "dragonflydb", "druid", "edgedb", "elasticsearch", "emqx", "etcd", "eventstore", "firebird", "foundationdb", "fuseki", "garage", "garnet", "gel", "greenplum",
  "hbase", "hivemq", "ignite", "immudb", "influxdb", "kafka", "keydb", "kvrocks", "libsql", "manticore", "manticoresearch", "mariadb", "marqo", "meilisearch", "memgraph", "milvus", "minio", "mongo",
  "mongodb", "mosquitto", "mssql", "mysql", "nats", "neo4j", "nsq", "nsqd", "openldap", "opensearch", "oracle", "percona", "pgvecto", "pgvector", "pinot", "pocketbase", "postgis", "postgres",
  "postgresql", "pulsar", "qdrant", "quickwit", "rabbitmq", "ravendb", "redis", "redisearch", "redisgraph", "redismod", "redpanda", "rejson", "rethinkdb", "risingwave", "rqlite", "rustfs", "scylla",
  "seaweedfs", "solr", "sqlserver", "starrocks", "surrealdb", "tarantool", "timescale", "timescaledb", "tidb", "tikv", "typesense", "valkey", "vchord", "vernemq", "vespa", "virtuoso", "weaviate", "yugabyte",
  "zincsearch", "zookeeper"];
def known_store:
  name_of_image as $name | ($name | words) as $words
  # Some makers put the product's name before the last element.
  | if ascii_downcase | test("(^|/)mssql(/rhel)?/server([:@]|$)|oracle\\.com/database/") then true
    elif $words == [] or ($words | has_word(companions)) then false
    else ($words | has_word(stores)) or any($words[]; test("[a-z](db|sql|mq)$"))
      or ($name | test("^victoria-?(metrics|logs|traces)|(^|-)sql-edge$|(^|[-_])(db|database)$")) end;

# Label values are texts, whatever YAML made of them.
def text_label($name): (.labels // {})[$name] // "" | tostring;

def below($folder): . == $folder or startswith($folder + "/");
def committed($given): ($given.trees[.] // "") != "";
# By ".." one gets from the checkout into the folder that holds it, where nothing of the app can be.
def leads_out($given): ($given.root // "") != "" and below($given.root) and (below($given.source) | not);
def relative($base): split("/") as $path | ($base | split("/")) as $from
  | (first(range(0; $from | length) | select($from[.] != $path[.])) // ($from | length)) as $n
  | [range($n; $from | length) | ".."] + $path[$n:] | join("/");
# What a container mounts from the checkout though the commit does not hold it is data.
def data_bind($given): .type == "bind" and (.source | below($given.source)) and (.source | committed($given) | not);
# So are the server's own files that it may write, but for sockets, devices and what the system itself keeps there.
def server_bind($given): .type == "bind" and (.source | (below($given.source) or leads_out($given)
    or test("\\.sock(et)?$|^/+(var/)?run(/|$)|^/+(dev|proc|sys)(/|$)|^/+tmp/\\.X11-unix|^/+etc/(localtime|timezone)$|^/+usr/share/zoneinfo|^/+(usr/)?lib/modules")) | not);
def keeps_files($given): .read_only != true and (data_bind($given) or server_bind($given));
def named: .type == "volume" and (.source // "") != "";

# A database is known by its image, or by the place where it keeps its files; a password for one is in its environment, but
# where all share an env file it is in everybody's.
def kind_by_image: .image // "" | (name_of_image | words) as $words
  | if known_store | not then ""
    elif $words | has_word(["mongo", "mongodb"]) then "mongo"
    elif $words | has_word(["postgres", "postgresql", "postgis", "timescaledb", "pgvector", "pgvecto"]) then "postgres"
    elif $words | has_word(["mysql", "mariadb", "percona"]) then "mysql"
    # Redis' modules keep what Redis alone cannot read.
    elif ($words | has_word(["redis", "valkey", "keydb"])) and ($words | has_word(["stack", "sentinel", "cluster"]) | not) then "redis"
    else "" end;
def kind_by_password: (.environment // {})
  | if any(keys[]; IN("POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_HOST_AUTH_METHOD")) then "postgres"
    elif any(keys[]; test("^(MYSQL|MARIADB)_(RANDOM_|ALLOW_EMPTY_)?(ROOT_)?PASSWORD$|^(MYSQL|MARIADB)_ROOT_PASSWORD_(FILE|HASH)$") and (IN("MYSQL_PASSWORD", "MARIADB_PASSWORD") | not)) then "mysql"
    else "" end;
# What makes the root password of MySQL or MariaDB one that nobody knows: a random one takes precedence over any other.
def unknown_root: .environment // {}
  | def given($names): first($names[] as $name | select((.[$name] // "") | tostring != "") | $name) // "";
    given(["MYSQL_RANDOM_ROOT_PASSWORD", "MARIADB_RANDOM_ROOT_PASSWORD"]) as $random
  | if $random != "" then $random
    elif given(["MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD_FILE", "MYSQL_ROOT_PASSWORD_FILE"]) != "" then ""
    else given(["MARIADB_ROOT_PASSWORD_HASH"]) end;
def kind_for_sure:
  kind_by_image as $image | kind_by_password as $password
  # What keeps nothing over a restart has nothing to restore.
  | if $image == "redis" and (any(.volumes[]?; named or .type == "bind" and .read_only != true) | not) then ""
    elif $image != "" then $image
    elif $password != "" and any(.volumes[]?.target // ""; test({postgres: "^/var/lib/(postgresql|pgsql)(/|$)", mysql: "^/var/lib/mysql(/|$)"}[$password])) then $password
    else "" end;
# The kinds of the databases among services, by name: where none of a kind is one for sure, a password tells, but nobody
# reaches a database by a route.
def kinds_of_databases($routed):
  with_entries(.value |= {sure: kind_for_sure, password: kind_by_password}) as $all
  | ([$all[].sure]) as $sure
  | $all | with_entries(.key as $name | .value |= (
      if .sure != "" then .sure
      elif (.password as $kind | $sure | index([$kind])) or ($routed | index([$name])) then ""
      else .password end));

# What a service's Dockerfile builds on in the end, and the volumes that it declares: {image, volumes}.
def built($name; $given):
  (.build // {}) as $build | ($build.args // {}) as $args
  | ($build.dockerfile_inline // ($given.dockerfiles // {})[$name] // "") as $text
  | def expand($values): gsub("\\$\\{?(?<name>[A-Za-z_][A-Za-z0-9_]*)(:?-(?<default>[^}]*))?\\}?"; $values[.name] // .default // "" | tostring);
    def unquoted: ltrimstr("\"") | rtrimstr("\"") | ltrimstr("'") | rtrimstr("'");
    [$text | gsub("\r"; "") | gsub("\\\\[ \t]*\n"; " ") | split("\n")[] | sub("^[ \t]+"; "") | select(test("^(FROM|ARG|VOLUME)[ \t]"; "i"))
      | (capture("^(?<word>[A-Za-z]+)[ \t]+(?<rest>.*?)[ \t]*$"))] as $lines
  | reduce $lines[] as $line ({values: {}, stages: []};
      ($line.word | ascii_upcase) as $word
      | if $word == "FROM" then .values as $values
          | ([$line.rest | splits("[ \t]+") | select(startswith("--") | not)]) as $parts
          | .stages += [{name: ($parts[2] // "" | ascii_downcase), from: ($parts[0] // "" | unquoted | expand($values)), volumes: []}]
        elif $word == "ARG" and .stages == [] then
          reduce ($line.rest | splits("[ \t]+")) as $one (.; ($one | split("=")) as $parts
            | .values[$parts[0]] = ($args[$parts[0]] // ($parts[1:] | join("=") | unquoted)))
        elif $word == "VOLUME" and .stages != [] then
          .stages[-1].volumes += [(($line.rest | try fromjson catch null) | arrays | .[]), (if $line.rest | startswith("[") then empty else $line.rest | splits("[ \t]+") end)
            | strings | select(contains("$") | not)]
        else . end)
  | .stages as $stages
  | ($build.target // "" | ascii_downcase) as $target
  | def number($from): first($stages | to_entries[] | select(.value.name == $from or ($from != "" and (.key | tostring) == $from)) | .key) // -1;
    {at: (if $target == "" then ($stages | length) - 1 else number($target) end), image: "", volumes: []}
  | until(.at < 0; .at as $at | $stages[$at] as $stage | ($stage.from | ascii_downcase) as $from
      | .volumes += $stage.volumes
      | .image = (($build.additional_contexts // {})[$stage.from] // $stage.from | ltrimstr("docker-image://"))
      # A stage builds on one before it.
      | .at = (first(range($at - 1; -1; -1) | select($stages[.].name == $from)) // -1))
  | {image, volumes: (.volumes | unique)};

# The volumes that the image of a service declares and that nothing is mounted at: with each new container they are empty.
# What is made to be thrown away is no loss.
def uncovered($name; $given): . as $service
  | def path: sub("/+$"; "");
    ([.volumes[]? | select((.source // "") != "" or .type == "tmpfs") | .target | path] + [.tmpfs | if type == "string" then . else .[]? end | sub(":.*$"; "") | path]) as $covered
  | [($given.image_volumes // {})[$name] // built($name; $given).volumes | .[] | path
      | select(test("^(/var)?/(tmp|run|cache)(/|$)|^/dev/") | not) | select(. as $one | $covered | index([$one]) | not)];

# Why a service is stateful by itself, "" where it is not; $once says that others wait until it has run.
def stateful_because($name; $given; $once):
  text_label("berth.stateful") as $marked
  | built($name; $given) as $built
  | if $marked == "true" then "it is labelled berth.stateful"
    elif $marked == "false" then ""
    elif any(.volumes[]?; named) then "it has the named volume \(first(.volumes[] | select(named) | .source))"
    elif any(.volumes[]?; keeps_files($given)) then "it keeps files in \(first(.volumes[] | select(keeps_files($given)) | .source | ltrimstr($given.source + "/")))"
    elif .build == null and (.image // "" | known_store) then "its image is \(.image)"
    elif .build != null and ($built.image | known_store) then "its image is built from \($built.image)"
    elif $once then ""
    else uncovered($name; $given) | if . == [] then "" else "its image declares the volume \(.[0])" end end;

# Compose takes deploy.restart_policy before restart, and "any" and nothing for always.
def one_restart: if .deploy.restart_policy == null then . else .deploy.restart_policy as $policy
  | .restart = (if $policy.condition == "none" then "no"
      elif $policy.condition == "on-failure" then "on-failure" + (if ($policy.max_attempts // 0) > 0 then ":\($policy.max_attempts)" else "" end)
      else "always" end)
  | del(.deploy.restart_policy) end;

# A proxy, by its image or its name.
def upstreams: ["angie", "apache", "apisix", "caddy", "envoy", "gateway", "haproxy", "httpd", "ingress", "kong", "nginx", "openresty", "proxy", "swag", "traefik", "varnish"];
def is_proxy($name; $given): ([(.image // ""), built($name; $given).image | name_of_image | words[]] + ($name | ascii_downcase | words)) | has_word(upstreams);

# The networks of a service, an object for each.
def networks_of:
  if (.network_mode // "") != "" then {}
  else (.networks // {"default": null}) | with_entries(.value //= {}) end;

# How soon a release goes out hangs on how often Docker asks a service whether it is healthy: while it starts, three times
# a second. What its own settings say of the time after stays.
def impatient:
  if .healthcheck == null or .healthcheck.disable == true or (.healthcheck.test // ["NONE"])[0] == "NONE" then .
  else .healthcheck.start_interval = "300ms" | .healthcheck.start_period //= "30s" end;

# A kept release must not come back by itself when the server starts; what has to run all the time must, unless the file
# says otherwise.
def restarts($must): if .restart == "always" or ($must and (.restart // "") == "") then .restart = "unless-stopped" else . end;

def move_data($given): if .volumes then .volumes |= map(
  if data_bind($given) then .source = $given.binds + "/" + (.source | ltrimstr($given.source + "/")) else . end) else . end;

# Committed files that a stateful service mounts are found by their content: a commit that leaves them as they are
# is no change of the service.
def by_content($given; path): if (path // "") != "" and (path | below($given.source)) and (path | committed($given))
  then path = $given.files + "/" + $given.trees[path] else . end;

# The commit's files are read by Berth, by other services and by the release that is returned to, so a container does not change
# them. Most mounts of them lack :ro and write nothing: they are mounted so, not refused. With host-mounts it may.
def fixed($given): .type == "bind" and (.source | below($given.source) and committed($given)) and (IN("host-mounts"; ($given.allow // [])[]) | not);
def fix($given): if .volumes then .volumes |= map(if fixed($given) then .read_only = true else . end) else . end;

def loopback($target; $port): {mode: "ingress", host_ip: "127.0.0.1", target: $target, published: ($port | tostring), protocol: "tcp"};

def without($names): with_entries(select(.key as $k | $names | index([$k]) | not));
def only($names): with_entries(select(.key as $k | $names | index([$k])));

.[0] as $model | .[1] as $given
| ($model.services // {} | with_entries($given.images[.key] as $image | .value |= (if $image then del(.build) | .image = $image else . end | one_restart))) as $services
| ([$services[].depends_on // {} | to_entries[] | select(.value.condition == "service_completed_successfully") | .key] | unique) as $once
| ([$given.routes[].service] | unique) as $routed
# A job that a stateful service waits for goes with it, or it would run after it.
| def with_jobs: . as $because
    | [keys[] | . as $name | $services[$name].depends_on // {} | to_entries[] | .key as $job | $services[$job] // empty
        | select($because[$job] == null and text_label("berth.stateful") != "false" and (IN($job; $routed[]) | not))
        | select(IN($job; $once[]) or .restart == "no") | {key: $job, value: "it runs before \($name), which is persistent"}]
    | from_entries + $because;
  ([$services | to_entries[] | .key as $name | {key: $name, value: (.value | stateful_because($name; $given; IN($name; $once[])))} | select(.value != "")] | from_entries
    | until(. == with_jobs; with_jobs)) as $because
| ($because | keys) as $stateful
| ([$services | keys[]] - $stateful) as $stateless
| ($services | [to_entries[] | select(.value.network_mode == "host") | .key]) as $on_host

# A loopback port for each routed port of a service. A stateful service keeps the one it has.
| (reduce ([$given.routes[] | "\(.service):\(.port)"] | unique)[] as $name ({all: {}, kept: {}, next: $given.base};
    ($name | split(":")[0]) as $service
    | if $on_host | index([$service]) then .all[$name] = ($name | split(":")[1] | tonumber)
      elif $because[$service] == null then .all[$name] = .next | .next += 1
      else ([.kept[]] + [$given.ports[]]) as $used
        | .kept[$name] = ($given.ports[$name] // first(range(19000; 20000) | select(. as $p | $used | index($p) | not)))
        | .all[$name] = .kept[$name]
      end)) as $ports
| ([$given.routes[] | . + {upstream: $ports.all["\(.service):\(.port)"]}]) as $routes
| ($services | only($stateful) | kinds_of_databases($routed)) as $kinds
# What holds data in a format of its own, which an older version may not read: a rollback leaves it.
| ([$services | only($stateful) | to_entries[] | .key as $name | select($kinds[$name] != "" or (.value | if .build then built($name; $given).image else .image // "" end | known_store) or $name == ($given.database.service // "")) | $name]) as $stores

# Where SQLite files may be: the volumes of what is no database of a known kind, each with the first service that has it.
| ([$services | to_entries[] | .key as $name | .value.volumes[]? | select(named or data_bind($given)) | {service: $name, read_only: (.read_only == true),
    volume: (if .type == "volume" then $model.volumes[.source].name // "app_\(.source)" else "\($given.binds)/\(.source | ltrimstr($given.source + "/"))" end)}]) as $mounts
| ([$mounts[] | select(.service | IN($stores[])) | .volume]) as $of_stores
| ([$mounts[] | select((.read_only | not) and (.volume | IN($of_stores[]) | not))] | group_by(.volume) | map(.[0]) | group_by(.service)
    | map({service: .[0].service, volumes: map(.volume)})) as $sqlite

# What both projects do to a service: no build, no published ports but the routed ones, no pull.
| (def common($name): del(.build, .profiles)
    | .pull_policy = "never"
    # Docker's own is that of builds.
    | .cgroup_parent = (.cgroup_parent // "system.slice")
    | .ports = [$ports.all | to_entries[] | (.key | split(":")) as $k | select($k[0] == $name and ($on_host | index([$name]) | not)) | loopback($k[1] | tonumber; .value)]
    | .labels = ((.labels // {}) + {"berth.release": $given.id});
  {
  stateless: ($services | only($stateless) | with_entries(.key as $name | .value |= (
    (.container_name // "") as $container
    | common($name)
    | del(.container_name)
    | if .depends_on then .depends_on |= without($stateful) else . end
    | if .links then .links |= map(select(split(":")[0] as $l | $stateful | index([$l]) | not)) else . end
    | if (.network_mode // "") == "" then .networks = (networks_of | map_values(if $container != "" then .aliases = ((.aliases // []) + [$container] | unique) else . end)) else . end
    | if ($routed | index([$name])) and .deploy.replicas then del(.deploy.replicas) else . end
    | if $routed | index([$name]) then del(.scale) else . end
    | fix($given) | move_data($given)
    | restarts(IN($name; $routed[]) and (IN($name; $once[]) | not))
    | impatient))),
  stateful: ($services | only($stateful) | with_entries(.key as $name | .value |= (
    common($name)
    # The release it came with is no part of what it is.
    | del(.labels["berth.release"])
    | if .depends_on then .depends_on |= without($stateless) else . end
    | if .links then .links |= map(select(split(":")[0] as $l | $stateless | index([$l]) | not)) else . end
    | fix($given) | if .volumes then .volumes |= map(by_content($given; .source)) else . end
    | move_data($given)
    | restarts(IN($name; $once[]) | not)
    | impatient)))
  }) as $projects

# What a stateful service depends on and every release replaces.
| ([$services | only($stateful) | to_entries[] | .key as $name | .value as $service | .value.depends_on // {} | to_entries[]
    | select($services[.key] != null and $because[.key] == null and .value.required != false and $service.network_mode != "service:\(.key)")
    | {service: $name, on: .key, waits: (.value.condition | IN("service_healthy", "service_completed_successfully")),
        proxy: (IN($name; $routed[]) and ($service | is_proxy($name; $given)))}]) as $late

| ([$projects.stateless[] | networks_of | keys[]] | unique) as $networks
| ([$projects.stateful[] | networks_of | keys[]] | unique) as $data_networks
| (def external: ($model.networks[.] // {}).external == true;
  {
    name: "release-\($given.id)",
    services: $projects.stateless,
    networks: ([$networks[] | {key: ., value: (if external then $model.networks[.] else ($model.networks[.] // {} | del(.name, .ipam)) end)}] | from_entries),
    volumes: ([$projects.stateless[].volumes[]? | select(named) | .source] | unique | map({key: ., value: {name: ($model.volumes[.].name // "app_\(.)"), external: true}}) | from_entries),
    secrets: ($model.secrets // {} | map_values(del(.name))),
    configs: ($model.configs // {} | map_values(del(.name)))
  }) as $app
| {
    name: "app",
    services: $projects.stateful,
    networks: ([$data_networks[] | {key: ., value: ($model.networks[.] // {})}] | from_entries),
    volumes: ([$projects.stateful[].volumes[]? | select(named) | .source] | unique | map({key: ., value: ($model.volumes[.] // {})}) | from_entries),
    secrets: ($model.secrets // {} | map_values(by_content($given; .file))),
    configs: ($model.configs // {} | map_values(by_content($given; .file)))
  } as $data

# What of the server's files the containers see, by where it is in the end.
| def straight: if . == "/" then . else sub("/+$"; "") end;
  def inside($folder): . != $folder and startswith(($folder | rtrimstr("/")) + "/");
  def mounts($project): [$project.services | to_entries[] | .key as $name | .value
    | (.volumes // [] | to_entries[] | select(.value.type == "bind") | $services[$name].volumes[.key] as $from
        | {source: .value.source, shown: $from.source, target: .value.target, writable: (.value.read_only != true), fixed: ($from | fixed($given))}),
      ({secrets, configs} | to_entries[] | .key as $kind | .value[]? | objects | ($project[$kind][.source // ""].file // empty) as $file
        | {source: $file, shown: $file, target: (.target // "/run/secrets/\(.source)"), writable: false, fixed: false})
    | .service = $name | .source |= straight | .target |= straight | .shown |= ltrimstr($given.source + "/")];
  (mounts($app) + mounts($data)) as $mounts
# A container that may write to a folder could make a link of what another mount starts from, and Docker would follow it as root
# when that one starts. Of the server's own files (host-mounts) one that is only read may hold others: it makes no link.
| [$mounts[] | select(.writable) as $writer | $mounts[] as $other
    | if $other.source | inside($writer.source) then {$writer, upper: $writer, lower: $other}
      elif ($writer.source | inside($other.source)) and ($other.source | below($given.source) or below($given.binds) or below($given.files)) then {$writer, upper: $other, lower: $writer}
      else empty end] as $nested
# In a mount that is only read Docker cannot make the place for another one: {path, source}, where source is what is mounted there,
# "" for a folder of Docker's.
| [$mounts[] | select(.fixed and IN($given.source + "/" + .shown, .shown; ($given.folders // [])[])) as $outer
    | $services[$outer.service] as $service
    | (($mounts[] | select(.service == $outer.service) | {target, source}), ($service.volumes[]? | select(.type != "bind") | {target: (.target | straight), source: ""}),
        ($service.tmpfs | if type == "array" then .[] else . end | strings | {target: (sub(":.*$"; "") | straight), source: ""}),
        (($given.image_volumes // {})[$outer.service] // ($service | built($outer.service; $given).volumes) | .[] | {target: straight, source: ""})) as $inner
    | select($inner.target | inside($outer.target))
    # The place is that of the nearest.
    | select(any($service.volumes[]?.target | straight; . as $between | ($between | inside($outer.target)) and ($inner.target | inside($between))) | not)
    | {path: ($outer.source + ($inner.target | ltrimstr($outer.target | rtrimstr("/")))), source: $inner.source}] as $mountpoints

# An image that another service builds is that build's.
| ([$services | to_entries[] | select(.value.build) | . as $s
    | ($s.value.build | del(.cache_from, .cache_to, .tags)) as $build
    | (($build.context | below($given.source)) and ($build.context | committed($given)) and ($build.additional_contexts == null)
        and ($build.dockerfile // "" | (startswith("..") or startswith("/")) | not)) as $by_content
    | {
        service: $s.key,
        services: ([$s.key] + [$services | to_entries[] | select(.value.build == null and $s.value.image != null and .value.image == $s.value.image) | .key]),
        build: $build,
        # What the image depends on: equal material, equal image.
        material: ($build | del(.context, .no_cache, .pull) | . + {content: (if $by_content then $given.trees[$build.context] else $given.commit + " " + ($build.context | if below($given.source) then .[($given.source | length):] else . end) end)}
          | if .secrets then . + {commit: $given.commit} else . end | tojson)
      }]) as $builds
| ([$builds[].services[]]) as $built
| ([$services | only($stateful) | .[].volumes[]? | select(.type == "bind") | .source]
    + [($model.secrets // {}), ($model.configs // {}) | .[].file // empty]
    | unique | map(select(below($given.source) and committed($given)) | {source: ., hash: $given.trees[.]})) as $files
| ([$services | to_entries[] | select(.key as $k | $built | index([$k]) | not) | {service: .key, reference: (.value.image // "")}]) as $pulls

| {
    id: $given.id, because: $because, stateful: $stateful, stateless: $stateless, builds: $builds, pulls: $pulls,
    app: $app, data: $data, routes: $routes, ports: $ports.kept,
    files: $files,
    mountpoints: ($mountpoints | unique),
    volumes: [$app.volumes[].name],
    join: [$services | only($stateful) | to_entries[] | .key as $name | .value | networks_of | to_entries[]
      | select(.key as $n | $networks | index([$n])) | select(($model.networks[.key] // {}).external != true)
      | {service: $name, network: .key, aliases: ([$name] + (.value.aliases // [])
          + [$services[] | .links[]? | split(":") | select(.[0] == $name and .[1] != null) | .[1]] | unique)}],
    stores: $stores, once: $once,
    image_volumes: ($given.image_volumes // {}),
    databases: ([$kinds | to_entries[] | {service: .key, kind: .value} | select(.kind != "" and .service != ($given.database.service // ""))]
      + if $given.database then [{service: $given.database.service, kind: "command"}] else [] end),
    sqlite: $sqlite,
    problems: [
      (if $services == {} then "the compose file has no service that runs" else empty end),
      ($given.routes | to_entries[] | select($services[.value.service] == null)
        | "route \(.value.path) leads to service \(.value.service), which the compose file does not have; it has: \($services | keys | join(", ")); Fix: pulumi config set --path 'berth:routes[\(.key)].service' NAME"),
      ({migration: $given.migration, database: $given.database} | to_entries[] | select(.value != null and $services[.value.service] == null)
        | "berth:\(.key) names service \(.value.service), which the compose file does not have; it has: \($services | keys | join(", ")); Fix: pulumi config set --path berth:\(.key).service NAME"),
      ($services | to_entries[] | .key as $name | .value
        | ((.labels // {}) | to_entries[] | select(.key | ascii_downcase | startswith("berth."))
            | if .key != "berth.stateful" then "service \($name) has the label \(.key), which does not exist; the nearest is berth.stateful, which takes true or false"
              elif .value | tostring | IN("true", "false") | not then "service \($name) has the label berth.stateful: \(.value | tojson), which takes true or false; write: labels: {berth.stateful: \"true\"}, or \"false\""
              else empty end),
          ((.deploy.labels // {}) | keys[] | select(ascii_downcase | startswith("berth."))
            | "service \($name) has the label \(.) below deploy, where it means nothing; write it below the service itself: labels: {berth.stateful: \"true\"}")),
      ({volume: $model.volumes, network: $model.networks} | to_entries[] | .key as $kind | .value // {} | to_entries[] | .key as $name | (.value // {}).labels // {} | keys[]
        | select(ascii_downcase | startswith("berth.")) | "\($kind) \($name) has the label \(.), which is none of a \($kind); write it at the service: labels: {berth.stateful: \"true\"}"),
      # Copies of these outlive the release; a link in one would lead elsewhere on the server.
      ($files[].source | ltrimstr($given.source) | ltrimstr("/") | . as $folder
        | [($given.links // [])[] | select($folder == "" or startswith($folder + "/"))] | select(. != []) | .[0]
        | "the folder \(if $folder == "" then "." else $folder end), which a persistent service mounts, holds the symbolic link \(.); Fix: commit the file or folder itself there, or build the folder into the service's image"),
      ($kinds | to_entries[] | select(.value == "mysql" and .key != ($given.database.service // "")) | .key as $name | $services[$name] | unknown_root | select(. != "")
        | "service \($name) has \(.), so nobody knows its root password, and without it not all that it holds can be dumped; take that out of the compose file and write MYSQL_ROOT_PASSWORD: ${MYSQL_ROOT_PASSWORD:?} there: pulumi config set --secret --path berth:secrets.MYSQL_ROOT_PASSWORD (a database that is there already keeps the password it has, so set it in there, too); or name commands that dump what its own user may see: pulumi config set --path berth:database.service \($name) && pulumi config set --path berth:database.dump COMMAND && pulumi config set --path berth:database.restore COMMAND"),
      # By "..": nothing is there that the commit or the server could hold.
      ($services | to_entries[] | .key as $name | .value
        | (.volumes[]? | select(.type == "bind") | .source | select(leads_out($given)) | "service \($name) mounts \(relative($given.source)), which leads out of the repository"),
          (.build // empty | .context, (.additional_contexts // {})[], (.dockerfile // "") | select(leads_out($given)) | "service \($name) is built from \(relative($given.source)), which leads out of the repository")
        | . + "; name a folder of the repository, a named volume, or an absolute path"),
      ($nested[] | "service \(.upper.service) mounts \(.upper.shown), and service \(.lower.service) mounts \(.lower.shown), which lies in it, while \(.writer.service) may write there: by a link it could have Docker mount any file of the server; mount the same folder in both, or two that lie beside each other, or a named volume"),
      ($services | to_entries[] | .key as $name | .value.volumes[]? | .target // "" | select(startswith("/") | not)
        | "service \($name) mounts \(.), which is no absolute path\(if test("^[A-Za-z]:") then ": Compose takes a name of one letter for a Windows drive; give the volume a longer name" else "; write where in the container it belongs, beginning with /" end)"),
      ({secret: $model.secrets, config: $model.configs} | to_entries[] | .key as $kind | .value // {} | to_entries[] | select(.value.file // "" | leads_out($given))
        | "\($kind) \(.key) is the file \(.value.file | relative($given.source)), which leads out of the repository; name a file of the repository"),
      ($model.volumes // {} | to_entries[] | .key as $volume | (.value.driver_opts // {}) as $options | ($options.device // "" | tostring) as $device
        | ([$services | to_entries[] | select(any(.value.volumes[]?; named and .source == $volume)) | .key] | if . == [] then "" else " (of \(join(", ")))" end) as $of
        | (($options.type // "" | IN("none", "bind")) or any($options.o // "" | tostring | split(",")[]; IN("bind", "rbind"))) as $binds
        | if ($device | leads_out($given)) or ($binds and ($device | startswith("..")))
          then "the volume \($volume)\($of) keeps its files in \($device | if startswith("/") then relative($given.source) else . end), which leads out of the repository; leave driver_opts out, and Docker keeps them"
          elif ($device | below($given.source)) or ($binds and $device != "" and ($device | startswith("/") | not))
          then "the volume \($volume)\($of) keeps its files in ./\($device | ltrimstr($given.source) | ltrimstr("/") | ltrimstr("./")) of the checkout, which goes with the release; leave driver_opts out, and Docker keeps them"
          else empty end),
      # What a stateful service waits for has to be there before it, and what it answers for has to change with it.
      ($late[] | select(.waits or .proxy) | if .proxy
          then "service \(.service) is persistent, because \($because[.service]), and depends on \(.on), which every release replaces, so no switch from one to the next would be without errors; route to \(.on) itself: pulumi config set --path 'berth:routes[\(.service as $name | first($given.routes | to_entries[] | select(.value.service == $name) | .key))].service' \(.on), with its port; or let every release replace \(.service), too: labels: {berth.stateful: \"false\"} in the compose file"
          else "service \(.service) is persistent, because \($because[.service]), and waits for \(.on), which every release replaces, so \(.service) would start before it; if \(.on) runs once, make it the migration: pulumi config set --path berth:migration.service \(.on) && pulumi config set --path berth:migration.command COMMAND, and take it out of depends_on; if it runs all the time, give \(.on) labels: {berth.stateful: \"true\"}, or \(.service) \"false\""
          end),
      # Two servers on the same files damage them.
      ([$services | only($stores) | to_entries[] | .key as $name | .value.volumes[]? | select(named and .read_only != true) | {service: $name, volume: (.source + ":" + (.volume.subpath // ""))}]
        | group_by(.volume)[] | select(length > 1)
        | "services \(map(.service) | join(" and ")) keep their files in the same volume, \(.[0].volume | sub(":.*$"; "")), and two servers at work on the same files damage them; give each a volume of its own, or take one of them out of the compose file"),
      ($given.images | keys[] | select($services[.] == null)
        | "berth:images names service \(.), which the compose file does not have; Fix: pulumi config rm --path 'berth:images[\"\(.)\"]'"),
      ($services | to_entries[] | .key as $name | .value
        | (select(.network_mode == "host" and $given.strategy == "blue-green" and ($because[$name] == null))
            | "service \($name) uses the host's network (network_mode: host), where two releases cannot stand side by side; remove it, or have the old release stopped first: pulumi config set berth:releaseStrategy stop-first"),
          (select((.network_mode // "") | startswith("container:"))
            | "service \($name) uses the network of a container by name, which changes with every release; use a network of the compose file"),
          (select((.network_mode // "") | startswith("service:")) | (.network_mode | ltrimstr("service:")) as $other
            | select(($because[$name] == null) != ($because[$other] == null))
            | "service \($name) uses the network of \($other), but only one of them is stateful, so they live in different projects; label both berth.stateful: \"true\" in the compose file"),
          (select(any(.networks[]?; . != null and (.ipv4_address != null or .ipv6_address != null)) and $because[$name] == null)
            | "service \($name) has a fixed address, which two releases cannot both have; remove ipv4_address from the compose file: services find each other by name"),
          (select((.volumes_from // []) != []) | "service \($name) uses volumes_from, which does not lead across releases; name the volume in both services"),
          (select(.build == null and (.image // "") == "") | "service \($name) has neither an image nor a build"))
    ],
    advice: [
      ($services | to_entries[] | .key as $name | .value
        | (select(.container_name != null and $because[$name] == null)
            | {key: "container_name", text: "the container_name \(.container_name) of \($name) is only a name on its networks here, since two releases stand side by side; other services may use it or the service's own name"}),
          (select((.ports // []) != [])
            | {key: "ports", text: "the published ports of \($name) stay closed on the server, where the site is reached through its routes; publish them in compose.override.yaml, which stays on the laptop"}),
          (select($because[$name] == null) | .volumes[]? | select(.type == "volume" and (.source // "") == "")
            | {key: "volumes", text: "\($name) has an anonymous volume at \(.target), which starts empty with every release; a named volume keeps its content"}),
          (.build as $build | .volumes[]? | select(.type == "bind" and .read_only != true) | . as $mount | .source as $folder
            | select(IN($folder; ($given.folders // [])[]) and ($folder | committed($given)))
            # Of what lies over its own build the sentence below speaks.
            | select($build == null or (($folder | below($build.context)) or ($build.context | below($folder)) | not))
            | ($folder | ltrimstr($given.source + "/")) as $shown
            | {key: "volumes", text: (if $mount | fixed($given)
                then "\($name) mounts \($shown), a folder of the commit, and cannot write there; write :ro, and keep what it is to write in a named volume; or, if it has to write to the commit's files and you trust the repository: pulumi config set --path 'berth:allow[\($given.allow // [] | length)]' host-mounts"
                else "\($name) can write to \($shown), a folder of the commit, and what it writes there is lost with the next commit; mount it with :ro, and keep what is to stay in a named volume" end)}),
          (.build as $build | select($build != null) | .volumes[]?
            | select(.type == "bind" and (.source | below($given.source) and committed($given)))
            | select((.source | below($build.context)) or (.source as $source | $build.context | below($source)))
            | {key: "volumes", text: "\($name) mounts committed files over what its image holds at \(.target), so what was built is not what runs; move the mount to compose.override.yaml, which stays on the laptop"}),
          (select((.deploy.replicas // .scale // 1) > 1 and ($routed | index([$name])))
            | {key: (if .scale then "scale" else "deploy" end), text: "\($name) runs once: a routed service is not scaled"}),
          (select((.restart // "") == "" and ([$routed[], $once[], $stores[]] | index([$name]) | not))
            | {key: "restart", text: "\($name) has no restart policy, so it \(if $because[$name] then "is started again whenever it ends, since it is persistent" else "stays down after a crash or a reboot" end); add to it: restart: unless-stopped; or, if it is a job that runs once: restart: \"no\""}),
          (select((.restart // "" | test("^(no|on-failure)")) and ([$routed[], $stores[]] | index([$name])))
            | {key: "restart", text: "\($name) has the restart policy \(.restart), so it may stay down after a crash or a reboot; unless that is meant: restart: unless-stopped"}),
          (select($because[$name] == null and text_label("berth.stateful") == "" and ([$routed[], $once[]] | index([$name]) | not))
            | first(.environment // {} | keys[] | select(test("(^|_)(ROOT|SA)_PASSWORD(_FILE)?$"))) as $variable
            # An env file that all share is in everybody's environment.
            | select(any($stores[]; $services[.].environment // {} | has($variable)) | not)
            | {key: "environment", text: "\($name) has \($variable), as databases have, and starts empty with every release; if it keeps data, give it a named volume, or labels: {berth.stateful: \"true\"}; if not: {berth.stateful: \"false\"}"}),
          (select((.healthcheck == null or .healthcheck.disable == true) and (($stores | index([$name])) or ($routed | index([$name]))))
            | {key: "healthcheck", text: (if $stores | index([$name]) then "\($name) has no health check, so nothing waits until it is ready; give it a healthcheck: and let others depend on it with condition: service_healthy"
                else "\($name) has no health check, so it counts as ready when it answers on its port; a healthcheck: in the compose file is surer" end)}),
          (select(.build != null and $because[$name] != null and text_label("berth.stateful") != "true" and ($stores | index([$name]) | not))
            | {key: "volumes", text: "\($name) never runs twice, because \($because[$name]): a release that changes it stops it before the new one starts; if two may use its files at the same time, let it take over without a gap: labels: {berth.stateful: \"false\"}"})
        | .service = $name),
      ($late[] | select((.waits or .proxy) | not)
        | {service, key: "depends_on", text: "\(.service) is persistent, because \($because[.service]), and depends on \(.on), which every release replaces: \(.service) starts before it, and stays when it is replaced; if that is wrong, \(if IN(.service; $routed[]) then "route to \(.on) itself, or " else "" end)write labels: {berth.stateful: \"false\"} at \(.service), or \"true\" at \(.on)"}),
      ($pulls[] | select(.reference | test("@sha256:") or (test(":[^/]+$") and (endswith(":latest") | not)) | not)
        | {service, key: "image", text: "the image \(.reference) of \(.service) can be another one tomorrow; name a version or a digest"})
    ]
  }
