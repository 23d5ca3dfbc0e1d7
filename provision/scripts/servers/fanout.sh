# A release on all servers: prepared beside what runs, switched at the same time, put back where it fails. Sourced by servers.sh and
# deploy.sh. With one server every function that deploy.sh calls does nothing.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# Seconds for images that are sent ahead, for a release on its way with what is left of them, for the switch, and for what settling takes
# beside the drain.
readonly AHEAD_WITHIN=300 SENT_WITHIN=900 SWITCH_WITHIN=40 SETTLE_WITHIN=240

# WEB are the web servers that take part, BEGUN the processes that are at work for each, CODES how these ended, PACK the folder of the
# release that is sent.
WEB=() PACK=""
declare -A BEGUN=() CODES=()

# begin has function $1, with a server and further arguments, be at work for all of WEB at the same time. The lock stays with this script.
begin() {
  local server
  for server in "${WEB[@]}"; do
    "$1" "$server" "${@:2}" </dev/null >"$SOCKETS/$server.said" 2>&1 8>&- &
    BEGUN[$server]=$!
  done
}

# begun waits for all of it.
begun() {
  local server
  for server in "${!BEGUN[@]}"; do
    CODES[$server]=0
    wait "${BEGUN[$server]}" || CODES[$server]=$?
  done
  BEGUN=()
}

# stay keeps those in WEB that did it, and takes those out that did not answer. It puts into BAD those that answered and failed.
stay() {
  local server silent=0
  local -a kept=()
  BAD=()
  # shellcheck disable=SC2310 # it is one test
  for server in "${WEB[@]}"; do
    if unreached_code "${CODES[$server]}"; then silent=$((silent + 1)); fi
  done
  refuse_silence "$silent"
  for server in "${WEB[@]}"; do
    # shellcheck disable=SC2310 # it is one test
    if [ "${CODES[$server]}" -eq 0 ]; then
      kept+=("$server")
    elif unreached_code "${CODES[$server]}"; then
      # shellcheck disable=SC2310 # drop_server is one list
      drop_server "$server" "it does not answer" || fail server-not-taken-out "server $server does not answer, and AWS does not take it out (the lines above say why), so it would go on with another release; nothing was switched; run it again"
    else
      kept+=("$server")
      BAD+=("$server")
    fi
  done
  WEB=("${kept[@]}")
}

# refuse_silence ends the release where all web servers, $1 of them, do not answer. That two are gone at once is less likely than that this
# server reaches nobody; and without the only one nothing would take requests, where this server takes none.
refuse_silence() {
  if [ "$1" -eq "${#WEB[@]}" ] && { [ "$1" -gt 1 ] || { [ "$1" -eq 1 ] && [ "$FIRST" = false ]; }; }; then
    fail servers-not-answering "not one of $1 web servers answers over SSH, so none is taken out; look with: sudo /opt/berth/servers.sh status; then run it again"
  fi
}

# expel takes server $1 out, because $2, where a release goes on or back all the same.
expel() {
  # shellcheck disable=SC2310 # drop_server is one list
  drop_server "$1" "$2" || say "AWS does not take server $1 out (the lines above say why); the service berth-servers has it join again"
}

# show_said shows what was said on server $1.
show_said() { tail -n 25 "$SOCKETS/$1.said" | show "server $1"; }

# find_servers puts the web servers that have joined into WEB. Whoever does not answer is taken out; where Berth's scripts or nginx's
# settings are others since, a server gets them first.
find_servers() {
  local lines server
  local -a all=()
  # shellcheck disable=SC2310 # it is one test
  several || return 0
  web_settings
  install -d -m 0700 "$SOCKETS" "$SERVERS"
  read_lines WEB joined
  [ "${#WEB[@]}" -gt 0 ] || return 0
  # shellcheck disable=SC2310 # members checks each of its commands
  if lines=$(members); then
    for server in "${WEB[@]}"; do
      case $'\n'$lines in
        *$'\n'"$server Terminating"*) ;;
        *$'\n'"$server "*) all+=("$server") ;;
        *) forget "$server" ;;
      esac
    done
    WEB=("${all[@]}")
  else
    say "AWS does not say which servers there are (the lines above say why): those that are known take part"
  fi
  begin refresh
  begun
  stay
  for server in "${BAD[@]}"; do show_said "$server"; done
  [ "${#BAD[@]}" -eq 0 ] || fail server-not-provisioned "Berth's scripts are not installed on ${BAD[*]} (the lines above say why); what runs is left as it was; run it again"
  [ "${#WEB[@]}" -eq 0 ] || say "${#WEB[@]} web servers take part: ${WEB[*]}"
}

