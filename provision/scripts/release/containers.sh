# The containers of a release: started, awaited, stopped. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# Restarts after which a container counts as looping, seconds that one without a health check has to stay up, and seconds
# after which is said what is still waited for.
readonly LOOPS_AFTER=3 STEADY_AFTER=2 TELL_EVERY=20
# Seconds that reboot.sh has for its start.
readonly REBOOTED_WITHIN=300
# What release was stopped, as far as it was, and for which one.
readonly STOPPED=$DATA/stopped
# MiB of free memory from which on nobody counts.
readonly ROOMY=512

docker_answers() { timeout 10 docker version >/dev/null 2>&1; }

# await_docker waits for Docker, which after a boot takes longer than SSH.
await_docker() {
  # shellcheck disable=SC2310 # docker_answers is one command
  if docker_answers; then return; fi
  say "waiting for Docker, at most 120 seconds"
  # shellcheck disable=SC2310 # see above
  await 120 docker_answers ||
    fail docker-not-answering "Docker does not answer; look with: sudo journalctl -u docker -n 30; start it with: sudo systemctl restart docker; then run it again"
}

# await_reboot waits until reboot.sh has started what ran before a reboot: until then a database is down that only waits its turn.
# Both take the lock, so this has to wait before.
await_reboot() {
  # shellcheck disable=SC2310 # reboot_done is one list
  if reboot_done; then return; fi
  say "waiting until what ran before the reboot is started, at most $REBOOTED_WITHIN seconds"
  # shellcheck disable=SC2310 # see above
  await "$REBOOTED_WITHIN" reboot_done ||
    fail reboot-not-finished "what ran before the reboot is not started yet; look with: sudo journalctl -u berth-reboot -n 30; start it with: sudo systemctl start berth-reboot; then run it again"
}

reboot_done() { [ ! -s "$DATA/running" ] || systemctl is-active --quiet berth-reboot.service; }

# states prints a line for every container of project $1, as far as it belongs to release $2, that is not (yet) what it
# should be: "waiting" or "broken", its service, and how it is.
states() {
  local all filter now
  local -a ids=() lines=()
  read_lines ids containers "$1"
  [ "${#ids[@]}" -gt 0 ] || return 0
  read_text all docker inspect "${ids[@]}"
  read_text filter cat /opt/berth/release/states.jq
  read_text now date +%s
  read_json lines /dev/stdin "$filter" --argjson loops "$LOOPS_AFTER" --argjson steady "$STEADY_AFTER" --argjson now "$now" --arg left "${LEFT:-}" \
    --slurpfile plan "$RELEASES/$2/plan.json" <<<"$all"
  [ "${#lines[@]}" -eq 0 ] || printf '%s\n' "${lines[@]}"
}

