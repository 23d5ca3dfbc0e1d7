# What containers mount of the server's files, right before they start. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# bound prints a JSON list: what the containers of release $1 mount of the server, {source, writable}; an empty one for none.
bound() {
  if [ -z "$1" ]; then
    echo '[]'
    return 0
  fi
  # In a compose file a $ is written twice.
  jq -n -c '[inputs | (.services // {})[].volumes[]? | select(.type == "bind")
    | {source: (.source | gsub("\\$\\$"; "$") | sub("(?<one>.)/+$"; "\(.one)")), writable: (.read_only != true)}] | unique' \
    "$RELEASES/$1/app.json" "$RELEASES/$1/data.json"
}

# check_binds refuses release $2 where Docker, as root, would follow a link that a container has made or could make: one on the
# way to what the release mounts, or in a folder that a container of $1, which still runs, may write to. Within one release
# the plan checks that.
check_binds() {
  local old new pair path real
  local -a pairs=() paths=()
  read_text old bound "$1"
  read_text new bound "$2"
  # shellcheck disable=SC2016 # jq's variables
  read_json pairs /dev/stdin 'def inside($folder): . != $folder and startswith(($folder | rtrimstr("/")) + "/");
    .[] as $new | $old[] as $one | select(($one.writable and ($new.source | inside($one.source))) or ($new.writable and ($one.source | inside($new.source))))
    | "\($new.source)\t\($one.source)"' --argjson old "$old" <<<"$new"
  for pair in "${pairs[@]}"; do
    say "release $2 mounts ${pair%%$'\t'*} and release $1, which runs, ${pair#*$'\t'}: one lies in the other, and may be written to, so that by a link Docker could mount any file of the server"
  done
  [ "${#pairs[@]}" -eq 0 ] || fail mount-inside-another "release $2 mounts a folder that lies in one of release $1, or has one of it inside; give it another folder in the compose file, beside the other one, and copy there what it keeps; what runs is left as it was"
  # shellcheck disable=SC2016 # jq's variables
  read_json paths /dev/stdin '.[].source | select(startswith($data + "/binds/") or startswith($data + "/files/"))' --arg data "${RELEASES%/*}" <<<"$new"
  for path in "${paths[@]}"; do
    read_text real realpath --canonicalize-missing "$path"
    [ "$real" = "$path" ] || fail mount-through-link "$path is reached by a link, to $real, and Docker would follow it; look with: sudo ls -la ${path%/*}; name another folder in the compose file; what runs is left as it was"
  done
}

# make_mountpoints makes the places in what the commit holds at which release $1 mounts something else: in a mount that is only
# read Docker cannot.
make_mountpoints() {
  local line path source real
  local -a lines=()
  read_json lines "$RELEASES/$1/plan.json" '.mountpoints // [] | .[] | "\(.path)\t\(.source)"'
  for line in "${lines[@]}"; do
    path=${line%%$'\t'*} source=${line#*$'\t'}
    read_text real realpath --canonicalize-missing "$path"
    [ "$real" = "$path" ] || fail mount-through-link "$path, where something is to be mounted, is reached by a link, to $real; commit the folder itself; what runs is left as it was"
    if [ -e "$path" ]; then continue; fi
    # Whatever a container's user is, it has to get there.
    if [ -f "$source" ]; then
      (umask 022 && mkdir -p "${path%/*}" && : >"$path")
    else
      (umask 022 && mkdir -p "$path")
    fi
  done
}

# prepare_binds makes the folders of /data/binds that release $1 mounts, and refuses links among them: containers write there.
prepare_binds() {
  local path all
  local -a paths=()
  read_text all bound "$1"
  # shellcheck disable=SC2016 # jq's variables
  read_json paths /dev/stdin '.[].source | select(startswith($binds))' --arg binds "$DATA/binds/" <<<"$all"
  for path in "${paths[@]}"; do make_bind "$path"; done
}

# make_bind makes folder $1 of /data/binds, a step at a time: mkdir follows no link at its end.
make_bind() {
  local at=$DATA/binds name
  local -a names=()
  (umask 022 && mkdir -p "$at")
  IFS=/ read -r -a names <<<"${1#"$at/"}"
  for name in "${names[@]}"; do
    at+=/$name
    if [ -L "$at" ]; then
      fail mount-is-link "$at is a symbolic link, which a container of the app made, and Docker would mount what it points to; nothing was started; look with: sudo ls -l $at; Fix: sudo rm $at"
    fi
    [ -e "$at" ] || (umask 022 && mkdir "$at")
  done
}
