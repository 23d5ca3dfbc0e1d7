# The images of a release: built once for equal content, pulled by what the compose file names, kept by a name of
# their own so that nothing else takes them away. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# Seconds for one build, and for one pull.
readonly BUILD_WITHIN=1500 PULL_WITHIN=600

# image_name is the image of service $1 with tag $2: the service's name as Docker allows it.
image_name() {
  local LC_ALL=C
  local name=${1,,}
  local -a words=()
  read -ra words <<<"${name//[!a-z0-9]/ }"
  local IFS=-
  name=${words[*]}
  printf 'berth/%s:%s\n' "${name:-service}" "$2"
}
has_image() { docker image inspect "$1" >/dev/null 2>&1; }
image_id() { docker image inspect --format '{{.Id}}' "$1"; }

# heed_volumes takes the plan of the release in folder $1 that fits the volumes which its images declare: with a new container for
# each release, what such a volume holds would be lost.
heed_volumes() {
  local found='{}' declared
  local -a services=() images=() lines=()
  read_json services "$1/images.json" 'to_entries[] | .key'
  read_json images "$1/images.json" 'to_entries[] | .value.image'
  if [ "${#images[@]}" -gt 0 ]; then
    declared=$(docker image inspect --format '{{json .Config.Volumes}}' "${images[@]}") || declared=""
    mapfile -t lines <<<"$declared"
    if [ -z "$declared" ] || [ "${#lines[@]}" -ne "${#images[@]}" ]; then
      fail image-volumes-unknown "Docker does not say what the images of ${services[*]} declare; what runs is left as it was; look with: sudo docker image ls; then run it again"
    fi
    # shellcheck disable=SC2016 # jq's variables
    read_text found jq --slurp '[$ARGS.positional, .] | transpose | map(select((.[1] // {}) != {}) | {key: .[0], value: (.[1] | keys)}) | from_entries' --args "${services[@]}" <<<"$declared"
  fi
  read_text found jq --argjson found "$found" -f /opt/berth/release/heed.jq "$1/plan.json"
  put "$1/plan.json" 0600 <<<"$found"
  follow "$1"
}

# prepare_images makes sure of every image of the release in folder $1 and writes them into its compose files.
prepare_images() {
  local images index file builds pulls text
  images=$1/images.json BUILT=()
  echo '{}' >"$images"
  read_text builds jq '.builds | length' "$1/plan.json"
  read_text pulls jq '.pulls | length' "$1/plan.json"
  if [ "$builds" -gt 0 ]; then read_lines BUILT docker_table image ls --format 'table {{.Repository}}:{{.Tag}}' --filter label=berth.content; fi
  for ((index = 0; index < builds; index++)); do built "$1" "$index"; done
  for ((index = 0; index < pulls; index++)); do pulled "$1" "$index"; done
  heed_volumes "$1"
  # shellcheck disable=SC2016 # jq's variables
  for file in app data; do
    read_text text jq --arg file "$file" --slurpfile images "$images" '.[$file] | .services |= with_entries(.value.image = $images[0][.key].image)' "$1/plan.json"
    put "$1/$file.json" 0600 <<<"$text"
  done
  # From here on the plan is read for what holds no variable of the app.
  read_text text jq 'del(.app, .data, .builds)' "$1/plan.json"
  put "$1/plan.json" 0600 <<<"$text"
}

note_image() {
  local text
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq --arg service "$2" --arg reference "$3" --arg image "$4" '.[$service] = {reference: $reference, image: $image}' "$1/images.json"
  put "$1/images.json" 0600 <<<"$text"
}

# BUILT are the names of the images that were built here, each with its content as the tag.
BUILT=()

