# The containers of a release: started, awaited, stopped. Sourced by deploy.sh.
# shellcheck shell=bash disable=SC2034

# Restarts after which a container counts as looping, seconds that one without a health check has to stay up, and seconds
# after which is said what is still waited for.
readonly LOOPS_AFTER=3 STEADY_AFTER=2 TELL_EVERY=20
# MiB of free memory from which on nobody counts.
readonly ROOMY=512

docker_answers() { timeout 10 docker version >/dev/null 2>&1; }

# await_docker waits for Docker, which after a boot takes longer than SSH.
await_docker() {
  if docker_answers; then return; fi
  say "waiting for Docker, at most 120 seconds"
  await 120 docker_answers ||
    fail "Docker does not answer; look with: sudo journalctl -u docker -n 30; start it with: sudo systemctl restart docker; then run it again"
}

# states prints a line for every container of project $1, as far as it belongs to release $2, that is not (yet) what it
# should be: "waiting" or "broken", its service, and how it is.
states() {
  local all
  all=$(containers "$1")
  [ -n "$all" ] || return 0
  # shellcheck disable=SC2086 # one container a word
  docker inspect $all | jq -r --argjson loops "$LOOPS_AFTER" --argjson steady "$STEADY_AFTER" --argjson now "$(date +%s)" \
    --slurpfile plan "$RELEASES/$2/plan.json" -f /opt/berth/release/states.jq
}

# await_ready waits until every container of project $1 is ready and, for the own project of release $2, its routes
# answer; $3 is a Compose still at work on it. Docker's events wake it; DEADLINE ends it.
await_ready() {
  local now="" events watcher compose=${3:-} tell=$((SECONDS + TELL_EVERY))
  exec {events}< <(exec docker events --filter "label=com.docker.compose.project=$1" --filter event=start --filter event=die --filter event=health_status --format '{{.Action}}' 8>&-)
  watcher=$!
  while true; do
    now=$(states "$1" "$2")
    if grep -q '^broken ' <<<"$now"; then break; fi
    # Compose waits by itself for what a service depends on, without end where that starts again and again.
    if [ -n "$compose" ] && ! kill -0 "$compose" 2>/dev/null; then
      wait "$compose" || { now=${now:-broken Compose gave up, the lines above say why} && break; }
      compose=""
    fi
    if [ -z "$now$compose" ]; then
      [ "$1" = "$(project "$2")" ] || break
      now=$(unanswered "$2")
      [ -n "$now" ] || break
    fi
    if [ "$SECONDS" -ge "$DEADLINE" ]; then
      now=${now:-broken Compose is still at work}
      break
    fi
    if [ -n "$now" ] && [ "$SECONDS" -ge "$tell" ]; then
      say "waiting: $(sentence "$now"); at most $((DEADLINE - SECONDS)) seconds more"
      tell=$((SECONDS + TELL_EVERY))
    fi
    read -r -t 0.5 -u "$events" _ || true
  done
  # The shell that runs Compose is the parent of what has to end.
  [ -z "$compose" ] || pkill --parent "$compose" || true
  kill "$watcher" 2>/dev/null || true
  exec {events}<&-
  [ -z "$now" ] || show_failure "$1" "$now"
}

# unanswered prints the routes of release $1 that do not answer yet.
unanswered() {
  local path upstream health code
  while IFS=$'\t' read -r path upstream health; do
    code=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 --header "Host: $DOMAIN" --header 'X-Forwarded-Proto: https' \
      "http://127.0.0.1:$upstream${health:-$path}") || code=000
    answers "$code" "$health" || printf 'waiting %s\n' "$(jq -r --arg path "$path" '.routes[] | select(.path == $path) | .service' "$RELEASES/$1/plan.json") answers ${health:-$path} with $(spoken "$code")"
  done < <(jq -r '.routes[] | [.path, .upstream, .health] | @tsv' "$RELEASES/$1/plan.json")
}

# answers says whether status code $1 is one of a service that works: with a health path a good one, without any that
# the app itself chose.
answers() {
  if [ -n "$2" ]; then [[ $1 == [23]?? ]]; else [[ $1 == [234]?? ]]; fi
}

spoken() { if [ "$1" = 000 ]; then echo nothing; else echo "$1"; fi; }

# show_failure ends the release with the last lines of what did not come up in project $1; $2 are its states.
show_failure() {
  local now=$2 service
  while read -r service; do
    [ -n "$service" ] || continue
    show "$service" < <(containers "$1" "$service" | sed -n 1p | xargs --no-run-if-empty docker logs --tail 15 2>&1)
  done < <(cut -d ' ' -f 2 <<<"$now" | sort -u)
  fail "the release did not become ready: $(sentence "$now")"
}

# sentence puts what states and unanswered print, $1, into one.
sentence() { cut -d ' ' -f 2- <<<"$1" | paste -sd ';' | sed 's/;/; /g'; }

# stateless says whether release $1 has containers of its own; an app may be one stateful service.
stateless() { jq -e '.stateless != []' "$RELEASES/$1/plan.json" >/dev/null; }

# create makes the networks and containers of release $1 without starting any.
create() {
  stateless "$1" || return 0
  compose "$1" app.json up --no-start --no-build --no-recreate ||
    fail "Docker does not make the containers of the release; the lines above say why"
}

