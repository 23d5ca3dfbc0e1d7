# Dumps of the databases, and the way back to one. Sourced by deploy.sh.
#
# A dump is a file TIME_RELEASE_SERVICE.KIND below /data/dumps: all that the server of SERVICE held as RELEASE left it at TIME,
# compressed by gzip. KIND is that of the script that made it (postgres, mysql, redis, mongo), sqlite for the files of the
# service's volumes, or command (whatever berth:database's own command prints).
# shellcheck shell=bash disable=SC2153
set -euo pipefail

readonly DUMPS=$DATA/dumps
# Seconds for one dump, and one restore.
readonly DUMP_WITHIN=1200 RESTORE_WITHIN=3000
# MiB that a dump leaves free: a database that finds no room for its log ends.
readonly LEFT_MIB=512

# in_database has the database of kind $2 in the container of stateful service $1 dump, restore, count (rows) or ping ($3), for
# at most $4 seconds; $5 is the release whose plan names the volumes. Its password is known inside, from the container's own
# environment, or from its command, which reaches it by the environment, too. $DATABASES_OF is another Compose project.
in_database() {
  local script
  local -a ids=()
  if [ "$2" = sqlite ]; then
    in_volumes "$@"
    return
  elif [ "$2" = command ]; then
    read_text script jq -r ".database.$3" <<<"$APP"
  else
    read_text script cat "/opt/berth/release/$2.sh"
  fi
  read_lines ids running "${DATABASES_OF:-$DATA_PROJECT}" "$1"
  local BERTH_COMMAND=""
  [ "$2" != redis ] || know_command "${ids[0]:-none}"
  docker exec --interactive ${BERTH_COMMAND:+--env BERTH_COMMAND} "${ids[0]:-none}" timeout "$4" sh -c "$script" "$2" "$3"
}

# know_command puts the command of container $1, one word per line, into the environment: a password is often in it.
know_command() {
  read_text BERTH_COMMAND docker inspect --format '{{.Path}}{{range .Args}}{{println}}{{.}}{{end}}' "$1"
  export BERTH_COMMAND
}

# server_settled is true when the new server of service $2 in project $1 answers to what is called by $3 and on, and no script of its
# image is at work any more: while one makes a new database, a server answers that ends again.
server_settled() {
  local project=$1 service=$2 id processes
  shift 2
  "$@" </dev/null >/dev/null 2>&1 || return 1
  id=$(running "$project" "$service") && processes=$(docker top "$id" -eo pid,comm) || return 1
  [[ -n $processes && $processes != *entrypoi* && $processes != *setup* ]]
}

