#!/usr/bin/env bash
# Adds the addresses $2… to the network interface that has the address $1; one with a length is IPv6.
set -euo pipefail

main() {
  local found device prefix address
  found=$(ip -oneline -4 address show to "$1/32" | awk '{ sub(".*/", "", $4); print $2, $4 }')
  read -r device prefix <<<"$found"
  shift
  for address in "$@"; do
    case $address in
      */*) ip -6 address replace "$address" dev "$device" nodad ;;
      *) ip address replace "$address/$prefix" dev "$device" ;;
    esac
  done
}

main "$@"
