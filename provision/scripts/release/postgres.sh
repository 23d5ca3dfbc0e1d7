# The app's Postgres database: dump | restore | ping. Runs in the database's own container, whose environment is that of
# the official image.
# shellcheck shell=sh
set -eu
export PGUSER="${POSTGRES_USER:-postgres}"
PGPASSWORD=${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}
export PGPASSWORD
DB=${POSTGRES_DB:-$PGUSER}

sql() {
  printf '%s\n' "$@" | psql --dbname=template1 --quiet --no-psqlrc --output=/dev/null --set=ON_ERROR_STOP=1 \
    --set=db="$DB" --set=new="${DB}_restoring" --set=old="${DB}_replaced"
}

# restore reads a dump from standard input. It is restored beside the database in use and then takes its name: a dump that
# does not restore changes nothing.
restore() {
  sql 'DROP DATABASE IF EXISTS :"new" WITH (FORCE);' 'CREATE DATABASE :"new" TEMPLATE template0;'
  pg_restore --exit-on-error --single-transaction --dbname="${DB}_restoring"

  # Nobody comes back between the moment when all are sent away and the new name.
  trap 'sql "ALTER DATABASE :\"db\" WITH ALLOW_CONNECTIONS true;"' EXIT
  sql 'DROP DATABASE IF EXISTS :"old" WITH (FORCE);' 'ALTER DATABASE :"db" WITH ALLOW_CONNECTIONS false;' \
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'db';" \
    'BEGIN;' 'ALTER DATABASE :"db" RENAME TO :"old";' 'ALTER DATABASE :"new" RENAME TO :"db";' 'COMMIT;'
  sql 'DROP DATABASE :"old" WITH (FORCE);'
}

case $1 in
  dump) exec pg_dump --format=custom --dbname="$DB" ;;
  restore) restore ;;
  ping) exec psql --dbname="$DB" --quiet --no-psqlrc --command 'SELECT 1' ;;
esac
