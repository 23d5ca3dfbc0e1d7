# What visitors depend on. Sourced by health-check.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# Hours after which a dump is old: a day and two hours.
readonly DUMP_OLD=26

site_checks() {
  local release
  # shellcheck disable=SC2310 # there is one list
  if ! there; then
    result site 2 "$DATA is not there, and the whole site needs it"
    return
  fi
  release=$(current)
  if [ -z "$release" ]; then
    result release 2 "nothing was released yet; look with: sudo tail /var/log/berth/release.log"
    check_certificate
    return
  fi
  check_last_release "$release"
  # shellcheck disable=SC2310 # docker_answers is one command
  if docker_answers; then
    check_containers "$release"
    check_databases "$release"
  else
    result containers 2 "Docker does not answer, so it cannot be told what runs; look with: systemctl status docker; start it with: sudo systemctl restart docker" 1
  fi
  check_routes "$release"
  check_certificate
  check_dumps "$release"
  check_drill "$release"
  check_jobs
  check_servers "$release"
}

# check_jobs says which scheduled job failed the last time, or did not begin when it was due.
check_jobs() {
  local known sentences
  local -a bad=()
  known=$(jobs_known)
  [ -n "$known" ] || return 0
  read_json bad /dev/stdin '.[] | if .state == "failed" then "job \(.name) failed at \(.last.time): \(.last.reason)"
    elif .state == "interrupted" then "job \(.name), begun at \(.last.time), was interrupted"
    elif .state | IN("running", "succeeded", "never") | not then "how job \(.name) ended cannot be read from /data/jobs/\(.name).json"
    elif .overdue != null then "job \(.name) was due at \(.overdue) and did not begin; look with: systemctl status berth-job-\(.name).timer" else empty end' --slurp <<<"$known"
  if [ "${#bad[@]}" -eq 0 ]; then
    result jobs 0 "none failed, none is overdue"
    return
  fi
  sentences=$(printf '; %s' "${bad[@]}")
  result jobs 2 "${sentences#; }; what a job printed: sudo journalctl -t berth-job-NAME; again: sudo /opt/berth/deploy.sh job NAME" "${#bad[@]}"
}

# check_last_release reads how the last release ended.
check_last_release() {
  local last=-
  # A power cut may leave half a line.
  if [ -s "$DATA/releases.jsonl" ]; then
    last=$(tail -n 1 "$DATA/releases.jsonl" | jq -r 'if .result == "failed" then "the last \(.action) failed at step \(.failedStep), \(.time): \(.reason)" else "-" end') || last=""
  fi
  if [ "$last" = - ]; then result release 0 "$1 serves"; else result release 1 "$1 serves; ${last:-how the last release ended cannot be read from $DATA/releases.jsonl}"; fi
}

