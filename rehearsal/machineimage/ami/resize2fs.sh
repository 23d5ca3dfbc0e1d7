#!/usr/bin/env bash
# Runs instead of resize2fs: EC2's kernel grows a mounted file system for root, and this one for whoever has CAP_SYS_RESOURCE, which
# a container has not on every machine. Without it the file system is unmounted, with the containers stopped meanwhile.
set -euo pipefail

main() {
  local device=$1 containers capabilities code=0
  # Bit 24. Source: linux/capability.h.
  capabilities=$(awk '$1 == "CapEff:" { print "0x" $2 }' /proc/self/status)
  if ! findmnt --source "$device" >/dev/null || ((capabilities >> 24 & 1)); then
    exec /usr/sbin/resize2fs "$@"
  fi
  echo "a container may not grow a mounted file system here; unmounting it"
  containers=$(docker ps --quiet 2>/dev/null) || containers=""
  [ -z "$containers" ] || xargs docker stop --time 30 <<<"$containers"
  systemctl stop docker.socket docker.service 2>/dev/null || true
  systemctl stop data.mount
  e2fsck -f -p "$device" || [ $? -eq 1 ]
  /usr/sbin/resize2fs "$@" || code=$?
  systemctl start data.mount
  if systemctl is-enabled --quiet docker.service 2>/dev/null; then systemctl start docker.service; fi
  [ -z "$containers" ] || xargs docker start <<<"$containers"
  return "$code"
}

main "$@"
