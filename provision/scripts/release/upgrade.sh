# A database's move to another major version, whose server does not read the data that is there: the dump of the old one is restored
# by the new one into a fresh volume. Sourced by deploy.sh.
#
# The old data is kept beside it, under a name of its own, until somebody confirms the upgrade. /data/upgrades/SERVICE.json has
# {service, kind, place, kept, volume, inode, from, maintenance, done}: place is the folder of the data, inode the number and the birth
# of the old one, kept the folder that has it afterwards, and volume that folder's volume, "" for none. Before done the way back is to
# exchange the two folders again: nothing was written to the new one.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

readonly UPGRADES=$DATA/upgrades
# "SERVICE KIND" of the databases that this release is to upgrade.
TO_UPGRADE=()
# MAINTAINED is yes where an interrupted upgrade left the maintenance page on.
MAINTAINED=""

# server_version prints the version of the running server of kind $2 in container $1, and the folder of its data.
server_version() {
  local script
  read_text script cat "/opt/berth/release/$2.sh"
  docker exec "$1" timeout 30 sh -c "$script" "$2" version </dev/null
}

# image_version prints the version of the server of kind $2 that image $1 has, nothing where it has no program that tells. It
# runs without a network, a volume or a right.
image_version() {
  local said
  # shellcheck disable=SC2016 # the container's variables
  said=$(timeout 60 docker run --rm --network none --cap-drop ALL --security-opt no-new-privileges --cgroup-parent builds.slice --entrypoint sh "$1" -c '
    case $1 in
      postgres) postgres --version || /usr/lib/postgresql/*/bin/postgres --version || "$(command -v pg_config | xargs dirname)/postgres" --version ;;
      mysql) mariadbd --version || mysqld --version ;;
    esac' sh "$2" 2>/dev/null </dev/null) || said=""
  case $2:$said in
    postgres:*' (PostgreSQL) '*) said=${said#* (PostgreSQL) } ;;
    mysql:*Ver*) said=${said#*Ver} ;;
    *) said="" ;;
  esac
  read -r said _ <<<"$said"
  printf '%s\n' "$said"
}

# series prints what two versions of a server of kind $1 have in common that read the same data: of Postgres the major version, of
# MySQL and MariaDB the name and two numbers.
series() {
  local name=MySQL
  case $1:$2 in
    postgres:9.*) [[ $2 =~ ^9\.[0-9]+ ]] && printf 'Postgres %s\n' "${BASH_REMATCH[0]}" ;;
    postgres:[1-9]*) printf 'Postgres %s\n' "${2%%[!0-9]*}" ;;
    mysql:[1-9]*)
      [[ $2 != *MariaDB* ]] || name=MariaDB
      [[ $2 =~ ^[0-9]+\.[0-9]+ ]] && printf '%s %s\n' "$name" "${BASH_REMATCH[0]}"
      ;;
    *) ;;
  esac
}

# reads_itself says whether a server of series $2 upgrades data of series $1 on its own. MariaDB does from every older one.
# MySQL does from the series before: 5.7 to 8.0 to 8.4 to 9. Source: MySQL 9 Reference Manual, "Upgrade Paths".
reads_itself() {
  local old=${1#* } new=${2#* }
  case "$1 to $2" in
    'MySQL 5.7 to MySQL 8.0' | 'MySQL 8.0 to MySQL 8.4' | 'MySQL 8.4 to MySQL 9.'* | 'MySQL 9.'*' to MySQL 9.'* | 'MariaDB '*' to MariaDB '*)
      [ "${old%.*}" -lt "${new%.*}" ] || { [ "${old%.*}" -eq "${new%.*}" ] && [ "${old#*.}" -le "${new#*.}" ]; }
      ;;
    *) return 1 ;;
  esac
}

# check_version refuses release $1 where the image of service $2, of kind $3, does not read the data of the server in container $4.
check_version() {
  local image now wanted version data new
  local -a there=()
  # On the way back a database stays as it is.
  # shellcheck disable=SC2310 # kept is one test
  if kept "$1"; then return 0; fi
  # shellcheck disable=SC2016 # jq's variables
  read_text image jq -r --arg s "$2" '.services[$s].image' "$RELEASES/$1/data.json"
  read_text wanted image_id "$image"
  read_text now docker inspect --format '{{.Image}}' "$4"
  [ "$now" != "$wanted" ] || return 0
  # shellcheck disable=SC2310 # it checks each of its commands
  read_lines there server_version "$4" "$3"
  version=$(image_version "$image" "$3")
  # shellcheck disable=SC2310 # series is one test
  data=$(series "$3" "${there[0]:-}") || data=""
  # shellcheck disable=SC2310 # series is one test
  new=$(series "$3" "$version") || new=""
  if [ -z "$data" ] || [ -z "$new" ]; then
    say "it cannot be told whether the image of service $2 reads the data that is there: the server says '${there[0]:-}', the image '$version'; where it does not, the new server does not start, and the release is rolled back"
    return
  fi
  if [ "$data" = "$new" ]; then return 0; fi
  # shellcheck disable=SC2310 # it is one test
  if reads_itself "$data" "$new"; then
    say "$2: $new brings the data of $data to its own version itself, and $data cannot read it afterwards; the dump of before is kept"
    return
  fi
  if [ -n "$UPGRADE_DATABASE" ] && [ "${data% *}" = "${new% *}" ]; then
    need_one_server "moved to another version"
    TO_UPGRADE+=("$2 $3")
    return
  fi
  local way="move it by hand: docs/runbook/upgrade-the-database.md"
  [ "${data% *}" != "${new% *}" ] || way="have this release move the data, while the site shows the maintenance page: sudo /opt/berth/deploy.sh deploy --upgrade-database; see docs/runbook/upgrade-the-database.md"
  fail database-version-incompatible "the image $image of service $2 is $new, which does not start on the data of $data that is there; nothing was changed. Fix: keep an image of $data; or $way"
}

# upgrade_databases moves the databases of TO_UPGRADE to the version that release $1 has. Nobody writes meanwhile: what serves and
# what else persists is stopped, and starts again with the new version, or with the old one where this fails.
upgrade_databases() {
  local database service left=$LEFT
  local -a services=()
  [ "${#TO_UPGRADE[@]}" -gt 0 ] || return 0
  step upgrade
  for database in "${TO_UPGRADE[@]}"; do check_upgrade "${database% *}"; done
  [ -e "$MAINTENANCE" ] || RESTORING=yes
  maintenance on
  # shellcheck disable=SC2034 # for deploy.sh and data.sh
  STOPPED_FIRST=yes DATA_TOUCHED=yes
  stop_writers "a database moves to another version"
  stop_release "$OLD"
  read_lines services docker_table ps --filter "label=com.docker.compose.project=$DATA_PROJECT" --format 'table {{.Label "com.docker.compose.service"}}'
  for service in "${services[@]}"; do
    # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end
    if ! holds --arg s "$service" '[.databases[]?.service] | index([$s]) != null' "$RELEASES/$OLD/plan.json"; then
      stop_for_good "$DATA_PROJECT" "$service"
      # Nobody waits for it until the databases are there.
      LEFT+=" $service"
    fi
  done
  for database in "${TO_UPGRADE[@]}"; do upgrade_one "$1" "${database% *}" "${database##* }"; done
  LEFT=$left
  find_changed_data "$1"
}

# check_upgrade refuses an upgrade of service $1 while the data of before another one waits for somebody to confirm it.
check_upgrade() {
  [ ! -e "$UPGRADES/$1.json" ] ||
    fail upgrade-not-confirmed "the data of $1 from before its last upgrade is still kept, and nothing was changed; when you are sure of that upgrade: sudo /opt/berth/deploy.sh confirm-upgrade"
}

# upgrade_one moves the database of service $2, of kind $3, to the version that release $1 has.
upgrade_one() {
  local id before after file dumped newest=""
  local -a ids=() there=()
  read_lines ids running "$DATA_PROJECT" "$2"
  id=${ids[0]:-}
  [ -n "$id" ] || fail database-stopped "the database of $2 stopped meanwhile; why: sudo /opt/berth/log-monitor.sh view $2"
  read_lines there server_version "$id" "$3"
  read_text before counted "$2" "$3" "$OLD"
  dump_one "$OLD" "$OLD" "$2" "$3"
  for file in "$DUMPS"/*"_${OLD}_$2.$3"; do newest=$file; done
  stop_for_good "$DATA_PROJECT" "$2"
  keep_old_data "$2" "$3" "$id" "${there[0]:-}" "${there[1]:-}"
  say "starting the new version of $2 on a fresh volume"
  # shellcheck disable=SC2034 # for data.sh
  CHANGED="$2 changes"
  start_data "$1"
  # shellcheck disable=SC2310 # server_settled is a test
  await "$HEALTHY_WITHIN" server_settled "$DATA_PROJECT" "$2" in_database "$2" "$3" ping 10 "$1" || fail upgraded-database-not-answering "the new version of $2 does not answer within $HEALTHY_WITHIN seconds; why: sudo /opt/berth/log-monitor.sh view $2"
  dumped=${newest##*/}
  say "restoring $dumped into it"
  gzip --decompress --stdout --force "$newest" | in_database "$2" "$3" restore "$RESTORE_WITHIN" "$1" >/dev/null || fail dump-not-restored "$newest does not restore into the new version (the lines above say why)"
  read_text after counted "$2" "$3" "$1"
  [ "$before" = "$after" ] || fail upgraded-database-differs "the new version of $2 does not hold what the old one held; rows before, by database: ${before//$'\n'/, }; after: ${after//$'\n'/, }"
  say "the new version of $2 holds what the old one held, by database: ${after//$'\n'/, } rows"
}

