# The images that web servers run, in a registry on this server alone. Sourced by servers.sh and deploy.sh.
# shellcheck shell=bash disable=SC2034,SC2153
set -euo pipefail

# Web servers reach it through the connection (servers/members.sh).
readonly REGISTRY=127.0.0.1:5000
readonly REGISTRY_DATA=$DATA/registry REGISTRY_SETTINGS=$BERTH_ETC/registry.yml
# Seconds for one image on its way, and for an answer of the registry's.
readonly PUSH_WITHIN=600 REGISTRY_WITHIN=20

# spread_images prints "SERVICE IMAGE" for what release $1 runs on every server.
spread_images() {
  # shellcheck disable=SC2016 # jq's variables
  jq -r --slurpfile plan "$RELEASES/$1/plan.json" '$plan[0].spread // [] | .[] as $s | "\($s) \($images[0][$s].image)"' --null-input --slurpfile images "$RELEASES/$1/images.json"
}

# push_images puts the images of release $1 into the registry. A tag is of one content (release/images.sh), so what is there stays.
push_images() {
  local line image
  local -a lines=()
  local -A seen=()
  read_lines lines spread_images "$1"
  for line in "${lines[@]}"; do
    image=${line#* }
    if [ -n "${seen[$image]:-}" ]; then continue; fi
    seen[$image]=yes
    push_image "$image"
  done
}

# push_image pushes an image under the registry's name.
push_image() {
  docker tag "$1" "$REGISTRY/$1"
  timeout "$PUSH_WITHIN" docker push --quiet "$REGISTRY/$1" >/dev/null ||
    fail image-not-pushed "the registry of this server does not take $1 (the lines above say why); look with: sudo journalctl -u berth-registry -n 30; start it with: sudo systemctl restart berth-registry; then run it again"
}

# image_ids prints a JSON object: the ID of the image of each service of release $1 that runs on every server.
image_ids() {
  local line id ids='{}'
  local -a lines=()
  read_lines lines spread_images "$1"
  # shellcheck disable=SC2016 # jq's variables
  for line in "${lines[@]}"; do
    read_text id docker image inspect --format '{{.Id}}' "${line#* }"
    read_text ids jq -c --arg s "${line%% *}" --arg id "$id" '.[$s] = $id' <<<"$ids"
  done
  printf '%s\n' "$ids"
}

# registry asks the registry for path $1; further arguments are curl's.
registry() { curl --silent --show-error --fail --max-time "$REGISTRY_WITHIN" "${@:2}" "http://$REGISTRY/v2/$1"; }

# stored prints "NAME TAG DIGEST" for each image in the registry.
stored() {
  local name tag head digest
  local -a names=() tags=()
  read_lines names registry_list '_catalog?n=1000' repositories
  for name in "${names[@]}"; do
    read_lines tags registry_list "$name/tags/list" tags
    for tag in "${tags[@]}"; do
      read_text head registry "$name/manifests/$tag" --head --header 'Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json'
      digest=$(sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: *\(sha256:[0-9a-f]*\).*/\1/p' <<<"$head")
      [ -n "$digest" ] || fail registry-answer-unclear "the registry names no digest of $name:$tag, and nothing is removed on a guess; look with: sudo journalctl -u berth-registry -n 30"
      printf '%s %s %s\n' "$name" "$tag" "$digest"
    done
  done
}

# registry_list prints list $2 of the registry's answer at path $1. It has null for a name whose tags are gone.
registry_list() {
  local text
  read_text text registry "$1"
  # shellcheck disable=SC2016 # jq's variables
  jq -r --arg f "$2" '.[$f] // [] | .[]' <<<"$text"
}

# prune_registry takes out of the registry what no kept release runs, and Docker's second names of it.
prune_registry() {
  local file line name tag digest image kept=$'\n' digests=" " gone=""
  local -a lines=() some=() images=()
  for file in "$RELEASES"/*/images.json; do
    [ -e "$file" ] || continue
    read_json some "$file" '.[].image'
    kept+=$(printf '%s\n' "${some[@]}")$'\n'
  done
  read_lines lines stored
  for line in "${lines[@]}"; do
    read -r name tag digest <<<"$line"
    [[ $kept != *$'\n'"$name:$tag"$'\n'* ]] || digests+="$name@$digest "
  done
  for line in "${lines[@]}"; do
    read -r name tag digest <<<"$line"
    # Two tags may be of one content, which is removed with all of them.
    if [[ $digests == *" $name@$digest "* ]]; then continue; fi
    registry "$name/manifests/$digest" --request DELETE >/dev/null
    digests+="$name@$digest "
    gone=yes
  done
  read_lines images docker_table image ls --format 'table {{.Repository}}:{{.Tag}}' --filter reference="$REGISTRY/berth/*"
  for image in "${images[@]}"; do
    [[ $kept == *$'\n'"${image#"$REGISTRY/"}"$'\n'* ]] || docker image rm "$image" >/dev/null || true
  done
  [ -z "$gone" ] || collect_garbage
}

# collect_garbage has the registry give back the room. It must not be at work meanwhile.
collect_garbage() {
  systemctl stop berth-registry.service
  runuser -u docker-registry -- timeout 300 docker-registry garbage-collect --delete-untagged "$REGISTRY_SETTINGS" >/dev/null ||
    say "the registry does not give back the room of images that no release needs (the lines above say why); the next release tries again"
  systemctl start berth-registry.service
}