# await_ready waits until every container of project $1 is ready and, for the own project of release $2, its routes
# answer, until second $3 of the script; $4 is a Compose still at work on it. Docker's events wake it.
await_ready() {
  local now="" events watcher deadline=$3 compose=${4:-} tell=$((SECONDS + TELL_EVERY)) text
  # It is left behind where a check below ends the script, so it holds neither the operator's connection nor the log open.
  # shellcheck disable=SC2312 # without events it checks twice a second
  exec {events}< <(exec docker events --filter "label=com.docker.compose.project=$1" --filter event=start --filter event=die --filter event=health_status --format '{{.Action}}' 2>/dev/null 3>&- 8>&-)
  watcher=$!
  while true; do
    # shellcheck disable=SC2310 # states and unanswered check each of their commands
    now=$(states "$1" "$2") || fail containers-state-unknown "it cannot be told how the containers of $1 are (the lines above say why)"
    [[ $'\n'$now != *$'\nbroken '* ]] || break
    # Compose itself waits for what a service depends on, without end where that starts again and again.
    if [ -n "$compose" ] && ! kill -0 "$compose" 2>/dev/null; then
      wait "$compose" || { now=${now:-broken Docker does not start all of it, the lines above say why} && break; }
      compose=""
    fi
    if [ -z "$now$compose" ]; then
      [ "$1" = "release-$2" ] || break
      # shellcheck disable=SC2310 # see above
      now=$(unanswered "$2") || fail routes-state-unknown "it cannot be told how the routes of $2 answer (the lines above say why)"
      [ -n "$now" ] || break
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      now=${now:-broken Compose is still at work}
      break
    fi
    if [ -n "$now" ] && [ "$SECONDS" -ge "$tell" ]; then
      text=$(sentence "$now")
      say "waiting: $text; at most $((deadline - SECONDS)) seconds more"
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

# read_asked puts how the routes of release $2 are asked into array $1 (release/asked.jq); $3 is true for those, too, that no visitor
# gets to.
read_asked() {
  local rules asked
  read_text rules cat /opt/berth/release/hosts.jq
  read_text asked cat /opt/berth/release/asked.jq
  read_json "$1" "$RELEASES/$2/plan.json" "$rules"$'\n'"$asked" --slurpfile site "$HOSTS" --argjson all "$3"
}

# unanswered prints the routes of release $1 that do not answer yet.
unanswered() {
  local route host health service upstream inside prefix protocol code
  local -a routes=() ASKING=()
  read_asked routes "$1" true
  for route in "${routes[@]}"; do
    IFS=$'\x1f' read -r host _ health service upstream inside prefix protocol <<<"$route"
    asking "$protocol"
    [[ $upstream == *:* ]] || upstream=127.0.0.1:$upstream
    [ "$protocol" != grpc ] || ASKING+=(--http2-prior-knowledge)
    code=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 "${ASKING[@]}" --header "Host: $host" --header 'X-Forwarded-Proto: https' \
      ${prefix:+--header "X-Forwarded-Prefix: $prefix"} "http://$upstream$inside") || code=000
    # shellcheck disable=SC2310 # answers is one test
    answers "$code" "$health" || printf 'waiting %s answers %s with %s\n' "$service" "$inside" "${code/#000/nothing}"
  done
}

# asking puts what curl needs to ask a service that speaks $1 into ASKING. One of gRPC answers a call of a method that it does not
# have with 200, and gRPC's own status behind it.
asking() {
  ASKING=()
  if [ "$1" = grpc ]; then ASKING=(--http2 --request POST --data '' --header 'Content-Type: application/grpc' --header 'TE: trailers'); fi
}

# answers says whether status code $1 is one of a service that works: with a health path a good one, without any that
# the app itself chose.
answers() {
  if [ -n "$2" ]; then [[ $1 == [23]?? ]]; else [[ $1 == [234]?? ]]; fi
}

# show_failure ends the release with the last lines of what did not come up in project $1; $2 are its states.
show_failure() {
  local now=$2 service text all="" asks=""
  local -A shown=()
  if [[ $now =~ \ with\ 5[0-9][0-9] ]]; then
    # The reason is often in another service, which the one with the route asks.
    # shellcheck disable=SC2310 # what cannot be shown must not hide what failed
    all=$(docker_table ps --filter "label=com.docker.compose.project=$1" --format 'table {{.State}} {{.Label "com.docker.compose.service"}}') || true
    asks=" (the app's own answer: the lines above are what its services say, and berth:migration makes tables that are missing)"
  fi
  while read -r _ service _; do
    if [ -z "$service" ] || [ -n "${shown[$service]:-}" ]; then continue; fi
    shown[$service]=yes
    # shellcheck disable=SC2312 # what cannot be shown must not hide what failed
    show "$service" < <(containers "$1" "$service" | sed -n 1p | xargs --no-run-if-empty docker logs --tail 15 2>&1)
  done <<<"$now"$'\n'"$all"
  text=$(sentence "$now")
  fail release-not-ready "the release did not become ready: $text$asks"
}