# counted prints the rows of the database of service $1, of kind $2, in release $3, one line per database.
counted() { in_database "$1" "$2" rows "$COUNT_WITHIN" "$3" </dev/null | sort; }

# exchange puts folder $1 in the place of folder $2 of service $3, and $2 in that of $1, in one step. Nothing may run on either.
exchange() {
  local -a ids=()
  read_lines ids running "$DATA_PROJECT" "$3"
  [ "${#ids[@]}" -eq 0 ] || fail database-still-running "the database of $3 still runs, so its files were not moved; stop it: sudo docker stop ${ids[0]:0:12}; then run this again"
  mv --exchange --no-copy --no-target-directory "$1" "$2" || fail folders-not-exchanged "$1 and $2 could not be exchanged (the lines above say why); each is where it was"
}

# keep_old_data puts an empty folder in the place of the data of service $1, of kind $2, which container $3, now stopped, had of
# version $4 in its folder $5, and the data beside it.
keep_old_data() {
  local mount type name place kept volume="" options inode text size free held maintenance=false
  read_text text docker inspect "$3"
  # The mount that holds the folder is the one with the longest name.
  # shellcheck disable=SC2016 # jq's variables
  read_text mount jq -r --arg folder "${5%/}" '[.[0].Mounts[] | select(.RW and .Type != "tmpfs") | .Destination as $at | select($folder == $at or ($folder | startswith(($at | rtrimstr("/")) + "/")))]
    | sort_by(.Destination | length) | last // {} | "\(.Type // "none") \(.Name // "-") \(.Source // "")"' <<<"$text"
  read -r type name place <<<"$mount"
  if [ -z "$place" ] || [ ! -d "$place" ]; then fail data-without-volume "the data of $1 is in ${5:-no folder} of its container, which is no volume, so it would go with the container; nothing was changed. Fix: name a volume for that folder in the compose file, and release that first"; fi
  read_text size du --summarize --block-size=1M "$place"
  read_text free free_mib
  [ $((free - LEFT_MIB)) -gt "${size%%[!0-9]*}" ] || fail no-room-for-upgrade "there is no room for a second copy of the data of $1, which takes ${size%%[!0-9]*} MiB: $free MiB are free on $DATA, where $LEFT_MIB MiB are left; $MORE_ROOM"
  if [ "$type" = volume ]; then
    read_text options docker volume inspect --format '{{.Driver}} {{len .Options}}' "$name"
    [ "$options" = "local 0" ] || fail volume-not-local "the volume $name of $1 is not on this server's own disk ($options options), so its data cannot be kept beside it; nothing was changed; move it by hand: docs/runbook/upgrade-the-database.md"
    volume=${name}_before_${NEW:0:12}
    docker volume create --label "berth.kept=$1" "$volume" >/dev/null
    read_text kept docker volume inspect --format '{{.Mountpoint}}' "$volume"
  else
    kept=$place.before_${NEW:0:12}
    install -d -m 0700 "$kept"
  fi
  held=$(find "$kept" -mindepth 1 -print -quit) || held="what cannot be listed"
  [ -z "$held" ] || fail folder-not-empty "$kept is not empty, so nothing is put there; nothing was changed. Fix: see what it holds, and remove it"
  chown --reference="$place" "$kept"
  chmod --reference="$place" "$kept"
  [ -z "$RESTORING" ] || maintenance=true
  read_text inode stat --format '%i %W' "$place"
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -n --arg service "$1" --arg kind "$2" --arg place "$place" --arg kept "$kept" --arg volume "$volume" --arg inode "$inode" --arg from "$4" --argjson maintenance "$maintenance" \
    '{service: $service, kind: $kind, place: $place, kept: $kept, volume: $volume, inode: $inode, from: $from, maintenance: $maintenance, done: false}'
  install -d -m 0700 "$UPGRADES"
  put "$UPGRADES/$1.json" 0600 <<<"$text"
  sync "$UPGRADES/$1.json"
  exchange "$kept" "$place" "$1"
}

