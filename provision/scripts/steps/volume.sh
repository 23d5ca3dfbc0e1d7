#!/usr/bin/env bash
# Mounts the data volume on /data, finding it by its id; makes a file system on a blank one; grows it when it grew.
#
# A file system is made in two cases alone: where nothing was ever written, as far as can be read in seconds, and where Berth's
# mark says that it began to make one. The mark is in the volume's last MiB, which belongs to no file system: mkfs leaves it
# there until it is done, nothing that is stored in /data reaches it, and it is removed before the first mount.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

readonly LABEL=berth-data MIB=1048576
# ATTACHED_WITHIN is how many seconds the volume may take to appear, SIZED_WITHIN how many one that grew may take to show it. BYTES is
# the volume's size.
: "${ATTACHED_WITHIN:=120}" "${SIZED_WITHIN:=60}"
BYTES=""
# The settings are read without jq, which the next step installs: what is not this object, whole and as it is written, is refused.
{ ! IFS= read -r -d '' SETTINGS && [[ $SETTINGS =~ ^\{\"VOLUME_ID\":\"(vol-[0-9a-f]+)\",\"VOLUME_SIZE\":([1-9][0-9]{0,5})\}$'\n'?$ ]]; } ||
  fail server-settings-invalid "the settings on standard input are not the volume's, so nothing was done. Fix: run 'pulumi up' again"
readonly VOLUME_ID=${BASH_REMATCH[1]} VOLUME_SIZE=${BASH_REMATCH[2]}
readonly MARK="Berth began to make a file system on $VOLUME_ID; nothing was stored on it yet."
readonly ORIGIN="the snapshot that it is made from is berth:volumeSnapshot, look with: pulumi config get berth:volumeSnapshot"
readonly KEEP="first keep what is there, on your machine: aws ec2 create-snapshot --volume-id $VOLUME_ID"

# refuse ends with identifier $1, what is the matter with the volume ($2) and what to do ($3).
refuse() { fail "$1" "volume $VOLUME_ID $2. Nothing on it was changed. $3"; }

refuse_unreadable() {
  refuse volume-unreadable "cannot be read (the lines above say why)" "Look with: sudo dmesg; and on your machine: aws ec2 describe-volume-status --volume-ids $VOLUME_ID"
}

# shellcheck disable=SC2310 # await runs what it is given
wait_for_device() {
  say "waiting for volume $VOLUME_ID, at most 2 minutes"
  await "$ATTACHED_WITHIN" test -b "$1" || fail volume-not-attached "volume $VOLUME_ID did not appear as $1; is it attached? aws ec2 describe-volumes --volume-ids $VOLUME_ID"
}

# alive says whether the file system on /data takes what is written; a directory's time needs no room.
alive() { timeout 10 touch "$DATA"; }

# turned_read_only says whether device $1 is mounted on /data, and may not be written: so the kernel has it after an error.
turned_read_only() {
  local options there device
  options=$(findmnt --noheadings --output OPTIONS --mountpoint "$DATA") || return 1
  [[ ,$options, =~ ,(ro|emergency_ro), ]] || return 1
  there=$(mountpoint --fs-devno "$DATA") && device=$(mountpoint --devno "$1") && [ "$there" = "$device" ]
}

# refuse_lost ends where the file system on /data met an error, or the volume was taken from the server while it ran: Docker and what runs in it hold on to a file
# system whose disk is gone, and get errors until they end.
# shellcheck disable=SC2310 # alive is one command; turned_read_only checks each of its commands
refuse_lost() {
  if turned_read_only "$1"; then
    refuse volume-turned-read-only "met an error while it was mounted, so its file system on $DATA became read-only" "Look with: sudo dmesg. Fix: $KEEP; then, on the server: sudo systemctl stop docker.socket docker.service 'docker-*.scope' nginx.service; sudo systemctl stop data.mount; sudo e2fsck -f $1; then run 'pulumi up' again"
  fi
  if mountpoint -q "$DATA"; then
    alive && return
  elif ! systemctl is-active --quiet docker.service; then
    return 0
  fi
  fail volume-taken-away "volume $VOLUME_ID was taken from this server while it ran, and what ran on it does not start again; it is attached again, so reboot: sudo systemctl reboot"
}

# mounted says whether device $1 is mounted on /data; that something else is there is a refusal.
mounted() {
  local there device code=0
  there=$(mountpoint --fs-devno "$DATA") || code=$?
  # It is no mount point. Source: mountpoint(1).
  [ "$code" -ne 32 ] || return 1
  [ "$code" -eq 0 ] || fail mount-state-unknown "cannot tell whether $DATA is mounted (mountpoint says $code); nothing was changed; look with: findmnt $DATA"
  device=$(mountpoint --devno "$1") || fail device-unknown "cannot tell which device $1 is; nothing was changed; look with: lsblk"
  if [ -z "$there" ] || [ "$there" != "$device" ]; then
    fail other-volume-mounted "what is mounted on $DATA (device '$there') is not volume $VOLUME_ID (device '$device'); nothing was changed; look with: findmnt $DATA"
  fi
}

# has_its_size reads the size of device $1, and says whether it is what the settings say.
has_its_size() {
  BYTES=$(blockdev --getsize64 "$1") || return 1
  [[ $BYTES =~ ^[0-9]+$ ]] && [ "$BYTES" -ge $((VOLUME_SIZE << 30)) ]
}

# shellcheck disable=SC2310 # await runs what it is given
await_size() {
  await "$SIZED_WITHIN" has_its_size "$1" ||
    refuse volume-size-differs "has '$BYTES' bytes, not the $VOLUME_SIZE GiB of berth:volumeSize" "Look with: aws ec2 describe-volumes-modifications --volume-ids $VOLUME_ID; then run 'pulumi up' again"
}

refuse_read_only() {
  local answer
  answer=$(blockdev --getro "$1") || answer="an error"
  [ "$answer" = 0 ] || refuse volume-read-only "cannot be written (blockdev --getro says '$answer', not 0)" "Look with: sudo dmesg. Fix: sudo blockdev --setrw $1; then run 'pulumi up' again"
}

# zeros prints "zeros", or which byte of the places $2... on device $1 is the first that is not zero.
zeros() { perl /opt/berth/volume/zeros.pl "$@"; }

# mark prints what the last block of device $1 holds.
mark() { dd if="$1" bs=4096 skip=$((BYTES / 4096 - 1)) count=1 status=none | tr -d '\0'; }

# set_mark has the last block of device $1 hold $2 and nothing else.
# shellcheck disable=SC2310 # mark is one pipe
set_mark() {
  local found
  printf '%s\0' "$2" | dd of="$1" bs=4096 seek=$((BYTES / 4096 - 1)) conv=sync,notrunc,fsync iflag=fullblock status=none ||
    fail volume-not-written "cannot write to volume $VOLUME_ID (the lines above say why); look with: sudo dmesg; then run 'pulumi up' again"
  found=$(mark "$1") || refuse_unreadable
  [ "$found" = "$2" ] || fail volume-write-lost "what was written to the end of volume $VOLUME_ID is not there; look with: sudo dmesg; then run 'pulumi up' again"
}

# header prints what the superblock of the ext4 on device $1 says.
header() { dumpe2fs -h "$1" 2>/dev/null; }

# field prints what header's output, $2, says after the name $1.
field() { awk -F ': +' -v name="$1" '$1 == name { print $2 }' <<<"$2"; }

# places lists where on $1 bytes a file system, a partition table or a RAID has what it is known by: the first and the last MiB,
# ext's copies of its superblock for every size of its blocks (in groups 1, the powers of 3, 5 and 7, and the last), and a
# thousand places between.
places() {
  local bytes=$1 step=$(($1 >> 22)) block group base at
  printf '%s\n' "0:$MIB" "$((bytes - MIB)):$MIB"
  for ((block = 1024; block <= 65536; block *= 2)); do
    # A group has as many blocks as a block has bits. Of the copy 4096 bytes are read, since groups of blocks of 1024 begin at one.
    group=$((block * block * 8))
    for base in 3 5 7; do
      for ((at = group; at < bytes - MIB; at *= base)); do printf '%s\n' "$at:4096"; done
    done
    [ "$group" -ge "$bytes" ] || printf '%s\n' "$(((bytes - MIB) / group * group)):4096"
  done
  for ((at = 1; at < 1024; at++)); do printf '%s\n' "$((step * at * 4096)):4096"; done
}

# copy_of_superblock prints e2fsck's options for a whole copy of the superblock on device $1; it fails where there is none.
copy_of_superblock() {
  local block group at said magic
  for block in 4096 1024 2048; do
    for group in 1 3 5 7 9; do
      at=$((block * 8 * group + (block == 1024)))
      # It ends with an error where what the copy points to is damaged.
      said=$(dumpe2fs -h -o superblock="$at" -o blocksize="$block" "$1" 2>/dev/null) || true
      magic=$(field 'Filesystem magic number' "$said")
      if [ "$magic" = 0xEF53 ]; then
        printf '%s\n' "-b $at -B $block"
        return
      fi
    done
  done
  return 1
}

# refuse_ext ends with identifier $1 for a device $3 whose file system cannot be trusted; $2 says why.
# shellcheck disable=SC2310 # a copy that is not found is an answer
refuse_ext() {
  local copy how="sudo e2fsck -n $3 (which says what it finds and changes nothing)"
  if copy=$(copy_of_superblock "$3"); then how="sudo e2fsck $copy $3 (a whole copy of the superblock is there)"; fi
  refuse "$1" "$2" "Fix: $KEEP; then, on the server: $how; then run 'pulumi up' again; $ORIGIN"
}

# accept ends unless the ext4 on device $1 is whole, as far as its superblock says, and Berth's. What a power cut left in its
# journal is no error: the mount writes it out.
# shellcheck disable=SC2310 # header is one command
accept() {
  local header label state
  header=$(header "$1") || refuse_ext superblock-damaged "holds an ext4 whose superblock is damaged or of a newer e2fsprogs than this server's (sudo dumpe2fs -h $1 says which)" "$1"
  label=$(field 'Filesystem volume name' "$header")
  [ "$label" = "$LABEL" ] || refuse volume-label-differs "holds an ext4 with the label '$label', not $LABEL, so it is not one that Berth made" "Fix, if it is the site's data: sudo e2label $1 $LABEL; then run 'pulumi up' again; $ORIGIN"
  state=$(field 'Filesystem state' "$header")
  case $state in
    clean | 'not clean') ;;
    *) refuse file-system-errors "holds an ext4 with errors (its state is '$state')" "Fix: $KEEP; then, on the server: sudo e2fsck -f $1; then run 'pulumi up' again; $ORIGIN" ;;
  esac
}

# prove_blank ends unless nothing was ever written to device $1, as far as can be read in seconds.
# shellcheck disable=SC2310 # zeros is one command
prove_blank() {
  local list where found
  if grep -F "$VOLUME_ID" /etc/systemd/system/data.mount >/dev/null 2>&1; then
    refuse file-system-gone "was mounted by this server before, and now no file system is found on it" "Look with: sudo wipefs --no-act $1; its snapshots, on your machine: aws ec2 describe-snapshots --filters Name=volume-id,Values=$VOLUME_ID; $ORIGIN"
  fi
  list=$(places "$BYTES")
  mapfile -t where <<<"$list"
  found=$(zeros "$1" "${where[@]}") || refuse_unreadable
  [ "$found" = zeros ] || refuse_ext volume-not-blank "is not blank ('$found' is not zero), and what is on it is not recognised: it may be a damaged file system" "$1"
}

# prove_unfinished ends unless device $1, which has the mark, holds nothing but what mkfs leaves: no superblock, or that of a file
# system that was never mounted.
# shellcheck disable=SC2310 # zeros is one command; header is one command
prove_unfinished() {
  local header label last count found
  found=$(zeros "$1" 1024:1024) || refuse_unreadable
  [ "$found" != zeros ] || return 0
  header=$(header "$1") || header=""
  label=$(field 'Filesystem volume name' "$header")
  last=$(field 'Last mount time' "$header")
  count=$(field 'Mount count' "$header")
  [ "$label,$last,$count" = "$LABEL,n/a,0" ] ||
    refuse_ext volume-mark-unexpected "has Berth's mark of a file system that was not finished, and one that Berth did not make (label '$label', last mounted '$last')" "$1"
}

# prepare leaves a file system of Berth's on device $1, and makes one only where nothing can be lost.
# shellcheck disable=SC2310 # mark is one pipe
prepare() {
  local found types=()
  refuse_read_only "$1"
  found=$(mark "$1") || refuse_unreadable
  if [ "$found" = "$MARK" ]; then
    prove_unfinished "$1"
    say "making the file system on volume $VOLUME_ID that was begun before"
    make_file_system "$1"
    return
  fi
  found=$(wipefs --no-act --noheadings --output TYPE "$1") || refuse_unreadable
  [ -z "$found" ] || mapfile -t types <<<"${found//[[:blank:]]/}"
  case ${types[*]} in
    ext4) accept "$1" ;;
    '')
      prove_blank "$1"
      say "making a file system on the blank volume $VOLUME_ID"
      make_file_system "$1"
      ;;
    *) refuse file-system-foreign "holds ${types[*]}, not ext4 alone, so it is not one that Berth made" "Give Berth another volume, or inspect this one: sudo wipefs --no-act $1; $ORIGIN" ;;
  esac
}

