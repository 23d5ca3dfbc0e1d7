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
    elif ! docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}' "$container" | grep -E '^running |^exited 0 (no)?$' >/dev/null; then
      printf '%s starts\n' "$service"
    fi
  done < <(compose "$1" data.json config --hash '*')
}

# foretell says in advance what happens to stateful services.
foretell() {
  local service what
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
    | def with_dependents: . as $anew | [$services | to_entries[] | select(any(.value.depends_on // {} | keys[]; . as $on | $anew | index([$on]))) | .key] + $anew | unique;
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
  [ "$DATA_TOUCHED" = yes ] || return 0
  say "taking the stateful services back"
  { compose "$1" data.json up --detach --no-build && renew_dependents "$1"; } ||
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
    running "$DATA_PROJECT" "$service" | xargs --no-run-if-empty docker stop >/dev/null
  done < <(surplus_data "$1")
}
