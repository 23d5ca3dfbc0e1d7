# The app's MySQL or MariaDB database: dump | restore | ping. Runs in the database's own container, whose environment is
# that of the official images.
# shellcheck shell=sh
set -eu
PASSWORD=${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-$(cat "${MARIADB_ROOT_PASSWORD_FILE:-${MYSQL_ROOT_PASSWORD_FILE:-/dev/null}}")}}

# first is the first of two programs that there is, or the second.
first() { if command -v "$1" >/dev/null; then echo "$1"; else echo "$2"; fi; }

# as_root runs a client with an option file, since a command line can be read by others.
as_root() {
  program=$1
  shift
  escaped=$(sed 's/[\\"]/\\&/g' <<END
$PASSWORD
END
  )
  "$program" --defaults-extra-file=/dev/fd/3 "$@" 3<<END
[client]
user=root
password="$escaped"
END
}

case $1 in
  dump)
    client=$(first mariadb-dump mysqldump)
    as_root "$client" --single-transaction --routines --triggers --events --add-drop-database \
      --databases "${MARIADB_DATABASE:-$MYSQL_DATABASE}"
    ;;
  # The dump drops the database and makes it.
  restore)
    client=$(first mariadb mysql)
    as_root "$client"
    ;;
  ping)
    client=$(first mariadb mysql)
    as_root "$client" --execute 'SELECT 1'
    ;;
esac
