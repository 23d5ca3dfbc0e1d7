#!/usr/bin/env bash
# Leaves no room where steps write on the root disk, or gives it back: full_root.sh on | off
# A container's root disk is the machine's, which is not to be filled: these folders move to a small file system instead.
# What fills it is a download of packages, as in life.
set -euo pipefail

readonly AT=/run/full-root FOLDERS=(/etc /opt /var/log /var/cache/apt /var/lib/berth)

on() {
  local taken
  mkdir "$AT"
  taken=$(du --summarize --total --block-size=1 "${FOLDERS[@]}" 2>/dev/null | tail -n 1 | cut -f 1) || true
  mount -t tmpfs -o mode=0755,size=$((taken + 64000000)) full-root "$AT"
  for folder in "${FOLDERS[@]}"; do
    mkdir -p "$AT$folder"
    cp --archive --one-file-system "$folder/." "$AT$folder"
  done
  for folder in "${FOLDERS[@]}"; do mount --bind "$AT$folder" "$folder"; done
  mkdir -p /var/cache/apt/archives
  head -c 1G /dev/zero >/var/cache/apt/archives/filler_1_all.deb 2>/dev/null || true
  df --output=target,avail /etc
}

off() {
  for folder in "${FOLDERS[@]}"; do umount --lazy "$folder"; done
  umount --lazy "$AT"
  rmdir "$AT"
}

"$1"
