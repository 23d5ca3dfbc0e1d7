#!/usr/bin/env bash
# Gives the database its master user $1, with the password on standard input, and its first database $2. As in RDS, the master user is no
# superuser.
set -euo pipefail

PROGRAMS=/usr/lib/postgresql/17/bin

query() {
  setpriv --reuid postgres --regid postgres --init-groups "$PROGRAMS/psql" --host /tmp --dbname postgres --no-psqlrc --quiet --tuples-only --no-align \
    --set ON_ERROR_STOP=1 --set user="$1" --set database="$2" --file -
}

main() {
  local known
  IFS= read -r PASSWORD || [ -n "$PASSWORD" ]
  export PASSWORD
  # It has just been started, or makes its data first.
  timeout 60 bash -c "until '$PROGRAMS/pg_isready' --quiet --host /tmp; do sleep 0.1; done"
  known=$(query "$@" <<<"SELECT count(*) FROM pg_roles WHERE rolname = :'user'")
  if [ "$known" = 0 ]; then query "$@" <<<'CREATE ROLE :"user" LOGIN CREATEDB CREATEROLE'; fi
  # The password is not in an argument and not in a log.
  query "$@" <<<$'\\getenv password PASSWORD\nSET log_min_error_statement = panic;\nALTER ROLE :"user" PASSWORD :\'password\';'
  known=$(query "$@" <<<"SELECT count(*) FROM pg_database WHERE datname = :'database'")
  if [ "$known" = 0 ]; then query "$@" <<<'CREATE DATABASE :"database" OWNER :"user"'; fi
}

main "$@"
