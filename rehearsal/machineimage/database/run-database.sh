#!/usr/bin/env bash
# Runs Postgres on the data of its volume, which it makes where there is none. As in RDS, whoever comes from the network needs TLS and
# a password.
set -euo pipefail

DATA=/var/lib/postgresql/data
PROGRAMS=/usr/lib/postgresql/17/bin

main() {
  chown postgres:postgres /var/lib/postgresql
  if [ ! -e "$DATA/PG_VERSION" ]; then
    rm -rf "$DATA"
    setpriv --reuid postgres --regid postgres --init-groups "$PROGRAMS/initdb" --auth-local peer --auth-host reject --pgdata "$DATA" --encoding UTF8 --locale C.UTF-8
    printf '%s\n' 'local all all peer' 'hostssl all all all scram-sha-256' >"$DATA/pg_hba.conf"
  fi
  exec setpriv --reuid postgres --regid postgres --init-groups "$PROGRAMS/postgres" -D "$DATA" -c 'listen_addresses=*' -c unix_socket_directories=/tmp \
    -c ssl=on -c ssl_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem -c ssl_key_file=/etc/ssl/private/ssl-cert-snakeoil.key
}

main "$@"
