# Asks the app's database a query. Runs in the database's own container.
# shellcheck shell=sh
set -eu
export PGUSER="${POSTGRES_USER:-postgres}"
export PGPASSWORD="${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}"
exec psql --dbname="${POSTGRES_DB:-$PGUSER}" --quiet --no-psqlrc --command 'SELECT 1'
