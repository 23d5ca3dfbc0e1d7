#!/usr/bin/env bash
# What a shutdown does to the containers: reboot.sh stop | start. Run by berth-reboot.service.
#   stop    when the server shuts down: write down what runs, then stop it, each container by its own stop signal and within
#           its own grace period (Compose's stop_signal and stop_grace_period). Docker's live-restore would leave them to the
#           bare SIGTERM that every process gets at the end. When Docker alone is stopped or restarted, nothing is done.
#   start   when Docker is there again: start what was written down. A container that was stopped does not come back by its
#           restart policy (unless-stopped). After a power cut nothing is written down, and Docker's policies do it all.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/lock.sh
source /opt/berth/release/lock.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/data.sh
source /opt/berth/release/data.sh

# A line "PHASE ID RELEASE" for each container that ran; RELEASE is - for what is of no release. It is on the volume, as the containers are, and goes to another server with
# them.
readonly RECORD=$DATA/running
# Containers stop in this order and start in the other one: what holds no data, so that it can finish its writes; then what
# holds some; databases last.
readonly PHASES=(app data store)
# Seconds that a release at work gets to end, the app to stop, and the databases. EC2 cuts the power four minutes after it asked
# for a reboot. Source: EC2 User Guide, "Reboot your Amazon EC2 instance".
readonly RELEASE_ENDS=20 PHASE_ENDS=(60 40 90)
# Seconds for which a container that does not start is tried again.
readonly STARTS_WITHIN=60

# shutting_down says whether the whole system stops. Its state would say so, too, but not before a boot has ended.
shutting_down() {
  local jobs
  jobs=$(systemctl list-jobs --no-legend --plain shutdown.target) || return 1
  [[ $jobs == *shutdown.target* ]]
}

# inspect sets INSPECTED to what Docker knows of the containers that run. One that ends meanwhile makes it fail.
inspect() {
  local table
  local -a ids
  INSPECTED="[]"
  # The head of the table is Docker's word that it looked.
  table=$(docker ps --no-trunc --format 'table {{.ID}}') && [ -n "$table" ] || return 1
  mapfile -t ids <<<"$table"
  [ "${#ids[@]}" -eq 1 ] || { INSPECTED=$(docker inspect "${ids[@]:1}") && [ -n "$INSPECTED" ]; }
}

# phased prints a line "PHASE POLICY ID RELEASE" for each of INSPECTED; POLICY is its restart policy.
phased() {
  local stores="[]" plan=$RELEASES/current/plan.json
  # A plan that does not read is no reason to have the rest end without its own time.
  if [ -e "$plan" ]; then stores=$(jq -c .stores "$plan") || stores="[]"; fi
  jq -r --arg data "$DATA_PROJECT" --argjson stores "$stores" '.[] | .Config.Labels as $labels
    | (if $labels["com.docker.compose.project"] != $data then "app"
       elif $labels["com.docker.compose.service"] | IN($stores[]) then "store" else "data" end)
    + " \(.HostConfig.RestartPolicy.Name | if . == "" then "no" else . end) \(.Id) \($labels["berth.release"] // "-")"' <<<"$INSPECTED"
}

# shellcheck disable=SC2310 # shutting_down checks each of its commands; await runs what it is given; sign_lock is one command
stop() {
  local all i ids before=""
  shutting_down || return 0
  # A release that is asked to end puts things back first.
  exec 8>>"$LOCK"
  if flock --wait "$RELEASE_ENDS" 8; then
    sign_lock "the stop before a reboot" || true
  else
    say "$(<"$LOCK") is still at work after $RELEASE_ENDS seconds; the containers are stopped all the same"
  fi
  await 10 inspect || fail containers-not-listed "Docker does not say what runs (the lines above say why); the containers end without their own time"
  all=$(phased)
  # What has no restart policy does not come back after a reboot. What is written down already did not start again before this
  # shutdown.
  if [ -e "$RECORD" ]; then before=$(<"$RECORD"); fi
  { awk '$2 != "no" { print $1, $3, $4 }' <<<"$all" && printf '%s\n' "$before"; } | awk 'NF && !seen[$2]++' | put "$RECORD" 0600
  for i in "${!PHASES[@]}"; do
    ids=$(awk -v phase="${PHASES[i]}" '$1 == phase { print $3 }' <<<"$all")
    [ -n "$ids" ] || continue
    # shellcheck disable=SC2086 # one container a word
    timeout "${PHASE_ENDS[i]}" docker stop $ids >/dev/null || say "not all of it stopped in its own time, or within ${PHASE_ENDS[i]} seconds: $ids"
  done
  say "the containers are stopped"
}

# comes_back prints the containers of phase $1 that were written down and are there. Of releases only the one that serves
# comes back, whatever ran beside it.
# shellcheck disable=SC2310 # current checks each of its commands
comes_back() {
  local known now
  # It is tried again, and what failed in the end is said then.
  now=$(current 3>/dev/null) || return 1
  known=$(docker ps --all --no-trunc --format 'table {{.ID}} {{.Label "berth.release"}}') && [ -n "$known" ] || return 1
  awk -v phase="$1" -v now="$now" 'NR == FNR { if ($2 == "" || $2 == now) there[$1]; next } $1 == phase && $2 in there { print $2 }' <(printf '%s\n' "$known") "$RECORD"
}

# written_down prints those of phase $1 by the record alone, for when Docker does not say what is there. Where it cannot be told
# which release serves, all come back: one too many is no harm to the data, and the next release stops it.
# shellcheck disable=SC2310 # see above
written_down() {
  local now
  now=$(current 3>/dev/null) || now="?"
  awk -v phase="$1" -v now="$now" '$1 == phase && ($3 == "" || $3 == "-" || now == "?" || $3 == now) { print $2 }' "$RECORD"
}

# shellcheck disable=SC2310 # await runs what it is given; sign_lock is one command
start() {
  local i ids
  [ -s "$RECORD" ] || return 0
  exec 8>>"$LOCK"
  if flock --wait "$LOCK_WITHIN" 8; then
    sign_lock "the start after a reboot" || true
  else
    say "$(<"$LOCK") is still at work after $LOCK_WITHIN seconds; the containers are started all the same"
  fi
  for ((i = ${#PHASES[@]} - 1; i >= 0; i--)); do
    ids=$(await "$STARTS_WITHIN" comes_back "${PHASES[i]}") || {
      say "it cannot be told what is there (the lines above say why); starting what is written down"
      ids=$(written_down "${PHASES[i]}")
    }
    [ -n "$ids" ] || continue
    # shellcheck disable=SC2086 # one container a word
    await "$STARTS_WITHIN" docker start $ids >/dev/null ||
      say "not all that ran before the reboot starts again (the lines above say why); start it with: sudo docker start" $ids
  done
  rm -f "$RECORD"
  say "what ran before the reboot is started"
}

main() {
  need_root
  case ${1:-} in
    stop | start) "$1" ;;
    *) fail arguments-invalid "usage: reboot.sh stop | start" ;;
  esac
}

main "$@"
