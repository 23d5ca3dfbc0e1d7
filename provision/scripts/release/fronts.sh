# The routes of a release, for nginx and for the kernel. Sourced by deploy.sh. edge/fronts.nft says what a front is.
# shellcheck shell=bash

readonly FRONTS=$BERTH_ETC/fronts.nft
# The first of the fronts' ports.
readonly FRONT_PORT=16000

# front prints the address of the fronts of the paths in plan $1, for what link $2 leads to: other paths have another one, so
# that a request that is at nginx while the paths change goes where it was meant to go.
front() {
  local sum
  sum=$(jq -c '[.routes[].path]' "$1" | sha256sum)
  printf '127.%d.%d.%d\n' "$([ "$2" = current ] && echo 1 || echo 2)" "$((16#${sum:0:2}))" "$((16#${sum:2:2}))"
}

# write_routes leaves in folder $1 what nginx includes (current.conf) and where the fronts lead (current.nft), and the same for
# what comes next.
write_routes() {
  local link address
  for link in current next; do
    address=$(front "$1/plan.json" "$link")
    jq -r --arg address "$address" --argjson port "$FRONT_PORT" '.routes | to_entries[]
      | "location \(.value.path) {\n\tproxy_pass http://\($address):\($port + .key);\n\tinclude /etc/nginx/berth/proxy.conf;\n}"' "$1/plan.json" >"$1/$link.conf"
    jq -r --arg address "$address" --argjson port "$FRONT_PORT" --arg map "$link" '.routes | to_entries[]
      | "add element ip berth_fronts \($map) { \($address) . \($port + .key) : \(.value.upstream) }"' "$1/plan.json" >"$1/$link.nft"
  done
}

# lead_fronts has the kernel lead every front as the links say, at once; and those of the file $1, too, where one is named.
lead_fronts() { cat "$FRONTS" ${1:+"$1"} | nft --file -; }
