# A whole Redis, Valkey or KeyDB server: dump | restore | ping | rows | client. Runs in the server's own container. $BERTH_COMMAND is the
# container's command, one word per line: a password is often in it, or in the file that it names.
#
# A dump is an RDB file, as the server sends it to a replica. To restore it, a second server loads it beside, and the one in use
# becomes its replica for a moment: it takes over everything at once and writes its own files, with an AOF and without.
# shellcheck shell=sh
# shellcheck disable=SC2016,SC2310,SC2312 # what is asked in a condition is one command, or checks each of its own; a value that cannot be read is none
set -eu

# line prints its arguments, one per line and as they are: some shells' echo reads backslashes.
line() { printf '%s\n' "$@"; }

# program finds one of this server's programs, which end with $1.
program() {
  for name in "valkey-$1" "redis-$1" "keydb-$1"; do
    ! command -v "$name" >/dev/null || {
      line "$name"
      return
    }
  done
  line "there is none of valkey-$1, redis-$1 and keydb-$1 in the container; set berth:database" >&2
  return 1
}

# after prints what follows $1 in the lines of standard input: the last takes effect.
after() { sed -n "/^--$1\$/{n;p;}" | tail -n 1; }

# setting prints what the container's command, or the file that it names, gives for a setting. A shell's command is one word.
setting() {
  words=$(line "${BERTH_COMMAND:-}" | tr '[:blank:]' '\n' | sed "s/^[\"']//; s/[\"']\$//")
  value=$(line "${BERTH_COMMAND:-}" | after "$1")
  [ -n "$value" ] || value=$(line "$words" | after "$1")
  file=$(line "$words" | sed -n '/\.conf$/p' | tail -n 1)
  [ -n "$value" ] || [ ! -r "$file" ] || value=$(sed -n "s/^[[:blank:]]*$1[[:blank:]][[:blank:]]*[\"']\{0,1\}\(.*[^\"'[:blank:]]\)[\"'[:blank:]]*\$/\1/p" "$file" | tail -n 1)
  # Where a shell starts the server, the command names a variable.
  name=$(line "$value" | sed -n 's/^\$[{]\{0,1\}\([A-Za-z_][A-Za-z0-9_]*\)[}]\{0,1\}$/\1/p')
  [ -z "$name" ] || value=$(printenv "$name") || value=""
  line "$value"
}

# passwords prints all that may be the server's password: its settings', and those of the container's environment.
passwords() {
  line "" "${REDISCLI_AUTH:-}"
  setting requirepass
  env | sed -n 's/^[A-Z_]*\(PASSWORD\|PASS\|AUTH\)=//p'
  env | sed -n 's/^[A-Z_]*PASSWORD_FILE=//p' | while IFS= read -r file; do
    [ ! -r "$file" ] || cat "$file"
    line ""
  done
}

# ask runs a command of the server's.
ask() { "$CLI" -p "$PORT" "$@" </dev/null; }

login() {
  while IFS= read -r REDISCLI_AUTH; do
    export REDISCLI_AUTH
    [ -n "$REDISCLI_AUTH" ] || unset REDISCLI_AUTH
    said=$(ask ping 2>&1) || continue
    [ "$said" != PONG ] || return 0
  done <<END
$(passwords)
END
  line "$said" "no password of the container's command, configuration or environment opens the server; set berth:database" >&2
  return 1
}

# info prints one value of the server's INFO.
info() { ask info "$1" | tr -d '\r' | sed -n "s/^$2://p"; }

# config prints one of the server's settings as it is now, and "" for one that it does not have.
config() { ask config get "$1" | sed -n '2p'; }

# await waits until a value of INFO is what it should be.
await() {
  until [ "$(info "$1" "$2")" = "$3" ]; do
    kill -0 "$BESIDE"
    sleep 0.1
  done
}

# rows prints how many keys each database holds.
rows() { ask info keyspace | tr -d '\r' | sed -n 's/^\(db[0-9]*\):keys=\([0-9]*\).*/\2 \1/p'; }

dump() {
  "$CLI" -p "$PORT" --rdb - 2>"$FOLDER/said" </dev/null || { cat "$FOLDER/said" >&2 && return 1; }
}

# away ends what a restore began.
away() {
  [ -z "$FOLLOWS" ] || ask replicaof no one >/dev/null
  [ -z "$BESIDE" ] || kill "$BESIDE" 2>/dev/null || true
  rm -rf "$FOLDER"
}

# beside starts a second server with the dump, on a port that only the container itself reaches.
beside() {
  secret=$(config masterauth)
  server=$(program server)
  PORT_BESIDE=16379
  # The one in use says who it is with these, where they are set.
  printf '%s\n' 'bind 127.0.0.1' "port $PORT_BESIDE" 'save ""' 'appendonly no' "dir $FOLDER" 'dbfilename dump.rdb' "databases $(config databases)" \
    ${secret:+"requirepass \"$(line "$secret" | sed 's/[\\"]/\\&/g')\""} | "$server" - >"$FOLDER/log" 2>&1 &
  BESIDE=$!
  until said=$(REDISCLI_AUTH=$secret "$CLI" -p "$PORT_BESIDE" ping 2>/dev/null </dev/null) && [ "$said" = PONG ]; do
    if ! kill -0 "$BESIDE" 2>/dev/null; then
      tail -n 3 "$FOLDER/log" >&2
      line "the dump does not load; the server is as it was" >&2
      return 1
    fi
    sleep 0.1
  done
}

# kept waits until what was restored is in the server's own files.
kept() {
  if [ "$(config appendonly)" = yes ]; then
    await persistence aof_rewrite_scheduled 0
    await persistence aof_rewrite_in_progress 0
    [ "$(info persistence aof_last_bgrewrite_status)" = ok ] || { line "the server could not write its AOF; look into its log" >&2 && return 1; }
  fi
  # Without any of both the server keeps nothing over a restart, and does not begin to.
  [ -z "$(config save)" ] || ask save >/dev/null
}

restore() {
  [ "$(info replication role)" = master ] || { line "the server is a replica; restore the one that it follows" >&2 && return 1; }
  cat >"$FOLDER/dump.rdb"
  [ "$(head -c 5 "$FOLDER/dump.rdb")" = REDIS ] || [ "$(head -c 6 "$FOLDER/dump.rdb")" = VALKEY ] || { line "this is no dump of Redis; the server is as it was" >&2 && return 1; }
  beside
  FOLLOWS=yes
  said=$(ask replicaof 127.0.0.1 "$PORT_BESIDE")
  [ "$said" = OK ] || { line "$said" >&2 && return 1; }
  await replication master_link_status up
  await replication master_sync_in_progress 0
  said=$(ask replicaof no one)
  FOLLOWS=""
  [ "$said" = OK ] || { line "$said" >&2 && return 1; }
  kept
}

CLI=$(program cli) PORT=$(setting port) FOLLOWS="" BESIDE=""
PORT=${PORT:-6379}
FOLDER=$(mktemp -d)
trap 'exit 1' TERM INT HUP
trap away EXIT
login
case $1 in
  dump) dump ;;
  restore) restore ;;
  rows) rows ;;
  client) "$CLI" -p "$PORT" ;;
  ping) ;;
esac
