# The routes of a release, for nginx and for the kernel. Sourced by deploy.sh. edge/upstreams.nft says what an upstream is.
# shellcheck shell=bash
set -euo pipefail

readonly UPSTREAMS=$BERTH_ETC/upstreams.nft
# The first of the upstreams' ports.
readonly UPSTREAM_PORT=16000

# upstream_address prints the loopback address of the upstreams of plan $1, for link $2. Other paths have another address, so that a
# request that nginx holds while the paths change reaches the release it was meant for.
upstream_address() {
  local paths sum network=2
  read_text paths jq -c '[.routes[].path]' "$1"
  read_text sum sha256sum <<<"$paths"
  [ "$2" != current ] || network=1
  printf '127.%d.%d.%d\n' "$network" "$((16#${sum:0:2}))" "$((16#${sum:2:2}))"
}

# write_routes writes into folder $1 what nginx includes (current.conf) and the ports of the upstreams (current.nft), and the same
# for the next release.
write_routes() {
  local link address
  local -a lines=()
  # shellcheck disable=SC2016 # jq's variables
  for link in current next; do
    read_text address upstream_address "$1/plan.json" "$link"
    read_json lines "$1/plan.json" '.routes | to_entries[]
      | "location \(.value.path) {\n\tproxy_pass http://\($address):\($port + .key);\n\tinclude /etc/nginx/berth/proxy.conf;\n}"' --arg address "$address" --argjson port "$UPSTREAM_PORT"
    printf '%s\n' "${lines[@]}" >"$1/$link.conf"
    read_json lines "$1/plan.json" '.routes | to_entries[]
      | "add element ip berth_upstreams \($map) { \($address) . \($port + .key) : \(.value.upstream) }"' --arg address "$address" --argjson port "$UPSTREAM_PORT" --arg map "$link"
    printf '%s\n' "${lines[@]}" >"$1/$link.nft"
  done
}

# route_upstreams has the kernel route every upstream as the links say, at once, and those of file $1 where one is given.
route_upstreams() {
  local rules
  read_text rules cat "$UPSTREAMS" ${1:+"$1"}
  nft --file - <<<"$rules"
}