# in_volumes does the same with the SQLite files of the volumes of service $1, which may be down.
in_volumes() {
  local volume folder
  local -a volumes=() folders=() known=()
  # shellcheck disable=SC2016 # jq's variables
  read_json volumes "$RELEASES/$5/plan.json" '.sqlite[]? | select(.service == $s) | .volumes[]' --arg s "$1"
  read_lines known docker_table volume ls --format 'table {{.Name}}'
  for volume in "${volumes[@]}"; do
    folder=$volume
    if [[ $volume != /* ]]; then
      # One that no release has made yet holds nothing.
      [[ " ${known[*]} " == *" $volume "* ]] || continue
      read_text folder docker volume inspect --format '{{.Mountpoint}}' "$volume"
    fi
    [ ! -d "$folder" ] || folders+=("$volume=$folder")
  done
  [ "${#folders[@]}" -gt 0 ] || return 0
  BERTH_DUMPS=$DUMPS timeout "$4" python3 -I /opt/berth/release/sqlite.py "$3" "${folders[@]}"
}

# holds_nothing says whether dump $1 is of nothing at all.
holds_nothing() {
  local size
  size=$(gzip --decompress --stdout "$1" | head -c 1 | wc -c) || true
  [ "${size:-0}" -eq 0 ]
}

# dump_databases keeps what the databases hold now, under the name of release $1, whose data it is. Those of releases $1 and $2
# are dumped, as $2 says where it knows one; one that release $1 does not have may be down.
dump_databases() {
  local database service kind
  local -a databases=() ids=()
  [ -n "$1" ] || return 0
  install -d -m 0700 "$DUMPS"
  rm -rf "$DUMPS"/*.partial
  # What berth:database names is dumped by the command of now, and by none where it names another.
  # shellcheck disable=SC2016 # jq's variables
  read_json databases "$RELEASES/$2/plan.json" 'def all: [(.databases[]?), (.sqlite[]? | {service, kind: "sqlite"})];
    all as $now | [$old[0] | all[] | select(.kind != "command" and ([.service, .kind] | IN($now[] | [.service, .kind]) | not) and (.kind == "sqlite" or (.service | IN($now[] | select(.kind != "sqlite").service) | not)))]
    + $now | .[] | "\(.service) \(.kind)"' --slurpfile old "$RELEASES/$1/plan.json"
  for database in "${databases[@]}"; do
    service=${database% *} kind=${database##* }
    ids=(files)
    [ "$kind" = sqlite ] || read_lines ids running "$DATA_PROJECT" "$service"
    if [ "${#ids[@]}" -eq 0 ]; then undumped "$1" "$service"; else dump_one "$1" "$2" "$service" "$kind"; fi
  done
}

# DUMPING is what begin_dump started, DUMP_SAID the file with what it failed for.
DUMPING="" DUMP_SAID=""

# begin_dump begins dump_databases beside checks that change nothing. It holds the lock.
begin_dump() {
  [ -n "$1" ] || return 0
  DUMP_SAID=$RELEASES/$2/dump.said
  rm -f "$DUMP_SAID"
  (
    trap '[ -z "$FAILED" ] || printf "%s" "$SAID" >"$DUMP_SAID"' EXIT
    dump_databases "$@"
  ) &
  DUMPING=$!
}

# end_dump waits for it, before anything of the data changes, and ends the release where it failed.
# shellcheck disable=SC2034 # for deploy.sh
end_dump() {
  local code=0
  wait "$DUMPING" || code=$?
  DUMPING=""
  [ "$code" -ne 0 ] || return 0
  # It was said already, and is for the record of the release.
  SAID=$(cat "$DUMP_SAID" 2>/dev/null) || SAID=""
  [ -z "$SAID" ] || FAILED=yes
  exit "$code"
}

# stop_dump ends it, where a check refuses the release, and says nothing: that is not why. All of its processes hold the lock.
stop_dump() {
  local all one
  [ -n "$DUMPING" ] || return 0
  all=$(descendants "$DUMPING")
  kill "$DUMPING" 2>/dev/null || true
  wait "$DUMPING" 2>/dev/null || true
  for one in $all; do kill "$one" 2>/dev/null || true; done
  rm -rf "$DUMPS"/*.partial
  DUMPING=""
}

# descendants prints the processes that process $1 has begun, and that these have.
descendants() {
  local child children
  children=$(pgrep --parent "$1") || return 0
  for child in $children; do
    printf '%s\n' "$child"
    descendants "$child"
  done
}

# dump_one dumps the database of service $3, of kind $4, whose data release $1 left, as $2 or $1 says where its files are. It never
# takes the room that the database itself needs to go on: what comes out is cut off there, and taken away.
dump_one() {
  local release=$2 room time file size why="the lines above say why"
  # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end
  holds --arg s "$3" '[.stateful[]?] | index([$s]) != null' "$RELEASES/$2/plan.json" || release=$1
  check_room "$3" "$4"
  read_text room dump_room
  read_text time date --utc +%Y%m%dT%H%M%SZ
  file=$DUMPS/${time}_$1_$3.$4
  # shellcheck disable=SC2310 # in_database checks each of its commands
  if ! in_database "$3" "$4" dump "$DUMP_WITHIN" "$release" </dev/null | gzip --fast | head --bytes="$room" >"$file.partial"; then
    read_text size stat --format %s "$file.partial"
    [ "$size" -lt "$room" ] || why="it takes more than the $((room >> 20)) MiB that a dump may take of what is free on $DATA, where $LEFT_MIB MiB are left to the database; $MORE_ROOM"
    rm -f "$file.partial"
    fail database-not-dumped "cannot dump the database of $3 ($why), and no release goes out without a dump; what runs is left as it was"
  fi
  # shellcheck disable=SC2310 # it is one test
  if holds_nothing "$file.partial"; then
    rm -f "$file.partial"
    [ "$4" != sqlite ] || return 0
    fail dump-empty "cannot dump the database of $3 (the dump is empty), and no release goes out without a dump; what runs is left as it was"
  fi
  sync "$file.partial"
  mv "$file.partial" "$file"
  read_text size du --human-readable --apparent-size "$file"
  say "dumped the database of $3: $file, ${size%%$'\t'*}"
}

# dump_room prints how many bytes a dump may take, 1 at least.
dump_room() {
  local free
  read_text free free_mib
  if [ "$free" -gt "$LEFT_MIB" ]; then echo $(((free - LEFT_MIB) << 20)); else echo 1; fi
}

# check_room checks that another dump of the database of service $1, of kind $2, is likely to find room, and takes dumps away
# that nothing needs where it is not.
check_room() {
  local room file name newest="" last=1
  for file in "$DUMPS"/*; do
    name=${file##*/}
    if [ "${name#*_*_}" = "$1.$2" ]; then newest=$file; fi
  done
  [ -z "$newest" ] || read_text last stat --format %s "$newest"
  read_text room dump_room
  [ "$room" -le $((last + last / 4)) ] || return 0
  prune_dumps
  read_text room dump_room
  [ "$room" -gt $((last + last / 4)) ] ||
    fail no-room-for-dump "there is no room to dump the database of $1: $((room >> 20)) MiB may be taken of what is free on $DATA, where $LEFT_MIB MiB are left to the database, and the last dump had $((last >> 20)) MiB; $MORE_ROOM; no release goes out without a dump, and what runs is left as it was"
}

# undumped ends the script where the database of service $2 is down though release $1 has it, unless somebody said that it may
# go on without a dump this once.
undumped() {
  local -a ids=()
  # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end
  holds --arg s "$2" '.stateful | index([$s]) != null' "$RELEASES/$1/plan.json" || return 0
  read_lines ids containers "$DATA_PROJECT" "$2"
  [ "${#ids[@]}" -gt 0 ] || return 0
  if [ -e "$DATA/without-dump-of-$2" ]; then
    rm "$DATA/without-dump-of-$2"
    say "the database of $2 does not run and is not dumped, as $DATA/without-dump-of-$2 allowed this once"
    return
  fi
  fail database-not-running "the database of $2 does not run, so it cannot be dumped, and no release goes out without a dump; start it: sudo docker start ${ids[0]:0:12}; why it ended: sudo /opt/berth/log-monitor.sh view $2; to go on without a dump this once: sudo touch $DATA/without-dump-of-$2; what runs is left as it was"
}

# dumps_of prints the newest dump of every database as release $1 left it.
dumps_of() {
  local index name
  local -a files=("$DUMPS"/*_"$1"_*)
  local -A seen=()
  for ((index = ${#files[@]} - 1; index >= 0; index--)); do
    name=${files[index]##*/}
    if [ ! -f "${files[index]}" ] || [[ $name == *.partial ]] || [ -n "${seen[${name#*_*_}]:-}" ]; then continue; fi
    seen[${name#*_*_}]=yes
    printf '%s\n' "$name"
  done
}

# copy_off_site puts the newest dumps of release $1 into the stack's bucket, where there is one.
copy_off_site() {
  local file
  local -a files=()
  load_settings operations REGION BUCKET
  [ -n "$BUCKET" ] || return 0
  read_lines files dumps_of "$1"
  for file in "${files[@]}"; do
    # shellcheck disable=SC2310 # upload checks each of its commands
    upload "$DUMPS/$file" "dumps/$file" ||
      fail dump-not-copied "$DUMPS/$file did not get into the bucket $BUCKET; it stays here, and the next night brings another"
    say "copied $file to the bucket $BUCKET"
  done
}

# start_dumped starts those services of release $1 that have a dump to be restored and do not run: another one may have their files.
start_dumped() {
  local file service what dumped=" " rest=""
  local -a files=()
  read_lines files dumps_of "$1"
  for file in "${files[@]}"; do
    service=${file#*_*_}
    dumped+="${service%.*} "
  done
  find_changed_data "$1"
  keep_persistent "$1"
  while read -r service what; do
    if [ "$what" = starts ] && [[ $dumped == *" $service "* ]]; then rest+=${rest:+$'\n'}"$service $what"; fi
  done <<<"$CHANGED"
  CHANGED=$rest
  prepare_binds "$1"
  make_mountpoints "$1"
  give_way "$1"
  start_data "$1"
  # shellcheck disable=SC2034 # for data.sh
  AS_IT_IS=()
}

# restore_databases puts back what release $1 left.
restore_databases() {
  local file service kind said line
  local -a files=()
  read_lines files dumps_of "$1"
  for file in "${files[@]}"; do
    service=${file#*_*_}
    kind=${service##*.}
    service=${service%.*}
    say "restoring the database of $service as it was at ${file%%_*}"
    # shellcheck disable=SC2310 # in_database checks each of its commands
    said=$(gzip --decompress --stdout --force "$DUMPS/$file" | in_database "$service" "$kind" restore "$RESTORE_WITHIN" "$1") ||
      fail dump-not-restored "cannot restore $DUMPS/$file (the lines above say why); what the database held is in the newest dump of $DUMPS"
    # Each line is a sentence about what did not come back; berth:database's own command may print anything.
    if [ "$kind" = command ]; then
      printf '%s\n' "$said"
    elif [ -n "$said" ]; then
      while IFS= read -r line; do say "$service: $line"; done <<<"$said"
    fi
  done
}

# confirm_restore asks a person at a terminal; without one the flag has to say it.
confirm_restore() {
  local answer file
  local -a files=()
  read_lines files dumps_of "$1"
  [ "${#files[@]}" -gt 0 ] || fail dump-missing "there is no dump of the database as release $1 left it; roll back without: sudo /opt/berth/deploy.sh rollback"
  say "the databases go back to what release $1 left, and everything written since is taken away (a dump of it is kept):"
  for file in "${files[@]}"; do say "  $file"; done
  [ "$2" != yes ] || return 0
  [ -t 0 ] || fail nobody-to-confirm "there is no terminal to confirm at; confirm with the flag: deploy.sh rollback --with-database --yes"
  printf 'Type the first seven characters of the commit (%s) to go on: ' "${1:0:7}" >&3
  read -r answer
  [ "$answer" = "${1:0:7}" ] || fail not-confirmed "not confirmed; nothing was changed"
}
