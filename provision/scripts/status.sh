#!/usr/bin/env bash
# Shows the site and its server on one page: status.sh [--json | --html]
# For a terminal of 80 columns, or, with --html, for a browser:
#   ssh … sudo /opt/berth/status.sh --html > status.html
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/containers.sh
source /opt/berth/release/containers.sh
# shellcheck source=provision/scripts/release/data.sh
source /opt/berth/release/data.sh

readonly SHOWN=5 # releases

# checks runs the health check, whose exit code is the worst verdict.
checks() {
  /opt/berth/health-check.sh --json || [ $? -le 2 ]
}

releases() {
  local id serving
  serving=$(current)
  kept_releases | while read -r id; do
    jq -c --arg id "$id" --arg serving "$serving" '{id: $id, since: .served, serves: ($id == $serving)}' "$RELEASES/$id/released.json"
  done
}

# services are the containers of the release that serves and of the data project.
services() {
  local serving name
  serving=$(current)
  for name in ${serving:+$(project "$serving")} "$DATA_PROJECT"; do
    docker ps --all --filter "label=com.docker.compose.project=$name" --format json
  done | jq -c --arg data "$DATA_PROJECT" '(.Labels | split(",") | map(capture("(?<key>[^=]*)=(?<value>.*)")) | from_entries) as $labels
    | {service: $labels["com.docker.compose.service"], state: .State, status: .Status, outlasts: ($labels["com.docker.compose.project"] == $data)}'
}

history() {
  [ ! -s "$DATA/releases.jsonl" ] || tail -n "$SHOWN" "$DATA/releases.jsonl"
}

gather() {
  local health releases services history
  health=$(checks)
  releases=$(releases)
  services=$(services)
  history=$(history)
  jq -n --arg domain "$DOMAIN" --argjson health "$health" --slurpfile releases <(echo "$releases") --slurpfile services <(echo "$services") \
    --slurpfile history <(echo "$history") \
    '{domain: $domain, time: $health.time, severity: $health.severity, checks: $health.checks, releases: $releases,
      services: ($services | sort_by(.service)), history: ($history | reverse)}'
}

main() {
  case ${1:-} in
    "" | --json | --html) ;;
    *) fail "usage: status.sh [--json | --html]" ;;
  esac
  need_root
  load_settings release
  case ${1:-} in
    --json) gather ;;
    --html) gather | jq -r -L /opt/berth/status -f /opt/berth/status/page.jq ;;
    *) gather | jq -r -L /opt/berth/status --argjson colours "$([ -t 1 ] && echo true || echo false)" -f /opt/berth/status/terminal.jq ;;
  esac
}

main "$@"
