# The stateful services: one project, "app", that outlasts releases. Sourced by deploy.sh.
# shellcheck shell=bash disable=SC2034

readonly DATA_PROJECT=app

# changed_data prints the stateful services of release $1 that are not running as that release defines them, each with
# "starts" or "changes".
changed_data() {
  local service hash container
  while read -r service hash; do
    container=$(containers "$DATA_PROJECT" "$service" | sed -n 1p)
    if [ -z "$container" ]; then
      printf '%s starts\n' "$service"
    elif [ "$(docker inspect --format '{{index .Config.Labels "com.docker.compose.config-hash"}} {{.Image}}' "$container")" != \
      "$hash $(image_id "$(jq -r --arg s "$service" '.services[$s].image' "$RELEASES/$1/data.json")")" ]; then
      printf '%s changes\n' "$service"
    elif ! settled "$1" "$service" "$container"; then
      printf '%s starts\n' "$service"
    fi
  done < <(compose "$1" data.json config --hash '*')
}

# settled says whether container $3 of service $2 needs nothing: it runs, or it is a job that has run. One that others of
# release $1 wait for has to have ended.
settled() {
  local state
  state=$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}' "$3")
  case $state in
    "running "*) jq -e --arg s "$2" '.once // [] | index([$s]) == null' "$RELEASES/$1/plan.json" >/dev/null ;;
    "exited 0 " | "exited 0 no" | "exited 0 on-failure") ;;
    *) return 1 ;;
  esac
}

