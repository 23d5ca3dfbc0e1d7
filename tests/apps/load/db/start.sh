#!/usr/bin/env bash
# Runs Postgres, after making the database where the volume holds none: beside its place, then moved there, so that an
# interrupted first start leaves nothing that looks like a database.
set -euo pipefail

readonly VOLUME=/var/lib/postgresql/data
export PGDATA=$VOLUME/17

make_database() {
  local new=$VOLUME/new
  rm -rf "$new"
  # Who is inside the container is trusted; who comes over the network needs the password.
  initdb --pgdata "$new" --username "$POSTGRES_USER" --pwfile <(printf '%s' "$POSTGRES_PASSWORD") \
    --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8
  printf 'host all all all scram-sha-256\n' >>"$new/pg_hba.conf"
  printf 'CREATE DATABASE "%s";\n' "$POSTGRES_DB" | postgres --single -D "$new" -j postgres >/dev/null
  mv "$new" "$PGDATA"
}

main() {
  [ -d "$PGDATA" ] || make_database
  exec postgres -c config_file=/etc/postgresql/postgresql.conf -c data_directory="$PGDATA" \
    -c hba_file="$PGDATA/pg_hba.conf" -c ident_file="$PGDATA/pg_ident.conf"
}

main "$@"
