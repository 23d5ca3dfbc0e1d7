# One release at a time, and a record of each. Sourced by deploy.sh.
# shellcheck shell=bash disable=SC2034

readonly LOCK=/run/berth-release.lock AUDIT=$DATA/releases.jsonl
# Seconds that a second release waits for the first.
readonly LOCK_WITHIN=600

# operator names who is at work: the user who logged in, and from where.
operator() {
  local process=$$ client=""
  # sudo hides the connection from us, not from our ancestors.
  while [ "$process" -gt 1 ] && [ -z "$client" ]; do
    client=$(tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=\([^ ]*\).*/\1/p') || true
    process=$(sed -n 's/^PPid:\t//p' "/proc/$process/status")
  done
  printf '%s%s\n' "${SUDO_USER:-root}" "${client:+ from $client}"
}

# take_lock waits for its turn. The lock is the kernel's, on an open file: it dies with its holder and what that
# started.
take_lock() {
  exec 8>>"$LOCK"
  if ! flock --nonblock 8; then
    say "waiting, at most $LOCK_WITHIN seconds: $(cat "$LOCK") is at work"
    flock --wait "$LOCK_WITHIN" 8 || fail "$(cat "$LOCK") is still at work after $LOCK_WITHIN seconds; look with: sudo lslocks --notruncate"
  fi
  printf '%s by %s since %s' "$1" "$(operator)" "$(date --utc +%FT%TZ)" >"$LOCK"
}

# audit keeps one line of JSON for every release.
audit() {
  jq -cn --arg time "$(date --utc +%FT%TZ)" --arg who "$(operator)" --arg action "$ACTION" --arg release "${NEW:-}" --arg commit "${COMMIT:-}" \
    --arg from "${OLD:-}" --arg result "$1" --argjson seconds "$SECONDS" --arg step "${2:-}" --arg reason "${3:-}" \
    '{time: $time, who: $who, action: $action, release: $release, commit: $commit, from: $from, result: $result, seconds: $seconds}
     + if $step == "" then {} else {failedStep: $step, reason: $reason} end' >>"$AUDIT"
}

history() {
  [ -s "$AUDIT" ] || fail "nothing was released yet; release with: pulumi up"
  {
    printf 'TIME\tACTION\tRELEASE\tFROM\tRESULT\tSECONDS\tWHO\tFAILED STEP\n'
    tail -n 30 "$AUDIT" | jq -r '[.time, .action, (.release | if . == "" then "-" else . end), (.from | if . == "" then "-" else . end), .result, .seconds, .who, (.failedStep // "-")] | @tsv'
  } | column -t -s $'\t' >&3
}
