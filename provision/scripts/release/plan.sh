# What a release consists of: its folder, its plan, its two compose files. Sourced by deploy.sh.
#
# A release's folder holds source/ (the checkout), plan.json, images.json, app.json and data.json (compose files),
# .env.production (the app's variables), current.conf and next.conf (nginx), current.nft and next.nft (where its routes
# lead), and, once it has served, released.json. All of it is root's alone.
# shellcheck shell=bash disable=SC2034

readonly RELEASES=$DATA/releases
# A release has the loopback ports from FIRST_PORT + 100 x its slot on. Below them are those of stateful services.
readonly FIRST_PORT=20000

# current prints the release that nginx is pointed at, nothing before the first.
current() {
  local name
  name=$(readlink "$RELEASES/current") || return 0
  [ "$name" = starting ] || printf '%s\n' "$name"
}

kept() { [ -n "$1" ] && [ -e "$RELEASES/$1/released.json" ]; }

# kept_releases prints those that can be returned to, the last to serve first.
kept_releases() {
  local file
  for file in "$RELEASES"/*/released.json; do
    if [ ! -e "$file" ] || [ -L "$(dirname "$file")" ]; then continue; fi
    printf '%s %s\n' "$(jq -r .served "$file")" "$(basename "$(dirname "$file")")"
  done | sort -r | cut -d ' ' -f 2
}

# release_id names a release by its commit and by everything else that makes it: the same settings, the same name. It
# tells nothing about the variables, whose values might otherwise be guessed from it.
release_id() {
  [ -s "$DATA/salt" ] || openssl rand -hex 32 | put "$DATA/salt" 0600
  printf '%s-%s\n' "${COMMIT:0:12}" "$(cat "$DATA/salt" "$BERTH_ETC/app.env" - <<<"$COMPOSE_FILE $(jq -c '{routes, images}' <<<"$APP")" | sha256sum | cut -c 1-6)"
}

# free_slot is the lowest slot that no release on this server has.
free_slot() {
  local slot=1
  while grep -qsx "$slot" "$RELEASES"/*/slot; do slot=$((slot + 1)); done
  printf '%s\n' "$slot"
}

# compose runs Compose on file $2 of release $1: app.json is the release's own project, data.json the one that
# outlasts releases. It gets as long as services may take to become healthy.
compose() {
  local release=$RELEASES/$1 file=$2
  shift 2
  timeout "$HEALTHY_WITHIN" docker compose --progress plain --env-file "$release/.env.production" --file "$release/$file" "$@"
}

# project is the compose project of release $1.
project() { printf 'release-%s\n' "$1"; }

# routed_ports prints the loopback ports of routed stateful services as they are now.
routed_ports() {
  if [ -n "$OLD" ]; then jq -c .ports "$RELEASES/$OLD/plan.json"; else echo '{}'; fi
}

