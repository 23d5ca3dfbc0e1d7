# The stateful services: one project, "app", which persists across releases. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# DRILL_PROJECT is that of what a restore drill runs beside the site.
readonly DATA_PROJECT=app DRILL_PROJECT=berth-drill

# CHANGED holds what changed_data printed of the release that goes out; DATA_TOUCHED is yes once one of these was started.
# LEFT names the jobs that stay as they ended, whatever release that was for.
# AS_IT_IS are the databases that are down and start as they are.
# ANEW names those that start_data was to change.
CHANGED="" DATA_TOUCHED="" LEFT="" ANEW="" AS_IT_IS=()

# changed_data prints the stateful services of release $1 that are not running as that release defines them, each with
# "starts" or "changes".
changed_data() {
  local hashes line service hash image was now state index
  local -a stateful=() lines=() services=() images=() ids=()
  local -A container=() image_of=() state_of=()
  read_json stateful "$RELEASES/$1/plan.json" '.stateful[]'
  [ "${#stateful[@]}" -gt 0 ] || return 0
  hashes=$HASHES
  [ -n "$hashes" ] || read_text hashes compose "$1" data.json config --hash '*'
  # The newest of a service comes first.
  read_lines lines named "$DATA_PROJECT"
  for line in "${lines[@]}"; do
    service=${line#* }
    : "${container[$service]:=${line%% *}}"
  done
  read_json lines "$RELEASES/$1/data.json" '.services | to_entries[] | "\(.key) \(.value.image)"'
  for line in "${lines[@]}"; do
    [ -n "${container[${line% *}]:-}" ] || continue
    services+=("${line% *}") images+=("${line##* }") ids+=("${container[${line% *}]}")
  done
  if [ "${#services[@]}" -gt 0 ]; then
    read_each lines images docker image inspect --format '{{.Id}}'
    for index in "${!services[@]}"; do image_of[${services[index]}]=${lines[index]}; done
    read_each lines ids docker inspect --format '{{index .Config.Labels "com.docker.compose.config-hash"}} {{.Image}} {{.State.Status}} {{.State.ExitCode}} {{or .HostConfig.RestartPolicy.Name "no"}}'
    for index in "${!services[@]}"; do state_of[${services[index]}]=${lines[index]}; done
  fi
  while read -r service hash; do
    read -r was now state <<<"${state_of[$service]:-}"
    image=${image_of[$service]:-}
    # shellcheck disable=SC2310 # settled is one test, or the end
    if [ -z "${container[$service]:-}" ]; then
      printf '%s starts\n' "$service"
    elif [ "$was $now" != "$hash $image" ]; then
      printf '%s changes\n' "$service"
    elif ! settled "$1" "$service" "$state"; then
      printf '%s starts\n' "$service"
    fi
  done <<<"$hashes"
}

find_changed_data() {
  HASHES=""
  [ "$HASHED" != "$1" ] || end_hashes
  CHANGED=$(changed_data "$1")
}

# HASHES are what Compose calls the definitions of the stateful services of the release that find_changed_data asks for, where that was
# asked ahead; HASHED is the release that begin_hashes asks for, on HASHING.
HASHES="" HASHED="" HASHING="" HASHER=""

# begin_hashes asks Compose ahead, beside checks: it takes a fifth of a second.
begin_hashes() {
  # shellcheck disable=SC2310 # holds is true or false, or the end
  holds '.stateful != []' "$RELEASES/$1/plan.json" || return 0
  # shellcheck disable=SC2312 # end_hashes asks for its code
  exec {HASHING}< <(compose "$1" data.json config --hash '*' 8>&-)
  HASHER=$! HASHED=$1
}

# end_hashes reads the answer; where there is none, changed_data asks again, and fails where that fails.
end_hashes() {
  HASHES=$(cat <&"$HASHING") || HASHES=""
  wait "$HASHER" || HASHES=""
  exec {HASHING}<&-
  HASHED=""
}

# settled says whether the container of service $2, in state $3, needs nothing: it runs, or it is a job that has run. One that
# others of release $1 wait for has to have ended. A state is what Docker calls it, the exit code and the restart policy.
settled() {
  # shellcheck disable=SC2016 # jq's variables
  case $3 in
    "running "*) holds --arg s "$2" '.once // [] | index([$s]) == null' "$RELEASES/$1/plan.json" ;;
    # What stop_for_good stopped may have ended so, too; of a job that may be tried again its policy tells.
    "exited 0 "*) job "$1" "$2" "${3##* }" ;;
    *) return 1 ;;
  esac
}