# refresh makes sure that server $1 has this server's scripts, and answers.
refresh() {
  local before now code=0
  before=$(known "$1" made)
  read_text now made
  # Whatever fails here and is not ssh's own word is no reason to take a server out.
  # shellcheck disable=SC2310 # greets checks each of its commands
  greets "$1" || code=$?
  [ "$code" -eq 0 ] || return "$code"
  [ "$before" = "$now" ] || provision_server "$1"
}

# need_one_server ends what would have a database be $1 while web servers write to it: their workers and open connections go on behind the
# maintenance page.
need_one_server() {
  # shellcheck disable=SC2310 # it is one test
  if several; then
    fail database-with-servers "a database is $1 with one server, since web servers write to it meanwhile; nothing was changed; make it one: pulumi config set berth:servers 1 && pulumi up; then run this again, and set the number of servers as it was"
  fi
}

# share_release has web servers find what they need of release $1 here: its images, and the addresses of what runs here alone.
share_release() {
  # shellcheck disable=SC2310 # it is one test
  several || return 0
  know_spread "$1"
  push_images "$1"
  reach "$1"
}

# FETCHING is what begin_images started.
FETCHING=""

# begin_images has web servers get the images of release $1 while this server checks and migrates. What it leaves undone is done by
# share_release and prepare_servers, which say why something fails. It holds neither the lock nor the operator's connection.
begin_images() {
  [ "${#WEB[@]}" -gt 0 ] || return 0
  send_images "$1" </dev/null >/dev/null 2>&1 3>/dev/null 8>&- &
  FETCHING=$!
}

send_images() {
  local line id list="" server
  local -a lines=()
  push_images "$1"
  read_lines lines spread_images "$1"
  for line in "${lines[@]}"; do
    read_text id docker image inspect --format '{{.Id}}' "${line#* }"
    list+="${line#* } $id"$'\n'
  done
  [ -n "$list" ] || return 0
  for server in "${WEB[@]}"; do done_on "$server" "$AHEAD_WITHIN" fetch <<<"${list%$'\n'}" & done
  wait
}

end_images() {
  [ -n "$FETCHING" ] || return 0
  wait "$FETCHING" || true
  FETCHING=""
}

# stop_images begins nothing more where the release is refused. What has begun goes on within its time.
stop_images() {
  [ -n "$FETCHING" ] || return 0
  kill "$FETCHING" 2>/dev/null || true
  FETCHING=""
}

# know_spread puts where services run into the plan of release $1, where an older version of Berth has made it. The plan of the settings is
# of the same commit, or it does not help.
know_spread() {
  local text plan=$RELEASES/$1/plan.json
  # shellcheck disable=SC2310 # holds is true or false, or the end
  if holds 'has("spread")' "$plan"; then return; fi
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq --slurpfile now "$BERTH_ETC/plan.json" 'if $now[0].commit == .commit and ($now[0] | has("spread")) then .spread = $now[0].spread | .reach = $now[0].reach else . end' "$plan"
  # shellcheck disable=SC2310 # see above
  holds 'has("spread")' <<<"$text" || fail release-without-spread "release $1 was made before Berth knew several servers, so it cannot be told what of it runs on web servers; release a newer commit: pulumi up"
  put "$plan" 0600 <<<"$text"
}

# pack prints a folder with release $1 as web servers have it.
pack() {
  local folder ids text part settings
  # Of a run that was killed.
  rm -rf "$SOCKETS"/pack.*
  read_text folder mktemp -d "$SOCKETS/pack.XXXXXXXX"
  read_text ids image_ids "$1"
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq --argjson ids "$ids" --slurpfile app "$RELEASES/$1/app.json" --slurpfile images "$RELEASES/$1/images.json" --slurpfile reach "$RELEASES/$1/reach.json" \
    -f /opt/berth/servers/reduce.jq "$RELEASES/$1/plan.json"
  for part in plan app data images; do
    read_text settings jq ".$part" <<<"$text"
    put "$folder/$part.json" 0600 <<<"$settings"
  done
  # Neither the repository nor a migration is a web server's.
  read_text settings jq '{DOMAIN, HEALTHY_WITHIN, DRAIN_WITHIN, KEEP, APP: {routes: .APP.routes}}' "$BERTH_ETC/release.json"
  put "$folder/settings.json" 0600 <<<"$settings"
  printf '%s\n' "$folder"
}

