# What a release consists of: its folder, its plan, its two compose files. Sourced by deploy.sh.
#
# A release's folder holds source/ (the checkout), plan.json, images.json, app.json and data.json (compose files),
# .env.production (the app's variables), current.conf and next.conf (nginx), current.nft and next.nft (where its routes
# lead), and, once it has served, released.json. All of it is root's alone.
# shellcheck shell=bash
set -euo pipefail

readonly RELEASES=$DATA/releases
# A release has the loopback ports from FIRST_PORT + 100 x its slot on. Below them are those of stateful services.
readonly FIRST_PORT=20000

# current prints the release that nginx is pointed at, nothing before the first.
current() {
  local name
  [ -L "$RELEASES/current" ] || return 0
  read_text name readlink "$RELEASES/current"
  [ "$name" = starting ] || printf '%s\n' "$name"
}

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
  read_text settings jq -c '{routes, images}' <<<"$APP"
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

# refusals prints what keeps the release in folder $1 from going out, one per line.
refusals() {
  local -a trust=() problems=()
  read_json trust "$1/trust.json" '.[].text'
  read_json problems "$1/plan.json" '.problems[]'
  printf '%s\n' "${trust[@]}" "${problems[@]}"
}

# refuse ends the release where there is a sentence in $1.
refuse() {
  local line
  [ -n "$1" ] || return 0
  while read -r line; do say "$line"; done <<<"$1"
  fail "commit ${COMMIT:0:12} cannot be released as it is; what runs is left as it was"
}

