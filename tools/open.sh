#!/usr/bin/env bash
# Opens a stack's site in the browser, or the status page of its server; without a desktop it prints the address:
# open.sh site | status STACK
# The status page comes through SSH, with the stack's own key and host key (tools/ssh.sh), until Ctrl-C.
set -euo pipefail

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# show opens address $1, where there is a desktop, and says it in any case.
show() {
  local opener=""
  printf '%s\n' "$1"
  if [[ $OSTYPE == darwin* ]]; then
    opener=open
  elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xdg-open >/dev/null; then
    opener=xdg-open
  fi
  [ -z "$opener" ] || "$opener" "$1" >/dev/null 2>&1 || printf 'no browser could be opened; open the address yourself\n' >&2
}

site() {
  local url
  url=$(pulumi stack output --stack "$1" url) ||
    fail "stack $1 has no output url: it was not made yet, or its settings are elsewhere; see: pulumi stack ls; make it with: pulumi up --stack $1"
  show "$url"
}

# status has the server answer on a socket that it makes for this session, and SSH make a port of this machine of it. The server
# says "ready" when it listens.
status() {
  local port=$((20000 + RANDOM % 20000)) socket=/run/berth/page-$RANDOM$RANDOM.sock line
  # The port may be another program's.
  while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 20000)); done
  FORWARD=$port:$socket "${BASH_SOURCE[0]%/*}/ssh.sh" "$1" "sudo /opt/berth/status.sh --serve $socket" | while IFS= read -r line; do
    if [ "$line" = ready ]; then
      show "http://127.0.0.1:$port/"
      printf 'The page refreshes itself every minute. Ctrl-C ends it.\n'
    else
      printf '%s\n' "$line"
    fi
  done
}

main() {
  case ${1:-} in
    site | status) [ $# -eq 2 ] || fail "usage: open.sh site | status STACK" ;;
    *) fail "usage: open.sh site | status STACK" ;;
  esac
  "$1" "$2"
}

main "$@"
