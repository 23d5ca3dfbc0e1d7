# What a release consists of: its folder, its plan, its two compose files. Sourced by deploy.sh.
#
# A release's folder holds source/ (the checkout), plan.json, images.json, app.json and data.json (compose files),
# .env.production (the app's variables), slot (which loopback ports it has) and, once it has served, released.json. All of it is
# root's alone.
# shellcheck shell=bash
set -euo pipefail

readonly RELEASES=$DATA/releases
# The names of the site, which the edge step writes: {names, hosts, redirects} (release/hosts.jq).
# shellcheck disable=SC2034 # for the scripts that source this
readonly HOSTS=$BERTH_ETC/hosts.json
# The version of plans that this code follows.
readonly PLAN_VERSION=2

# several says whether this is the first of several servers, which the step servers has it be.
several() { [ -e "$BERTH_ETC/servers.json" ]; }

# current prints the release that nginx is pointed at, nothing before the first.
current() {
  local name
  [ -L "$RELEASES/current" ] || return 0
  read_text name readlink "$RELEASES/current"
  [ "$name" = starting ] || printf '%s\n' "$name"
}

# need_release ends the script where $1, the release that serves, is none.
need_release() { [ -n "$1" ] || fail nothing-released "nothing was released yet; release with: pulumi up"; }

kept() { [ -n "$1" ] && [ -e "$RELEASES/$1/released.json" ]; }

# kept_releases prints those that can be returned to, the last to serve first.
kept_releases() {
  local folder served lines="" sorted name
  for folder in "$RELEASES"/*; do
    if [ ! -e "$folder/released.json" ] || [ -L "$folder" ]; then continue; fi
    read_text served jq -r .served "$folder/released.json"
    lines+="$served ${folder##*/}"$'\n'
  done
  [ -n "$lines" ] || return 0
  read_text sorted sort -r <<<"${lines%$'\n'}"
  while read -r _ name; do printf '%s\n' "$name"; done <<<"$sorted"
}

# release_id names a release by its commit and by everything else that makes it: the same settings, the same name. It
# tells nothing about the variables, whose values might otherwise be guessed from it.
release_id() {
  local salt settings all sum
  if [ ! -s "$DATA/salt" ]; then
    read_text salt openssl rand -hex 32
    put "$DATA/salt" 0600 <<<"$salt"
  fi
  read_text settings jq -c 'del(.strategy)' <<<"$APP"
  read_text all cat "$DATA/salt" "$BERTH_ETC/app.env" - <<<"$COMPOSE_FILE $settings"
  read_text sum sha256sum <<<"$all"
  printf '%s-%s\n' "${COMMIT:0:12}" "${sum:0:6}"
}

# free_slot is the lowest slot that no release on this server has.
free_slot() {
  local slot=1
  local file taken=" "
  for file in "$RELEASES"/*/slot; do
    [ ! -e "$file" ] || taken+="$(<"$file") "
  done
  while [[ $taken == *" $slot "* ]]; do slot=$((slot + 1)); done
  printf '%s\n' "$slot"
}

# compose runs Compose on file $2 of release $1: app.json is the release's own project, data.json the one that
# persists. It gets as long as services may take to become healthy.
compose() {
  local release=$RELEASES/$1 file=$2
  shift 2
  timeout "$HEALTHY_WITHIN" docker compose --progress plain --env-file "$release/.env.production" --file "$release/$file" "$@"
}

# Release ID is the compose project release-ID.

# routed_ports prints the loopback ports of routed stateful services as they are now.
routed_ports() {
  if [ -n "$OLD" ]; then jq -c .ports "$RELEASES/$OLD/plan.json"; else echo '{}'; fi
}

# own_networks prints a JSON list: the networks that the server itself is in, which none of the app's may be.
own_networks() {
  local routes addresses
  read_text routes ip -json -4 route show default
  read_text addresses ip -json -4 addr show
  # shellcheck disable=SC2016 # jq's variables
  jq -n -c --argjson routes "$routes" --argjson addresses "$addresses" \
    '[$addresses[] | select(.ifname | IN($routes[].dev)) | .addr_info[] | "\(.local)/\(.prefixlen)"]'
}

# refuse ends the release where there are sentences in $3; $1 is the identifier, $2 what is the matter with the commit.
refuse() {
  local line
  [ -n "$3" ] || return 0
  while read -r line; do say "$line"; done <<<"$3"
  fail "$1" "commit ${COMMIT:0:12} $2; what runs is left as it was"
}

# plan makes folder $1 of a new release: the checkout, the operator's plan with what this server knows, routes. Nothing that runs
# is touched. Until the images are there, plan.json holds values of the app's variables.
plan() {
  local folder=$1 ports slot text
  local -a jobs=()
  # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end
  if [ ! -s "$BERTH_ETC/plan.json" ] || ! holds --arg commit "$COMMIT" --argjson version "$PLAN_VERSION" '.version == $version and .commit == $commit' "$BERTH_ETC/plan.json"; then
    fail plan-not-for-commit "the plan in $BERTH_ETC/plan.json is not one of version $PLAN_VERSION for commit ${COMMIT:0:12}; what runs is left as it was; run 'pulumi up' again, which writes both"
  fi
  # A job of a release that was taken away since has files of it.
  read_lines jobs jobs_in "release-${folder##*/}"
  [ "${#jobs[@]}" -eq 0 ] || fail release-files-in-use "job ${jobs[0]#* } is still at work in an earlier run of this release, so its files stay as they are; run this again when the job has ended; end it now: sudo docker stop berth-job-${jobs[0]#* }"
  rm -rf "$folder"
  mkdir -p "$folder"
  read_text slot free_slot
  put "$folder/slot" 0600 <<<"$slot"
  put "$folder/.env.production" 0600 <"$BERTH_ETC/app.env"
  fits
  check_out "$folder/source"
  keep_pages "$folder"
  read_text ports routed_ports
  read_text text jq --arg id "${folder##*/}" --arg source "$folder/source" --argjson base $((FIRST_PORT + 100 * slot)) --argjson kept "$ports" \
    -f /opt/berth/release/fill.jq "$BERTH_ETC/plan.json"
  put "$folder/plan.json" 0600 <<<"$text"
  check_plan "$folder"
  # For the log: to the operator the preview has said it, with the lines.
  jq -r '.advice[] | "advice: \(.text)"' "$folder/plan.json"
  follow "$folder"
}