# done_on has follow.sh on server $1 do the rest of the arguments, for at most $2 seconds. That it did is believed by its last line alone: an
# ssh that prints nothing has done nothing.
done_on() {
  local printed code=0
  # shellcheck disable=SC2310 # follow_on is one command
  printed=$(follow_on "$@") || code=$?
  [ -z "$printed" ] || printf '%s\n' "$printed"
  [ "$code" -eq 0 ] || return "$code"
  [ "${printed##*$'\n'}" = "done: ${*:3}" ] || {
    say "server $1 does not say that it did what it was asked: ${*:3}"
    return 1
  }
}

# prepare_on has server $1 start release $2, of folder PACK, beside what runs there, and waits until it is ready.
prepare_on() {
  # shellcheck disable=SC2312 # half an archive is none to tar
  done_on "$1" $((SENT_WITHIN + HEALTHY_WITHIN)) prepare "$2" < <(tar -cf - -C "$PACK" . -C "$RELEASES/$2" slot .env.production pages source)
}

# prepare_servers begins that on all of them.
prepare_servers() {
  [ "${#WEB[@]}" -gt 0 ] || return 0
  read_text PACK pack "$1"
  begin prepare_on "$1"
}

# await_servers waits for them. One on which the release is not ready has it fail everywhere.
await_servers() {
  local server
  [ "${#WEB[@]}" -gt 0 ] || return 0
  begun
  rm -rf "$PACK"
  stay
  for server in "${BAD[@]}"; do show_said "$server"; done
  [ "${#BAD[@]}" -eq 0 ] || fail server-not-ready "release $1 is not ready on ${BAD[*]} (the lines above say why), so it serves nowhere; what runs is left as it was"
}

# spare_serving leaves those out that serve release $1 already: made ready again, they would take no requests meanwhile.
spare_serving() {
  local server
  local -a behind=()
  for server in "${WEB[@]}"; do
    # shellcheck disable=SC2310 # serves_now checks each of its commands
    if serves_now "$server"; then know "$server" release "$1"; else behind+=("$server"); fi
  done
  WEB=("${behind[@]}")
}

switch_on() { done_on "$1" "$SWITCH_WITHIN" switch "$2"; }
settle_on() { done_on "$1" $((DRAIN_WITHIN + SETTLE_WITHIN)) settle "${@:2}"; }
back_on() { done_on "$1" $((HEALTHY_WITHIN + DRAIN_WITHIN + SETTLE_WITHIN)) back "${@:2}"; }
restart_on() { done_on "$1" $((HEALTHY_WITHIN + ASK_WITHIN)) restart "$2"; }
maintain_on() { done_on "$1" "$ASK_WITHIN" maintenance "$2"; }

# switch_everywhere has all servers send requests to release $1, this one included. Where it is not well on one that answers, all go back;
# one that does not answer is taken out at once.
switch_everywhere() {
  local server
  local -a kept=() silent=() bad=()
  begin switch_on "$1"
  switch_traffic "$1"
  begun
  for server in "${WEB[@]}"; do
    # shellcheck disable=SC2310 # it is one test
    if [ "${CODES[$server]}" -eq 0 ]; then
      kept+=("$server")
    elif unreached_code "${CODES[$server]}"; then
      silent+=("$server")
    else
      bad+=("$server")
      show_said "$server"
    fi
  done
  [ "${#bad[@]}" -eq 0 ] || fail server-not-switched "release $1 is not well on ${bad[*]} (the lines above say why), so no server keeps it"
  refuse_silence "${#silent[@]}"
  for server in "${silent[@]}"; do expel "$server" "it does not switch to release $1"; done
  WEB=("${kept[@]}")
}

