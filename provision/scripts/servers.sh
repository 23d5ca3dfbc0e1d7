#!/usr/bin/env bash
# The servers of the site, where there are several: servers.sh watch | status | ssh ID [COMMAND…] | await N SECONDS | rules | leave
#   watch           what the service berth-servers does: have the Auto Scaling group's new servers join, and any server that is not as
#                   this one is
#   status          a line for each server
#   ssh ID [COMMAND…]
#                   a shell on web server ID, or a command there, as with ssh
#   await N SECONDS wait until N web servers serve what this one does
#   rules           let web servers reach what runs here alone, after a boot
#   leave           be the only server again
# Settings: /etc/berth/servers.json, written by 'pulumi up': GROUP, TARGET_GROUP, REGION, REACH, NETWORK, MIN, FIRST.
set -euo pipefail
# shellcheck disable=SC2153
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/aws.sh
source /opt/berth/aws.sh
# shellcheck source=provision/scripts/release/lock.sh
source /opt/berth/release/lock.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/data.sh
source /opt/berth/release/data.sh
# shellcheck source=provision/scripts/release/containers.sh
source /opt/berth/release/containers.sh
# shellcheck source=provision/scripts/release/upstreams.sh
source /opt/berth/release/upstreams.sh
# shellcheck source=provision/scripts/release/edge.sh
source /opt/berth/release/edge.sh
# shellcheck source=provision/scripts/servers/members.sh
source /opt/berth/servers/members.sh
# shellcheck source=provision/scripts/servers/images.sh
source /opt/berth/servers/images.sh
# shellcheck source=provision/scripts/servers/reach.sh
source /opt/berth/servers/reach.sh
# shellcheck source=provision/scripts/servers/fanout.sh
source /opt/berth/servers/fanout.sh
# shellcheck source=provision/scripts/servers/adopt.sh
source /opt/berth/servers/adopt.sh
# shellcheck source=provision/scripts/servers/renew.sh
source /opt/berth/servers/renew.sh

# Seconds between two checks of the group, and of a server that has joined, and how many tries one gets to join.
readonly LOOK_EVERY=5 CHECK_EVERY=30 TRIES=3
readonly SERVERS_LOG=/var/log/berth/servers.log UNITS_OF_SERVERS=(berth-servers berth-reach berth-servers-firewall berth-registry)

# ATTENDING are the processes that are at work for each server, FAILURES how often that failed, and CHECKED when it began last.
declare -A ATTENDING=() FAILURES=() CHECKED=()

# watch checks the group until it is ended. What fails is tried again.
watch() {
  install -d -m 0700 "$SOCKETS" "$SERVERS"
  web_settings
  await_docker
  while true; do
    look
    sleep "$LOOK_EVERY"
  done
}

# look has every server of the group attended to that needs it, side by side, and forgets those that are gone. It is called in no
# condition: set -e would be off in what it begins.
look() {
  local lines id state health address
  # shellcheck disable=SC2310 # members checks each of its commands
  if ! lines=$(members); then
    say "AWS does not say which servers there are (the lines above say why); it is asked again in $LOOK_EVERY seconds"
    return
  fi
  note_look "$lines"
  reap
  forget_gone "$lines"
  renew
  while read -r id state health address; do
    # shellcheck disable=SC2310 # due is one list
    due "$id" "$state" "$health" "$address" || continue
    CHECKED[$id]=$SECONDS
    attend "$id" "$state" "$address" &
    ATTENDING[$id]=$!
  done <<<"$lines"
}

# due says whether server $1, in state $2, of health $3 and at address $4, is attended to now.
due() {
  local release
  [ -n "$1" ] && [ -z "${ATTENDING[$1]:-}" ] && [ "$3" = Healthy ] && [ "$4" != - ] || return 1
  case $2 in Pending:Wait | InService) ;; *) return 1 ;; esac
  release=$(known "$1" release)
  [ "$2" = Pending:Wait ] || [ -z "$release" ] || [ $((SECONDS - ${CHECKED[$1]:--1000})) -ge "$CHECK_EVERY" ]
}

# reap learns how what was at work ended.
reap() {
  local id code
  for id in "${!ATTENDING[@]}"; do
    if kill -0 "${ATTENDING[$id]}" 2>/dev/null; then continue; fi
    code=0
    wait "${ATTENDING[$id]}" || code=$?
    unset "ATTENDING[$id]"
    # shellcheck disable=SC2310 # missed checks each of its commands
    if [ "$code" -eq 0 ]; then unset "FAILURES[$id]"; else missed "$id" || true; fi
  done
}

# missed counts that server $1 did not join. After the last try it is given up, and Auto Scaling begins another. One that serves what this
# one does goes on, where it cannot be provisioned again: whether it still does, the load balancer asks.
missed() {
  local release now
  release=$(known "$1" release)
  # shellcheck disable=SC2310 # current checks each of its commands
  if ! now=$(current) || { [ -n "$release" ] && [ "$release" = "$now" ]; }; then
    FAILURES[$1]=1
    say "server $1 is not as it has to be (the lines above say why), and goes on with release ${release:-none}; it is tried again"
    return
  fi
  FAILURES[$1]=$((${FAILURES[$1]:-0} + 1))
  if [ "${FAILURES[$1]}" -lt "$TRIES" ]; then
    say "server $1 did not join, try ${FAILURES[$1]} of $TRIES (the lines above say why); it is tried again"
    return
  fi
  say "server $1 did not join, try ${FAILURES[$1]} of $TRIES (the lines above say why); it is given up, and Auto Scaling begins another"
  unset "FAILURES[$1]"
  # shellcheck disable=SC2310 # both are one list
  complete "$1" ABANDON || drop_server "$1" "it does not join"
}

