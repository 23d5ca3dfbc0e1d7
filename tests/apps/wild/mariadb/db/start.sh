#!/usr/bin/env bash
# Runs MariaDB with the environment of its official image, after making the database where the volume holds none.
set -euo pipefail

main() {
  [ -d /var/lib/mysql/mysql ] || mariadb-install-db --skip-test-db >/dev/null
  printf "CREATE DATABASE IF NOT EXISTS %s;\nALTER USER root@localhost IDENTIFIED BY '%s';\n" "$MARIADB_DATABASE" "$MARIADB_ROOT_PASSWORD" >/tmp/init.sql
  exec mariadbd --init-file=/tmp/init.sql --innodb-buffer-pool-size=24M --performance-schema=off
}

main "$@"