# shellcheck disable=SC2310 # header is one command
make_file_system() {
  local header label
  set_mark "$1" "$MARK"
  mkfs.ext4 -q -L "$LABEL" -m 1 "$1" $((BYTES / 1024 - 1024))k </dev/null ||
    fail mkfs-not-finished "mkfs.ext4 did not finish on volume $VOLUME_ID, on which nothing was stored yet (the lines above say why); run 'pulumi up' again, which starts it again"
  header=$(header "$1") || header=""
  label=$(field 'Filesystem volume name' "$header")
  [ "$label" = "$LABEL" ] || fail mkfs-made-nothing "mkfs.ext4 made no file system on volume $VOLUME_ID, on which nothing was stored yet; look with: sudo dmesg; then run 'pulumi up' again"
  set_mark "$1" ""
}

# A mount unit rather than a line in fstab: services can depend on it by name, and containers know it too.
# shellcheck disable=SC2310 # mounted checks each of its commands
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
  systemctl daemon-reload
  systemctl enable --quiet data.mount
  systemctl start data.mount || true
  mounted "$1" ||
    fail volume-not-mounted "volume $VOLUME_ID does not mount on $DATA; look with: systemctl status data.mount; sudo dmesg; if its file system is damaged, $KEEP; then, on the server: sudo e2fsck $1; then run 'pulumi up' again"
}

