# The images of a release: built once for equal content, pulled by what the compose file names, kept by a name of
# their own so that nothing else takes them away. Sourced by deploy.sh.
# shellcheck shell=bash disable=SC2034

# Seconds for one build, and for one pull.
readonly BUILD_WITHIN=1500 PULL_WITHIN=600
# Builds share the server with the site: they get the slice's memory and what processor time is left. Its name has no
# dash, which systemd would take for a slice within another.
readonly BUILD_SLICE=builds.slice

image_name() { printf 'berth/%s:%s\n' "$(tr '[:upper:]' '[:lower:]' <<<"$1" | tr -c 'a-z0-9\n' '-' | sed 's/^-*//; s/-*$//; s/--*/-/g; s/^$/service/')" "$2"; }
has_image() { docker image inspect "$1" >/dev/null 2>&1; }
image_id() { docker image inspect --format '{{.Id}}' "$1"; }

# heed_volumes plans the release in folder $1 again where its images declare volumes that the plan did not know of: with a
# new container for each release, what such a volume holds would be lost.
heed_volumes() {
  local services service image declared found='{}'
  services=$(jq -r 'to_entries[] | "\(.key) \(.value.image)"' "$1/images.json")
  while read -r service image; do
    [ -n "$service" ] || continue
    declared=$(docker image inspect --format '{{json .Config.Volumes}}' "$image") || fail "Docker does not say what the image of $service declares; what runs is left as it was"
    found=$(jq --arg service "$service" --argjson declared "$declared" 'if ($declared // {}) == {} then . else .[$service] = ($declared | keys) end' <<<"$found")
  done <<<"$services"
  if jq -e --argjson found "$found" '.image_volumes == $found' "$1/given.json" >/dev/null; then return; fi
  jq --argjson found "$found" '.image_volumes = $found' "$1/given.json" | put "$1/given.json" 0600
  split "$1"
}

# prepare_images makes sure of every image of the release in folder $1 and writes them into its compose files.
prepare_images() {
  local images index file
  images=$1/images.json
  echo '{}' >"$images"
  for ((index = 0; index < $(jq '.builds | length' "$1/plan.json"); index++)); do built "$1" "$index"; done
  for ((index = 0; index < $(jq '.pulls | length' "$1/plan.json"); index++)); do pulled "$1" "$index"; done
  heed_volumes "$1"
  rm -f "$1/model.json" "$1/given.json" "$1/trust.json"
  for file in app data; do
    jq --arg file "$file" --slurpfile images "$images" '.[$file] | .services |= with_entries(.value.image = $images[0][.key].image)' "$1/plan.json" >"$1/$file.json"
  done
  # From here on the plan is read for what holds no variable of the app.
  jq 'del(.app, .data, .builds)' "$1/plan.json" | put "$1/plan.json" 0600
}

note_image() {
  jq --arg service "$2" --arg reference "$3" --arg image "$4" '.[$service] = {reference: $reference, image: $image}' "$1/images.json" | put "$1/images.json" 0600
}

# built builds number $2 of the plan unless an image of the same content is there.
built() {
  local service key image
  local -a services
  mapfile -t services < <(jq -r --argjson i "$2" '.builds[$i].services[]' "$1/plan.json")
  key=$(jq -r --argjson i "$2" '.builds[$i].material' "$1/plan.json" | sha256sum | cut -c 1-12)
  image=$(docker image ls --quiet --filter "label=berth.content=$key" | sed -n 1p)
  if [ -z "$image" ]; then
    image=$(image_name "${services[0]}" "$key")
    say "building ${services[0]}"
    build "$1" "$2" "$image" "$key" 2>&1 | tee "$1/build.log" || not_built "$1" "${services[0]}"
    rm "$1/build.log"
  fi
  for service in "${services[@]}"; do
    docker tag "$image" "$(image_name "$service" "$key")"
    note_image "$1" "$service" "" "$(image_name "$service" "$key")"
  done
}

# not_built ends the release in folder $1 for the image of service $2.
not_built() {
  # 128 and 9: the kernel ends what takes more memory than the slice has.
  if grep -E 'exit code: 137|signal: killed' "$1/build.log" >/dev/null; then
    fail "the image of $2 does not build: it took more memory than builds get, three fifths of the server's; build it elsewhere (berth:images), or take a bigger server: pulumi config set berth:instanceType t3.small; what runs is left as it was"
  fi
  fail "the image of $2 does not build (the lines above say why); what runs is left as it was"
}

# build runs number $2 of the plan's builds. Values of build arguments come from the environment, since a command line
# can be read by every user of the server.
build() {
  local -a flags
  mapfile -d '' -t flags < <(jq -j --argjson i "$2" --arg folder "$1" --arg what flags -f /opt/berth/release/build.jq "$1/plan.json")
  (
    while IFS= read -r -d '' name && IFS= read -r -d '' value; do
      export "$name=$value"
    done < <(jq -j --argjson i "$2" --arg folder "$1" --arg what values -f /opt/berth/release/build.jq "$1/plan.json")
    if jq -e --argjson i "$2" '.builds[$i].build.dockerfile_inline' "$1/plan.json" >/dev/null; then
      jq -r --argjson i "$2" '.builds[$i].build.dockerfile_inline' "$1/plan.json" >"$1/Dockerfile.$2"
    fi
    timeout "$BUILD_WITHIN" /usr/bin/docker build --progress plain --cgroup-parent "$BUILD_SLICE" --label "berth.content=$4" --tag "$3" "${flags[@]}" 8>&-
  )
}

# pulled makes sure of number $2 of the plan's pulls. A stateful service keeps the image it has for as long as the
# compose file names the same one: a newer image behind the same name would restart it.
pulled() {
  local service reference image
  IFS=$'\t' read -r service reference < <(jq -r --argjson i "$2" '.pulls[$i] | [.service, .reference] | @tsv' "$1/plan.json")
  if [ -n "$OLD" ] && jq -e --arg service "$service" '.stateful | index([$service])' "$1/plan.json" >/dev/null; then
    image=$(jq -r --arg service "$service" --arg reference "$reference" '.[$service] | select(.reference == $reference) | .image // empty' "$RELEASES/$OLD/images.json")
    if [ -n "$image" ] && has_image "$image"; then
      note_image "$1" "$service" "$reference" "$image"
      return
    fi
  fi
  pull "$service" "$reference"
  # Without the prefix Docker's client would show the tag as the image's ID.
  image=$(image_name "$service" "pulled-$(image_id "$reference" | cut -d : -f 2 | cut -c 1-12)")
  docker tag "$reference" "$image"
  note_image "$1" "$service" "$reference" "$image"
}

# pull fetches an image with the stack's own credentials. A registry that is away is no reason to fail while the image
# is here.
pull() {
  local try
  [[ $2 != *@sha256:* ]] || ! has_image "$2" || return 0
  say "pulling $2"
  for try in 1 2 3; do
    if timeout "$PULL_WITHIN" docker --config "$BERTH_ETC/docker" pull --quiet "$2"; then return; fi
    has_image "$2" && break
    [ "$try" -eq 3 ] || sleep $((try * 2))
  done
  has_image "$2" ||
    fail "cannot pull $2 of $1 (the lines above say why); a private registry needs credentials: pulumi config set --secret --path 'berth:registries[\"registry.example.com\"]' user:token"
  say "cannot pull $2; taking the copy that is on the server"
}
