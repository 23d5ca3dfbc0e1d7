#!/usr/bin/env bash
# confined.sh SOURCE FILE: prints what Compose makes of FILE of the checkout SOURCE, with the variables of the .env.production
# beside it. Compose opens whatever the file names (include, extends, env_file and more), and follows links: it runs where there
# is nothing but the checkout, which it cannot write, and itself, without a network, as a user to whom nothing belongs.
#
# plan.sh runs it in namespaces of its own, so that what is mounted here is mounted for nobody else.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

# VIEW becomes Compose's root folder.
readonly COMPOSE=/usr/libexec/docker/cli-plugins/docker-compose VIEW=/mnt USER_ID=65533

# show_file has file $1 be in the view, by the same path.
show_file() {
  mkdir -p "$VIEW${1%/*}"
  touch "$VIEW$1"
  mount --bind "$1" "$VIEW$1"
}

main() {
  local libraries line
  umask 022
  read_text libraries ldd "$COMPOSE"
  mount -t tmpfs -o mode=0755,size=1m,nosuid,nodev tmpfs "$VIEW"
  show_file "$COMPOSE"
  # "NAME => PATH (ADDRESS)", or without a name the loader itself.
  while read -r line; do
    [[ $line =~ (/[^ ]+)\ \( ]] || continue
    show_file "${BASH_REMATCH[1]}"
  done <<<"$libraries"
  mkdir -p "$VIEW$1"
  mount --bind "$1" "$VIEW$1"
  mount -o remount,bind,ro,nosuid,nodev,noexec "$VIEW$1"
  exec env -i HOME=/root /usr/sbin/chroot --userspec="$USER_ID:$USER_ID" --groups='' "$VIEW" \
    "$COMPOSE" --project-name app --env-file "${2%/*}/.env.production" --file "$2" config --format json 3>&- 8>&-
}

main "$@"
