# One release at a time, and a record of each. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

readonly LOCK=/run/berth-release.lock AUDIT=$DATA/releases.jsonl
# Seconds that a second release waits for the first.
readonly LOCK_WITHIN=600

# operator names who is at work: the user who logged in, and from where.
operator() {
  local process=$$ client="" line
  # sudo hides the connection from us, not from our ancestors.
  while [ "$process" -gt 1 ] && [ -z "$client" ]; do
    while IFS= read -r -d '' line; do
      case $line in SSH_CONNECTION=*) client=${line#*=} client=${client%% *} ;; esac
    done 2>/dev/null <"/proc/$process/environ" || true
    while read -r line; do
      case $line in PPid:*) process=${line##*[[:space:]]} ;; esac
    done <"/proc/$process/status"
  done
  printf '%s%s\n' "${SUDO_USER:-root}" "${client:+ from $client}"
}

# take_lock waits for its turn. The lock is the kernel's, on an open file: it dies with its holder and what that
# started.
take_lock() {
  local who
  exec 8>>"$LOCK"
  if ! flock --nonblock 8; then
    say "waiting, at most $LOCK_WITHIN seconds: $(<"$LOCK") is at work"
    flock --wait "$LOCK_WITHIN" 8 || fail release-lock-held "$(<"$LOCK") is still at work after $LOCK_WITHIN seconds; look with: sudo lslocks --notruncate"
  fi
  who=$(operator)
  sign_lock "$1 by $who"
}

# sign_lock writes down what has the lock, for whoever waits: $1.
sign_lock() { TZ=UTC printf '%s since %(%FT%TZ)T' "$1" -1 >"$LOCK"; }

# audit keeps one line of JSON for every release.
audit() {
  local time who line
  read_text time date --utc +%FT%TZ
  who=$(operator)
  make_plain who
  # shellcheck disable=SC2016 # jq's variables
  read_text line jq -cn --arg time "$time" --arg who "$who" --arg action "$ACTION" --arg release "${NEW:-}" --arg commit "${COMMIT:-}" \
    --arg from "${OLD:-}" --arg result "$1" --argjson seconds "$SECONDS" --arg step "${2:-}" --arg reason "${3:-}" \
    '{time: $time, who: $who, action: $action, release: $release, commit: $commit, from: $from, result: $result, seconds: $seconds}
     + if $step == "" then {} else {failedStep: $step, reason: $reason} end'
  printf '%s\n' "$line" >>"$AUDIT"
}

history() {
  [ -s "$AUDIT" ] || need_release ""
  local last lines table
  read_text last tail -n 30 "$AUDIT"
  read_text lines jq -r '[.time, .action, (.release | if . == "" then "-" else . end), (.from | if . == "" then "-" else . end), .result, .seconds, .who, (.failedStep // "-")] | @tsv' <<<"$last"
  read_text table column -t -s $'\t' <<<$'TIME\tACTION\tRELEASE\tFROM\tRESULT\tSECONDS\tWHO\tFAILED STEP\n'"$lines"
  print "$table"
}
