#!/usr/bin/env bash
# The commands of a web server. The first of several servers runs them, over SSH.
#   follow.sh enlist                have this server be a web server
#   follow.sh fetch                 get the images that standard input names, each with its ID
#   follow.sh prepare ID            start release ID, whose folder comes as a tar archive on standard input, beside what runs
#   follow.sh switch ID             send requests to it
#   follow.sh settle ID KEPT…       end what ran before it, and remove what is not kept
#   follow.sh back OLD NEW          return to release OLD ("starting" for none), and remove NEW unless it is kept
#   follow.sh restart SERVICE       restart a service of the release that serves
#   follow.sh maintenance on | off  as deploy.sh's
#   follow.sh update                install Debian's security updates now
#   follow.sh state                 {release, ready, settled, reboot, maintenance, used}, as JSON
# Settings: /etc/berth/release.json, which comes with each release. A web server holds no data, and builds nothing.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/lock.sh
source /opt/berth/release/lock.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/binds.sh
source /opt/berth/release/binds.sh
# shellcheck source=provision/scripts/release/images.sh
source /opt/berth/release/images.sh
# shellcheck source=provision/scripts/release/data.sh
source /opt/berth/release/data.sh
# shellcheck source=provision/scripts/release/containers.sh
source /opt/berth/release/containers.sh
# shellcheck source=provision/scripts/release/upstreams.sh
source /opt/berth/release/upstreams.sh
# shellcheck source=provision/scripts/release/edge.sh
source /opt/berth/release/edge.sh
# shellcheck source=provision/scripts/release/jobs.sh
source /opt/berth/release/jobs.sh
# shellcheck source=provision/scripts/release/prune.sh
source /opt/berth/release/prune.sh
# shellcheck source=provision/scripts/servers/images.sh
source /opt/berth/servers/images.sh
# shellcheck source=provision/scripts/health/gauges.sh
source /opt/berth/health/gauges.sh

readonly LOG=/var/log/berth/release.log ROLE=$BERTH_ETC/role INCOMING=$DATA/incoming REBOOT_DUE=/run/reboot-required FETCH_LOCK=/run/berth-fetch.lock
# The first server's registry, at this end of its connection, and the seconds for one image and for updates.
readonly FETCH_WITHIN=600 UPDATED_WITHIN=240

# OLD is the release that another one follows, for the functions of release/.
OLD=""

# need_id ends the script where $1 is no release's name: it becomes a folder's.
need_id() { [[ ${1:-} =~ ^[0-9a-f]{1,40}(-[0-9a-z]+){0,3}$ ]] || fail arguments-invalid "${1:-nothing} is no name of a release"; }

# need_web ends the script on any other server: the first holds the data.
need_web() {
  local role
  role=$(cat "$ROLE" 2>/dev/null) || role=""
  [ "$role" = web ] || fail no-web-server "this is no web server of several, and nothing was done"
}

load() {
  load_settings release DOMAIN HEALTHY_WITHIN:number DRAIN_WITHIN:number KEEP:number
}

# enlist has this server be a web server. A connection of a first server that is gone ends soon, and with it its hold on the port.
enlist() {
  [ ! -e "$BERTH_ETC/plan.json" ] || fail no-web-server "this is the first of several servers, and it stays that"
  put "$ROLE" 0644 <<<web
  put_checked /etc/ssh/sshd_config.d/10-berth.conf sshd sshd -t <<EOF
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
X11Forwarding no
AllowAgentForwarding no
ClientAliveInterval 10
ClientAliveCountMax 3
EOF
  systemctl reload ssh
}

# prepare makes sure of release $1, which standard input has, until all of its routes answer behind nginx.
prepare() {
  local volume
  local -a volumes=()
  take_in "$1"
  load
  OLD=$(current)
  [ "$OLD" != "$1" ] || OLD=""
  lay "$1"
  fetch_images "$1"
  prepare_binds "$1"
  make_mountpoints "$1"
  read_json volumes "$RELEASES/$1/plan.json" '.volumes[]?'
  for volume in "${volumes[@]}"; do docker volume create "$volume" >/dev/null; done
  create "$1"
  start_release "$1"
  rehearse "$1"
}

