#!/usr/bin/env bash
# Runs a command and prints what it prints, for the log of a workflow: show.sh COMMAND ARGUMENT…
# Commit messages of the app and answers of servers are in it: GitHub takes none of its lines for a command of the workflow
# (::add-mask::, ::error::), and what moves a terminal or hides text is taken out, as on the server.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source "${BASH_SOURCE[0]%/*}/../provision/scripts/lib.sh"

main() {
  local code=0 word
  read_text word openssl rand -hex 16
  echo "::stop-commands::$word"
  # shellcheck disable=SC2119,SC2310 # plain is one command
  "$@" 2>&1 | plain || code=$?
  # Its last line may have no end.
  printf '\n::%s::\n' "$word"
  exit "$code"
}

main "$@"
