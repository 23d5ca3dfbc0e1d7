# Dumps of the databases, and the way back to one. Sourced by deploy.sh.
#
# A dump is a file TIME_RELEASE_SERVICE.KIND below /data/dumps: the database of SERVICE as RELEASE left it at TIME. KIND is
# postgres (pg_dump's custom format), mysql (SQL), or command (whatever berth:database's own command prints).
# shellcheck shell=bash disable=SC2034,SC2153

readonly DUMPS=$DATA/dumps
# Seconds for one dump, and one restore.
readonly DUMP_WITHIN=1200 RESTORE_WITHIN=3000

# in_database has the database of kind $2 in the container of stateful service $1 dump, restore or ping ($3), for at most
# $4 seconds. Its password is known inside, from the container's own environment.
in_database() {
  local script
  if [ "$2" = command ]; then script=$(jq -r ".database.$3" <<<"$APP"); else script=$(<"/opt/berth/release/$2.sh"); fi
  docker exec --interactive "$(running "$DATA_PROJECT" "$1" | sed -n 1p)" timeout "$4" sh -c "$script" "$2" "$3"
}

# dump_databases keeps what the databases hold now, under the name of release $1, whose data it is. Those of release $2
# are dumped as far as they run.
dump_databases() {
  local service kind file
  [ -n "$1" ] || return 0
  install -d -m 0700 "$DUMPS"
  rm -f "$DUMPS"/*.partial
  while read -r service kind; do
    [ -n "$(running "$DATA_PROJECT" "${service:-none}")" ] || continue
    file=$DUMPS/$(date --utc +%Y%m%dT%H%M%SZ)_$1_$service.$kind
    in_database "$service" "$kind" dump "$DUMP_WITHIN" </dev/null >"$file.partial" ||
      fail "cannot dump the database of $service (the lines above say why), and no release goes out without a dump; what runs is left as it was"
    sync "$file.partial"
    mv "$file.partial" "$file"
    say "dumped the database of $service: $file, $(du --human-readable --apparent-size "$file" | cut -f 1)"
  done < <(jq -r '.databases[] | "\(.service) \(.kind)"' "$RELEASES/$2/plan.json")
}

# dumps_of prints the newest dump of every database as release $1 left it.
dumps_of() {
  [ -d "$DUMPS" ] || return 0
  find "$DUMPS" -maxdepth 1 -type f -name "*_$1_*" -not -name '*.partial' -printf '%f\n' | sort -r | awk -F _ '{ rest = $0; sub(/^[^_]*_[^_]*_/, "", rest) } !seen[rest]++'
}

# copy_off_site puts the newest dumps of release $1 into the stack's bucket, where there is one.
copy_off_site() {
  local file files
  load_settings operations
  [ -n "$BUCKET" ] || return 0
  files=$(dumps_of "$1")
  while read -r file; do
    [ -n "$file" ] || continue
    upload "$DUMPS/$file" "dumps/$file" ||
      fail "$DUMPS/$file did not get into the bucket $BUCKET; it stays here, and the next night brings another"
    say "copied $file to the bucket $BUCKET"
  done <<<"$files"
}

# restore_databases puts back what release $1 left.
restore_databases() {
  local file service kind
  while read -r file; do
    service=${file#*_*_}
    kind=${service##*.}
    service=${service%.*}
    say "restoring the database of $service as it was at $(cut -d _ -f 1 <<<"$file")"
    in_database "$service" "$kind" restore "$RESTORE_WITHIN" <"$DUMPS/$file" ||
      fail "cannot restore $DUMPS/$file (the lines above say why); what the database held is in the newest dump of $DUMPS"
  done < <(dumps_of "$1")
}

# confirm_restore asks a person; nobody else is asked, and then the flag has to say it.
confirm_restore() {
  local answer
  [ -n "$(dumps_of "$1")" ] || fail "there is no dump of the database as release $1 left it; roll back without: sudo /opt/berth/deploy.sh rollback"
  say "the databases go back to what release $1 left, and everything written since is taken away (a dump of it is kept):"
  dumps_of "$1" | while read -r line; do say "  $line"; done
  [ "$2" != yes ] || return 0
  [ -t 0 ] || fail "nobody is there to confirm; say it with the flag: deploy.sh rollback --with-database --yes"
  printf 'Type the first seven characters of the commit (%s) to go on: ' "${1:0:7}" >&3
  read -r answer
  [ "$answer" = "${1:0:7}" ] || fail "not confirmed; nothing was changed"
}
