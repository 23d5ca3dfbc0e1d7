# Prints a dump of the app's database as SQL. Runs in the database's own container, whose environment is that of the
# official images of MySQL and MariaDB.
# shellcheck shell=sh
set -eu
first() { for name in "$@"; do ! command -v "$name" >/dev/null || { echo "$name" && return; }; done; }
PASSWORD=${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-$(cat "${MARIADB_ROOT_PASSWORD_FILE:-${MYSQL_ROOT_PASSWORD_FILE:-/dev/null}}")}}
# An option file, since a command line can be read by others and the clients differ in the variable they take it from.
exec "$(first mariadb-dump mysqldump)" --defaults-extra-file=/dev/fd/3 --single-transaction --routines --triggers --events \
  --add-drop-database --databases "${MARIADB_DATABASE:-$MYSQL_DATABASE}" 3<<END
[client]
user=root
password="$(printf '%s' "$PASSWORD" | sed 's/[\\"]/\\&/g')"
END
