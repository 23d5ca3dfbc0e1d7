# A restore drill: the newest dump of each database is restored beside the site, and its rows are counted. Sourced by deploy.sh.
#
# The server runs as the compose file describes it, with empty volumes, without a network, and among the builds, which get what the
# site leaves. A release does not wait for a drill, nor a drill for a release.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

readonly DRILL=$DATA/drill DRILLED=$DATA/drill.json DRILL_LOCK=/run/berth-drill.lock
# Seconds in which a new server has to answer, and in which its rows have to be counted.
readonly DRILL_STARTS=300 COUNT_WITHIN=900
# MiB of free memory without which no server is started beside the site.
readonly DRILL_MEMORY=192
# What the drill of now has restored, as JSON, and the database that it is at.
DRILL_RESULTS='[]' DRILL_AT=""

# drill restores the newest dumps of the release that serves. With "due" it does so where the last drill that succeeded is older
# than berth:restoreDrill says.
drill() {
  local database
  local -a databases=()
  OLD=$(current)
  if [ "${1:-}" = due ]; then
    # shellcheck disable=SC2310 # drill_due checks each of its commands
    drill_due || return 0
  fi
  need_release "$OLD"
  exec 7>>"$DRILL_LOCK"
  flock --nonblock 7 || fail drill-lock-held "another drill is at work; look with: sudo lslocks --notruncate"
  read_json databases "$RELEASES/$OLD/plan.json" '(.databases[]? | select(.kind != "command") | "\(.service) \(.kind)"), (.sqlite[]? | "\(.service) sqlite")'
  if [ "${#databases[@]}" -eq 0 ]; then
    say "there is no database whose dump Berth knows how to restore"
    return
  fi
  trap end_drill EXIT
  # Without these, end_drill would see the code of the command before, most often 0, and take the drill for one that succeeded.
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  forget_drill
  for database in "${databases[@]}"; do
    DRILL_AT=${database% *}
    drill_one "$OLD" "${database% *}" "${database##* }"
  done
}

# drill_due is true where it is time for a drill.
drill_due() {
  local at now
  load_settings operations DRILL_DAYS:number
  [ "$DRILL_DAYS" -gt 0 ] && [ -n "$OLD" ] || return 1
  at=$(jq -r 'select(.ok) | .time | fromdate' "$DRILLED" 2>/dev/null) || at=""
  read_text now date +%s
  # A timer is not to the second.
  [ -z "$at" ] || [ $((now - at)) -ge $((DRILL_DAYS * 86400 - 7200)) ]
}

# end_drill takes away what the drill made, and writes down how it ended.
end_drill() {
  local code=$?
  trap '' HUP TERM INT PIPE
  trap - EXIT
  set +e
  [ "$code" -eq 0 ] || [ -n "$FAILED" ] || say "the drill ended with exit code $code; the lines above say why"
  local reason=$SAID
  (
    set -e
    forget_drill
  )
  (
    set -e
    record_drill "$code" "$reason"
  )
  [ "$code" -eq 0 ] || say "no dump is known to restore until a drill succeeds; the log: $LOG; again: sudo /opt/berth/deploy.sh drill"
  exit "$code"
}

record_drill() {
  local time text ok=false
  [ "$1" -ne 0 ] || ok=true
  read_text time date --utc +%FT%TZ
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -n --arg time "$time" --argjson ok "$ok" --argjson seconds "$SECONDS" --arg at "$DRILL_AT" --arg reason "$2" --argjson databases "$DRILL_RESULTS" \
    '{time: $time, ok: $ok, seconds: $seconds, databases: $databases} + if $ok then {} else {service: $at, reason: $reason} end'
  put "$DRILLED" 0600 <<<"$text"
}

# forget_drill takes away what a drill left, one that was cut among them.
forget_drill() {
  local -a ids=()
  read_lines ids containers "$DRILL_PROJECT"
  [ "${#ids[@]}" -eq 0 ] || docker rm --force --volumes "${ids[@]}" >/dev/null
  rm -rf "$DRILL"
}

