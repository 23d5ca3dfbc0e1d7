# The app's MySQL or MariaDB database: dump | restore | ping. Runs in the database's own container, whose environment is
# that of the official images.
# shellcheck shell=sh
set -eu
PASSWORD=${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-$(cat "${MARIADB_ROOT_PASSWORD_FILE:-${MYSQL_ROOT_PASSWORD_FILE:-/dev/null}}")}}

# first is the first of some programs that there is.
first() { for name in "$@"; do ! command -v "$name" >/dev/null || { echo "$name" && return; }; done; }

# as_root runs a client with an option file, since a command line can be read by others.
as_root() {
  program=$1
  shift
  "$program" --defaults-extra-file=/dev/fd/3 "$@" 3<<END
[client]
user=root
password="$(printf '%s' "$PASSWORD" | sed 's/[\\"]/\\&/g')"
END
}

case $1 in
  dump)
    as_root "$(first mariadb-dump mysqldump)" --single-transaction --routines --triggers --events --add-drop-database \
      --databases "${MARIADB_DATABASE:-$MYSQL_DATABASE}"
    ;;
  # The dump drops the database and makes it.
  restore) as_root "$(first mariadb mysql)" ;;
  ping) as_root "$(first mariadb mysql)" --execute 'SELECT 1' ;;
esac
