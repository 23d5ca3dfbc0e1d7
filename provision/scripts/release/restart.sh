# Restarts of the release that serves. Sourced by deploy.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# restart [SERVICE] restarts a service, or all that every release replaces. What visitors ask for is started once more beside what runs, as
# a release of the same commit in another slot, and takes over when it is ready.
restart() {
  local service=${1:-}
  local -a stateless=() stateful=() routed=()
  need_release "$OLD"
  read_json stateless "$RELEASES/$OLD/plan.json" '.stateless[]'
  read_json stateful "$RELEASES/$OLD/plan.json" '.stateful[]'
  read_json routed "$RELEASES/$OLD/plan.json" '.routes[].service'
  if [[ -n $service && " ${stateful[*]} " == *" $service "* ]]; then
    say "$service is persistent and never runs twice, so what needs it waits until it is back"
    restart_here "$DATA_PROJECT" "$service"
    # shellcheck disable=SC2034 # for data.sh
    CHANGED="$service changes"
    renew_dependents "$OLD"
  elif [[ -n $service && " ${stateless[*]} " != *" $service "* ]]; then
    fail service-unknown "there is no service $service; these are: ${stateless[*]} ${stateful[*]}"
  elif [[ -n $service && " ${routed[*]} " != *" $service "* ]]; then
    restart_here "release-$OLD" "$service"
    restart_servers "$OLD" "$service"
  else
    [ "${#stateless[@]}" -gt 0 ] || fail services-all-persistent "every service is persistent, and is restarted by its name only: sudo /opt/berth/deploy.sh restart ${stateful[0]:-SERVICE}"
    [ -z "$service" ] || say "a route points to $service, so it is restarted with all that belongs to the release: ${stateless[*]}"
    end_with_finish
    start_anew
  fi
}

# restart_here restarts the containers of service $2 in project $1.
restart_here() {
  local began=$SECONDS
  local -a ids=()
  refuse_interrupted
  read_lines ids running "$1" "$2"
  [ "${#ids[@]}" -gt 0 ] || fail service-not-running "service $2 does not run, so there is nothing to restart; what runs: sudo /opt/berth/deploy.sh status; start what is missing: sudo /opt/berth/deploy.sh"
  say "restarting $2"
  docker restart "${ids[@]}" >/dev/null || fail service-not-restarted "Docker does not restart $2 (the lines above say why); look with: sudo /opt/berth/log-monitor.sh view $2"
  await_ready "$1" "$OLD" $((SECONDS + HEALTHY_WITHIN))
  say "$2 is back; it was away for at most $((SECONDS - began)) seconds"
}

# start_anew releases OLD once more, under another name.
start_anew() {
  # shellcheck disable=SC2034 # for deploy.sh
  ACTION=restart
  finish_interrupted "$OLD"
  step plan
  leftovers
  read_text NEW another_name "$OLD"
  read_text COMMIT jq -r .commit "$RELEASES/$OLD/released.json"
  say "preparing $NEW, release $OLD once more, beside it"
  copy_release "$OLD" "$NEW"
  activate
}

# another_name prints a name that no release has, for release $1: its own, with the number of the restart where that is taken.
another_name() {
  local base=${1%-r[0-9]*} number=1 name
  name=$base
  while [ -e "$RELEASES/$name" ]; do
    name=$base-r$number
    number=$((number + 1))
  done
  printf '%s\n' "$name"
}

# copy_release makes release $2 of release $1: with another name, in another slot. It has served before, so neither its migration nor
# what runs once is run again. The checkout takes no more room.
copy_release() {
  local old=$RELEASES/$1 new=$RELEASES/$2 slot before file text
  read_text slot free_slot
  read_text before slot_of "$1"
  mkdir -p "$new"
  cp --archive --link "$old/source" "$new/source"
  cp --archive "$old/pages" "$new/pages"
  put "$new/slot" 0600 <<<"$slot"
  put "$new/.env.production" 0600 <"$old/.env.production"
  put "$new/images.json" 0600 <"$old/images.json"
  for file in plan app data; do
    read_text text jq --arg old "$1" --arg new "$2" --argjson from $((FIRST_PORT + 100 * before)) --argjson to $((FIRST_PORT + 100 * slot)) -f /opt/berth/release/restart.jq "$old/$file.json"
    put "$new/$file.json" 0600 <<<"$text"
  done
  # Where this is interrupted, the copy is the last that anybody returns to.
  read_text text jq '.served = "0"' "$old/released.json"
  put "$new/released.json" 0600 <<<"$text"
}