# take_in unpacks what standard input has, and refuses what is not release $1.
take_in() {
  local file
  rm -rf "$INCOMING"
  mkdir -p "$INCOMING"
  tar -xf - -C "$INCOMING" --no-same-owner || fail release-incomplete "release $1 did not arrive whole; nothing was changed"
  for file in plan.json app.json data.json images.json settings.json slot .env.production pages source; do
    [ -e "$INCOMING/$file" ] || fail release-incomplete "release $1 arrived without its $file; nothing was changed"
  done
  # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end
  holds --arg id "$1" '.id == $id' "$INCOMING/plan.json" || fail release-incomplete "what arrived is not release $1; nothing was changed"
  put "$BERTH_ETC/release.json" 0600 <"$INCOMING/settings.json"
}

# lay has the folder of release $1 be what arrived. What runs of the same content is left alone.
lay() {
  local file same=yes
  for file in plan app images; do
    cmp --quiet "$INCOMING/$file.json" "$RELEASES/$1/$file.json" || same=""
  done
  if [ -n "$same" ]; then
    rm -rf "$INCOMING"
    return
  fi
  make_way "$1"
  mv -T "$INCOMING" "$RELEASES/$1"
}

# make_way removes what has the name or the slot of release $1, as it arrived. Where that serves, this server has missed a release, and
# is not ready until it has joined again.
make_way() {
  local folder name slot taken now
  read_text slot cat "$INCOMING/slot"
  now=$(current)
  for folder in "$RELEASES"/*/; do
    folder=${folder%/} name=${folder##*/}
    if [ -L "$folder" ] || [ ! -d "$folder" ] || [ "$name" = starting ]; then continue; fi
    taken=$(cat "$folder/slot" 2>/dev/null) || taken=""
    if [ "$name" != "$1" ] && [ "$taken" != "$slot" ]; then continue; fi
    if [ "$name" = "$now" ]; then
      switch_traffic starting
      OLD=""
    fi
    remove_release "$name"
  done
}

# fetch_images makes sure of the images of release $1. An ID is of a content: what the registry has under a name is believed by it alone.
fetch_images() {
  local -a lines=()
  read_json lines "$RELEASES/$1/images.json" '[.[] | "\(.image) \(.id)"] | unique[]'
  [ "${#lines[@]}" -eq 0 ] || fetch < <(printf '%s\n' "${lines[@]}")
}

# fetch makes sure of the images that standard input names, each with its ID, one run of it at a time: each takes the registry's name away.
fetch() {
  local image id now
  exec 9>>"$FETCH_LOCK"
  flock --wait "$FETCH_WITHIN" 9 || fail fetch-lock-held "this server has been getting images for $FETCH_WITHIN seconds, and nothing was changed; look with: sudo lslocks --notruncate"
  while read -r image id; do
    # shellcheck disable=SC2310 # image_id is one command
    now=$(image_id "$image" 2>/dev/null) || now=""
    [ "$now" != "$id" ] || continue
    timeout "$FETCH_WITHIN" docker pull --quiet "$REGISTRY/$image" </dev/null >/dev/null ||
      fail image-not-fetched "the image $image does not come from the first server's registry; the lines above say why"
    read_text now image_id "$REGISTRY/$image"
    [ "$now" = "$id" ] || fail image-differs "the registry has another image under $image than the first server runs, and it is not run here"
    docker tag "$REGISTRY/$image" "$image"
    docker image rm "$REGISTRY/$image" >/dev/null
  done
  exec 9>&-
}

# switch_to sends requests to release $1, which is ready.
switch_to() {
  [ -e "$RELEASES/$1/plan.json" ] || fail release-unknown "release $1 is not on this server"
  load
  switch_traffic "$1"
  verify "$1"
}

# settle ends what ran before release $1, and removes all but the releases that are named.
settle() {
  local now folder name served text
  local -a services=()
  load
  now=$(current)
  [ "$now" = "$1" ] || fail release-unknown "${now:-nothing} serves here, not $1"
  stop_others "$1"
  read_lines services docker_table ps --filter "label=com.docker.compose.project=release-$1" --format 'table {{.Label "com.docker.compose.service"}}'
  read_text served date --utc +%FT%T.%NZ
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq --arg served "$served" '{id, commit, served: $served, running: ($ARGS.positional | unique)}' "$RELEASES/$1/plan.json" --args "${services[@]}"
  put "$RELEASES/$1/released.json" 0600 <<<"$text"
  for folder in "$RELEASES"/*/; do
    folder=${folder%/} name=${folder##*/}
    if [ -L "$folder" ] || [ ! -d "$folder" ] || [ "$name" = starting ] || [[ " $* " == *" $name "* ]]; then continue; fi
    remove_release "$name"
  done
  prune_images
}

