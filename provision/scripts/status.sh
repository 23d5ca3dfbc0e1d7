#!/usr/bin/env bash
# Shows the site and its server on one page: status.sh [--json | --html | --serve SOCKET]
# For a terminal of 80 columns, or, with --html, for a browser. --serve answers a browser on a Unix socket until its standard input
# ends, which is how 'make status' shows the page.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/containers.sh
source /opt/berth/release/containers.sh
# shellcheck source=provision/scripts/release/data.sh
source /opt/berth/release/data.sh
# shellcheck source=provision/scripts/release/jobs.sh
source /opt/berth/release/jobs.sh
# shellcheck source=provision/scripts/servers/members.sh
source /opt/berth/servers/members.sh

readonly SHOWN=5 # releases

# checks runs the health check, whose exit code is the worst verdict.
checks() {
  /opt/berth/health-check.sh --json || [ $? -le 2 ]
}

releases() {
  local id serving
  local -a ids=()
  serving=$(current)
  read_lines ids kept_releases
  for id in "${ids[@]}"; do
    jq -c --arg id "$id" --arg serving "$serving" '{id: $id, since: .served, serves: ($id == $serving)}' "$RELEASES/$id/released.json"
  done
}

# services are the containers of the release that serves and of the data project: none where Docker does not answer, which
# the health check says.
services() {
  local serving name text=""
  local -a rows=()
  # shellcheck disable=SC2310 # docker_answers is one command
  docker_answers || return 0
  serving=$(current)
  for name in ${serving:+"release-$serving"} "$DATA_PROJECT"; do
    read_lines rows docker_table ps --all --filter "label=com.docker.compose.project=$name" --format 'table {{.Label "com.docker.compose.project"}} {{.Label "com.docker.compose.service"}} {{.State}} {{.Status}}'
    [ "${#rows[@]}" -eq 0 ] || text+=$(printf '%s\n' "${rows[@]}")$'\n'
  done
  jq -R -c --arg data "$DATA_PROJECT" 'select(. != "") | split(" ") | {service: .[1], state: .[2], status: (.[3:] | join(" ")), outlasts: (.[0] == $data)}' <<<"$text"
}

history() {
  [ ! -s "$DATA/releases.jsonl" ] || tail -n "$SHOWN" "$DATA/releases.jsonl"
}

# minutes is health/minutes.sh's record, where there is one.
minutes() {
  [ ! -s /var/lib/berth/minutes.tsv ] || cat /var/lib/berth/minutes.tsv
}

# servers are the site's, where there are several.
servers() {
  local now rest
  # shellcheck disable=SC2310 # it is one test
  if ! several; then
    echo "[]"
    return
  fi
  now=$(current)
  read_text rest seen_servers
  # shellcheck disable=SC2016 # jq's variables
  jq -c --arg now "$now" '[{id: "first server", address: "", phase: "serves", said: (if $now == "" then "serves nothing" else "serves release \($now)" end), reboot: false}] + .' <<<"$rest"
}

gather() {
  local health releases services history minutes jobs servers page version=""
  read_text health checks
  [ ! -s /opt/berth/VERSION ] || read -r version </opt/berth/VERSION
  releases=$(releases)
  services=$(services)
  history=$(history)
  minutes=$(minutes)
  jobs=$(jobs_known)
  read_text servers servers
  # shellcheck disable=SC2016 # jq's variables
  read_text page jq -n -L /opt/berth/status --arg domain "$DOMAIN" --arg version "$version" --argjson health "$health" --slurpfile releases <(echo "$releases") --slurpfile services <(echo "$services") \
    --slurpfile history <(echo "$history") --slurpfile jobs <(echo "$jobs") --rawfile minutes <(echo "$minutes") --argjson servers "$servers" \
    'import "words" as words; import "day" as day; {domain: $domain, berth: $version, time: $health.time, severity: $health.severity, checks: $health.checks, releases: $releases,
      services: ($services | sort_by(.service)), jobs: $jobs, history: ($history | reverse), day: ($minutes | day::day($health.time | fromdate))}
     + (if $servers == [] then {} else {servers: $servers} end) | words::plain'
  printf '%s\n' "$page"
}

main() {
  case ${1:-} in
    "" | --json | --html) ;;
    --serve) [ $# -eq 2 ] || fail arguments-invalid "usage: status.sh --serve SOCKET" ;;
    *) fail arguments-invalid "usage: status.sh [--json | --html | --serve SOCKET]" ;;
  esac
  need_root
  if [ "${1:-}" = --serve ]; then
    mkdir -p /run/berth
    exec python3 /opt/berth/status/serve.py "$2"
  fi
  load_settings release DOMAIN
  local page colours=false
  [ ! -t 1 ] || colours=true
  read_text page gather
  case ${1:-} in
    --html) read_text page jq -r -L /opt/berth/status -f /opt/berth/status/page.jq <<<"$page" ;;
    "") read_text page jq -r -L /opt/berth/status --argjson colours "$colours" -f /opt/berth/status/terminal.jq <<<"$page" ;;
  esac
  printf '%s\n' "$page"
}

main "$@"
