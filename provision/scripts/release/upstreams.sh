# Which release nginx sends a request to. Sourced by deploy.sh, the edge step and edge/slots.sh.
#
# Every release has a slot, and nginx has upstreams for all of them. With each request nginx asks where the link SLOTS/current
# points: renaming it is the switch, for connections that are open as well, and without a reload.
# shellcheck shell=bash
set -euo pipefail

readonly SLOTS=/run/berth-edge
# What nginx includes, in a folder of the content's name, with the link "now".
readonly INCLUDED=$DATA/edge
# A release has the loopback ports from FIRST_PORT + 100 x its slot on. Below them are those of stateful services.
readonly FIRST_PORT=20000

# slot_of prints the slot of release $1.
slot_of() {
  local slot
  read_text slot cat "$RELEASES/$1/slot"
  [[ $slot =~ ^[1-9][0-9]{0,3}$ ]] || fail release-without-slot "$RELEASES/$1/slot holds no slot, so the ports of the release are unknown; nothing was changed; release again: sudo /opt/berth/deploy.sh"
  printf '%s\n' "$slot"
}

# point points link $1 ("current", or "next" for this server alone) at the slot of release $2, "starting" before any.
point() {
  local slot=starting
  if [ "$2" != starting ]; then read_text slot slot_of "$2"; fi
  install -d -m 0755 "$SLOTS" "$SLOTS/$slot" "$SLOTS/$slot/errors"
  # nginx finds the release's own pages where the link leads, and reads nothing else of the release.
  find "$SLOTS/$slot/errors" -type f -delete
  if [ -d "$RELEASES/$2/pages" ]; then
    find "$RELEASES/$2/pages" -type f -exec install -m 0644 -t "$SLOTS/$slot/errors" {} +
  fi
  ln -sfn "$slot" "$SLOTS/$1.new"
  mv -T "$SLOTS/$1.new" "$SLOTS/$1"
}

# write_routes writes what nginx includes for the releases that are named, and puts the folder's name into variable $1. There are $2
# slots at least.
write_routes() {
  local -n written=$1
  local slots=$2 serving='[]' access='[]' release slot text sum part content
  for release in "${@:3}"; do
    [ "$release" != starting ] || continue
    read_text slot slot_of "$release"
    [ "$slot" -le "$slots" ] || slots=$slot
    # shellcheck disable=SC2016 # jq's variables
    read_text serving jq -c --argjson slot "$slot" --argjson before "$serving" '$before + [{slot: $slot, routes: .routes}]' "$RELEASES/$release/plan.json"
  done
  # Before the first release there are no settings of one.
  if [ -e "$BERTH_ETC/release.json" ]; then read_text access jq -c '.APP.routes | if type == "array" then . else error("these are no routes") end' "$BERTH_ETC/release.json"; fi
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -L /opt/berth/release --argjson first "$FIRST_PORT" --argjson slots "$slots" --argjson access "$access" --slurpfile site "$HOSTS" -f /opt/berth/release/routes.jq <<<"$serving"
  read_text sum sha256sum <<<"$text"
  # shellcheck disable=SC2034 # the caller's variable
  written=${sum:0:16}
  for part in upstreams servers; do
    read_text content jq -r ".$part" <<<"$text"
    mkdir -p "$INCLUDED/${sum:0:16}"
    put "$INCLUDED/${sum:0:16}/$part.conf" 0600 <<<"$content"
  done
}

# include_routes has nginx include folder $1 when it is reloaded.
include_routes() {
  ln -sfn "$1" "$INCLUDED/now.new"
  mv -T "$INCLUDED/now.new" "$INCLUDED/now"
}
