#!/usr/bin/env bash
# Runs one step of the provisioning: step.sh NAME SECONDS, with the step's settings on standard input. What the step
# says goes to the operator, everything else to its log; a failure shows the log's last lines.
set -euo pipefail

readonly LOGS=/var/log/berth

main() {
  local name=$1 limit=$2 log code=0
  umask 077
  mkdir -p "$LOGS"
  log=$LOGS/$name.log

  # An operator who lost the connection runs 'pulumi up' again while the first run may still be at work here.
  exec 9>"/run/berth-step-$name.lock"
  flock --wait "$limit" 9 || {
    echo "$name: an earlier run of this step is still at work after $limit seconds; look with: sudo fuser -v /run/berth-step-$name.lock" >&2
    exit 1
  }
  printf '\n=== %s %s\n' "$(date --utc +%FT%TZ)" "$name" >>"$log"
  # What is told to end may have to put things back first.
  timeout --kill-after=180 "$limit" bash "/opt/berth/steps/$name.sh" 3>&1 >>"$log" 2>&1 9>&- || code=$?
  # What a step left unread would end its SSH session with an error.
  [ -t 0 ] || cat >/dev/null
  [ "$code" -ne 0 ] || return 0

  echo "--- the last lines of the log" >&2
  tail -n 20 "$log" | cut -c 1-300 >&2
  case $code in
    124 | 137) echo "$name: did not finish within $limit seconds" >&2 ;;
  esac
  echo "$name: failed; the whole log on the server: $log; when it is mended, run 'pulumi up' again" >&2
  exit "$code"
}

main "$@"
