# A compose file for a server of the persistent service $service beside the site, from the project of the persistent services: with
# volumes of its own, without a network, and with $memory at most.
. as $project
| (.services[$service]
  | del(.ports, .networks, .depends_on, .links, .container_name, .labels, .deploy, .healthcheck, .scale)
  | .network_mode = "none" | .restart = "no" | .cgroup_parent = "builds.slice" | .mem_limit = $memory | .pids_limit = 1000
  | .volumes = [(.volumes // [])[] | select(.target | startswith("/docker-entrypoint-initdb.d") | not)
      | if .type == "tmpfs" or .read_only == true then . else {type: "volume", target} end]) as $server
| {
    services: {($service): $server},
    volumes: ([$server.volumes[] | select(.type == "volume") | .source // empty] | unique
      | map({key: ., value: {name: ($project.volumes[.].name // "app_\(.)"), external: true}}) | from_entries),
    secrets: ($project.secrets // {}), configs: ($project.configs // {})
  }
