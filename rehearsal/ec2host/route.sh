#!/usr/bin/env bash
# Gives the network interface with the private address $1 the IPv6 address $2 in place of Docker's (nothing where it is empty), and
# the routes that follow, each a range and the address that it goes to. What is no longer among them goes.
set -euo pipefail

# This number marks the script's own routes in the kernel; no other program of the rehearsal uses it.
OURS=201

main() {
  local device address=$2 present family to via wanted=" "
  device=$(ip -oneline -4 address show to "$1/32" | awk '{ print $2 }')
  if [ -n "$address" ]; then
    present=$(ip -oneline -6 address show to "${address%/*}/128")
    if [ -z "$present" ]; then
      ip -6 address flush dev "$device" scope global
      ip -6 address replace "$address" dev "$device" nodad
    fi
  fi
  shift 2
  while [ "$#" -gt 0 ]; do
    to=$1 via=$2 wanted+="$1 "
    ip route replace "$to" via "$via" dev "$device" proto "$OURS"
    shift 2
  done
  for family in -4 -6; do
    present=$(ip "$family" route show proto "$OURS")
    while read -r to _; do
      [ -z "$to" ] || [[ $wanted == *" $to "* ]] || ip "$family" route delete "$to" proto "$OURS"
    done <<<"$present"
  done
}

main "$@"
