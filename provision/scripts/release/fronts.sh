# The routes of a release, for nginx and for the kernel. Sourced by deploy.sh. edge/fronts.nft says what a front is.
# shellcheck shell=bash
set -euo pipefail

readonly FRONTS=$BERTH_ETC/fronts.nft
# The first of the fronts' ports.
readonly FRONT_PORT=16000

# front prints the address of the fronts of the paths in plan $1, for what link $2 leads to: other paths have another one, so
# that a request that is at nginx while the paths change goes where it was meant to go.
front() {
  local paths sum network=2
  read_text paths jq -c '[.routes[].path]' "$1"
  read_text sum sha256sum <<<"$paths"
  [ "$2" != current ] || network=1
  printf '127.%d.%d.%d\n' "$network" "$((16#${sum:0:2}))" "$((16#${sum:2:2}))"
}

# write_routes leaves in folder $1 what nginx includes (current.conf) and where the fronts lead (current.nft), and the same for
# what comes next.
write_routes() {
  local link address
  local -a lines=()
  # shellcheck disable=SC2016 # jq's variables
  for link in current next; do
    read_text address front "$1/plan.json" "$link"
    read_json lines "$1/plan.json" '.routes | to_entries[]
      | "location \(.value.path) {\n\tproxy_pass http://\($address):\($port + .key);\n\tinclude /etc/nginx/berth/proxy.conf;\n}"' --arg address "$address" --argjson port "$FRONT_PORT"
    printf '%s\n' "${lines[@]}" >"$1/$link.conf"
    read_json lines "$1/plan.json" '.routes | to_entries[]
      | "add element ip berth_fronts \($map) { \($address) . \($port + .key) : \(.value.upstream) }"' --arg address "$address" --argjson port "$FRONT_PORT" --arg map "$link"
    printf '%s\n' "${lines[@]}" >"$1/$link.nft"
  done
}

# lead_fronts has the kernel lead every front as the links say, at once; and those of the file $1, too, where one is named.
lead_fronts() {
  local rules
  read_text rules cat "$FRONTS" ${1:+"$1"}
  nft --file - <<<"$rules"
}