# drill_one restores the newest dump of the database of service $2, of kind $3, as release $1 describes it, and counts its rows.
# shellcheck disable=SC2310 # drill_database checks each of its commands
drill_one() {
  local file name newest="" rows sum
  for file in "$DUMPS"/*; do
    name=${file##*/}
    if [ "${name#*_*_}" = "$2.$3" ]; then newest=$file; fi
  done
  if [ -z "$newest" ]; then
    # Volumes without a SQLite file have no dump.
    [ "$3" != sqlite ] || return 0
    fail database-never-dumped "the database of $2 was never dumped; dump it: sudo /opt/berth/deploy.sh dump"
  fi
  install -d -m 0700 "$DRILL"
  # Under a name of its own it stays when dumps are pruned.
  name=${newest##*/}
  ln "$newest" "$DRILL/$name"
  check_drill_room "$DRILL/$name"
  say "restoring $name beside the site"
  [ "$3" = sqlite ] || start_drill "$1" "$2" "$3"
  gzip --decompress --stdout --force "$DRILL/$name" | drill_database "$1" "$2" "$3" restore "$RESTORE_WITHIN" >/dev/null ||
    fail dump-not-restored "$newest does not restore (the lines above say why)"
  rows=$(drill_database "$1" "$2" "$3" rows "$COUNT_WITHIN" </dev/null) || fail rows-not-counted "the rows of $2 cannot be counted in what was restored (the lines above say why)"
  # shellcheck disable=SC2016 # awk's fields
  read_text sum awk '{ sum += $1 } END { printf "%d", sum }' <<<"$rows"
  # shellcheck disable=SC2016 # jq's variables
  read_text DRILL_RESULTS jq -c --arg service "$2" --arg dump "$name" --argjson rows "$sum" '. + [{service: $service, dump: $dump, rows: $rows}]' <<<"$DRILL_RESULTS"
  forget_drill
  say "restored $name: $sum rows"
}

# check_drill_room checks that what dump $1 holds finds room twice, as a database's files take more than its dump.
check_drill_room() {
  local free size
  size=$(gzip --decompress --stdout --force "$1" | wc --bytes) || fail dump-damaged "$1 is damaged: it does not decompress"
  read_text free free_mib
  [ $((free - LEFT_MIB)) -gt $((size >> 19)) ] ||
    fail no-room-for-drill "there is no room for a drill: it may take $((size >> 19)) MiB, and $free MiB are free on $DATA, where $LEFT_MIB MiB are left to the site; $MORE_ROOM"
}

# start_drill starts a server of service $2 of kind $3 with empty volumes. Scripts that fill a new database are left out: all that it
# is to hold is in the dump. What the service only reads it has here, too.
start_drill() {
  local memory text
  # shellcheck disable=SC2016 # awk's fields
  read_text memory awk '/^(MemAvailable|SwapFree):/ { sum += $2 } END { print int(sum / 2048) }' /proc/meminfo
  [ "$memory" -ge "$DRILL_MEMORY" ] ||
    fail no-memory-for-drill "there is no memory for a drill: a server beside the site would get $memory MiB, and needs $DRILL_MEMORY; take a bigger server: pulumi config set berth:instanceType t3.small; or do without: pulumi config set berth:restoreDrill 0"
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq --arg service "$2" --arg memory "${memory}m" -f /opt/berth/release/drill.jq "$RELEASES/$1/data.json"
  put "$DRILL/compose.json" 0600 <<<"$text"
  timeout "$DRILL_STARTS" docker compose --progress plain --env-file "$RELEASES/$1/.env.production" --file "$DRILL/compose.json" --project-name "$DRILL_PROJECT" up --detach 7>&- ||
    fail drill-server-not-started "no server of $2 starts beside the site (the lines above say why)"
  # shellcheck disable=SC2310 # server_settled is a test
  if ! await "$DRILL_STARTS" server_settled "$DRILL_PROJECT" "$2" drill_database "$1" "$2" "$3" ping 10; then
    docker compose --file "$DRILL/compose.json" --project-name "$DRILL_PROJECT" logs --no-color --tail 20 2>&1 | show "$2"
    fail drill-server-not-answering "the server of $2 beside the site does not answer within $DRILL_STARTS seconds"
  fi
}

# drill_database is in_database for what the drill restored. SQLite files need no server.
# shellcheck disable=SC2034 # in_database reads DATABASES_OF
drill_database() {
  local volume
  local -a volumes=() folders=()
  if [ "$3" != sqlite ]; then
    (
      DATABASES_OF=$DRILL_PROJECT
      in_database "$2" "$3" "$4" "$5" "$1"
    )
    return
  fi
  # shellcheck disable=SC2016 # jq's variables
  read_json volumes "$RELEASES/$1/plan.json" '.sqlite[]? | select(.service == $s) | .volumes[]' --arg s "$2"
  for volume in "${volumes[@]}"; do
    mkdir -p "$DRILL/files/${#folders[@]}" || return 1
    folders+=("$volume=$DRILL/files/${#folders[@]}")
  done
  BERTH_DUMPS=$DRILL timeout "$5" python3 -I /opt/berth/release/sqlite.py "$4" "${folders[@]}"
}