# leave_jobs takes jobs out of what changes on the way back to a release for which they have run.
leave_jobs() {
  local service what container rest=""
  while read -r service what; do
    [ -n "$service" ] || continue
    container=$(containers "$DATA_PROJECT" "$service" | sed -n 1p)
    if [ "$what" = changes ] && [[ $(docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}' "$container") =~ ^exited\ 0\ (no|on-failure)?$ ]]; then
      say "$service is a job that has run; it is not run again on the way back"
    else
      rest+=${rest:+$'\n'}"$service $what"
    fi
  done <<<"$CHANGED"
  CHANGED=$rest
}

# tell_volumes says what of release $1 is persistent for the volumes of its image alone. The operator's next preview goes by it.
tell_volumes() {
  local lines line
  lines=$(jq -r '.because | to_entries[] | select(.value | startswith("its image declares the volume ")) | "\(.key) is persistent, because \(.value)"' "$RELEASES/$1/plan.json")
  while read -r line; do
    [ -z "$line" ] || say "$line; if nothing in it is worth keeping: labels: {berth.stateful: \"false\"}"
  done <<<"$lines"
}

# foretell says in advance what happens to stateful services.
foretell() {
  local service what
  tell_volumes "$1"
  while read -r service what; do
    [ "$what" != changes ] ||
      say "stateful service $service changes ($(jq -r --arg s "$service" '.because[$s]' "$RELEASES/$1/plan.json")): it is stopped and started anew, and what needs it waits"
  done <<<"$CHANGED"
  while read -r service; do
    [ -z "$service" ] || say "stateful service $service is not in this release: it is stopped at the end, its data stays"
  done < <(surplus_data "$1")
}

# surplus_data prints the stateful services that run though release $1 has none of that name.
surplus_data() {
  docker ps --filter "label=com.docker.compose.project=$DATA_PROJECT" --format '{{.Label "com.docker.compose.service"}}' | sort -u |
    jq -R -s -r --slurpfile plan "$RELEASES/$1/plan.json" 'split("\n") | map(select(. != "")) - $plan[0].stateful | .[]'
}

# leave_stores takes databases and the like out of what changes on a rollback: an older version may not read their data.
leave_stores() {
  local service what rest=""
  while read -r service what; do
    if [ "$what" = changes ] && jq -e --arg s "$service" '.stores | index([$s])' "$RELEASES/$1/plan.json" >/dev/null; then
      say "$service stays as a later release defined it: an older version may not read its data"
    elif [ -n "$service" ]; then
      rest+=${rest:+$'\n'}"$service $what"
    fi
  done <<<"$CHANGED"
  CHANGED=$rest
}

# start_data brings the stateful services of release $1 that are in CHANGED to what it wants. No other is touched, but for
# what depends on them.
start_data() {
  local volume
  local -a services
  while read -r volume; do docker volume create "$volume" >/dev/null; done < <(jq -r '.volumes[]' "$RELEASES/$1/plan.json")
  [ -n "$CHANGED" ] || return 0
  mapfile -t services < <(cut -d ' ' -f 1 <<<"$CHANGED")
  say "starting ${services[*]}"
  DATA_TOUCHED=yes
  DEADLINE=$((SECONDS + HEALTHY_WITHIN))
  allow_restarts "$DATA_PROJECT" "$RELEASES/$1/data.json"
  compose "$1" data.json up --detach --no-build --no-deps "${services[@]}" ||
    show_failure "$DATA_PROJECT" "$(states "$DATA_PROJECT" "$1")"
  renew_dependents "$1" || fail "what depends on ${services[*]} does not start again; the lines above say why"
  await_ready "$DATA_PROJECT" "$1"
}

# dependents prints what of the stateful services of release $1 depends on one that CHANGED says is made anew, and is not
# itself in CHANGED. A proxy knows the address of what is behind it from its own start; a database needs nobody so.
dependents() {
  jq -r --arg changed "$CHANGED" --slurpfile plan "$RELEASES/$1/plan.json" '
    .services as $services
    | def with_dependents: . as $anew | [$services | to_entries[] | select(any(.value.depends_on // {} | to_entries[] | select(.value.condition != "service_completed_successfully") | .key; . as $on | $anew | index([$on]))) | .key] + $anew | unique;
      ($changed | split("\n") | map(split(" ") | select(.[1] != null))) as $lines
    | [$lines[] | select(.[1] == "changes") | .[0]] | until(. == with_dependents; with_dependents)
    | . - [$lines[][0]] - $plan[0].stores | .[]' "$RELEASES/$1/data.json"
}

# renew_dependents starts those anew.
renew_dependents() {
  local -a services
  mapfile -t services < <(dependents "$1")
  [ -n "${services[*]}" ] || return 0
  say "starting anew what depends on them: ${services[*]}"
  compose "$1" data.json restart --no-deps "${services[@]}"
}

# restore_data takes the stateful services back to what release $1 wants, after another one failed.
restore_data() {
  local -a services
  [ "$DATA_TOUCHED" = yes ] || return 0
  say "taking the stateful services back"
  CHANGED=$(changed_data "$1")
  leave_jobs
  mapfile -t services < <(cut -d ' ' -f 1 <<<"$CHANGED")
  [ -z "$CHANGED" ] || { compose "$1" data.json up --detach --no-build --no-deps "${services[@]}" && renew_dependents "$1"; } ||
    say "the stateful services of $1 do not start; the lines above say why"
  join "$1"
}

# join gives the stateful services their names in the networks of release $1.
join() {
  local service network container alias
  local -a aliases
  while IFS=$'\t' read -r service network alias; do
    aliases=()
    for alias in $alias; do aliases+=(--alias "$alias"); done
    for container in $(containers "$DATA_PROJECT" "$service"); do
      docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{"\n"}}{{end}}' "$container" | grep -x "$(project "$1")_$network" >/dev/null ||
        docker network connect "${aliases[@]}" "$(project "$1")_$network" "$container"
    done
  done < <(jq -r '.join[] | [.service, .network, (.aliases | join(" "))] | @tsv' "$RELEASES/$1/plan.json")
}

stop_surplus_data() {
  local service
  while read -r service; do
    [ -n "$service" ] || continue
    say "stopping $service"
    stop_for_good "$DATA_PROJECT" "$service"
  done < <(surplus_data "$1")
}