# check_plan refuses the plan of the release in folder $1 where the commit holds something else, or it takes addresses of the server's
# own.
check_plan() {
  local own found
  local -a trees=() taken=()
  read_json trees "$1/plan.json" '.trees[] | select(.hash != "") | "\(.hash) \(.path)"'
  check_trees "$1/source" "${trees[@]}"
  read_text own own_networks
  read_json taken "$1/plan.json" "$(</opt/berth/release/networks.jq) | .[]" --argjson own "$own"
  found=$(printf '%s\n' "${taken[@]}")
  refuse network-of-the-server "cannot be released with these addresses" "$found"
}

# follow does what the plan of the release in folder $1 says before there are containers.
follow() {
  local found
  local -a problems=()
  read_json problems "$1/plan.json" '.problems[]'
  found=$(printf '%s\n' "${problems[@]}")
  refuse plan-has-problems "cannot be released as it is" "$found"
  keep_files "$1"
}

# keep_files copies the committed files that stateful services of the release in folder $1 mount to where later commits find
# them unchanged. They come out of git, and nothing of a folder that a container may write is read. Nothing that is kept is a
# link: a container could have the server's own files by it.
keep_files() {
  local file path hash new
  local -a files=()
  read_json files "$1/plan.json" '.files[] | [.source, .hash] | @tsv'
  for file in "${files[@]}"; do
    path=${file%%$'\t'*} hash=${file#*$'\t'}
    path=${path#"$1/source"}
    path=${path#/}
    new=$DATA/files/$hash.new
    if [ -e "$DATA/files/$hash" ] && [ ! -L "$DATA/files/$hash" ]; then continue; fi
    (umask 022 && mkdir -p "$DATA/files")
    rm -rf "$new" "$DATA/files/${hash:?}"
    take_out "$path" "$new"
    mv -T "$new${path:+/$path}" "$DATA/files/$hash"
    rm -rf "$new"
  done
}

# running prints the containers of project $1, of service $2 where one is named.
running() { docker_table ps --no-trunc --format 'table {{.ID}}' --filter "label=com.docker.compose.project=$1" ${2:+--filter "label=com.docker.compose.service=$2"}; }
containers() { docker_table ps --all --no-trunc --format 'table {{.ID}}' --filter "label=com.docker.compose.project=$1" ${2:+--filter "label=com.docker.compose.service=$2"}; }

# named prints "ID SERVICE" for each container of a service of project $1, the newest first; further arguments are those of docker ps.
named() { docker_table ps --all --no-trunc --format 'table {{.ID}} {{.Label "com.docker.compose.service"}}' --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.service "${@:2}"; }

# lasting prints the containers of project $1 and service $2 that are there to stay: not those of one command (deploy.sh run). Docker
# gives these no restart policy, and nobody waits for them; they are stopped and removed with the rest.
lasting() { docker_table ps --all --no-trunc --format 'table {{.ID}}' --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False --filter "label=com.docker.compose.service=$2"; }

# Compose's label of a container that runs one command. An image may bear the other one, but not this.
readonly JOBS_ALONE=(--filter label=com.docker.compose.oneoff=True)

# jobs_in prints "ID NAME" for each scheduled job that is at work in project $1.
jobs_in() { docker_table ps --no-trunc --format 'table {{.ID}} {{.Label "berth.job"}}' --filter "label=com.docker.compose.project=$1" --filter label=berth.job "${JOBS_ALONE[@]}"; }
