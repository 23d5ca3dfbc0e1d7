# What is kept and what is taken away. Sourced by deploy.sh and log-monitor.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# Free space that a release needs, in MiB, and what the build cache may take.
readonly FREE_MIB=1024 CACHE=2GB
readonly MORE_ROOM="see what takes it: sudo /opt/berth/log-monitor.sh sizes; make room: sudo /opt/berth/log-monitor.sh clean; or grow the volume: pulumi config set berth:volumeSize 30"
# Days that dumps stay, how many at most, and what share of the volume they may take together, per cent.
readonly DUMP_DAYS=7 MOST_DUMPS=20 DUMPS_SHARE=25

free_mib() {
  local text
  read_text text df --output=avail --block-size=1M "$DATA"
  printf '%d\n' "${text##*[[:space:]]}"
}

# leftovers removes what releases left that never served: they were interrupted.
leftovers() {
  local folder name
  for folder in "$RELEASES"/*/; do
    folder=${folder%/}
    name=${folder##*/}
    case $name in current | starting | "$OLD") continue ;; esac
    [ ! -e "$folder/released.json" ] || continue
    say "removing what an interrupted release left: $name"
    remove_release "$name"
  done
}

# prune keeps the last $KEEP releases whole and takes the rest: containers, networks, folders, images, build cache,
# dumps.
prune() {
  local name now
  local -a names=()
  now=$(current)
  read_lines names kept_releases
  for name in "${names[@]:KEEP}"; do
    [ "$name" = "$now" ] || remove_release "$name"
  done
  prune_images
  docker builder prune --force --keep-storage "$CACHE" >/dev/null
  prune_dumps
  # shellcheck disable=SC2310 # it is one test
  if several; then prune_registry; fi
}

prune_images() {
  local file image needed=$'\n'
  local -a images=() some=()
  for file in "$RELEASES"/*/images.json; do
    [ -e "$file" ] || continue
    read_json some "$file" '.[].image'
    needed+=$(printf '%s\n' "${some[@]}")$'\n'
  done
  read_lines images docker_table image ls --format 'table {{.Repository}}:{{.Tag}}' --filter reference='berth/*'
  for image in "${images[@]}"; do
    [[ $needed == *$'\n'"$image"$'\n'* ]] || docker image rm "$image" >/dev/null || true
  done
  docker image prune --force >/dev/null
}

# prune_dumps keeps the newest of each database, of all and of each kept release, which a rollback may restore, and those of the
# last week besides, as far as there is room. What was cut is none.
prune_dumps() {
  local release oldest index name size share=0 sum=0
  local -a releases=() files=() sizes=() names=()
  local -A needed=() newest=()
  rm -rf "$DUMPS"/*.partial
  files=("$DUMPS"/*)
  [ -f "${files[0]}" ] || return 0
  read_lines releases kept_releases
  for release in "${releases[@]}"; do
    read_lines names dumps_of "$release"
    for name in "${names[@]}"; do needed["$name"]=yes; done
  done
  # A dump's name begins with its time and its release.
  for name in "${files[@]##*/}"; do newest["${name#*_*_}"]=$name; done
  for name in "${newest[@]}"; do needed["$name"]=yes; done
  # A day of many releases must not fill the disk.
  read_text oldest date --utc --date "$DUMP_DAYS days ago" +%Y%m%dT%H%M%SZ
  read_lines sizes stat --format %s "${files[@]}"
  [ "${#sizes[@]}" -eq "${#files[@]}" ] || fail dump-sizes-unknown "stat does not say how large the dumps are, so none is removed; look with: sudo ls -l $DUMPS"
  for size in "${sizes[@]}"; do sum=$((sum + size)); done
  read_text share df --output=size --block-size=1 "$DATA"
  share=$((${share##*[[:space:]]} * DUMPS_SHARE / 100))
  for index in "${!files[@]}"; do
    name=${files[index]##*/}
    if [ -z "${needed["$name"]:-}" ] && { [[ $name < $oldest ]] || [ "$index" -lt $((${#files[@]} - MOST_DUMPS)) ] || [ "$sum" -gt "$share" ]; }; then
      rm -f "${files[index]}"
      sum=$((sum - sizes[index]))
    fi
  done
}

# make_room takes away what nothing needs when the release does not fit.
make_room() {
  local free
  read_text free free_mib
  [ "$free" -lt "$FREE_MIB" ] || return 0
  say "only $free MiB are free on $DATA; taking away what no kept release needs"
  prune_images
  docker builder prune --all --force >/dev/null
  read_text free free_mib
  [ "$free" -ge "$FREE_MIB" ] ||
    fail no-room-for-release "$free MiB are free on $DATA, and a release needs $FREE_MIB; $MORE_ROOM"
}
