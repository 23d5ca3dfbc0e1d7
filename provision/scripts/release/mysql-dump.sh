# Prints a dump of the app's database as SQL. Runs in the database's own container, whose environment is that of the
# official images of MySQL and MariaDB.
# shellcheck shell=sh
set -eu
first() { for name in "$@"; do ! command -v "$name" >/dev/null || { echo "$name" && return; }; done; }
export MYSQL_PWD="${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-$(cat "${MARIADB_ROOT_PASSWORD_FILE:-${MYSQL_ROOT_PASSWORD_FILE:-/dev/null}}")}}"
exec "$(first mariadb-dump mysqldump)" --user=root --single-transaction --routines --triggers --events --databases "${MARIADB_DATABASE:-$MYSQL_DATABASE}" --add-drop-database