# remove_kept removes folder $1, or volume $2 where it is one's.
remove_kept() {
  if [ -z "$2" ]; then
    rm -rf "$1"
  else
    docker volume rm "$2" >/dev/null || fail volume-not-removed "the volume $2 cannot be removed (the lines above say why); what uses it: sudo docker ps --all --filter volume=$2; then run this again"
  fi
}

# upgrades prints the files of upgrades, those that are done with "true", those that are not with "false".
upgrades() {
  local file sealed
  for file in "$UPGRADES"/*.json; do
    [ -e "$file" ] || continue
    read_text sealed jq -r .done "$file"
    [[ $sealed == true || $sealed == false ]] || fail upgrade-record-unclear "$file does not say whether its upgrade is done, and nothing is done on a guess; look with: sudo jq . $file"
    [ "$sealed" != "$1" ] || printf '%s\n' "$file"
  done
}

# seal_upgrades makes upgrades final: from here on the app writes to the new version.
seal_upgrades() {
  local file text service
  local -a files=()
  read_lines files upgrades false
  for file in "${files[@]}"; do
    read_text text jq '.done = true' "$file"
    put "$file" 0600 <<<"$text"
    read_text service jq -r .service "$file"
    say "the data of $service from before the upgrade is kept; when you are sure: sudo /opt/berth/deploy.sh confirm-upgrade"
  done
}

# undo_upgrades puts the old data back where an upgrade did not come to its end, and has release $1 run on it again.
undo_upgrades() {
  local file service place kept volume inode now there maintenance
  local -a files=() fields=()
  read_lines files upgrades false
  [ "${#files[@]}" -gt 0 ] || return 0
  for file in "${files[@]}"; do
    read_json fields "$file" '.service, .place, .kept, .volume, .inode, .maintenance'
    service=${fields[0]} place=${fields[1]} kept=${fields[2]} volume=${fields[3]} inode=${fields[4]} maintenance=${fields[5]}
    say "taking the upgrade of $service back"
    stop_for_good "$DATA_PROJECT" "$service"
    read_text now stat --format '%i %W' "$place"
    if [ "$now" != "$inode" ]; then
      read_text there stat --format '%i %W' "$kept"
      [ "$there" = "$inode" ] || fail upgrade-data-not-found "neither $place nor $kept is the data of $service from before its upgrade, and nothing is done on a guess; compare both, move the right one to $place, then: sudo rm $file"
      exchange "$kept" "$place" "$service"
    fi
    # What is there now is the new version's, which nobody wrote to but the restore.
    remove_kept "$kept" "$volume"
    rm -f "$file"
    ANEW+=" $service"
    [ "$maintenance" != true ] || MAINTAINED=yes
  done
  [ -n "$1" ] || return 0
  DATA_TOUCHED=yes
  restore_data "$1"
  await_ready "$DATA_PROJECT" "$1" $((SECONDS + HEALTHY_WITHIN))
}

# finish_interrupted takes back what an interrupted release left, an upgrade above all, and has release $1 serve again.
finish_interrupted() {
  local text new=""
  local -a files=()
  read_lines files upgrades false
  if [ -e "$STOPPED" ]; then
    read_text text cat "$STOPPED"
    [ "${text% *}" != "$1" ] || new=${text#* }
  fi
  if [ "${#files[@]}" -gt 0 ]; then
    step undo
    undo_upgrades "$1"
    [ -z "$1" ] || start_again "$1" "$new"
    [ -z "$MAINTAINED" ] || open_again
    # shellcheck disable=SC2034 # for data.sh
    DATA_TOUCHED="" ANEW=""
  elif [ -n "$new" ]; then
    say "release $new was interrupted; what it stopped of $1 is started again"
    start_served "$1" "$new"
  fi
  rm -f "$STOPPED"
}

# refuse_interrupted ends what takes the databases for whole while an upgrade of one did not come to its end.
refuse_interrupted() {
  local -a files=()
  read_lines files upgrades false
  [ "${#files[@]}" -eq 0 ] || fail upgrade-interrupted "an upgrade of ${files[*]##*/} was interrupted, so what the database holds now is not whole, and is not dumped; take the upgrade back: sudo /opt/berth/deploy.sh"
}

