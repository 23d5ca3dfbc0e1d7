# Asking an authority, within its limits. Sourced by ssl-manager.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# PASSING is the exit code for what is a matter of the moment and no refusal.
readonly PASSING=75

# passing says whether certbot's last run failed for a matter of the moment, on the authority's side or on the way there.
# shellcheck disable=SC2310 # problem is what a log holds, or nothing
passing() {
  local found
  found=$(problem) || found=""
  [[ $found != serverInternal* ]] || return 0
  run_log | grep ':ERROR:' |
    grep -Ei 'anti-replay nonce|serverInternal|connection (refused|reset|aborted)|timed out|timeout=|no route to host|network is unreachable|temporarily unavailable|name resolution|name or service not known' >/dev/null
}

# patiently runs certbot again when what failed may go well in a moment; a refusal is not tried again. A failure is explained.
# shellcheck disable=SC2310 # unverified and passing are one pipe each
patiently() {
  local try
  for try in 1 2 3; do
    begin_log
    "$@" && return
    explain
    ! unverified || return "$PASSING"
    passing || return 1
    [ "$try" -lt 3 ] || return "$PASSING"
    say "that did not go through, but may in a moment; trying again"
    sleep $((try * 3))
  done
}

trust_roots() { [ ! -s "$BERTH_ETC/acme-roots.pem" ] || export REQUESTS_CA_BUNDLE=$BERTH_ETC/acme-roots.pem; }

# ask gets a certificate from directory $1; the other arguments go to certbot, with $LOGS its folder of logs.
ask() { patiently ask_once "$@"; }

ask_once() {
  local directory=$1 name arguments=()
  shift
  for name in $NAMES; do arguments+=(--domain "$name"); done
  # The key of an account's binding must not be an argument, which every user of the server sees.
  [ ! -s "$BERTH_ETC/account-binding.ini" ] || arguments+=(--config "$BERTH_ETC/account-binding.ini")
  [ -z "${PROFILE:-}" ] || arguments+=(--required-profile "$PROFILE")
  trust_roots
  # It is asked because another certificate is wanted, so none that stands is a reason not to.
  timeout 300 certbot certonly --non-interactive --quiet --agree-tos --email "$EMAIL" --server "$directory" \
    --logs-dir "$LOGS" --webroot --webroot-path "$WEBROOT" --cert-name "$CERTIFICATE_NAME" --renew-with-new-domains --force-renewal \
    "${arguments[@]}" "$@" 2>&1 | plain
}

readonly ACCOUNTS=/etc/letsencrypt/accounts

rehearse_with_staging() {
  local folder code=0
  read_text folder mktemp -d
  mkdir "$folder/logs" "$folder/config" || return 1
  # An account is registered once: authorities limit how many, and the key of a binding may be good for one.
  install -d -m 0700 "$ACCOUNTS" || return 1
  ln -s "$ACCOUNTS" "$folder/config/accounts" || return 1
  # shellcheck disable=SC2310 # ask checks each of its commands
  LOGS=$folder/logs ask "$STAGING_DIRECTORY" --config-dir "$folder/config" --work-dir "$folder/work" || code=$?
  [ "$code" -eq 0 ] || tail -n 20 "$folder/logs/letsencrypt.log" 2>/dev/null | plain || true
  rm -rf "$folder"
  return "$code"
}

renew_once() {
  trust_roots
  timeout 600 certbot renew --non-interactive --quiet --cert-name "$CERTIFICATE_NAME" --force-renewal --no-random-sleep-on-renew 2>&1 | plain
}

# An authority that refused is asked again after a pause: an hour, then twice as long each time, at most twelve. Source of
# the first: Let's Encrypt allows five failed validations of a name an hour. Who asks otherwise starts again: for other names, another
# authority, another profile, or with another binding of the account.
readonly REFUSED=$TLS/refused PAUSE=3600 LONGEST_PAUSE=43200

# asked_how identifies all that but the names, without showing it.
asked_how() {
  local sum
  read_text sum sha256sum <<<"${DIRECTORY:-} ${PROFILE:-} $(cat "$BERTH_ETC/account-binding.ini" 2>/dev/null || true)"
  printf '%s\n' "${sum%% *}"
}

# last_refusal sets AT, TIMES and ENDS to when these names were refused last, the how-manieth time that was, and until when at
# least; it fails where they were not. What the volume holds is no number before it is checked: $((…)) runs what is in one.
last_refusal() {
  local how
  local -a before=()
  [ -s "$REFUSED" ] || return 1
  mapfile -t before <"$REFUSED"
  read_text how asked_how
  [ "${before[2]:-}" = "$NAMES" ] && [ "${before[4]:-$how}" = "$how" ] || return 1
  [[ "${before[0]} ${before[1]} ${before[3]:-0}" =~ ^[1-9][0-9]{0,10}\ [1-9][0-9]{0,5}\ (0|-?[1-9][0-9]{0,14})$ ]] ||
    fail refusal-record-damaged "$REFUSED is damaged, so it cannot be told when the authority may be asked again; nothing was asked. Fix: sudo rm $REFUSED"
  AT=${before[0]} TIMES=${before[1]} ENDS=${before[3]:-0}
}

# refused notes a refusal, which an authority that was not reached ($1 is PASSING) did not give.
# shellcheck disable=SC2310 # last_refusal checks what it reads
refused() {
  local AT TIMES=0 ENDS how
  [ "$1" -ne "$PASSING" ] || return 0
  last_refusal || TIMES=0
  read_text how asked_how
  printf '%(%s)T\n%s\n%s\n%s\n%s\n' -1 $((TIMES + 1)) "$NAMES" "$UNTIL" "$how" | put "$REFUSED" 0600
}

# limited says whether a limit of the authority's has not ended yet.
# shellcheck disable=SC2310 # last_refusal checks what it reads
limited() {
  local now until AT TIMES ENDS
  last_refusal || return 1
  printf -v now '%(%s)T' -1
  [ "$now" -lt "$ENDS" ] || return 1
  TZ=UTC printf -v until '%(%FT%TZ)T' "$ENDS"
  say "the CA's rate limit was reached, so it is asked again from $until on; the site goes on with what it has"
}

# pausing says whether it is too early to ask again.
# shellcheck disable=SC2310 # last_refusal checks what it reads, limited is a list of tests
pausing() {
  local pause next now AT TIMES ENDS
  last_refusal || return 1
  # Five hours' doubling is beyond the longest pause, and a shift by more than a word holds is none.
  pause=$((PAUSE << (TIMES < 6 ? TIMES - 1 : 5)))
  [ "$pause" -le "$LONGEST_PAUSE" ] || pause=$LONGEST_PAUSE
  next=$((AT + pause))
  ! limited || return 0
  printf -v now '%(%s)T' -1
  [ "$now" -lt "$next" ] || return 1
  TZ=UTC printf -v next '%(%FT%TZ)T' "$next"
  say "the authority refused before, so it is asked again from $next on; sooner: sudo /opt/berth/ssl-manager.sh generate --now"
}
