#!/usr/bin/env bash
# Says how the site and its server are: health-check.sh [--json | --push]
# A line for each check: its verdict (ok, warning, critical), its name, the reason. The exit code is the worst of them:
# 0, 1 or 2. A timer runs it every minute with --push, which tells CloudWatch where the stack has alarms and records the minute for
# the status page; the last result is in /run/berth/health.json.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/aws.sh
source /opt/berth/aws.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/containers.sh
source /opt/berth/release/containers.sh
# shellcheck source=provision/scripts/release/data.sh
source /opt/berth/release/data.sh
# shellcheck source=provision/scripts/release/database.sh
source /opt/berth/release/database.sh
# shellcheck source=provision/scripts/release/edge.sh
source /opt/berth/release/edge.sh
# shellcheck source=provision/scripts/release/jobs.sh
source /opt/berth/release/jobs.sh
# shellcheck source=provision/scripts/health/site.sh
source /opt/berth/health/site.sh
# shellcheck source=provision/scripts/health/gauges.sh
source /opt/berth/health/gauges.sh
# shellcheck source=provision/scripts/health/server.sh
source /opt/berth/health/server.sh
# shellcheck source=provision/scripts/servers/members.sh
source /opt/berth/servers/members.sh
# shellcheck source=provision/scripts/health/servers.sh
source /opt/berth/health/servers.sh
# shellcheck source=provision/scripts/health/push.sh
source /opt/berth/health/push.sh
# shellcheck source=provision/scripts/health/minutes.sh
source /opt/berth/health/minutes.sh

# RESULTS holds a line of JSON for each check.
RESULTS="" WORST=0

# result notes a check: name, severity (0, 1, 2), reason, and a figure where the check has one.
result() {
  local line reason=$3
  make_plain reason
  [ "$2" -le "$WORST" ] || WORST=$2
  # shellcheck disable=SC2016 # jq's variables
  read_text line jq -cn --arg name "$1" --argjson severity "$2" --arg reason "$reason" --arg value "${4:-}" \
    '{name: $name, severity: $severity, verdict: ["ok", "warning", "critical"][$severity], reason: $reason} + if $value == "" then {} else {value: ($value | tonumber)} end'
  RESULTS+=$line$'\n'
}

# graded notes check $1, with figure $2 and the limits $3 (warning) and $4 (critical), above which it is bad; the rest is result's.
graded() { result "$1" $((($2 > $3) + ($2 > $4))) "${@:5}"; }

# lines prints the results for a person, with colours on a terminal.
lines() {
  local colours=("" "" "") plain="" severity verdict name reason rows
  if [ -t 1 ]; then colours=($'\e[32m' $'\e[33m' $'\e[31m') plain=$'\e[0m'; fi
  read_text rows jq -r '[.severity, .verdict, .name, .reason] | @tsv' <<<"$RESULTS"
  while IFS=$'\t' read -r severity verdict name reason; do
    printf '%s%-8s%s  %-12s  %s\n' "${colours[$severity]}" "$verdict" "$plain" "$name" "$reason"
  done <<<"$rows"
}

# push tells CloudWatch where the stack has alarms.
push() {
  load_settings operations REGION MONITORED:boolean
  # shellcheck disable=SC2153
  [ "$MONITORED" = false ] || push_metrics
}

# broken tells of a check that ended the script: silence would look like health.
# shellcheck disable=SC2317 # trap calls it
broken() {
  local code=$?
  [ -n "$CHECKING" ] || return 0
  say "the health check itself ended with exit code $code${CULPRIT:+, because this failed: $CULPRIT}; run it again with: sudo bash -x /opt/berth/health-check.sh"
  exit 2
}

main() {
  local time page
  case ${1:-} in
    "" | --json | --push) ;;
    *) fail arguments-invalid "usage: health-check.sh [--json | --push]" ;;
  esac
  need_root
  load_settings release DOMAIN
  CHECKING=yes
  trap broken EXIT
  site_checks
  server_checks
  mkdir -p /run/berth
  read_text time date --utc +%FT%TZ
  # shellcheck disable=SC2016 # jq's variables
  read_text page jq -s --arg time "$time" --argjson severity "$WORST" '{time: $time, severity: $severity, checks: .}' <<<"$RESULTS"
  put /run/berth/health.json 0644 <<<"$page"
  case ${1:-} in
    --json) printf '%s\n' "$page" ;;
    --push)
      push
      record_minute
      ;;
    *) lines ;;
  esac
  CHECKING=""
  exit "$WORST"
}

main "$@"