# forget_gone forgets the servers that are not in list $1.
forget_gone() {
  local file id
  for file in "$SERVERS"/*.json; do
    id=${file##*/} id=${id%.json}
    if [ ! -e "$file" ] || [[ $'\n'$1 == *$'\n'"$id "* ]]; then continue; fi
    say "server $id is gone"
    forget "$id"
  done
}

# serving counts the web servers that have joined at the release that serves here, with what they have to be provisioned with now.
serving() {
  local id now release want made_now count=0
  local -a ids=()
  now=$(current)
  read_text want made
  read_lines ids joined
  for id in "${ids[@]}"; do
    release=$(known "$id" release)
    made_now=$(known "$id" made)
    if [ "$release" = "$now" ] && [ "$made_now" = "$want" ]; then count=$((count + 1)); fi
  done
  printf '%s\n' "$count"
}

# await_serving waits until $1 of them do, for at most $2 seconds, and says how far it is.
await_serving() {
  local count before="" end=$((SECONDS + $2))
  [[ ${1:-} =~ ^[0-9]+$ && ${2:-} =~ ^[0-9]+$ ]] || fail arguments-invalid "usage: servers.sh await N SECONDS"
  while true; do
    read_text count serving
    [ "$count" = "$before" ] || say "$count of $1 web servers serve what this one does"
    before=$count
    [ "$count" -lt "$1" ] || return 0
    if [ "$SECONDS" -ge "$end" ]; then
      tail -n 20 "$SERVERS_LOG" | show "$SERVERS_LOG"
      fail servers-not-joined "$count of $1 web servers have joined within $2 seconds (the lines above say why); they go on trying: sudo tail -f $SERVERS_LOG; then run 'pulumi up' again"
    fi
    sleep 1
  done
}

rules() {
  web_settings
  # shellcheck disable=SC2153 # web_settings sets it
  reach_rules "$NETWORK"
}

# leave takes away all that several servers need here. The group, with its servers, is gone after that. A release that is under way is
# awaited.
leave() {
  local socket
  take_lock "the way back to one server"
  # What goes on at work would give servers what is taken away here.
  end_units berth-servers
  # From here on every release is of one server.
  rm -f "$BERTH_ETC/servers.json"
  for socket in "$SOCKETS"/i-*; do hang_up "${socket##*/}"; done
  end_units "${UNITS_OF_SERVERS[@]}"
  systemctl daemon-reload
  # The first line makes it where it is not there.
  nft --file - <<<$'table inet berth_servers\ndelete table inet berth_servers'
  forget_rules
  leave_reach
  rm -f "$BERTH_ETC/servers.nft" "$REGISTRY_SETTINGS" "$BERTH_ETC/edge-settings.json" /etc/sysctl.d/62-berth-servers.conf
  rm -rf "$FLEET" "$SERVERS" "$SOCKETS" "$REGISTRY_DATA"
  untag_images
  exec 8>&-
  say "this is the only server again"
}

# end_units stops those of units $@ that are there, and removes them.
end_units() {
  local unit
  for unit in "$@"; do
    [ -e "/etc/systemd/system/$unit.service" ] || continue
    systemctl disable --quiet --now "$unit.service"
    rm -f "/etc/systemd/system/$unit.service"
  done
}

# leave_reach takes the network away, with all that is in it.
leave_reach() {
  local id
  local -a names=() ids=()
  read_lines names docker_table network ls --format 'table {{.Name}}' --filter "name=^$BRIDGE\$"
  [ "${#names[@]}" -gt 0 ] || return 0
  read_lines ids docker_table ps --all --no-trunc --format 'table {{.ID}}' --filter "network=$BRIDGE"
  for id in "${ids[@]}"; do docker network disconnect --force "$BRIDGE" "$id"; done
  docker network rm "$BRIDGE" >/dev/null
}

# untag_images takes the registry's names off the images.
untag_images() {
  local -a images=()
  read_lines images docker_table image ls --format 'table {{.Repository}}:{{.Tag}}' --filter reference="$REGISTRY/berth/*"
  [ "${#images[@]}" -eq 0 ] || docker image rm "${images[@]}" >/dev/null || true
}

main() {
  need_root
  umask 077
  # leave may be run again.
  # shellcheck disable=SC2310 # it is one test
  [ "${1:-}" = leave ] || several || fail one-server "this is the only server; several are set with: pulumi config set berth:servers 3; where they are set already, have it be the first of them again: pulumi up --replace \"\$(pulumi stack --show-urns | grep -o 'urn:pulumi:[^ ]*Command::servers')\""
  # They need no settings of a release.
  case ${1:-} in
    leave | rules)
      "$1"
      return
      ;;
    ssh)
      [ $# -ge 2 ] || fail arguments-invalid "usage: servers.sh ssh ID [COMMAND…]"
      by_hand "${@:2}"
      ;;
  esac
  load_settings release DOMAIN HEALTHY_WITHIN:number DRAIN_WITHIN:number KEEP:number
  case ${1:-} in
    watch) watch ;;
    status) tell_servers ;;
    await) await_serving "${2:-}" "${3:-}" ;;
    *) fail arguments-invalid "usage: servers.sh watch | status | ssh ID [COMMAND…] | await N SECONDS | rules | leave" ;;
  esac
}

main "$@"
