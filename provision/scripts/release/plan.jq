# Plans a release: takes Compose's normalised model of the app and what is given about this server, and splits the app
# into the project of this release and the project "app", which outlasts releases.
#
# Input: [model, given]. model is what `docker compose config --format json` prints. given has
#   id        the release                        commit   its commit
#   source    its checkout, an absolute path     trees    {absolute path: hash of the committed content, "" for none}
#   routes    [{path, service, port, health}]    base     the first loopback port of this release
#   ports     {"service:port": loopback port} of routed stateful services, as they are now
#   binds     where uncommitted files are kept   files    where committed files of stateful services are kept
#   images    {service: reference} that replace what the compose file says
#   strategy  "blue-green" or "stop-first"
#   migration {service, command} or null         database {service, dump, restore} or null
# Output: {id, problems, advice, because, stateful, stateless, builds, pulls, files, volumes, app, data, join, routes,
# ports, stores, databases}. app and data are compose files, problems are sentences, advice is of {service, key, text}.

def known_store: test("(^|/)(postgres|postgresql|postgis|timescaledb|timescaledb-ha|pgvector|mysql|mysql-server|mariadb|percona|mongo|mongodb|redis|valkey|keydb|clickhouse|clickhouse-server|cassandra|couchdb|elasticsearch|opensearch|influxdb|rabbitmq|meilisearch|minio)([:@].*)?$");