# sentence puts what states and unanswered print, $1, into one.
sentence() {
  local line all=""
  while read -r _ line; do all+="${all:+; }$line"; done <<<"$1"
  printf '%s\n' "$all"
}

# stateless says whether release $1 has containers of its own; an app may be one stateful service.
stateless() { holds '.stateless != []' "$RELEASES/$1/plan.json"; }

# MAKING is what begin_create started, CREATED the release whose containers it has made.
MAKING="" CREATED=""

# create makes the networks and containers of release $1 without starting any.
# shellcheck disable=SC2310 # stateless is true or false, or the end; compose is one command
create() {
  [ "$CREATED" != "$1" ] || return 0
  stateless "$1" || return 0
  compose "$1" app.json up --no-start --no-build --no-recreate ||
    fail containers-not-made "Docker does not make the containers of the release; the lines above say why"
}

# begin_create begins to do so beside checks that change nothing. What it cannot make yet, as where a volume is missing, is create's, which
# says why. It holds the lock.
begin_create() {
  # shellcheck disable=SC2310 # stateless is true or false, or the end
  stateless "$1" || return 0
  compose "$1" app.json up --no-start --no-build --no-recreate >/dev/null 2>&1 &
  MAKING=$!
}

# end_create waits for it, and says whether create has something left to do for release $1.
end_create() {
  [ -n "$MAKING" ] || return 0
  if wait "$MAKING"; then CREATED=$1; fi
  MAKING=""
}

# stop_create ends it, where a check refuses the release: nothing makes containers of what is taken away.
stop_create() {
  [ -n "$MAKING" ] || return 0
  # The shell that runs Compose is the parent of what has to end.
  pkill --parent "$MAKING" || true
  wait "$MAKING" || true
  MAKING=""
}

# migrate runs the stack's migration once, in the new image, before anything new serves.
migrate() {
  local service command
  read_text service jq -r '.migration.service // "-"' <<<"$APP"
  [ "$service" != - ] || return 0
  read_text command jq -r .migration.command <<<"$APP"
  say "migrating: $command in $service"
  local log=$RELEASES/$1/migration.log file=app.json
  # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end
  holds --arg s "$service" '.stateless | index([$s]) != null' "$RELEASES/$1/plan.json" || file=data.json
  # shellcheck disable=SC2310 # compose is one command
  if ! compose "$1" "$file" run --rm --no-deps --no-TTY --interactive=false "$service" sh -c "$command" 2>&1 | plain >"$log"; then
    tail -n 15 "$log" | show "the migration"
    fail migration-failed "the migration failed (the lines above say why); the release was not started, and what runs is left as it was; fix it in a commit, or run another command: pulumi config set --path berth:migration.command COMMAND"
  fi
  cat "$log"
}

# start_release starts release $1 beside what runs and waits until it is ready. A kept one starts the services that
# served, not those that ran once.
start_release() {
  local deadline=$((SECONDS + HEALTHY_WITHIN)) compose="" LEFT=${LEFT:-}
  local -a services=() ended=()
  if [ -e "$RELEASES/$1/released.json" ]; then
    read_json services "$RELEASES/$1/released.json" '.running[]'
    # Of a release that is started once more, these have containers that never ran.
    # shellcheck disable=SC2016 # jq's variables
    read_json ended "$RELEASES/$1/plan.json" '.stateless - $served[0].running | .[]' --slurpfile served "$RELEASES/$1/released.json"
    LEFT+=" ${ended[*]}"
    # None named would be all to Compose.
    [ "${#services[@]}" -eq 0 ] || services=(--no-deps "${services[@]}")
  fi
  # shellcheck disable=SC2310 # stateless is true or false, or the end
  if stateless "$1" && { [ "${#services[@]}" -gt 0 ] || [ ! -e "$RELEASES/$1/released.json" ]; }; then
    allow_restarts "release-$1" "$RELEASES/$1/app.json"
    start_containers "$1" "${services[@]}" 8>&- &
    compose=$!
  fi
  await_ready "release-$1" "$1" "$deadline" "$compose"
}