# job says whether stateful service $2 of release $1 is to run once, by its definition alone; $3 is the restart policy that its
# container has now, where that matters. A database and what a route points to are none, whatever their policy.
# shellcheck disable=SC2016 # jq's variables
job() {
  holds --arg s "$2" --arg now "${3-on-failure}" --slurpfile plan "$RELEASES/$1/plan.json" '
    (.services[$s].restart // "") as $policy
    | if $plan[0].once // [] | index([$s]) then true
      else $policy != "" and ([$plan[0].stores[]?, ($plan[0].routes[]? | .service)] | index([$s]) | not) end
    | . and ($policy | IN("", "no") or (startswith("on-failure") and $now == "on-failure"))' "$RELEASES/$1/data.json"
}

# keep_jobs takes the jobs of release $1 out of what changes on the way back to it: they have run for it, and what a later
# release's job made of it since, or why that failed, is no reason to run them again.
keep_jobs() {
  local service what rest=""
  while read -r service what; do
    [ -n "$service" ] || continue
    # shellcheck disable=SC2310 # job is true or false, or the end
    if job "$1" "$service"; then
      say "$service is a job that has run; it is not run again on the way back"
      LEFT+=" $service"
    else
      rest+=${rest:+$'\n'}"$service $what"
    fi
  done <<<"$CHANGED"
  CHANGED=$rest
}

# tell_volumes says what of release $1 is persistent for the volumes of its image alone. The operator's next preview reads it.
tell_volumes() {
  local line
  local -a lines=()
  read_json lines "$RELEASES/$1/plan.json" '.because | to_entries[] | select(.value | startswith("its image declares the volume ")) | "\(.key) is persistent, because \(.value)"'
  for line in "${lines[@]}"; do say "$line; if nothing in it is worth keeping: labels: {berth.stateful: \"false\"}"; done
}

# foretell says in advance what happens to stateful services.
foretell() {
  local service what why
  local -a surplus=() lines=()
  tell_volumes "$1"
  while read -r service what; do
    [ "$what" = changes ] || continue
    # shellcheck disable=SC2016 # jq's variables
    read_text why jq -r --arg s "$service" '.because[$s]' "$RELEASES/$1/plan.json"
    say "stateful service $service changes ($why): it is stopped and recreated, and what needs it waits"
  done <<<"$CHANGED"
  read_lines surplus surplus_data "$1"
  [ "${#surplus[@]}" -eq 0 ] || read_lines lines in_the_way "$1"
  for service in "${surplus[@]}"; do
    [[ $'\n'$(printf '%s\n' "${lines[@]}") == *$'\n'"$DATA_PROJECT $service "* ]] ||
      say "stateful service $service is not in this release: it is stopped at the end, its data stays"
  done
}

# in_the_way prints a line "PROJECT SERVICE OTHER PLACE" for each service that runs, writes to a volume or folder that a service of
# release $1 is to write to, and is not the same one: two servers on the same files damage them. A service that is in the release
# itself shares its files on purpose. Of stateless services, which run twice anyway, those that the release has stay.
in_the_way() {
  local all filter line
  local -a ids=() lines=() running=()
  read_lines running docker_table ps --no-trunc --format 'table {{.ID}} {{.Label "com.docker.compose.project"}}' --filter label=com.docker.compose.project
  # A drill's server shares nothing, and may be gone before it is read.
  for line in "${running[@]}"; do [[ $line == *" $DRILL_PROJECT" ]] || ids+=("${line%% *}"); done
  [ "${#ids[@]}" -gt 0 ] || return 0
  read_text all docker inspect "${ids[@]}"
  read_text filter cat /opt/berth/release/in-the-way.jq
  read_json lines /dev/stdin "$filter" --slurpfile plan "$RELEASES/$1/plan.json" --slurpfile data "$RELEASES/$1/data.json" --slurpfile app "$RELEASES/$1/app.json" <<<"$all"
  [ "${#lines[@]}" -eq 0 ] || printf '%s\n' "${lines[@]}"
}

# give_way stops those, before anything of release $1 starts.
give_way() {
  local line project service other place
  local -a lines=()
  read_lines lines in_the_way "$1"
  for line in "${lines[@]}"; do
    read -r project service other place <<<"$line"
    say "service $service is stopped first: $other writes to the same files ($place), and two at a time would damage them; it is down until $other is ready"
    if [ "$project" = "$DATA_PROJECT" ]; then DATA_TOUCHED=yes; elif [ "$project" = "release-$OLD" ]; then note_stopped; fi
    stop_for_good "$project" "$service"
  done
}

# forget_networks takes networks that are gone out of the containers of stateful services $@. A release's network goes with the
# release, and Docker starts nothing that is joined to one that is gone.
forget_networks() {
  local service id line there
  local -a known=() ids=() lines=()
  read_lines known docker_table network ls --no-trunc --format 'table {{.ID}}'
  there=" ${known[*]} "
  for service in "$@"; do
    read_lines ids containers "$DATA_PROJECT" "$service"
    for id in "${ids[@]}"; do
      # shellcheck disable=SC2016 # docker's variables
      read_lines lines docker inspect --format '{{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{$network.NetworkID}}{{"\n"}}{{end}}' "$id"
      for line in "${lines[@]}"; do
        # A container that never ran has no id of its network yet.
        if [ -z "${line##* }" ] || [[ $there == *" ${line##* } "* ]]; then continue; fi
        docker network disconnect --force "${line%% *}" "$id"
      done
    done
  done
}

# surplus_data prints the stateful services that run though release $1 has none of that name.
surplus_data() {
  local service
  local -a stateful=() up=()
  local -A known=()
  read_json stateful "$RELEASES/$1/plan.json" '.stateful[]'
  read_lines up docker_table ps --filter "label=com.docker.compose.project=$DATA_PROJECT" --format 'table {{.Label "com.docker.compose.service"}}'
  for service in "${stateful[@]}"; do known[$service]=yes; done
  for service in "${up[@]}"; do
    [ -n "${known[$service]:-}" ] || printf '%s\n' "$service"
    known[$service]=yes
  done
}

# keep_databases takes databases, brokers and caches out of what changes on the way back to release $1: an older version may not read
# their data. One that is down is started as it is. $2 names, between spaces, those that go back all the same, as one does whose
# password is changed: its environment has to say the same.
keep_databases() {
  local service what rest=""
  local -a ids=()
  set -- "$1" "${2:-} ${NEW_PASSWORDS[*]%% *}"
  while read -r service what; do
    # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end
    if [ "$what" = changes ] && [[ " $2 " != *" $service "* ]] && holds --arg s "$service" '.stores | index([$s]) != null' "$RELEASES/$1/plan.json"; then
      say "$service stays as a later release defined it: an older version may not read its data"
      read_lines ids running "$DATA_PROJECT" "$service"
      [ "${#ids[@]}" -gt 0 ] || AS_IT_IS+=("$service")
    elif [ -n "$service" ]; then
      rest+=${rest:+$'\n'}"$service $what"
    fi
  done <<<"$CHANGED"
  CHANGED=$rest
}

# start_as_is starts those that are down, for release $1.
start_as_is() {
  local service
  local -a ids=()
  [ "${#AS_IT_IS[@]}" -gt 0 ] || return 0
  allow_restarts "$DATA_PROJECT" "$RELEASES/$1/data.json"
  forget_networks "${AS_IT_IS[@]}"
  for service in "${AS_IT_IS[@]}"; do
    say "starting $service"
    read_lines ids containers "$DATA_PROJECT" "$service"
    docker start "${ids[@]}" >/dev/null
  done
}

# moving prints the services that are stateless in release $1 and stateful in release $2.
moving() {
  local -a names=()
  [ -n "$1" ] || return 0
  # shellcheck disable=SC2016 # jq's variables
  read_json names "$RELEASES/$1/plan.json" '.stateless - (.stateless - $new[0].stateful) | .[]' --slurpfile new "$RELEASES/$2/plan.json"
  [ "${#names[@]}" -eq 0 ] || printf '%s\n' "${names[@]}"
}

# check_moving refuses release $2 where such a service would start without what its container of release $1 keeps in a volume
# that its image declares and that has no name.
check_moving() {
  local service id path volume all declared kept
  local -a services=() ids=() lines=() names=()
  read_lines services moving "$1" "$2"
  for service in "${services[@]}"; do
    read_lines ids containers "release-$1" "$service"
    for id in "${ids[@]}"; do
      read_text all docker inspect "$id"
      read_text declared jq -r '.[0].Image' <<<"$all"
      read_text declared docker image inspect --format '{{json .Config.Volumes}}' "$declared"
      # shellcheck disable=SC2016 # jq's variables
      read_json lines /dev/stdin 'def path: sub("/+$"; "");
        ([$declared // {} | keys[] | path] | map(select(test("^(/var)?/(tmp|run|cache)(/|$)|^/dev/") | not))) as $paths
        | .[0].Mounts[] | select(.Type == "volume" and (.Name | test("^[0-9a-f]{64}$")) and (.Destination | path | IN($paths[]))) | "\(.Source)\t\(.Destination | path)"' \
        --argjson declared "$declared" <<<"$all"
      for path in "${lines[@]}"; do
        kept=${path%%$'\t'*} path=${path#*$'\t'}
        # shellcheck disable=SC2310 # it is one test, or the end
        has_files "$kept" || continue
        # shellcheck disable=SC2016 # jq's variables
        read_json names "$RELEASES/$2/data.json" '.volumes as $volumes | .services[$s].volumes[]? | select((.target | sub("/+$"; "")) == $path and (.source // "") != "")
          | if .type == "volume" then $volumes[.source].name // "app_\(.source)" else .source end' --arg s "$service" --arg path "$path"
        volume=${names[0]:-app_$service-data}
        # shellcheck disable=SC2310 # see above
        if filled "$volume"; then continue; fi
        say "service $service becomes persistent and would start empty: what it holds at $path is in a volume without a name, which goes with release $1"
        fail volume-without-name "what $service holds at $path goes with release $1; copy it into a named volume: sudo docker volume create $volume && sudo cp -a $kept/. \"\$(sudo docker volume inspect --format '{{.Mountpoint}}' $volume)\", with volumes: [\"${volume#app_}:$path\"] at $service in the compose file; or have it start empty with every release: labels: {berth.stateful: \"false\"}; nothing was changed"
      done
    done
  done
}

# has_files says whether there is something in folder $1.
has_files() {
  local -a files=()
  # The folder itself is listed, too.
  read_lines files find "$1" -maxdepth 1
  [ "${#files[@]}" -gt 0 ] || fail command-failed "find printed nothing about $1, and nothing is done on a guess"
  [ "${#files[@]}" -gt 1 ]
}

# filled says whether there is something in volume or folder $1. One that is not there yet holds nothing.
# shellcheck disable=SC2310 # has_files is one test, or the end
filled() {
  local folder=$1
  [[ $1 == /* ]] || folder=$(docker volume inspect --format '{{.Mountpoint}}' "$1") || return 1
  [ -d "$folder" ] && has_files "$folder"
}

# stop_moving stops those services of release $1: in release $2 they persist, and never run twice.
stop_moving() {
  local service
  local -a services=()
  read_lines services moving "$1" "$2"
  for service in "${services[@]}"; do
    say "$service becomes persistent and never runs twice: that of release $1 is stopped first, and it is down until that of $2 is ready"
    note_stopped
    stop_for_good "release-$1" "$service"
  done
}

# start_data brings the stateful services of release $1 that are in CHANGED to what it wants. No other is touched, but for
# what depends on them.
start_data() {
  local volume now deadline
  local -a volumes=() services
  read_json volumes "$RELEASES/$1/plan.json" '.volumes[]'
  for volume in "${volumes[@]}"; do docker volume create "$volume" >/dev/null; done
  deadline=$((SECONDS + HEALTHY_WITHIN))
  if [ "${#AS_IT_IS[@]}" -gt 0 ]; then
    start_as_is "$1"
    [ -n "$CHANGED" ] || await_ready "$DATA_PROJECT" "$1" "$deadline"
  fi
  [ -n "$CHANGED" ] || return 0
  mapfile -t services <<<"$CHANGED"
  services=("${services[@]%% *}")
  say "starting ${services[*]}"
  DATA_TOUCHED=yes ANEW="${services[*]}"
  allow_restarts "$DATA_PROJECT" "$RELEASES/$1/data.json"
  forget_networks "${services[@]}"
  # shellcheck disable=SC2310 # compose is one command
  if ! compose "$1" data.json up --detach --no-build --no-deps "${services[@]}"; then
    now=$(states "$DATA_PROJECT" "$1")
    show_failure "$DATA_PROJECT" "${now:-broken Compose gave up, the lines above say why}"
  fi
  # shellcheck disable=SC2310 # renew_dependents checks each of its commands
  renew_dependents "$1" || fail dependents-not-started "what depends on ${services[*]} does not start again; the lines above say why"
  await_ready "$DATA_PROJECT" "$1" "$deadline"
}

# dependents prints what of the stateful services of release $1 depends on one that $2, as changed_data prints it, says is
# replaced, and is not itself in it. A proxy knows the address of what is behind it from its own start; a database needs no other service so.
dependents() {
  local -a names=()
  # shellcheck disable=SC2016 # jq's variables
  read_json names "$RELEASES/$1/data.json" '
    .services as $services
    | def with_dependents: . as $replaced | [$services | to_entries[] | select(any(.value.depends_on // {} | to_entries[] | select(.value.condition != "service_completed_successfully") | .key; . as $on | $replaced | index([$on]))) | .key] + $replaced | unique;
      ($changed | split("\n") | map(split(" ") | select(.[1] != null))) as $lines
    | [$lines[] | select(.[1] == "changes") | .[0]] | until(. == with_dependents; with_dependents)
    | . - [$lines[][0]] - $plan[0].stores | .[]' --arg changed "$2" --slurpfile plan "$RELEASES/$1/plan.json"
  printf '%s\n' "${names[@]}"
}

# renew_dependents restarts those.
renew_dependents() {
  local -a services=()
  read_lines services dependents "$1" "$CHANGED"
  [ "${#services[@]}" -gt 0 ] || return 0
  say "restarting what depends on them: ${services[*]}"
  compose "$1" data.json restart --no-deps "${services[@]}"
}

# restore_data takes the stateful services back to what release $1 wants, after another one failed.
restore_data() {
  local -a services
  [ "$DATA_TOUCHED" = yes ] || return 0
  say "taking the stateful services back"
  give_way "$1"
  find_changed_data "$1"
  keep_jobs "$1"
  AS_IT_IS=()
  keep_databases "$1" "$ANEW"
  start_as_is "$1"
  mapfile -t services <<<"$CHANGED"
  services=("${services[@]%% *}")
  allow_restarts "$DATA_PROJECT" "$RELEASES/$1/data.json"
  [ -z "$CHANGED" ] || forget_networks "${services[@]}"
  # shellcheck disable=SC2310 # compose is one command, and renew_dependents checks each of its own
  [ -z "$CHANGED" ] || { compose "$1" data.json up --detach --no-build --no-deps "${services[@]}" && renew_dependents "$1"; } ||
    say "the stateful services of $1 do not start; the lines above say why"
  join "$1"
}

# join gives the stateful services their names in the networks of releases $@, and their web servers, where there are any, their addresses.
join() {
  local release line service network container alias index
  local -a ids=() services=() joined=() lines=() aliases=()
  local -A networks=()
  read_lines services named "$DATA_PROJECT"
  ids=("${services[@]%% *}")
  # shellcheck disable=SC2016 # docker's variables
  [ "${#ids[@]}" -eq 0 ] || read_each joined ids docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}.'
  for index in "${!ids[@]}"; do networks[${ids[index]}]=" ${joined[index]}"; done
  for release in "$@"; do
    read_json lines "$RELEASES/$release/plan.json" '.join[] | [.service, .network, (.aliases | join(" "))] | @tsv'
    for line in "${lines[@]}"; do
      IFS=$'\t' read -r service network alias <<<"$line"
      network=release-${release}_$network aliases=()
      for alias in $alias; do aliases+=(--alias "$alias"); done
      for container in "${services[@]}"; do
        [ "${container#* }" = "$service" ] || continue
        container=${container%% *}
        [[ ${networks[$container]} == *" $network "* ]] || docker network connect "${aliases[@]}" "$network" "$container"
      done
    done
    # shellcheck disable=SC2310 # it is one test
    if several && [ -e "$RELEASES/$release/reach.json" ]; then reach "$release"; fi
  done
}

stop_surplus_data() {
  local service
  local -a services=()
  read_lines services surplus_data "$1"
  for service in "${services[@]}"; do
    say "stopping $service"
    DATA_TOUCHED=yes
    stop_for_good "$DATA_PROJECT" "$service"
  done
}
