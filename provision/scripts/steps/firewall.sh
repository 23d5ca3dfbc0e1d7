#!/usr/bin/env bash
# Keeps containers from the server's own services, and all but root from its metadata: now, and after a reboot before there is a
# network.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

main() {
  local file=$BERTH_ETC/firewall.nft links own rules
  # A bridge is Docker's; the server's ends of containers have no address.
  read_text links ip -json -details addr show
  read_text own jq -r '["lo", (.[] | select((.linkinfo.info_kind // "") != "bridge" and any(.addr_info[]?; .scope == "global")) | .ifname)] | unique
    | map("\"\(.)\"") | if length > 1 then join(", ") else empty end' <<<"$links"
  read_text rules sed "s/OWN/$own/" /opt/berth/edge/firewall.nft
  put "$file" 0644 <<<"$rules"
  nft --check --file "$file" || fail firewall-rules-unknown "this kernel does not know the firewall's rules (the lines above say which); boot Debian's own kernel"
  nft_service berth-firewall "Keep containers from the server's own services, and all but root from its metadata" "$file" "docker.service nginx.service"
  say "containers reach ports 80 and 443 of this server and nothing else of it, and root alone reaches its metadata"
}

main "$@"