# settle_servers has them end what ran before release $1, each as this server does. await_settled waits for it, before anything stops here that
# they still ask.
settle_servers() {
  local -a kept=()
  [ "${#WEB[@]}" -gt 0 ] || return 0
  read_lines kept kept_releases
  begin settle_on "$1" "${kept[@]:0:KEEP}"
}
await_settled() {
  local server
  [ "${#WEB[@]}" -gt 0 ] || return 0
  begun
  for server in "${WEB[@]}"; do
    if [ "${CODES[$server]}" -eq 0 ]; then
      know "$server" release "$1"
    else
      # shellcheck disable=SC2310 # it is one test
      unreached_code "${CODES[$server]}" || show_said "$server"
      say "server $server has not ended what ran before (the lines above say why); the service berth-servers does that"
    fi
  done
}

# servers_back has them go back to release $1, from $2, which failed. After the switch, whoever cannot is taken out.
servers_back() {
  local server
  [ "${#WEB[@]}" -gt 0 ] || return 0
  for server in "${!BEGUN[@]}"; do kill "${BEGUN[$server]}" 2>/dev/null || true; done
  begun
  [ -z "$PACK" ] || rm -rf "$PACK"
  begin back_on "${1:-starting}" "$2"
  begun
  for server in "${WEB[@]}"; do
    [ "${CODES[$server]}" -ne 0 ] || continue
    # shellcheck disable=SC2310 # it is one test
    unreached_code "${CODES[$server]}" || show_said "$server"
    if [ -n "${SWITCHED:-}" ]; then
      expel "$server" "it does not go back to ${1:-the starting page}"
    else
      # It serves what it did, or is not ready.
      say "server $server has not taken back what it prepared (the lines above say why); the service berth-servers does that"
    fi
  done
}

# restart_servers restarts service $2 of release $1 on them, where it runs on every server.
restart_servers() {
  local server
  # shellcheck disable=SC2310,SC2016 # several is one test; holds is true or false, or the end; jq's variables
  if ! several || ! holds --arg s "$2" '.spread // [] | index([$s]) != null' "$RELEASES/$1/plan.json"; then return; fi
  find_servers
  begin restart_on "$2"
  begun
  stay
  for server in "${BAD[@]}"; do show_said "$server"; done
  [ "${#BAD[@]}" -eq 0 ] || fail service-not-restarted "service $2 does not restart on ${BAD[*]} (the lines above say why)"
}

# maintain_servers has the maintenance page be "on" or "off" on all servers, as it is here. One that does not answer is taken out: it would
# have visitors write.
maintain_servers() {
  [ "${#WEB[@]}" -gt 0 ] || find_servers
  begin maintain_on "$1"
  begun
  stay
  [ "${#BAD[@]}" -eq 0 ] || fail server-not-maintained "the maintenance page is not $1 on ${BAD[*]}; run it again: sudo /opt/berth/deploy.sh maintenance $1"
}

# tell_maintenance has it be on server $1 as it is here.
tell_maintenance() {
  local now=off
  [ ! -e "$MAINTENANCE" ] || now=on
  maintain_on "$1" "$now" </dev/null
}

# server_lines prints a line for each server: its ID, address, release, whether it is ready, and what of it is in use.
server_lines() {
  local line id state health address answer now
  local -a lines=()
  # shellcheck disable=SC2310 # current checks each of its commands
  now=$(current) || return 1
  printf 'first server: release %s\n' "${now:-none}"
  web_settings
  install -d -m 0700 "$SOCKETS" "$SERVERS"
  read_lines lines members
  for line in "${lines[@]}"; do
    read -r id state health address <<<"$line"
    # shellcheck disable=SC2310 # follow_on is one command
    if answer=$(follow_on "$id" "$ANSWER_WITHIN" state </dev/null 2>/dev/null) &&
      answer=$(jq -er -L /opt/berth/status --arg aws "$state, $health" 'import "words" as words; '"$USED"'
        "release \(.release | if . == "" then "none" else . end), \(if .ready then "ready" else "not ready" end); \($aws); \(used | words::used)"' <<<"$answer") && [ -n "$answer" ]; then
      printf '%s %s: %s\n' "$id" "$address" "$answer"
    else
      printf '%s %s: does not answer; %s, %s\n' "$id" "$address" "$state" "$health"
    fi
  done
}

tell_servers() {
  local lines
  # shellcheck disable=SC2310 # it is one test
  several || return 0
  read_text lines server_lines
  print "$lines"
}