# back returns to release $1 from $2.
back() {
  local now before=$1
  load
  now=$(current)
  [ "$1" != starting ] || before=""
  if [ "$now" = "$2" ] && [ "$1" != "$2" ]; then
    [ -z "$before" ] || start_again "$before" "$2"
    switch_traffic "$1"
    drain "$2" "$before"
  fi
  if [ "$1" = "$2" ] || [ ! -e "$RELEASES/$2" ]; then return; fi
  stop_release "$2"
  [ -e "$RELEASES/$2/released.json" ] || remove_release "$2"
}

# restart restarts service $1 of the release that serves.
restart() {
  local now
  local -a ids=()
  load
  now=$(current)
  need_release "$now"
  read_lines ids running "release-$now" "$1"
  [ "${#ids[@]}" -gt 0 ] || fail service-not-running "service $1 does not run here, so there is nothing to restart"
  docker restart "${ids[@]}" >/dev/null || fail service-not-restarted "Docker does not restart $1; the lines above say why"
  await_ready "release-$now" "$now" $((SECONDS + HEALTHY_WITHIN))
}

# update installs what Debian's timers would within a day. What its time does not suffice for, they do.
update() {
  timeout 60 apt-get -q -o DPkg::Lock::Timeout=30 update
  # It ends between two packages.
  timeout "$UPDATED_WITHIN" unattended-upgrade
}

# state prints what this server serves, whether nginx sends requests to it, whether nothing else runs, whether an update waits for a
# reboot, whether the maintenance page is on, and how much of the memory, the swap and the disk is in use, in per cent.
state() {
  local now slot="" at=starting ready=false settled=true reboot=false maintenance=false id used text
  local -a ids=()
  now=$(current)
  if [ -L "$SLOTS/current" ]; then read_text at readlink "$SLOTS/current"; fi
  if [ -n "$now" ]; then
    read_text slot slot_of "$now"
    [ "$at" != "$slot" ] || ready=true
    [ -e "$RELEASES/$now/released.json" ] || settled=false
  fi
  read_lines ids docker_table ps --no-trunc --filter label=berth.release --format 'table {{.Label "berth.release"}}'
  for id in "${ids[@]}"; do [ "$id" = "$now" ] || settled=false; done
  [ ! -e "$REBOOT_DUE" ] || reboot=true
  [ ! -e "$MAINTENANCE" ] || maintenance=true
  # A server that cannot be measured serves all the same. The reason is no part of the answer.
  # shellcheck disable=SC2310 # gauges checks each of its commands
  used=$(gauges 3>&2) || used=null
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -cn --arg release "$now" --argjson ready "$ready" --argjson settled "$settled" --argjson reboot "$reboot" --argjson maintenance "$maintenance" --argjson used "$used" '$ARGS.named'
  printf '%s\n' "$text"
}

# begin_work does for what changes something what deploy.sh does: what is said goes to the first server, all else to the log.
begin_work() {
  mkdir -p "${LOG%/*}"
  TZ=UTC printf '\n=== %(%FT%TZ)T follow %s\n' -1 "$*" >>"$LOG"
  # shellcheck disable=SC2312 # what it cannot write, nothing waits for
  exec > >(plain >>"$LOG") 2>&1
  await_docker
  await_reboot
  take_lock "follow $1"
}

main() {
  local id
  need_root
  umask 077
  [ "${1:-}" = enlist ] || need_web
  case ${1:-} in
    enlist | state | fetch) "$1" ;;
    prepare | switch | settle)
      [ $# -ge 2 ] || fail arguments-invalid "usage: follow.sh $1 ID"
      for id in "${@:2}"; do need_id "$id"; done
      begin_work "$@"
      case $1 in
        switch) switch_to "$2" ;;
        *) "$@" ;;
      esac
      ;;
    back)
      [ $# -eq 3 ] || fail arguments-invalid "usage: follow.sh back OLD NEW"
      [ "$2" = starting ] || need_id "$2"
      need_id "$3"
      begin_work "$@"
      back "$2" "$3"
      ;;
    restart)
      [[ ${2:-} =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || fail arguments-invalid "usage: follow.sh restart SERVICE"
      begin_work "$@"
      restart "$2"
      ;;
    update)
      begin_work update
      update
      ;;
    maintenance) maintenance "${2:-}" ;;
    *) fail command-unknown "there is no command ${1:-}; see the head of $0" ;;
  esac
  # The first server believes this line alone (servers/fanout.sh).
  [ "$1" = state ] || print "done: $*"
}

main "$@"
