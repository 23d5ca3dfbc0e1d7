# What is kept and what is taken away. Sourced by deploy.sh and log-monitor.sh.
# shellcheck shell=bash disable=SC2034,SC2153

# Free space that a release needs, in MiB, below what a failure is put down to the want of it, and what the build cache may
# take.
readonly FREE_MIB=1024 SCARCE_MIB=128 CACHE=2GB
readonly MORE_ROOM="see what takes it: sudo /opt/berth/log-monitor.sh sizes; make room: sudo /opt/berth/log-monitor.sh clean; or grow the volume: pulumi config set berth:volumeSize 30"
# Days that dumps stay, and how many at most.
readonly DUMP_DAYS=7 MOST_DUMPS=20

free_mib() { df --output=avail --block-size=1M "$DATA" | tail -n 1 | tr -d ' '; }

# leftovers removes what releases left that never served: they were interrupted.
leftovers() {
  local folder name
  for folder in "$RELEASES"/*/; do
    name=$(basename "$folder")
    case $name in current | next | starting | "$OLD") continue ;; esac
    kept "$name" || { say "removing what an interrupted release left: $name" && remove_release "$name"; }
  done
}

# prune keeps the last $KEEP releases whole and takes the rest: containers, networks, folders, images, build cache,
# dumps.
prune() {
  local name now
  now=$(current)
  while read -r name; do
    [ "$name" = "$now" ] || remove_release "$name"
  done < <(kept_releases | tail -n +$((KEEP + 1)))
  prune_images
  docker builder prune --force --keep-storage "$CACHE" >/dev/null
  prune_dumps
}

prune_images() {
  local image
  while read -r image; do
    docker image rm "$image" >/dev/null || true
  done < <(docker image ls --format '{{.Repository}}:{{.Tag}}' --filter reference='berth/*' | sort -u |
    grep -vxFf <(cat "$RELEASES"/*/images.json 2>/dev/null | jq -r '.[].image' | sort -u; echo none))
  docker image prune --force >/dev/null
}

# prune_dumps keeps what a rollback may restore (the newest of each kept release), and those of the last week besides.
prune_dumps() {
  local release file needed=""
  [ -d "$DUMPS" ] || return 0
  for release in $(kept_releases); do needed+=$(dumps_of "$release")$'\n'; done
  {
    find "$DUMPS" -maxdepth 1 -type f -mtime +"$DUMP_DAYS" -printf '%f\n'
    # A day of many releases must not fill the disk.
    find "$DUMPS" -maxdepth 1 -type f -printf '%f\n' | sort -r | tail -n +$((MOST_DUMPS + 1))
  } | while read -r file; do
    grep -qxF "$file" <<<"$needed" || rm -f "$DUMPS/$file"
  done
}

# make_room looks whether the release fits and takes away what nothing needs when it does not.
make_room() {
  [ "$(free_mib)" -lt "$FREE_MIB" ] || return 0
  say "only $(free_mib) MiB are free on $DATA; taking away what no kept release needs"
  prune_images
  docker builder prune --all --force >/dev/null
  [ "$(free_mib)" -ge "$FREE_MIB" ] ||
    fail "$(free_mib) MiB are free on $DATA, and a release needs $FREE_MIB; $MORE_ROOM"
}
