# Why an authority gave no certificate, and what to do about it. Sourced by ssl-manager.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# WHY is a sentence about certbot's last run; UNTIL, in seconds since 1970, is when an authority's limit ends, 0 for none.
WHY="" UNTIL=0

# Certbot adds to its log, as Debian sets it up (max-log-backups = 0, for logrotate): what a run logged is what follows the
# BEGUN bytes that were there before it.
BEGUN=0
begin_log() { BEGUN=$(stat --format %s "$LOGS/letsencrypt.log" 2>/dev/null || echo 0); }
run_log() { tail -c "+$((BEGUN + 1))" "$LOGS/letsencrypt.log" 2>/dev/null || true; }

# problem prints kind and detail of the last problem in a run's log that was the authority's answer, but for the one that
# certbot retries on its own. Source: RFC 8555, section 6.7.
problem() {
  run_log | grep -oE '"(type|detail)": *"([^"\\]|\\.)*"' | awk -F '": *"' '
    { sub(/"$/, "", $2) }
    $1 == "\"type" { kind = sub(/^urn:ietf:params:acme:error:/, "", $2) ? $2 : "" }
    $1 == "\"detail" && kind != "" && kind != "badNonce" { last = kind "\t" $2; kind = "" }
    END { print last }'
}

# limit_ends prints when a limit ends: as the authority's header has it, in seconds or as a date, or its sentence ($1), or
# else in an hour.
limit_ends() {
  local header now
  # shellcheck disable=SC2310 # run_log is one command
  header=$(run_log | grep -i '^retry-after: ' | tail -n 1 | cut -d ' ' -f 2- | tr -d '\r') ||
    header=$(grep -oE 'retry after [0-9-]+[T ][0-9:]+( UTC|Z)' <<<"$1" | cut -d ' ' -f 3-) || header=""
  printf -v now '%(%s)T' -1
  if [[ $header =~ ^[0-9]{1,9}$ ]]; then
    echo $((now + 10#$header))
  else
    { [ -n "$header" ] && date --utc --date "$header" +%s 2>/dev/null; } || echo $((now + 3600))
  fi
}

# unverified says whether it was not the authority that certbot believed to talk to.
unverified() { run_log | grep ':ERROR:' | grep -F 'certificate verify failed' >/dev/null; }

# unbound says whether the account was not registered because a binding is missing, or because the authority does not take the one that
# is set: an order is asked for with an account alone.
unbound() {
  local log
  log=$(run_log)
  [[ $log == *"Server requires external account binding"* || $log == *urn:ietf:params:acme:error:externalAccountRequired* || ($log == *'"externalAccountBinding"'* && $log != *'"identifiers"'*) ]]
}

# explain sets WHY and UNTIL.
# shellcheck disable=SC2034,SC2310 # WHY is for ssl-manager.sh; problem, unverified and passing are what a log holds, or nothing
explain() {
  local kind="" detail="" found now next retry="; after the fix: sudo /opt/berth/ssl-manager.sh generate --now"
  UNTIL=0
  found=$(problem) || found=""
  IFS=$'\t' read -r kind detail <<<"$found"
  if unverified; then
    TZ=UTC printf -v now '%(%FT%TZ)T' -1
    WHY="its own certificate is not valid for this server: the clock here ($now) is wrong, so set it (sudo timedatectl set-ntp true), or berth:acmeRoots is not its root$retry"
    return
  fi
  if passing; then
    next=$(next_look)
    WHY="it, or the way to it, is away for the moment: nothing has to be done, it is retried automatically; the next try: $next"
    return
  fi
  if unbound; then
    WHY="it registers accounts of its customers alone, by a key id and a key${detail:+ ($detail)}: take new ones from its account pages, and set both: pulumi config set berth:acmeEabKeyId KEY_ID; pulumi config set --secret berth:acmeEabKey; then run 'pulumi up'"
    return
  fi
  case $kind in
    rateLimited)
      UNTIL=$(limit_ends "$detail")
      TZ=UTC printf -v next '%(%FT%TZ)T' "$UNTIL"
      WHY="the CA's rate limit was reached ($detail): it is asked again from $next on, not sooner, and the site goes on with what it has"
      ;;
    unauthorized | connection | incorrectResponse | dns | tls)
      WHY="it did not find this server behind the names ($detail): see which other server, proxy or IPv6 address answers for them on port 80 from outside (docs/runbook/dns.md)$retry"
      ;;
    caa) WHY="a CAA record forbids it ($detail): look in the zone and in the zones above it$retry" ;;
    rejectedIdentifier | unsupportedIdentifier)
      WHY="it signs for no such name ($detail): take another (berth:domain, berth:aliases), or another authority (berth:acmeDirectory), and run 'pulumi up'"
      ;;
    invalidContact | unsupportedContact) WHY="it does not take the address in berth:acmeEmail ($detail): set another, and run 'pulumi up'" ;;
    invalidProfile) WHY="it has no such profile ($detail): set another berth:acmeProfile, and run 'pulumi up'" ;;
    "") WHY="the log says why: sudo tail -n 30 /var/log/berth/certificate.log; sudo /opt/berth/log-monitor.sh view certbot$retry" ;;
    *) WHY="$kind ($detail)$retry" ;;
  esac
}
