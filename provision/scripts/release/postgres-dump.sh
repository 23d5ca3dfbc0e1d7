# Prints a dump of the app's database in pg_dump's custom format. Runs in the database's own container, whose
# environment is that of the official image.
# shellcheck shell=sh
set -eu
export PGUSER="${POSTGRES_USER:-postgres}"
export PGPASSWORD="${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}"
exec pg_dump --format=custom --dbname="${POSTGRES_DB:-$PGUSER}"