# built builds number $2 of the plan unless an image of the same content is there.
built() {
  local service key image="" name
  local -a services=()
  read_json services "$1/plan.json" ".builds[$2].services[]"
  read_text key jq -r ".builds[$2].material" "$1/plan.json"
  read_text key sha256sum <<<"$key"
  key=${key:0:12}
  for name in "${BUILT[@]}"; do
    if [[ $name == berth/*:"$key" ]]; then image=$name; fi
  done
  if [ -z "$image" ]; then
    image=$(image_name "${services[0]}" "$key")
    say "building ${services[0]}"
    # shellcheck disable=SC2310 # build checks each of its commands
    build "$1" "$2" "$image" "$key" 2>&1 | tee "$1/build.log" || not_built "$1" "${services[0]}"
    rm "$1/build.log"
    BUILT+=("$image")
  fi
  for service in "${services[@]}"; do
    name=$(image_name "$service" "$key")
    if [[ " ${BUILT[*]} " != *" $name "* ]]; then
      docker tag "$image" "$name"
      BUILT+=("$name")
    fi
    note_image "$1" "$service" "" "$name"
  done
}

# not_built ends the release in folder $1 for the image of service $2.
not_built() {
  # 128 and 9: the kernel ends what takes more memory than the slice has.
  if grep -E 'exit code: 137|signal: killed' "$1/build.log" >/dev/null; then
    fail build-out-of-memory "the image of $2 does not build: it took more memory than builds get, three fifths of the server's; build it elsewhere (berth:images), or take a bigger server: pulumi config set berth:instanceType t3.small; what runs is left as it was"
  fi
  fail build-failed "the image of $2 does not build (the lines above say why); what runs is left as it was"
}

# app_variable prints the app's variable $2 of the release in folder $1, and fails where there is none. The operator's machine quotes a
# value in single quotes as it is, or in double quotes with backslashes.
app_variable() {
  # shellcheck disable=SC2016 # jq's variables
  jq --null-input --join-output --arg name "$2" --rawfile variables "$1/.env.production" 'first($variables | split("\n")[] | select(startswith($name + "=")) | ltrimstr($name + "=")
    | if startswith("\"") then .[1:-1] | gsub("\\\\(?<one>.)"; .one) else .[1:-1] end) // error("the release has no variable \($name)")'
}

# build_secrets writes the secrets of build number $2 that come from the app's variables to files of root's in folder $1/build-secrets.
build_secrets() {
  local line name variable
  local -a lines=()
  # shellcheck disable=SC2016 # jq's variables
  read_json lines "$1/plan.json" '(.app.secrets // {}) as $secrets | .builds[$i].build.secrets // [] | [.[].source] | unique[] | select($secrets[.].environment) | "\(.) \($secrets[.].environment)"' --argjson i "$2"
  [ "${#lines[@]}" -gt 0 ] || return 0
  install -d -m 0700 "$1/build-secrets"
  for line in "${lines[@]}"; do
    name=${line%% *} variable=${line#* }
    [[ $name =~ ^[A-Za-z0-9._-]+$ && $name != .* ]] || fail build-secret-name-invalid "the build has a secret of the name $name; use letters, digits, . _ and - in it"
    # shellcheck disable=SC2310 # app_variable is one command
    app_variable "$1" "$variable" >"$1/build-secrets/$name" ||
      fail build-secret-missing "the build has the secret $name of the variable $variable, which the stack lacks; set it: pulumi config set --secret --path berth:secrets.$variable"
  done
}

# build runs number $2 of the plan's builds, of content $4, for the image $3. Its environment is ours, and small. git is not asked
# about the context, which can hold what git takes for a repository, with commands in its settings.
build() {
  local text code=0
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq --argjson i "$2" --arg image "$3" --arg content "$4" --arg folder "$1/build-secrets" -f /opt/berth/release/build.jq "$1/plan.json"
  put "$1/build.json" 0600 <<<"$text"
  build_secrets "$1" "$2"
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root BUILDX_GIT_INFO=false BUILDKIT_PROGRESS=plain \
    timeout "$BUILD_WITHIN" /usr/bin/docker compose --env-file /dev/null --file "$1/build.json" build build 8>&- || code=$?
  rm -rf "$1/build.json" "$1/build-secrets"
  return "$code"
}

# pulled makes sure of number $2 of the plan's pulls. A stateful service keeps the image it has for as long as the
# compose file names the same one: a newer image behind the same name would restart it.
pulled() {
  local service reference image id
  local -a images=()
  read_text service jq -r ".pulls[$2].service" "$1/plan.json"
  read_text reference jq -r ".pulls[$2].reference" "$1/plan.json"
  # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end, and has_image one command
  if [ -n "$OLD" ] && holds --arg service "$service" '.stateful | index([$service]) != null' "$1/plan.json"; then
    read_json images "$RELEASES/$OLD/images.json" '.[$service] | select(.reference == $reference) | .image // empty' --arg service "$service" --arg reference "$reference"
    image=${images[0]:-}
    if [ -n "$image" ] && has_image "$image"; then
      note_image "$1" "$service" "$reference" "$image"
      return
    fi
  fi
  pull "$service" "$reference"
  # Without the prefix Docker's client would show the tag as the image's ID.
  read_text id image_id "$reference"
  id=${id#*:}
  image=$(image_name "$service" "pulled-${id:0:12}")
  docker tag "$reference" "$image"
  note_image "$1" "$service" "$reference" "$image"
}

# pull fetches an image with the stack's own credentials. A registry that is away is no reason to fail while the image
# is here.
# shellcheck disable=SC2310 # has_image is one command
pull() {
  local try
  [[ $2 != *@sha256:* ]] || ! has_image "$2" || return 0
  say "pulling $2"
  for try in 1 2 3; do
    if timeout "$PULL_WITHIN" docker --config "$BERTH_ETC/docker" pull "$2"; then return; fi
    has_image "$2" && break
    [ "$try" -eq 3 ] || sleep $((try * 2))
  done
  has_image "$2" ||
    fail image-not-pulled "cannot pull $2 of $1 (the lines above say why); a private registry needs credentials: pulumi config set --secret --path 'berth:registries[\"registry.example.com\"]' user:token"
  say "cannot pull $2; taking the copy that is on the server"
}