# plan makes folder $1 of a new release: checkout, compose files, routes. Nothing that runs is touched. model.json and
# given.json, which hold the app's variables, stay until the images are there and may say more.
plan() {
  local folder=$1 source=$1/source file found ports given own slot
  local -a paths=()
  rm -rf "$folder"
  mkdir -p "$folder"
  read_text slot free_slot
  put "$folder/slot" 0600 <<<"$slot"
  put "$folder/.env.production" 0600 <"$BERTH_ETC/app.env"
  fits
  check_out "$source"
  file=$(compose_path "$source")
  read_model "$folder" "$source" "$file"
  links "$folder/links.list" >"$folder/links.json"
  # Before anything is read from a path of the compose file's.
  # shellcheck disable=SC2016 # jq's variables
  read_json paths "$folder/model.json" "[., {source: \$source, links: \$links[0]}] | $(</opt/berth/release/links.jq) | .[]" --arg source "$source" --slurpfile links "$folder/links.json"
  found=$(printf '%s\n' "${paths[@]}")
  refuse "$found"
  # shellcheck disable=SC2016 # jq's variables
  read_json paths "$folder/model.json" '[(.services // {} | .[] | (.build.context // empty), (.volumes[]? | select(.type == "bind") | .source)),
      ((.secrets // {})[], (.configs // {})[] | .file // empty)]
    | unique[] | select(. == $source or startswith($source + "/"))' --arg source "$source"
  trees "$source" "${paths[@]}" >"$folder/trees.json"
  read_text own own_networks
  jq --arg source "$source" --arg root "$RELEASES" --argjson app "$APP" --argjson own "$own" --slurpfile classes /opt/berth/release/allowed.json \
    '[., $app + {source: $source, root: $root, own: $own}, $classes[0]]' "$folder/model.json" | jq -f /opt/berth/release/trust.jq >"$folder/trust.json"
  dockerfiles "$source" "$folder/model.json" >"$folder/dockerfiles.json"
  folders "${paths[@]}" >"$folder/folders.json"
  image_volumes_of "$OLD" >"$folder/image-volumes.json"
  ports=$(routed_ports)
  # shellcheck disable=SC2016 # jq's variables
  read_text given jq -n --argjson app "$APP" --slurpfile trees "$folder/trees.json" --argjson ports "$ports" --arg id "${folder##*/}" \
    --slurpfile folders "$folder/folders.json" --slurpfile links "$folder/links.json" --slurpfile dockerfiles "$folder/dockerfiles.json" --slurpfile volumes "$folder/image-volumes.json" \
    --arg commit "$COMMIT" --arg source "$source" --argjson base $((FIRST_PORT + 100 * slot)) --arg data "$DATA" --arg root "$RELEASES" \
    '$app + {id: $id, commit: $commit, source: $source, root: $root, base: $base, ports: $ports, trees: $trees[0], folders: $folders[0], links: $links[0],
      dockerfiles: $dockerfiles[0], image_volumes: $volumes[0], binds: ($data + "/binds"), files: ($data + "/files")}'
  put "$folder/given.json" 0600 <<<"$given"
  split "$folder"
  rm -f "$folder"/{trees,folders,dockerfiles,image-volumes,links}.json
}

# read_model writes what Compose makes of file $3 of checkout $2 to model.json of the release in folder $1. What a repository
# that is not trusted with the server's files names is read where there are none.
read_model() {
  local variables=${3%/*}/.env.production
  local -a read=(unshare --mount --net --ipc --uts --pid --fork --kill-child timeout 60 bash /opt/berth/release/confined.sh "$2" "$3")
  # shellcheck disable=SC2310 # holds is true or false, or the end
  if holds 'any(.allow[]?; . == "host-mounts")' <<<"$APP"; then
    read=(docker compose --project-name app --env-file "$variables" --file "$3" config --format json)
  fi
  # Where the app's own file names it (env_file); not for longer, or it would be copied into images. A file or link that is
  # committed there is replaced. Only root comes into the release's folder; Compose runs as somebody else.
  rm -rf "$variables"
  install -T -m 0644 "$1/.env.production" "$variables"
  "${read[@]}" >"$1/model.json" || fail "Compose refuses $COMPOSE_FILE of commit ${COMMIT:0:12}, of which it sees the repository's files alone; the lines above say where"
  rm -f "$variables"
}

# split makes the plan of the release in folder $1 from its model and what is given, and what follows from it.
split() {
  local plan found
  read_text plan jq -s -f /opt/berth/release/plan.jq "$1/model.json" "$1/given.json"
  put "$1/plan.json" 0600 <<<"$plan"
  # For the log: to the operator the preview has said it, with the lines.
  jq -r '.advice[] | "advice: \(.text)"' "$1/plan.json"
  found=$(refusals "$1")
  refuse "$found"
  keep_files "$1"
  write_routes "$1"
}

# dockerfiles prints a JSON object: the text of the Dockerfile of every service of model $2 that is built in checkout $1.
dockerfiles() {
  local line service file root all='{}'
  local -a lines=()
  read_text root realpath "$1"
  read_json lines "$2" '.services // {} | to_entries[] | select(.value.build.context != null and .value.build.dockerfile_inline == null)
    | "\(.key) \(.value.build.context)/\(.value.build.dockerfile // "Dockerfile")"'
  for line in "${lines[@]}"; do
    service=${line%% *} file=${line#* }
    [ -f "$file" ] || continue
    read_text file realpath -e "$file"
    [[ $file == "$root"/* ]] || continue
    # shellcheck disable=SC2016 # jq's variables
    read_text all jq --arg service "$service" --rawfile text "$file" '.[$service] = $text' <<<"$all"
  done
  printf '%s\n' "$all"
}

# folders prints a JSON list: those of the paths $@ that are folders.
folders() {
  local path list=""
  for path in "$@"; do
    [ ! -d "$path" ] || list+=$path$'\n'
  done
  jq -R -s 'split("\n") | map(select(. != ""))' <<<"$list"
}

# image_volumes_of prints what was found out about the images of release $1: {service: [path]}, the volumes that they declare.
image_volumes_of() {
  if [ -n "$1" ]; then jq '.image_volumes // {}' "$RELEASES/$1/plan.json"; else echo '{}'; fi
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