# migrate runs the stack's migration once, in the new image, before anything new serves.
migrate() {
  local service command
  service=$(jq -r '.migration.service // empty' <<<"$APP")
  [ -n "$service" ] || return 0
  command=$(jq -r .migration.command <<<"$APP")
  say "migrating: $command in $service"
  local log=$RELEASES/$1/migration.log file=app.json
  jq -e --arg s "$service" '.stateless | index([$s])' "$RELEASES/$1/plan.json" >/dev/null || file=data.json
  if ! compose "$1" "$file" run --rm --no-deps --no-TTY --interactive=false "$service" sh -c "$command" >"$log" 2>&1; then
    show "the migration" < <(tail -n 15 "$log")
    fail "the migration failed (the lines above say why); the release was not started, and what runs is left as it was; mend it in a commit, or run another command: pulumi config set --path berth:migration.command COMMAND"
  fi
  cat "$log"
}

# start_release starts release $1 beside what runs and waits until it is ready. A kept one starts the services that
# served, not those that ran once.
start_release() {
  local -a services=()
  DEADLINE=$((SECONDS + HEALTHY_WITHIN))
  if ! stateless "$1"; then
    await_ready "$(project "$1")" "$1"
    return
  fi
  if kept "$1"; then mapfile -t services < <(jq -r '.running[]' "$RELEASES/$1/released.json"); fi
  allow_restarts "$(project "$1")" "$RELEASES/$1/app.json"
  compose "$1" app.json up --detach --no-build --no-recreate ${services[0]:+--no-deps} "${services[@]}" 8>&- &
  await_ready "$(project "$1")" "$1" $!
}

# start_again starts what served of release $1, after it was stopped for nothing.
start_again() {
  local service
  allow_restarts "$(project "$1")" "$RELEASES/$1/app.json"
  while read -r service; do containers "$(project "$1")" "$service"; done < <(jq -r '.running[]' "$RELEASES/$1/released.json") |
    xargs --no-run-if-empty docker start >/dev/null
  DEADLINE=$((SECONDS + HEALTHY_WITHIN))
  (await_ready "$(project "$1")" "$1")
}

# stop_others stops every release but $1: one that was interrupted may have left two.
stop_others() {
  local id
  for id in $(docker ps --filter label=berth.release --format '{{.Label "berth.release"}}' | sort -u); do
    [ "$id" != "$1" ] || continue
    [ ! -e "$RELEASES/$id/plan.json" ] || drain "$id" "$1"
    stop_release "$id"
  done
}

# check_memory looks whether a small server has room for two releases at once.
check_memory() {
  local free used
  free=$(awk '/^(MemAvailable|SwapFree):/ { sum += $2 } END { print int(sum / 1024) }' /proc/meminfo)
  [ -n "$OLD" ] && [ "$STRATEGY" = blue-green ] && [ "$free" -lt "$ROOMY" ] || return 0
  used=$(running "$(project "$OLD")" | xargs --no-run-if-empty docker stats --no-stream --format '{{.MemUsage}}' |
    awk '{ n = $1 + 0; if ($1 ~ /GiB/) n *= 1024; if ($1 ~ /KiB/) n /= 1024; sum += n } END { print int(sum) }')
  [ "$free" -ge "${used:-0}" ] ||
    fail "$free MiB of memory and swap are free, and the running release takes $used MiB: two do not fit; take a bigger server: pulumi config set berth:instanceType t3.small; or have the old one stopped first: pulumi config set berth:releaseStrategy stop-first"
}

# stop_release stops release $1 and keeps its containers. Each gets the time that its compose file gives it.
stop_release() { stop_for_good "$(project "$1")"; }

# stop_for_good stops the containers of project $1, of service $2 where one is named, and keeps Docker from starting them at
# the next boot: with the policy on-failure it would, whoever stopped them.
stop_for_good() {
  local all
  all=$(containers "$@")
  [ -n "$all" ] || return 0
  xargs docker update --restart no <<<"$all" >/dev/null || say "Docker does not put off the restarts of all of ${2:-$1}; the lines above say why"
  running "$@" | xargs --no-run-if-empty docker stop >/dev/null
}

# allow_restarts gives the containers of project $1 back the restart policies that compose file $2 names.
allow_restarts() {
  local policies service policy container
  policies=$(jq -r '.services | to_entries[] | "\(.key) \(.value.restart // "no")"' "$2")
  while read -r service policy; do
    if [ -z "$service" ] || [ "$policy" = no ]; then continue; fi
    for container in $(containers "$1" "$service"); do
      docker update --restart "$policy" "$container" >/dev/null
    done
  done <<<"$policies"
}

# remove_release takes away all that release $1 has on this server.
remove_release() {
  local network container
  containers "$(project "$1")" | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
  for network in $(docker network ls --quiet --filter "label=com.docker.compose.project=$(project "$1")"); do
    for container in $(docker network inspect --format '{{range $id, $_ := .Containers}}{{$id}} {{end}}' "$network"); do
      docker network disconnect --force "$network" "$container" || true
    done
    docker network rm "$network" >/dev/null || true
  done
  rm -rf "${RELEASES:?}/$1"
}
