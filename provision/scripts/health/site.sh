# What visitors depend on. Sourced by health-check.sh.
# shellcheck shell=bash disable=SC2034,SC2153

# Hours after which a dump is old: a day and two hours.
readonly DUMP_OLD=26

site_checks() {
  local release
  if ! there; then
    result site 2 "$DATA is not there, and everything stands on it"
    return
  fi
  release=$(current)
  if [ -z "$release" ]; then
    result release 2 "nothing was released yet; look with: sudo tail /var/log/berth/release.log"
    check_certificate
    return
  fi
  check_last_release "$release"
  check_containers "$release"
  check_databases "$release"
  check_routes "$release"
  check_certificate
  check_dumps "$release"
}

# check_last_release reads how the last release ended.
check_last_release() {
  local last
  last=$(tail -n 1 "$DATA/releases.jsonl" 2>/dev/null | jq -r 'select(.result == "failed") | "the last \(.action) failed at step \(.failedStep), \(.time): \(.reason)"' || true)
  if [ -n "$last" ]; then result release 1 "$1 serves; $last"; else result release 0 "$1 serves"; fi
}

check_containers() {
  local states_now
  states_now=$(states "$(project "$1")" "$1" | cut -d ' ' -f 2- && states "$DATA_PROJECT" "$1" | cut -d ' ' -f 2-)
  local count
  count=$(running "$(project "$1")" | wc -l)
  count=$((count + $(running "$DATA_PROJECT" | wc -l)))
  if [ -n "$states_now" ]; then
    result containers 2 "$(paste -sd ';' <<<"$states_now" | sed 's/;/; /g'); look with: sudo /opt/berth/log-monitor.sh view" "$(wc -l <<<"$states_now")"
  elif [ "$count" -eq 0 ]; then
    result containers 2 "none runs; start them: sudo /opt/berth/deploy.sh" 1
  else
    result containers 0 "$count run and are healthy" 0
  fi
}

# check_databases has every known database answer a query.
check_databases() {
  local service kind
  while read -r service kind; do
    case $kind in
      postgres | mysql) ;;
      *) continue ;;
    esac
    if [ -n "$(running "$DATA_PROJECT" "$service")" ] && in_database "$service" "$kind" ping 10 </dev/null >/dev/null 2>&1; then
      result database 0 "$service answers a query"
    else
      result database 2 "$service does not answer a query; look with: sudo /opt/berth/log-monitor.sh view $service"
    fi
  done < <(jq -r '.databases[] | "\(.service) \(.kind)"' "$RELEASES/$1/plan.json")
}

check_routes() {
  if [ -e "$MAINTENANCE" ]; then
    result site 1 "the maintenance page is on; end it: sudo /opt/berth/deploy.sh maintenance off"
  elif site_answers "$1" 443; then
    result site 0 "https://$DOMAIN/ and every route answer"
  else
    result site 2 "$UNWELL; look with: sudo /opt/berth/log-monitor.sh view"
  fi
}

check_certificate() {
  local status
  status=$(/opt/berth/ssl-manager.sh check --json) || true
  result certificate "$(jq -r '.severity' <<<"$status")" "$(jq -r '.reason' <<<"$status")" "$(jq -r '.lifeLeft' <<<"$status")"
}

check_dumps() {
  local newest age
  [ "$(jq '.databases | length' "$RELEASES/$1/plan.json")" -gt 0 ] || return 0
  newest=$({ find "$DATA/dumps" -maxdepth 1 -type f -not -name '*.partial' -printf '%T@\n' 2>/dev/null || true; } | sort -n | tail -n 1 | cut -d . -f 1)
  if [ -z "$newest" ]; then
    # A site of a few hours had no night yet.
    result backup "$([ $(($(date +%s) - $(stat --format %Y "$RELEASES/$1/released.json" 2>/dev/null || date +%s))) -lt $((DUMP_OLD * 3600)) ] && echo 0 || echo 1)" \
      "the database was never dumped; dump it: sudo /opt/berth/deploy.sh dump"
    return
  fi
  age=$((($(date +%s) - newest) / 3600))
  if [ "$age" -gt "$DUMP_OLD" ]; then
    result backup 1 "the last dump of the database is $age hours old; dump it: sudo /opt/berth/deploy.sh dump; look with: systemctl status berth-dump.timer" "$age"
  else
    result backup 0 "the database was dumped $age hours ago" "$age"
  fi
}