# keep_upgraded has the services whose upgrade is final stay as they are on the way back: the older version cannot read their data.
keep_upgraded() {
  local database rest=" $ANEW "
  local -a passwords=()
  for database in "${TO_UPGRADE[@]}"; do rest=${rest/" ${database% *} "/ }; done
  for database in "${NEW_PASSWORDS[@]}"; do
    [[ " ${TO_UPGRADE[*]} " == *" $database "* ]] || passwords+=("$database")
  done
  ANEW=$rest NEW_PASSWORDS=("${passwords[@]}")
}

# tell_kept says which data is kept from before an upgrade.
tell_kept() {
  local file service kept size
  local -a files=() fields=()
  read_lines files upgrades true
  for file in "${files[@]}"; do
    read_json fields "$file" '.service, .kept'
    service=${fields[0]} kept=${fields[1]}
    read_text size du --summarize --human-readable "$kept"
    say "the data of $service from before its upgrade is kept in $kept (${size%%$'\t'*}); when you are sure of the upgrade: sudo /opt/berth/deploy.sh confirm-upgrade"
  done
}

# confirm_upgrade removes the data from before upgrades. Nothing may use it.
confirm_upgrade() {
  local file service kept volume inode now
  local -a files=() fields=()
  read_lines files upgrades true
  [ "${#files[@]}" -gt 0 ] || fail no-kept-data "no data is kept from before an upgrade"
  for file in "${files[@]}"; do
    read_json fields "$file" '.service, .kept, .volume, .inode'
    service=${fields[0]} kept=${fields[1]} volume=${fields[2]} inode=${fields[3]}
    read_text now stat --format '%i %W' "$kept"
    [ "$now" = "$inode" ] || fail kept-data-differs "$kept is not the data of $service from before its upgrade, so it was not removed; check it, remove it by hand if nothing needs it, then: sudo rm $file"
    remove_kept "$kept" "$volume"
    rm -f "$file"
    say "removed the data of $service from before its upgrade"
  done
}
