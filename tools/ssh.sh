#!/usr/bin/env bash
# Runs a command on a stack's server, or a shell, with the stack's own key, and for no other host key than the stack's:
# ssh.sh STACK [COMMAND…]
# FORWARD=PORT:SOCKET makes a Unix socket of the server a port of this machine, for as long as the command runs.
set -euo pipefail

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# output prints the stack's output $1.
output() {
  pulumi stack output --stack "$STACK" --show-secrets "$1" ||
    fail "stack $STACK has no output $1: it was not made yet, or its settings are elsewhere; see: pulumi stack ls; make it with: pulumi up --stack $STACK"
}

main() {
  STACK=${1:-}
  [ -n "$STACK" ] || fail "usage: ssh.sh STACK [COMMAND…]"
  umask 077
  FOLDER=$(mktemp -d)
  trap 'rm -rf "$FOLDER"' EXIT
  output sshPrivateKey >"$FOLDER/key"
  output sshHostKey >"$FOLDER/known_hosts"
  local login
  local -a terminal=() forward=()
  login=$(output ssh)
  if [ -t 0 ] && [ -t 1 ]; then terminal=(-t); fi
  if [ -n "${FORWARD:-}" ]; then forward=(-o ExitOnForwardFailure=yes -L "127.0.0.1:$FORWARD"); fi
  # Nothing of the operator's own settings: another key or host key would do there. macOS's bash takes an empty array for none.
  ssh -F none -i "$FOLDER/key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$FOLDER/known_hosts" \
    -o ConnectTimeout=15 ${terminal[@]+"${terminal[@]}"} ${forward[@]+"${forward[@]}"} "${login##* }" "${@:2}"
}

main "$@"