# start_containers starts the containers of release $1, or those of the services that follow --no-deps. Compose takes half a second until
# it starts the first, and is asked only where it does more than that.
start_containers() {
  local line service
  local -a lines=() ids=()
  local -A wanted=() made=()
  just_started "$1" lines "${@:3}"
  for line in "${lines[@]}"; do wanted[${line% *}]=${line#* }; done
  read_lines lines named "release-$1" --filter label=com.docker.compose.oneoff=False
  for line in "${lines[@]}"; do
    service=${line#* }
    [ -n "${wanted[$service]:-}" ] || continue
    ids+=("${line%% *}")
    made[$service]=$((${made[$service]:-0} + 1))
  done
  for service in "${!wanted[@]}"; do [ "${made[$service]:-0}" = "${wanted[$service]}" ] || ids=(); done
  if [ "${#ids[@]}" -gt 0 ]; then
    # Docker's command starts one after the other.
    printf '%s\n' "${ids[@]}" | timeout "$HEALTHY_WITHIN" xargs --max-procs=4 --max-args=1 docker start >/dev/null
  else
    compose "$1" app.json up --detach --no-build --no-recreate "${@:2}"
  fi
}

# just_started reads the services of release $1, or those that follow $2, and how many containers each has, into array $2. It reads none
# where Compose has more to do: one of them waits for another of them, which Compose respects with --no-deps, too, or uses another one's
# namespace, network or volumes; or Compose writes what a config or a secret says into the containers before it starts them.
just_started() {
  local named=${*:3}
  # shellcheck disable=SC2016 # jq's variables
  read_json "$2" "$RELEASES/$1/app.json" '
    ($named | split(" ")) as $named
    | (.services | with_entries(select($named == [] or (.key | IN($named[]))))) as $start
    | all((.configs // {}, .secrets // {})[]; . == null or has("file")) as $files
    | all($start[].depends_on // {} | keys[]; in($start) | not) as $unordered
    | all($start[] | .network_mode, .pid, .ipc, .links, .volumes_from; . == null or . == [] or (type == "string" and (startswith("service:") | not))) as $apart
    | if $files and $unordered and $apart then $start else {} end
    | to_entries[] | {key, number: (.value.scale // .value.deploy.replicas // 1)} | select(.number > 0) | "\(.key) \(.number)"' --arg named "$named"
}

# alone prints the stateless services of which release $1 and release $2 never run at the same time.
alone() {
  local -a names=()
  # shellcheck disable=SC2016 # jq's variables
  read_json names "$RELEASES/$1/plan.json" '[.alone[]?, $other[0].alone[]?] | unique[]' --slurpfile other "$RELEASES/$2/plan.json"
  [ "${#names[@]}" -eq 0 ] || printf '%s\n' "${names[@]}"
}

# stop_alone stops those of release $2, if there is one, and of what an interrupted release left, before release $1 starts.
stop_alone() {
  local line project service
  local -a services=() lines=()
  read_lines services alone "$1" "${2:-$1}"
  [ "${#services[@]}" -gt 0 ] || return 0
  read_lines lines docker_table ps --format 'table {{.Label "com.docker.compose.project"}} {{.Label "com.docker.compose.service"}}' --filter label=com.docker.compose.project
  for line in "${lines[@]}"; do
    read -r project service <<<"$line"
    if [ "$project" = "release-$1" ] || [[ " ${services[*]} " != *" $service "* ]]; then continue; fi
    case $project in
      "$DATA_PROJECT")
        # shellcheck disable=SC2034 # for data.sh
        DATA_TOUCHED=yes
        note_stopped
        ;;
      "release-$OLD") note_stopped ;;
      release-*) ;;
      *) continue ;;
    esac
    say "service $service is stopped before the new one starts, because berth.overlap is false"
    stop_for_good "$project" "$service" besides
  done
}

# note_stopped writes down that something of OLD was stopped for NEW: a release that fails starts it again, and where one is
# interrupted, the next does.
note_stopped() {
  if [ -z "$OLD" ] || [ "$OLD" = "$NEW" ]; then return; fi
  # shellcheck disable=SC2034 # for deploy.sh
  STOPPED_FIRST=yes
  put "$STOPPED" 0600 <<<"$OLD $NEW"
}

# start_served starts the containers of release $1 that served, after some were stopped for release $2. What never runs twice is
# stopped there first.
start_served() {
  local service
  local -a services=() ids=() all=()
  if [ -n "${2:-}" ] && [ -e "$RELEASES/$2/plan.json" ]; then
    read_lines services moving "$1" "$2"
    for service in "${services[@]}"; do stop_for_good "$DATA_PROJECT" "$service"; done
    read_lines services alone "$1" "$2"
    for service in "${services[@]}"; do stop_for_good "release-$2" "$service"; done
  fi
  allow_restarts "release-$1" "$RELEASES/$1/app.json"
  read_json services "$RELEASES/$1/released.json" '.running[]'
  for service in "${services[@]}"; do
    read_lines ids lasting "release-$1" "$service"
    all+=("${ids[@]}")
  done
  [ "${#all[@]}" -eq 0 ] || docker start "${all[@]}" >/dev/null || say "Docker does not start all of release $1; the lines above say why"
}

# start_again does so, and waits until the release is ready.
start_again() {
  start_served "$@"
  await_ready "release-$1" "$1" $((SECONDS + HEALTHY_WITHIN))
  rm -f "$STOPPED"
}

# stop_others stops every release but $1: one that was interrupted may have left two.
stop_others() {
  local id
  local -a ids=()
  local -A seen=([$1]=yes)
  read_lines ids docker_table ps --filter label=berth.release --format 'table {{.Label "berth.release"}}'
  for id in "${ids[@]}"; do
    [ -z "${seen[$id]:-}" ] || continue
    seen[$id]=yes
    [ ! -e "$RELEASES/$id/plan.json" ] || drain "$id" "$1"
    stop_release "$id"
  done
}

# check_memory warns when a small server has no room for two releases at once.
check_memory() {
  local free used text
  local -a ids=()
  # shellcheck disable=SC2016 # awk's fields
  read_text free awk '/^(MemAvailable|SwapFree):/ { sum += $2 } END { print int(sum / 1024) }' /proc/meminfo
  [ -n "$OLD" ] && [ "$STRATEGY" = blue-green ] && [ "$free" -lt "$ROOMY" ] || return 0
  read_lines ids running "release-$OLD"
  [ "${#ids[@]}" -gt 0 ] || return 0
  read_text text docker stats --no-stream --format '{{.MemUsage}}' "${ids[@]}"
  # shellcheck disable=SC2016 # awk's fields
  read_text used awk '{ n = $1 + 0; if ($1 ~ /GiB/) n *= 1024; if ($1 ~ /KiB/) n /= 1024; sum += n } END { print int(sum) }' <<<"$text"
  [ "$free" -ge "$used" ] ||
    fail no-memory-for-release "$free MiB of memory and swap are free, and the running release takes $used MiB: two do not fit; take a bigger server: pulumi config set berth:instanceType t3.small; or have the old one stopped first: pulumi config set berth:releaseStrategy stop-first"
}

# stop_release stops release $1 and keeps its containers. Each gets the time that its compose file gives it. A scheduled job that is
# at work goes on.
stop_release() {
  tell_jobs "$1"
  stop_for_good "release-$1" "" besides
}

# stop_for_good stops the containers of project $1, of service $2 where one is named, and keeps Docker from starting them at
# the next boot: with the policy on-failure it would, whoever stopped them. With $3 scheduled jobs go on.
stop_for_good() {
  local id codes="" code service
  local -a ids=() jobs=() all=()
  read_lines ids containers "$1" ${2:+"$2"}
  [ "${#ids[@]}" -gt 0 ] || return 0
  docker update --restart no "${ids[@]}" >/dev/null || say "Docker does not put off the restarts of all of ${2:-$1}; the lines above say why"
  [ -z "${3:-}" ] || read_lines jobs jobs_in "$1"
  read_lines all running "$1" ${2:+"$2"}
  ids=()
  for id in "${all[@]}"; do [[ " ${jobs[*]}" == *" $id "* ]] || ids+=("$id"); done
  [ "${#ids[@]}" -gt 0 ] || return 0
  docker stop "${ids[@]}" >/dev/null
  codes=$(docker inspect --format '{{.State.ExitCode}} {{index .Config.Labels "com.docker.compose.service"}}' "${ids[@]}") ||
    say "Docker does not say how the containers of ${2:-$1} ended; the lines above say why"
  # 128 and the number of SIGKILL.
  while read -r code service; do
    [ "$code" != 137 ] || say "$service did not end by its stop signal in time and was killed, which makes every release longer: have it end by SIGTERM, or write init: true for it in the compose file"
  done <<<"$codes"
}

# allow_restarts gives the containers of project $1 back the restart policies that compose file $2 names.
allow_restarts() {
  local line index policy
  local -a lines=() services=() ids=() now=()
  local -A policies=() wanted=()
  read_json lines "$2" '.services | to_entries[] | "\(.key) \(.value.restart // "no")"'
  for line in "${lines[@]}"; do policies[${line% *}]=${line##* }; done
  read_lines services named "$1" --filter label=com.docker.compose.oneoff=False
  ids=("${services[@]%% *}")
  [ "${#ids[@]}" -gt 0 ] || return 0
  read_each now ids docker inspect --format '{{or .HostConfig.RestartPolicy.Name "no"}}{{with .HostConfig.RestartPolicy.MaximumRetryCount}}:{{.}}{{end}}'
  for index in "${!ids[@]}"; do
    policy=${policies[${services[index]#* }]:-no}
    if [ "$policy" != no ] && [ "$policy" != "${now[index]}" ]; then wanted[$policy]+=" ${ids[index]}"; fi
  done
  for policy in "${!wanted[@]}"; do
    read -r -a ids <<<"${wanted[$policy]}"
    docker update --restart "$policy" "${ids[@]}" >/dev/null
  done
}

# remove_release takes away all that release $1 has on this server. While a scheduled job is at work there, what that needs stays, and
# the next release takes it away. No job begins meanwhile.
remove_release() {
  local network container joined id
  local -a ids=() networks=() jobs=() all=()
  alone_with_jobs
  read_lines jobs jobs_in "release-$1"
  read_lines all containers "release-$1"
  for id in "${all[@]}"; do [[ " ${jobs[*]}" == *" $id "* ]] || ids+=("$id"); done
  [ "${#ids[@]}" -eq 0 ] || docker rm --force --volumes "${ids[@]}" >/dev/null
  if [ "${#jobs[@]}" -gt 0 ]; then
    tell_jobs "$1"
    exec 6>&-
    return
  fi
  read_lines networks docker_table network ls --format 'table {{.ID}}' --filter "label=com.docker.compose.project=release-$1"
  for network in "${networks[@]}"; do
    joined=$(docker network inspect --format '{{range $id, $_ := .Containers}}{{$id}} {{end}}' "$network")
    for container in $joined; do
      docker network disconnect --force "$network" "$container" || true
    done
    docker network rm "$network" >/dev/null || true
  done
  rm -rf "${RELEASES:?}/${1:?}"
  exec 6>&-
}
