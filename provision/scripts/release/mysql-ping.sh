# Asks the app's database a query. Runs in the database's own container.
# shellcheck shell=sh
set -eu
first() { for name in "$@"; do ! command -v "$name" >/dev/null || { echo "$name" && return; }; done; }
PASSWORD=${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-$(cat "${MARIADB_ROOT_PASSWORD_FILE:-${MYSQL_ROOT_PASSWORD_FILE:-/dev/null}}")}}
exec "$(first mariadb mysql)" --defaults-extra-file=/dev/fd/3 --execute "SELECT 1" 3<<END
[client]
user=root
password="$(printf '%s' "$PASSWORD" | sed 's/[\\"]/\\&/g')"
END