# Label values are texts, whatever YAML made of them.
def text_label($name): (.labels // {})[$name] // "" | tostring;

def below($folder): . == $folder or startswith($folder + "/");
def committed($given): ($given.trees[.] // "") != "";
# What a container mounts from the checkout though the commit does not hold it is data.
def data_bind($given): .type == "bind" and (.source | below($given.source)) and (.source | committed($given) | not);
def named: .type == "volume" and (.source // "") != "";

# A database is known by its image, or by the place where it keeps its files; a password for one is in its environment, but
# where all share an env file it is in everybody's.
def kind_by_image: .image // "" | ascii_downcase
  | if test("(^|/)(postgres|postgresql|postgis|timescaledb|timescaledb-ha|pgvector)([:@].*)?$") then "postgres"
    elif test("(^|/)(mysql|mysql-server|mariadb|percona)([:@].*)?$") then "mysql"
    else "" end;
def kind_by_password: (.environment // {})
  | if has("POSTGRES_PASSWORD") or has("POSTGRES_PASSWORD_FILE") then "postgres"
    elif has("MYSQL_ROOT_PASSWORD") or has("MARIADB_ROOT_PASSWORD") then "mysql"
    else "" end;
def kind_for_sure:
  kind_by_image as $image | kind_by_password as $password
  | if $image != "" then $image
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

# Why a service is stateful, "" where it is not.
def stateful_because($given):
  text_label("berth.stateful") as $marked
  | if $marked == "true" then "it is labelled berth.stateful"
    elif $marked == "false" then ""
    elif any(.volumes[]?; named) then "it has the named volume \(first(.volumes[] | select(named) | .source))"
    elif any(.volumes[]?; data_bind($given)) then "it keeps files in \(first(.volumes[] | select(data_bind($given)) | .source | ltrimstr($given.source + "/")))"
    elif .build == null and (.image // "" | ascii_downcase | known_store) then "its image is \(.image)"
    else "" end;

# The networks of a service, an object for each.
def networks_of:
  if (.network_mode // "") != "" then {}
  else (.networks // {"default": null}) | with_entries(.value //= {}) end;

# How soon a release goes out hangs on how often Docker asks a service whether it is healthy: while it starts, three times
# a second. What its own settings say of the time after stays.
def impatient:
  if .healthcheck == null or .healthcheck.disable == true or (.healthcheck.test // ["NONE"])[0] == "NONE" then .
  else .healthcheck.start_interval = "300ms" | .healthcheck.start_period //= "30s" end;

# A kept release must not come back by itself when the server starts; the one that serves must, but for what runs once.
def restarts($must; $once):
  if $once then . elif .restart == "always" or ($must and (.restart // "no") == "no") then .restart = "unless-stopped" else . end;

def move_data($given): if .volumes then .volumes |= map(
  if data_bind($given) then .source = $given.binds + "/" + (.source | ltrimstr($given.source + "/")) else . end) else . end;

# Committed files that a stateful service mounts are found by their content: a commit that leaves them as they are
# is no change of the service.
def by_content($given; path): if (path // "") != "" and (path | below($given.source)) and (path | committed($given))
  then path = $given.files + "/" + $given.trees[path] else . end;

def loopback($target; $port): {mode: "ingress", host_ip: "127.0.0.1", target: $target, published: ($port | tostring), protocol: "tcp"};

def without($names): with_entries(select(.key as $k | $names | index([$k]) | not));
def only($names): with_entries(select(.key as $k | $names | index([$k])));

# The options of a build that Berth hands on; the second row changes no image.
def build_options: ["context", "dockerfile", "dockerfile_inline", "args", "target", "labels", "network", "extra_hosts", "shm_size", "additional_contexts", "secrets", "no_cache", "pull", "platforms",
  "cache_from", "cache_to", "tags"];

.[0] as $model | .[1] as $given
| ($model.services // {} | with_entries($given.images[.key] as $image | if $image then .value |= (del(.build) | .image = $image) else . end)) as $services
| ([$services | to_entries[] | {key, value: (.value | stateful_because($given))} | select(.value != "")] | from_entries) as $because
| ($because | keys) as $stateful
| ([$services | keys[]] - $stateful) as $stateless
| ($services | [to_entries[] | select(.value.network_mode == "host") | .key]) as $on_host
| ([$services[].depends_on // {} | to_entries[] | select(.value.condition == "service_completed_successfully") | .key] | unique) as $once

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
| ([$given.routes[].service] | unique) as $routed
| ($services | only($stateful) | kinds_of_databases($routed)) as $kinds
# What holds data in a format of its own, which an older version may not read: a rollback leaves it.
| ([$services | only($stateful) | to_entries[] | .key as $name | select($kinds[$name] != "" or (.value.image // "" | ascii_downcase | known_store) or $name == ($given.database.service // "")) | $name]) as $stores

# What both projects do to a service: no build, no published ports but the routed ones, no pull.
| (def common($name): del(.build, .profiles)
    | .pull_policy = "never"
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
    | move_data($given)
    | restarts($routed | index([$name]) != null; $once | index([$name]) != null)
    | impatient))),
  stateful: ($services | only($stateful) | with_entries(.key as $name | .value |= (
    common($name)
    # The release it came with is no part of what it is.
    | del(.labels["berth.release"])
    | if .depends_on then .depends_on |= without($stateless) else . end
    | if .links then .links |= map(select(split(":")[0] as $l | $stateless | index([$l]) | not)) else . end
    | if .volumes then .volumes |= map(by_content($given; .source)) else . end
    | move_data($given)
    | restarts(true; $once | index([$name]) != null)
    | impatient)))
  }) as $projects

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
        material: ($build | del(.context, .no_cache, .pull) | . + {content: (if $by_content then $given.trees[$build.context] else $given.commit + " " + $build.context[($given.source | length):] end)}
          | if .secrets then . + {commit: $given.commit} else . end | tojson)
      }]) as $builds
| ([$builds[].services[]]) as $built
| ([$services | to_entries[] | select(.key as $k | $built | index([$k]) | not) | {service: .key, reference: (.value.image // "")}]) as $pulls

| {
    id: $given.id, because: $because, stateful: $stateful, stateless: $stateless, builds: $builds, pulls: $pulls,
    app: $app, data: $data, routes: $routes, ports: $ports.kept,
    files: ([$services | only($stateful) | .[].volumes[]? | select(.type == "bind") | .source]
      + [($model.secrets // {}), ($model.configs // {}) | .[].file // empty]
      | unique | map(select(below($given.source) and committed($given)) | {source: ., hash: $given.trees[.]})),
    volumes: [$app.volumes[].name],
    join: [$services | only($stateful) | to_entries[] | .key as $name | .value | networks_of | to_entries[]
      | select(.key as $n | $networks | index([$n])) | select(($model.networks[.key] // {}).external != true)
      | {service: $name, network: .key, aliases: ([$name] + (.value.aliases // [])
          + [$services[] | .links[]? | split(":") | select(.[0] == $name and .[1] != null) | .[1]] | unique)}],
    stores: $stores,
    databases: ([$kinds | to_entries[] | {service: .key, kind: .value} | select(.kind != "" and .service != ($given.database.service // ""))]
      + if $given.database then [{service: $given.database.service, kind: "command"}] else [] end),
    problems: [
      (if $services == {} then "the compose file has no service that runs" else empty end),
      ($given.routes | to_entries[] | select($services[.value.service] == null)
        | "route \(.value.path) leads to service \(.value.service), which the compose file does not have; it has: \($services | keys | join(", ")); mend it: pulumi config set --path 'berth:routes[\(.key)].service' NAME"),
      ({migration: $given.migration, database: $given.database} | to_entries[] | select(.value != null and $services[.value.service] == null)
        | "berth:\(.key) names service \(.value.service), which the compose file does not have; it has: \($services | keys | join(", ")); mend it: pulumi config set --path berth:\(.key).service NAME"),
      ($given.images | keys[] | select($services[.] == null)
        | "berth:images names service \(.), which the compose file does not have; mend it: pulumi config rm --path 'berth:images[\"\(.)\"]'"),
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
          (select(.build != null) | .build | keys[] | select(. as $k | build_options | index([$k]) | not)
            | "service \($name) has the build option \(.), which is not supported here; build the image elsewhere and name it: pulumi config set --path 'berth:images[\"\($name)\"]' REFERENCE"),
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
          (.build as $build | select($build != null) | .volumes[]?
            | select(.type == "bind" and (.source | below($given.source) and committed($given)))
            | select((.source | below($build.context)) or (.source as $source | $build.context | below($source)))
            | {key: "volumes", text: "\($name) mounts committed files over what its image holds at \(.target), so what was built is not what runs; move the mount to compose.override.yaml, which stays on the laptop"}),
          (select((.deploy.replicas // .scale // 1) > 1 and ($routed | index([$name])))
            | {key: (if .scale then "scale" else "deploy" end), text: "\($name) runs once: a routed service is not scaled"}),
          (select((.restart // "no") == "no" and $because[$name] == null and ([$routed[], $once[]] | index([$name]) | not))
            | {key: "restart", text: "\($name) has no restart policy, so it stays down after a crash or a reboot; add to it: restart: unless-stopped"}),
          (select((.healthcheck == null or .healthcheck.disable == true) and (($stores | index([$name])) or ($routed | index([$name]))))
            | {key: "healthcheck", text: (if $stores | index([$name]) then "\($name) has no health check, so nothing waits until it is ready; give it a healthcheck: and let others depend on it with condition: service_healthy"
                else "\($name) has no health check, so it counts as ready when it answers on its port; a healthcheck: in the compose file is surer" end)}),
          (select(.build != null and $because[$name] != null and text_label("berth.stateful") != "true" and ($stores | index([$name]) | not))
            | {key: "volumes", text: "\($name) never runs twice, because \($because[$name]): a release that changes it stops it before the new one starts; if two may use its files at the same time, let it take over without a gap: labels: {berth.stateful: \"false\"}"})
        | .service = $name),
      ($pulls[] | select(.reference | test("@sha256:") or (test(":[^/]+$") and (endswith(":latest") | not)) | not)
        | {service, key: "image", text: "the image \(.reference) of \(.service) can be another one tomorrow; name a version or a digest"})
    ]
  }
