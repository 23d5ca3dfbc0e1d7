# What web servers reach of the first: a bridge network, in which each container has a fixed address. Sourced by servers.sh and deploy.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

readonly BRIDGE=berth-reach

# make_reach makes the network of addresses $1. What is in it does not get out by it.
make_reach() {
  local names
  read_lines names docker_table network ls --format 'table {{.Name}}' --filter "name=^$BRIDGE\$"
  [ "${#names[@]}" -eq 0 ] || return 0
  docker network create --driver bridge --subnet "$1" --opt com.docker.network.bridge.name="$BRIDGE" --opt com.docker.network.bridge.enable_ip_masquerade=false "$BRIDGE" >/dev/null
}

# host_rules prints the packet filter's rules for what network $1 may ask of this server itself; $2 is the same for IPv6, as a rule, or
# nothing. $3 is a JSON list of the networks of operators.
host_rules() {
  local operators
  # A rule for each: networks in one set must not overlap.
  read_text operators jq -r 'map((if contains(":") then "ip6" else "ip" end) + " saddr \(.) tcp dport 22 accept") | join("; ")' <<<"$3"
  sed -e "s|OPERATORS|$operators|" -e "s|NETWORK6|$2|" -e "s|NETWORK|$1|" /opt/berth/servers/firewall.nft
}

# reach_rules lets new connections from network $1 into the bridge, and none of a container's out of it. Into other containers' networks
# it lets none but those to published ports: Docker itself does so where it turned forwarding on, and not where it was on before.
reach_rules() {
  rule -s "$1" ! -o "$BRIDGE" -m conntrack ! --ctstate ESTABLISHED,RELATED,DNAT -j DROP
  rule -s "$1" -o "$BRIDGE" -j ACCEPT
  rule -i "$BRIDGE" ! -o "$BRIDGE" -m conntrack --ctstate NEW -j DROP
}

# rule puts a rule first, once.
rule() { iptables --wait 10 -C DOCKER-USER "$@" 2>/dev/null || iptables --wait 10 -I DOCKER-USER "$@"; }

# forget_rules takes all of them away.
forget_rules() {
  local rules line
  # iptables prints the chain itself, too.
  read_text rules iptables --wait 10 -S DOCKER-USER
  while read -r line; do
    [[ $line == "-A DOCKER-USER "*" $BRIDGE "* ]] || continue
    # shellcheck disable=SC2086 # as iptables itself prints it
    iptables --wait 10 -D ${line#-A }
  done <<<"$rules"
}

# reach_wanted prints a JSON list of what release $1 has for web servers: what its spread services share a network with, and what has a
# route.
reach_wanted() {
  jq -c '(.spread // []) as $spread | (.stateful // []) as $stateful
    | [.reach[]?, (.routes[] | select(.service | IN($spread[]) | not) | {service, names: [], for: []})]
    | group_by(.service) | map({service: .[0].service, persistent: (.[0].service | IN($stateful[])), names: (map(.names[]) | unique), for: (map(.for[]) | unique)})' "$RELEASES/$1/plan.json"
}

# reach_project prints the compose project of a service of release $1 that is persistent ($2: true) or not.
reach_project() { if [ "$2" = true ]; then printf '%s\n' "$DATA_PROJECT"; else printf 'release-%s\n' "$1"; fi; }

# reachable prints the containers of project $1 and service $2 in the order of their numbers.
reachable() {
  local lines
  read_lines lines docker_table ps --all --no-trunc --format 'table {{.Label "com.docker.compose.container-number"}} {{.ID}}' --filter "label=com.docker.compose.project=$1" \
    --filter label=com.docker.compose.oneoff=False --filter "label=com.docker.compose.service=$2"
  [ "${#lines[@]}" -eq 0 ] || printf '%s\n' "${lines[@]}" | sort -n | cut -d ' ' -f 2
}

# reach gives what web servers need of release $1 its addresses.
reach() {
  local wanted text service persistent project
  local -a lines=() ids=()
  web_settings
  read_text wanted reach_wanted "$1"
  read_json lines /dev/stdin '.[] | "\(.service) \(.persistent)"' <<<"$wanted"
  # shellcheck disable=SC2016 # jq's variables
  for text in "${lines[@]}"; do
    read -r service persistent <<<"$text"
    read_text project reach_project "$1" "$persistent"
    read_lines ids reachable "$project" "$service"
    read_text wanted jq -c --arg s "$service" --argjson count $((${#ids[@]} > 1 ? ${#ids[@]} : 1)) 'map(if .service == $s then .count = $count else . end)' <<<"$wanted"
  done
  read_text text give_addresses "$1" "$wanted"
  put "$RELEASES/$1/reach.json" 0600 <<<"$text"
  for text in "${lines[@]}"; do
    read -r service persistent <<<"$text"
    connect "$1" "$service" "$persistent"
  done
}

# give_addresses prints the addresses of what list $2 has of release $1.
give_addresses() {
  local file own='{}' before
  local -a others=()
  for file in "$RELEASES"/*/reach.json; do
    if [ ! -e "$file" ] || [ -L "${file%/*}" ]; then continue; fi
    if [ "$file" = "$RELEASES/$1/reach.json" ]; then read_text own jq -c . "$file"; else others+=("$file"); fi
  done
  before='[]'
  [ "${#others[@]}" -eq 0 ] || read_text before jq -c -s . "${others[@]}"
  jq --arg prefix "${REACH%.*}." --argjson own "$own" --argjson before "$before" -f /opt/berth/servers/addresses.jq <<<"$2"
}

# connect has the containers of service $2 of release $1, persistent or not ($3), have their addresses.
connect() {
  local project index now
  local -a ids=() addresses=()
  read_text project reach_project "$1" "$3"
  read_lines ids reachable "$project" "$2"
  # shellcheck disable=SC2016 # jq's variables
  read_json addresses "$RELEASES/$1/reach.json" '.[$s].addresses[]' --arg s "$2"
  for index in "${!ids[@]}"; do
    read_text now docker inspect "${ids[index]}"
    # shellcheck disable=SC2016 # jq's variables
    read_text now jq -r --arg n "$BRIDGE" '.[0].NetworkSettings.Networks[$n] | if . then .IPAMConfig.IPv4Address // "another" else "-" end' <<<"$now"
    [ "$now" != "${addresses[index]}" ] || continue
    [ "$now" = - ] || docker network disconnect --force "$BRIDGE" "${ids[index]}"
    docker network connect --ip "${addresses[index]}" "$BRIDGE" "${ids[index]}" ||
      fail reach-not-connected "Docker does not give $2 the address ${addresses[index]}, at which web servers find it (the lines above say why); look with: sudo docker network inspect $BRIDGE"
  done
}