# lead_out prints a line for each symbolic link of the checkout $1 behind which lies something of the server's. Compose and
# Docker follow them as root.
lead_out() {
  local link target root
  root=$(realpath "$1")
  find "$1" -type l -print0 | while IFS= read -r -d '' link; do
    target=$(realpath -e "$link" 2>/dev/null) || continue
    case $target in
      "$root" | "$root"/*) ;;
      *) printf '%q is a link to %q of the server; commit the file itself, or, if you trust the repository: pulumi config set --path '"'berth:allow[0]'"' host-mounts\n' "${link#"$1"/}" "$target" ;;
    esac
  done
}

# refusals prints what keeps the release in folder $1 from going out, a line each.
refusals() {
  jq -r '.[].text' "$1/trust.json"
  jq -r '.problems[]' "$1/plan.json"
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
  local folder=$1 source=$1/source file
  rm -rf "$folder"
  mkdir -p "$folder"
  free_slot >"$folder.slot" && mv "$folder.slot" "$folder/slot"
  put "$folder/.env.production" 0600 <"$BERTH_ETC/app.env"
  check_out "$source"
  file=$(compose_path "$source")
  if [ "$(jq 'any(.allow[]?; . == "host-mounts")' <<<"$APP")" = false ]; then refuse "$(lead_out "$source")"; fi
  # Where the app's own file names it (env_file); not for longer, or it would be copied into images.
  put "$(dirname "$file")/.env.production" 0600 <"$folder/.env.production"
  docker compose --project-name app --env-file "$folder/.env.production" --file "$file" config --format json >"$folder/model.json" ||
    fail "Compose refuses $COMPOSE_FILE of commit ${COMMIT:0:12}; the lines above say where"
  rm -f "$(dirname "$file")/.env.production"
  jq -r --arg source "$source" '[(.services // {} | .[] | (.build.context // empty), (.volumes[]? | select(.type == "bind") | .source)),
      ((.secrets // {})[], (.configs // {})[] | .file // empty)]
    | unique[] | select(. == $source or startswith($source + "/"))' "$folder/model.json" | trees "$source" >"$folder/trees.json"
  jq --arg source "$source" --arg root "$RELEASES" --argjson app "$APP" '[., {source: $source, root: $root, allow: $app.allow}]' "$folder/model.json" | jq -f /opt/berth/release/trust.jq >"$folder/trust.json"
  dockerfiles "$source" "$folder/model.json" >"$folder/dockerfiles.json"
  folders "$folder/trees.json" >"$folder/folders.json"
  image_volumes_of "$OLD" >"$folder/image-volumes.json"
  jq -n --argjson app "$APP" --slurpfile trees "$folder/trees.json" --argjson ports "$(routed_ports)" --arg id "$(basename "$folder")" \
    --slurpfile folders "$folder/folders.json" --slurpfile dockerfiles "$folder/dockerfiles.json" --slurpfile volumes "$folder/image-volumes.json" \
    --arg commit "$COMMIT" --arg source "$source" --argjson base $((FIRST_PORT + 100 * $(cat "$folder/slot"))) --arg data "$DATA" --arg root "$RELEASES" \
    '$app + {id: $id, commit: $commit, source: $source, root: $root, base: $base, ports: $ports, trees: $trees[0], folders: $folders[0],
      dockerfiles: $dockerfiles[0], image_volumes: $volumes[0], binds: ($data + "/binds"), files: ($data + "/files")}' >"$folder/given.json"
  split "$folder"
  rm -f "$folder"/{trees,folders,dockerfiles,image-volumes}.json
}

# split makes the plan of the release in folder $1 from its model and what is given, and what follows from it.
split() {
  jq -s -f /opt/berth/release/plan.jq "$1/model.json" "$1/given.json" >"$1/plan.json.new"
  mv "$1/plan.json.new" "$1/plan.json"
  # For the log: to the operator the preview has said it, with the lines.
  jq -r '.advice[] | "advice: \(.text)"' "$1/plan.json"
  refuse "$(refusals "$1")"
  keep_files "$1/plan.json"
  write_routes "$1"
}

# dockerfiles prints a JSON object: the text of the Dockerfile of every service of model $2 that is built in checkout $1.
dockerfiles() {
  local services service file all='{}'
  services=$(jq -r '.services // {} | to_entries[] | select(.value.build.context != null and .value.build.dockerfile_inline == null)
    | "\(.key) \(.value.build.context)/\(.value.build.dockerfile // "Dockerfile")"' "$2")
  while read -r service file; do
    file=$(realpath -e "$file" 2>/dev/null) || continue
    [[ -f $file && $file == "$(realpath "$1")"/* ]] || continue
    all=$(jq --arg service "$service" --rawfile text "$file" '.[$service] = $text' <<<"$all")
  done <<<"$services"
  printf '%s\n' "$all"
}

# folders prints a JSON list: the paths of trees $1 that are folders.
folders() {
  local paths path
  paths=$(jq -r 'keys[]' "$1")
  while read -r path; do
    [ ! -d "$path" ] || printf '%s\n' "$path"
  done <<<"$paths" | jq -R -s 'split("\n") | map(select(. != ""))'
}

# image_volumes_of prints what was found out about the images of release $1: {service: [path]}, the volumes that they declare.
image_volumes_of() {
  if [ -n "$1" ]; then jq '.image_volumes // {}' "$RELEASES/$1/plan.json"; else echo '{}'; fi
}

# keep_files copies the committed files that stateful services mount to where later commits find them unchanged.
keep_files() {
  local path hash
  while IFS=$'\t' read -r path hash; do
    [ -e "$DATA/files/$hash" ] && continue
    install -d -m 0755 "$DATA/files"
    rm -rf "$DATA/files/$hash.new"
    cp -a "$path" "$DATA/files/$hash.new"
    mv -T "$DATA/files/$hash.new" "$DATA/files/$hash"
  done < <(jq -r '.files[] | [.source, .hash] | @tsv' "$1")
}

# running prints the containers of project $1, of service $2 where one is named.
running() { docker ps --quiet --no-trunc --filter "label=com.docker.compose.project=$1" ${2:+--filter "label=com.docker.compose.service=$2"}; }
containers() { docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$1" ${2:+--filter "label=com.docker.compose.service=$2"}; }