check_containers() {
  local sentences count project
  local -a bad=() now=() ids=() up=()
  for project in "release-$1" "$DATA_PROJECT"; do
    read_lines now states "$project" "$1"
    read_lines ids running "$project"
    bad+=("${now[@]}") up+=("${ids[@]}")
  done
  count=${#up[@]}
  if [ "${#bad[@]}" -gt 0 ]; then
    sentences=$(printf "%s\n" "${bad[@]}")
    sentences=$(sentence "$sentences")
    result containers 2 "$sentences; look with: sudo /opt/berth/log-monitor.sh view" "${#bad[@]}"
  elif [ "$count" -eq 0 ]; then
    result containers 2 "none runs; start them: sudo /opt/berth/deploy.sh" 1
  else
    result containers 0 "$count run and are healthy" 0
  fi
}

# check_databases has every known database answer a query.
check_databases() {
  local database service kind
  local -a databases=() ids=()
  read_json databases "$RELEASES/$1/plan.json" '.databases[] | "\(.service) \(.kind)"'
  for database in "${databases[@]}"; do
    service=${database% *} kind=${database##* }
    # What berth:database's own commands do is theirs: none of them asks.
    [ "$kind" != command ] || continue
    read_lines ids running "$DATA_PROJECT" "$service"
    # shellcheck disable=SC2310 # in_database checks each of its commands
    if [ "${#ids[@]}" -gt 0 ] && in_database "$service" "$kind" ping 10 </dev/null >/dev/null 2>&1; then
      result database 0 "$service answers a query"
    else
      result database 2 "$service does not answer a query; look with: sudo /opt/berth/log-monitor.sh view $service"
    fi
  done
}

# shellcheck disable=SC2310 # site_answers checks each of its commands
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
  local status severity left reason
  # Its exit code is the severity. What it says besides is said here, too.
  status=$(/opt/berth/ssl-manager.sh check --json | jq -r 'select(.severity) | "\(.severity) \(.lifeLeft) \(.reason)"') || true
  read -r severity left reason <<<"${status:-2 0 it cannot be told how it is; look with: sudo /opt/berth/ssl-manager.sh check}"
  result certificate "$severity" "$reason" "$left"
}

# check_dumps goes by the database whose last dump is the oldest. A night that failed is said at once.
check_dumps() {
  local database file name newest now since age=-1 failed last
  local -a databases=()
  read_json databases "$RELEASES/$1/plan.json" '(.databases[] | "\(.service).\(.kind)"), (.sqlite[]? | "\(.service).sqlite")'
  [ "${#databases[@]}" -gt 0 ] || return 0
  read_text now date +%s
  for database in "${databases[@]}"; do
    newest=""
    # A dump's name is TIME_RELEASE_SERVICE.KIND, and a service's own may have a _ in it.
    for file in "$DATA"/dumps/*; do
      name=${file##*/}
      if [ "${name#*_*_}" = "$database" ] && [[ -z $newest || $file -nt $newest ]]; then newest=$file; fi
    done
    # Volumes without such a file have no dump.
    [ -n "$newest" ] || [[ $database != *.sqlite ]] || continue
    if [ -z "$newest" ]; then
      # A site of a few hours had no night yet.
      since=$(stat --format %Y "$RELEASES/$1/released.json" 2>/dev/null) || since=$now
      result backup $((now - since >= DUMP_OLD * 3600)) "the database of ${database%.*} was never dumped; dump it: sudo /opt/berth/deploy.sh dump"
      return
    fi
    read_text since stat --format %Y "$newest"
    [ $(((now - since) / 3600)) -le "$age" ] || age=$(((now - since) / 3600))
  done
  failed=$(systemctl is-failed berth-dump.service) || true
  [ "$age" -ge 0 ] || [ "$failed" = failed ] || return 0
  last="the last that succeeded is $age hours old"
  [ "$age" -ge 0 ] || last="none succeeded before"
  if [ "$failed" = failed ]; then
    result backup 2 "the last dump of a night failed, and $last; why: sudo tail -n 20 /var/log/berth/release.log; dump again: sudo systemctl start berth-dump" "$age"
  elif [ "$age" -gt "$DUMP_OLD" ]; then
    result backup 1 "the last dump of the database is $age hours old; dump it: sudo /opt/berth/deploy.sh dump; look with: systemctl status berth-dump.timer" "$age"
  else
    result backup 0 "the database was dumped $age hours ago" "$age"
  fi
}

# check_drill says when dumps were last restored, where berth:restoreDrill wants it and there is a dump that can be.
check_drill() {
  local now since state ok reason rows
  local -a databases=()
  load_settings operations DRILL_DAYS:number
  read_json databases "$RELEASES/$1/plan.json" '.databases[]? | select(.kind != "command") | .service'
  [ "$DRILL_DAYS" -gt 0 ] && [ "${#databases[@]}" -gt 0 ] || return 0
  read_text now date +%s
  state=$(jq -r '"\(.ok) \(.time | fromdate) \([.databases[].rows] | add // 0) the dump of \(.service // "-") could not be restored: \(.reason // "")"' "$DATA/drill.json" 2>/dev/null) || state=""
  if [ -z "$state" ]; then
    # The first one comes within the first nights.
    read_text since stat --format %Y "$BERTH_ETC/operations.json"
    result drill $((now - since >= (DRILL_DAYS + 2) * 86400)) "no dump was restored yet; try it: sudo /opt/berth/deploy.sh drill"
    return
  fi
  read -r ok since rows reason <<<"$state"
  since=$(((now - since) / 86400))
  if [ "$ok" != true ]; then
    result drill 1 "$reason; again: sudo /opt/berth/deploy.sh drill; the log: /var/log/berth/release.log" "$since"
  elif [ "$since" -ge $((DRILL_DAYS + 2)) ]; then
    result drill 1 "dumps were last restored $since days ago; look with: systemctl status berth-drill.timer; restore them beside the site: sudo /opt/berth/deploy.sh drill" "$since"
  else
    result drill 0 "dumps were restored beside the site $since days ago, with $rows rows" "$since"
  fi
}
