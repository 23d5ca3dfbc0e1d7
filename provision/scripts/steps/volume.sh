#!/usr/bin/env bash
# Mounts the data volume on /data, finding it by its id; makes a file system on a blank one; grows it when it grew.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck disable=SC1091
source /dev/stdin

wait_for_device() {
  say "waiting for volume $VOLUME_ID, at most 2 minutes"
  await 120 test -b "$1" || fail "volume $VOLUME_ID did not appear as $1; is it attached? aws ec2 describe-volumes --volume-ids $VOLUME_ID"
}

# alive says whether the file system on /data takes what is written; a directory's time needs no room.
alive() { timeout 10 touch "$DATA"; }

# refuse_lost ends where the volume was taken from the server while it ran: Docker and what runs in it hold on to a file
# system whose disk is gone, and get errors until they end.
refuse_lost() {
  if mountpoint -q "$DATA"; then
    alive && return
  elif ! systemctl is-active --quiet docker.service; then
    return 0
  fi
  fail "volume $VOLUME_ID was taken from this server while it ran, and what ran on it does not come back by itself; it is attached again, so reboot: sudo systemctl reboot"
}

# never_mounted says whether a file system has not been in use: an interrupted mkfs may leave one.
never_mounted() {
  local header
  header=$(dumpe2fs -h "$1" 2>/dev/null) || return 0
  grep -Eq '^Last mount time: +n/a' <<<"$header"
}

make_file_system() {
  local device=$1 type code=0
  type=$(blkid --probe --output value --match-tag TYPE "$device") || code=$?
  # blkid's 2: nothing recognised. Anything else unclear must not be formatted.
  [ "$code" -eq 0 ] || [ "$code" -eq 2 ] || fail "cannot tell what is on $VOLUME_ID (blkid says $code); look with: sudo blkid --probe $device"
  if [ -n "$type" ] && [ "$type" != ext4 ]; then
    fail "volume $VOLUME_ID holds $type, not ext4, so it is not one that Berth made; it is left as it is; the snapshot that it is made from is berth:volumeSnapshot, look with: pulumi config get berth:volumeSnapshot"
  fi
  if [ -z "$type" ] || { ! mountpoint -q "$DATA" && never_mounted "$device"; }; then
    say "making a file system on the blank volume $VOLUME_ID"
    mkfs.ext4 -q -F -L berth-data -m 1 "$device"
  fi
}

# A mount unit rather than a line in fstab: services can depend on it by name, and containers know it too.
mount_volume() {
  put /etc/systemd/system/data.mount 0644 <<EOF
[Unit]
Description=Everything worth keeping (EBS volume $VOLUME_ID)

[Mount]
What=$1
Where=$DATA
Type=ext4
Options=noatime,nodev

[Install]
WantedBy=multi-user.target
EOF
  mkdir -p "$DATA"
  systemctl daemon-reload
  systemctl enable --quiet data.mount
  systemctl start data.mount
  mountpoint -q "$DATA" || fail "$DATA is not mounted; look with: systemctl status data.mount"
}

# tell_age says from when the data is, on a server that gets a volume with some: that of the server before, or of a snapshot.
tell_age() {
  local newest
  newest=$(timeout 60 find "$DATA" -xdev -type f -printf '%T@\n' | sort -n | tail -n 1) || true
  [ -z "$newest" ] || say "the last that was written on it is of $(date --utc --date "@$newest" +%FT%TZ)"
}

# grow fills the volume with the file system. A kernel that does not let a mounted one grow gets it unmounted, with
# the containers stopped for as long as that takes.
grow() {
  local containers
  if resize2fs "$1"; then return; fi
  say "this kernel does not grow a mounted file system; stopping the containers for a moment"
  containers=$(docker ps --quiet)
  [ -z "$containers" ] || xargs docker stop --time 30 <<<"$containers"
  systemctl stop docker.socket docker.service data.mount
  e2fsck -f -p "$1" || [ $? -eq 1 ] || fail "$VOLUME_ID has errors that e2fsck does not mend by itself; run: sudo e2fsck -f $1; then: sudo systemctl start data.mount docker"
  resize2fs "$1"
  systemctl start data.mount docker.service
  [ -z "$containers" ] || xargs docker start <<<"$containers"
}

# catch_up starts what waits on a server that booted without its volume.
catch_up() {
  local unit
  for unit in docker berth-fronts nginx; do
    if systemctl is-enabled --quiet "$unit.service" 2>/dev/null; then systemctl start "$unit.service"; fi
  done
}

main() {
  local new="" device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${VOLUME_ID/-/}
  wait_for_device "$device"
  refuse_lost
  mountpoint -q "$DATA" || new=yes
  make_file_system "$device"
  mount_volume "$device"
  [ -z "$new" ] || tell_age
  grow "$device"
  catch_up
  say "$VOLUME_ID is on $DATA, $(df --output=size --block-size=1G "$DATA" | tail -n 1 | tr -d ' ') GiB"
}

main "$@"