# tell_age says from when the data is, on a server that gets a volume with some: that of the server before, or of a snapshot.
tell_age() {
  local newest when
  newest=$(timeout 60 find "$DATA" -xdev -type f -printf '%T@\n' | sort -n | tail -n 1) || true
  [ -n "$newest" ] || return 0
  TZ=UTC printf -v when '%(%FT%TZ)T' "${newest%.*}"
  say "the last that was written on it is of $when"
}

# grow fills device $1 with its mounted file system, up to the MiB of the mark.
# shellcheck disable=SC2310 # header is one command
grow() {
  local header blocks size said code=0 target=$((BYTES / 1024 - 1024))
  header=$(header "$1") || header=""
  blocks=$(field 'Block count' "$header")
  size=$(field 'Block size' "$header")
  [[ $blocks,$size =~ ^[0-9]+,[0-9]+$ ]] || fail file-system-size-unknown "the file system of volume $VOLUME_ID does not say how large it is; nothing was stopped; look with: sudo dumpe2fs -h $1"
  [ $((blocks * (size / 1024))) -lt "$target" ] || return 0
  said=$(resize2fs "$1" "${target}K" 2>&1) || code=$?
  printf '%s\n' "$said"
  [ "$code" -ne 0 ] || return 0
  show resize2fs <<<"$said"
  fail file-system-not-grown "the file system of volume $VOLUME_ID does not grow (resize2fs ends with $code); nothing was stopped, the site keeps running; look with: sudo dmesg; then run 'pulumi up' again"
}

# catch_up starts what waits on a server that booted without its volume.
catch_up() {
  local unit
  for unit in docker berth-slots nginx; do
    if systemctl is-enabled --quiet "$unit.service" 2>/dev/null; then systemctl start "$unit.service"; fi
  done
}

# shellcheck disable=SC2310 # mounted checks each of its commands
main() {
  local size device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${VOLUME_ID/-/}
  wait_for_device "$device"
  mkdir -p "$DATA"
  refuse_lost "$device"
  await_size "$device"
  if mounted "$device"; then
    mount_volume "$device"
  else
    prepare "$device"
    mount_volume "$device"
    tell_age
  fi
  grow "$device"
  catch_up
  read_text size df --output=size --block-size=1G "$DATA"
  say "$VOLUME_ID is on $DATA, ${size##* } GiB"
}

main "$@"
