# A whole MongoDB server: dump | restore | ping | rows | client. Runs in the server's own container, whose environment is that of the
# official image, or of Bitnami's. A dump is an archive of mongodump's: every database but local, with users and roles.
# mongorestore checks what it reads as it goes, and replaces one collection after the other.
# shellcheck shell=sh
set -eu

# given prints variable $1, from the file that $1_FILE names where it is not set.
given() {
  value=$(printenv "$1") || value=""
  file=$(printenv "$1_FILE") || file=""
  if [ -n "$value" ]; then printf '%s' "$value"; elif [ -r "$file" ]; then cat "$file"; fi
}

NAME=$(given MONGO_INITDB_ROOT_USERNAME)
NAME=${NAME:-$(given MONGODB_ROOT_USER)}
BERTH_PASSWORD=$(given MONGO_INITDB_ROOT_PASSWORD)
BERTH_PASSWORD=${BERTH_PASSWORD:-$(given MONGODB_ROOT_PASSWORD)}
# Bitnami's root is called so where it has no other name.
[ -n "$NAME" ] || [ -z "$BERTH_PASSWORD" ] || NAME=root
export NAME BERTH_PASSWORD

# tool runs one of MongoDB's tools with the password in a file, since a command line can be read by others. It says on standard error
# what it does, and where it fails the last lines of that are shown: with --quiet it would not say why either.
tool() {
  program=$1
  shift
  [ -z "$NAME" ] || set -- --username="$NAME" --authenticationDatabase=admin --config=/dev/fd/3 "$@"
  escaped=$(printf '%s\n' "$BERTH_PASSWORD" | sed 's/[\\"]/\\&/g')
  code=0
  {
    said=$(
      "$program" "$@" 2>&1 >&4 3<<END
password: "$escaped"
END
    ) || code=$?
  } 4>&1
  [ "$code" -eq 0 ] || printf '%s\n' "$said" | tail -n 5 >&2
  return "$code"
}

# shell runs JavaScript as root. The password reaches it by the environment.
shell() {
  mongosh --quiet --norc --eval "if (process.env.NAME) db.getSiblingDB('admin').auth(process.env.NAME, process.env.BERTH_PASSWORD);
$1" </dev/null
}

case $1 in
  dump) tool mongodump --archive ;;
  restore) tool mongorestore --archive --drop --stopOnError ;;
  rows)
    shell "db.adminCommand({listDatabases: 1, nameOnly: true}).databases.map(d => d.name).filter(n => n !== 'local' && n !== 'config').forEach(n => {
  const one = db.getSiblingDB(n);
  print(one.getCollectionInfos({type: 'collection'}).reduce((sum, c) => sum + one.getCollection(c.name).countDocuments({}), 0) + ' ' + n); })"
    ;;
  client) exec mongosh --norc --shell --eval "if (process.env.NAME) db.getSiblingDB('admin').auth(process.env.NAME, process.env.BERTH_PASSWORD);" ;;
  ping) shell "if (!db.adminCommand({listDatabases: 1, nameOnly: true}).ok) quit(1)" >/dev/null ;;
esac
