#!/usr/bin/env bash
# Certificates of the site: ssl-manager.sh placeholder | generate | renew | install | check | revert | setup-cron
#   placeholder       serve the best certificate there is; make a self-signed one where there is none
#   generate [--now]  verify DNS and HTTP, ask the staging authority, then the real one; --now passes over the pause
#                     after a refusal
#   renew             what the timer runs: renew by fraction of life, or generate where there is no certificate yet
#   install           serve what certbot just wrote (certbot's deploy hook)
#   check [--json]    issuer, names, end, chain, whether it is what is served, when renewal is due; the exit code is 0
#                     when all is well, 1 for a warning (the placeholder is one), 2 when visitors are warned or soon will be
#   revert            serve the self-signed placeholder again; install goes back
#   setup-cron        schedule renew, twice a day with jitter
# Settings: /etc/berth/certificate.env, written by 'pulumi up': NAMES, ADDRESS, EMAIL, DIRECTORY, STAGING_DIRECTORY.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

readonly TLS=$DATA/tls CERTIFICATE_NAME=berth WEBROOT=/var/lib/berth/acme
LOGS=/var/log/letsencrypt
readonly LIVE=/etc/letsencrypt/live/$CERTIFICATE_NAME

# serve points nginx's certificate at a folder that holds fullchain.pem and privkey.pem.
serve() {
  install -d -m 0700 "$TLS"
  ln -sfn "$1" "$TLS/current.new"
  mv -T "$TLS/current.new" "$TLS/current"
}

valid() {
  [ -s "$1/fullchain.pem" ] && openssl x509 -in "$1/fullchain.pem" -noout -checkend 0 >/dev/null
}

# covers says whether a certificate holds exactly the site's names.
covers() {
  local held wanted
  held=$(openssl x509 -in "$1/fullchain.pem" -noout -ext subjectAltName 2>/dev/null | grep -o 'DNS:[^, ]*' | cut -d : -f 2 | sort)
  wanted=$(tr ' ' '\n' <<<"$NAMES" | sort)
  [ "$held" = "$wanted" ]
}

placeholder() {
  if valid "$LIVE"; then
    serve "$LIVE"
    say "serving the certificate that is on the volume"
    return
  fi
  self_signed
  serve "$TLS/placeholder"
  say "serving a self-signed placeholder until the real certificate is there"
}

# self_signed makes sure of the placeholder.
self_signed() {
  local folder=$TLS/placeholder name subject=""
  for name in $NAMES; do subject+="${subject:+,}DNS:$name"; done
  if ! valid "$folder" || ! covers "$folder"; then
    umask 077
    mkdir -p "$folder"
    # The common name is at most 64 characters long; the names that count are the alternative ones.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=placeholder" \
      -addext "subjectAltName=$subject" -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" 2>/dev/null
  fi
}

resolves() {
  getent ahostsv4 "$1" | cut -d ' ' -f 1 | grep -Fx "$ADDRESS" >/dev/null
}

# verify_dns waits for every name to lead here: a try that fails counts against the authority's limits.
verify_dns() {
  local name
  for name in $NAMES; do
    await "$1" resolves "$name" || {
      say "$name does not lead to $ADDRESS (it leads to: $(getent ahostsv4 "$name" | cut -d ' ' -f 1 | sort -u | paste -sd ' ')); point it there, or delegate the zone to the name servers that 'pulumi stack output nameServers' shows"
      return 1
    }
  done
}

verify_http() {
  local name token=berth-$RANDOM$RANDOM answer
  put "$WEBROOT/.well-known/acme-challenge/$token" 0644 <<<"$token"
  for name in $NAMES; do
    answer=$(curl --silent --max-time 10 "http://$name/.well-known/acme-challenge/$token") || true
    if [ "$answer" != "$token" ]; then
      say "http://$name/ does not answer from this server; is port 80 open to the world?"
      rm -f "$WEBROOT/.well-known/acme-challenge/$token"
      return 1
    fi
  done
  rm -f "$WEBROOT/.well-known/acme-challenge/$token"
}

# patiently runs certbot again when what failed was a matter of the moment, on the authority's side or on the way
# there; a refusal is not tried again. certbot begins its log anew in every run.
patiently() {
  local try
  for try in 1 2 3; do
    "$@" && return
    grep ':ERROR:' "$LOGS/letsencrypt.log" 2>/dev/null |
      grep -Ei 'anti-replay nonce|serverInternal|connection (refused|reset|aborted)|read timed out|temporarily unavailable' >/dev/null || return 1
    [ "$try" -eq 3 ] || say "that did not go through, but may in a moment; trying again"
    sleep $((try * 3))
  done
  return 1
}

# ask gets a certificate from directory $1; the other arguments go to certbot, with $LOGS its folder of logs.
ask() { patiently ask_once "$@"; }

ask_once() {
  local directory=$1 name arguments=()
  shift
  for name in $NAMES; do arguments+=(--domain "$name"); done
  [ ! -s "$BERTH_ETC/acme-roots.pem" ] || export REQUESTS_CA_BUNDLE=$BERTH_ETC/acme-roots.pem
  timeout 300 certbot certonly --non-interactive --quiet --agree-tos --email "$EMAIL" --server "$directory" \
    --logs-dir "$LOGS" --webroot --webroot-path "$WEBROOT" --cert-name "$CERTIFICATE_NAME" --renew-with-new-domains \
    "${arguments[@]}" "$@"
}

rehearse_with_staging() {
  local folder code=0
  folder=$(mktemp -d)
  mkdir "$folder/logs"
  LOGS=$folder/logs ask "$STAGING_DIRECTORY" --config-dir "$folder/config" --work-dir "$folder/work" || code=$?
  [ "$code" -eq 0 ] || tail -n 20 "$folder/logs/letsencrypt.log" 2>/dev/null || true
  rm -rf "$folder"
  return "$code"
}

# from_directory says whether the certificate on the volume came from the authority that is set.
from_directory() {
  # shellcheck disable=SC2153 # load_settings sets it
  grep -Fxq "server = $DIRECTORY" "/etc/letsencrypt/renewal/$CERTIFICATE_NAME.conf" 2>/dev/null
}

# An authority that refused is asked again after a pause: an hour, then twice as long each time, at most twelve. Source of
# the first: Let's Encrypt allows five failed validations of a name an hour. Other names begin anew.
readonly REFUSED=$TLS/refused PAUSE=3600 LONGEST_PAUSE=43200

# refused notes a refusal.
refused() {
  local times=0
  if [ -s "$REFUSED" ] && [ "$(sed -n 3p "$REFUSED")" = "$NAMES" ]; then times=$(sed -n 2p "$REFUSED"); fi
  printf '%s\n%s\n%s\n' "$(date +%s)" $((times + 1)) "$NAMES" | put "$REFUSED" 0600
}

# pausing says whether it is too early to ask again.
pausing() {
  local pause next
  if [ ! -s "$REFUSED" ] || [ "$(sed -n 3p "$REFUSED")" != "$NAMES" ]; then return 1; fi
  pause=$((PAUSE << ($(sed -n 2p "$REFUSED") - 1)))
  [ "$pause" -le "$LONGEST_PAUSE" ] || pause=$LONGEST_PAUSE
  next=$(($(sed -n 1p "$REFUSED") + pause))
  [ "$(date +%s)" -lt "$next" ] || return 1
  say "the authority refused before, so it is asked again from $(date --utc --date "@$next" +%FT%TZ) on; sooner: sudo /opt/berth/ssl-manager.sh generate --now"
}

# shellcheck disable=SC2120 # the command line's
generate() {
  if valid "$LIVE" && covers "$LIVE" && from_directory; then
    install_certificate
    say "the certificate for $NAMES is there already"
    return
  fi
  if [ "${1:-}" != --now ] && pausing; then return 1; fi
  say "waiting for DNS, at most 3 minutes a name: $NAMES -> $ADDRESS"
  verify_dns 180 || return 1
  verify_http || return 1
  say "asking the staging authority first"
  rehearse_with_staging || {
    refused
    say "the staging authority refused; the real one was not asked; the log above says why"
    return 1
  }
  say "asking $DIRECTORY for $NAMES"
  ask "$DIRECTORY" --deploy-hook "/opt/berth/ssl-manager.sh install" || {
    refused
    say "the authority refused; the log: /var/log/letsencrypt/letsencrypt.log"
    return 1
  }
  rm -f "$REFUSED"
  install_certificate
}

install_certificate() {
  valid "$LIVE" || fail "there is no valid certificate in $LIVE"
  if [ "$(readlink "$TLS/current")" != "$LIVE" ]; then serve "$LIVE"; fi
  reload_nginx
}

# renew_once asks only when a third of the certificate's life is left: that is certbot's own rule.
renew_once() {
  timeout 600 certbot renew --non-interactive --cert-name "$CERTIFICATE_NAME" --no-random-sleep-on-renew
}

renew() {
  if [ ! -e "/etc/letsencrypt/renewal/$CERTIFICATE_NAME.conf" ]; then
    # shellcheck disable=SC2119
    generate
    return
  fi
  [ ! -s "$BERTH_ETC/acme-roots.pem" ] || export REQUESTS_CA_BUNDLE=$BERTH_ETC/acme-roots.pem
  patiently renew_once || {
    say "renewal failed; the site stays on the certificate it has; the log: /var/log/letsencrypt/letsencrypt.log"
    return 1
  }
}

# field prints a date of the served certificate, startdate or enddate, in seconds since 1970.
field() { date --utc --date "$(openssl x509 -in "$TLS/current/fullchain.pem" -noout "-$1" | cut -d = -f 2)" +%s; }

fingerprint() { openssl x509 -noout -fingerprint -sha256 2>/dev/null; }

# check says how the certificate is. Its first line is what the program reads.
check() {
  local file=$TLS/current/fullchain.pem issuer begin end life left severity=0 reason
  issuer=$(openssl x509 -in "$file" -noout -issuer -nameopt multiline | sed -n 's/^ *commonName *= //p')
  begin=$(field startdate)
  end=$(field enddate)
  life=$((end - begin))
  left=$((end - $(date +%s)))
  reason="issued by $issuer, $((left / 86400)) days left"
  if [ "$(readlink "$TLS/current")" != "$LIVE" ]; then
    severity=1 reason="self-signed until an authority signs it; why it did not: sudo tail /var/log/berth/certificate.log; try now: sudo /opt/berth/ssl-manager.sh generate"
  elif [ "$left" -le $((life / 12)) ]; then
    severity=2 reason="$((left / 3600)) hours left, and renewal was due $(((left - life / 3) / -3600)) hours ago; why it failed: sudo tail -n 30 /var/log/letsencrypt/letsencrypt.log; try now: sudo /opt/berth/ssl-manager.sh renew"
  elif [ "$left" -le $((life / 6)) ]; then
    severity=1 reason="$((left / 86400)) days left, and renewal was due at a third of its life; why it failed: sudo tail -n 30 /var/log/letsencrypt/letsencrypt.log; try now: sudo /opt/berth/ssl-manager.sh renew"
  elif ! covers "$TLS/current"; then
    severity=1 reason="it does not hold exactly the site's names ($NAMES); get another: sudo /opt/berth/ssl-manager.sh generate"
  fi
  if [ "$(timeout 10 openssl s_client -connect 127.0.0.1:443 -servername "${NAMES%% *}" </dev/null 2>/dev/null | fingerprint)" != "$(fingerprint <"$file")" ]; then
    severity=2 reason="what nginx serves is not what is on disk; look with: sudo nginx -t; and reload: sudo systemctl reload nginx"
  elif [ "$severity" -eq 0 ] && ! chained "$file"; then
    severity=2 reason="its chain is broken: the second certificate in $file did not sign the first; get another: sudo /opt/berth/ssl-manager.sh renew"
  fi
  if [ "${1:-}" = --json ]; then
    jq -n --arg issuer "$issuer" --argjson end "$end" --argjson days $((left / 86400)) --argjson severity "$severity" --arg reason "$reason" --arg names "$NAMES" --argjson due $((end - life / 3)) \
      '{severity: $severity, reason: $reason, issuer: $issuer, names: ($names | split(" ")), days: $days, validUntil: ($end | todate), renewalDue: ($due | todate)}'
  else
    say "certificate issued by \"$issuer\", valid until $(date --utc --date "@$end" +%FT%TZ)"
    say "names: $(openssl x509 -in "$file" -noout -ext subjectAltName | grep -o 'DNS:[^, ]*' | cut -d : -f 2 | paste -sd ' '); renewal is due on $(date --utc --date "@$((end - life / 3))" +%F); next look: $(systemctl show berth-certificate.timer --property NextElapseUSecRealtime --value 2>/dev/null || echo never)"
    [ "$severity" -eq 0 ] || say "$reason"
  fi
  return "$severity"
}

# chained says whether every certificate of file $1 was signed by the one after it.
chained() {
  local folder count part
  folder=$(mktemp -d)
  csplit --quiet --elide-empty-files --prefix "$folder/" "$1" '/BEGIN CERTIFICATE/' '{*}'
  count=$(find "$folder" -type f | wc -l)
  for ((part = 0; part < count - 1; part++)); do
    openssl verify -partial_chain -no_check_time -trusted "$folder/$(printf %02d $((part + 1)))" "$folder/$(printf %02d "$part")" >/dev/null 2>&1 || {
      rm -rf "$folder"
      return 1
    }
  done
  rm -rf "$folder"
  [ "$count" -gt 1 ]
}

# revert serves the placeholder, whatever there is.
revert() {
  self_signed
  serve "$TLS/placeholder"
  reload_nginx
  say "serving the self-signed placeholder; go back with: sudo /opt/berth/ssl-manager.sh install"
}

setup_cron() {
  timer berth-certificate "Renew the site's certificate" "/opt/berth/ssl-manager.sh renew" "OnCalendar=*-*-* 00,12:00:00
RandomizedDelaySec=6h
Persistent=true"
}

main() {
  need_root
  local command=${1:-}
  case $command in
    placeholder | generate | renew | check | revert) ;;
    install) command=install_certificate ;;
    setup-cron) command=setup_cron ;;
    *) fail "usage: ssl-manager.sh placeholder | generate [--now] | renew | install | check [--json] | revert | setup-cron" ;;
  esac
  load_settings certificate
  # The timer and an operator must not ask the authority at the same time; certbot's deploy hook runs inside.
  if [ "$command" = generate ] || [ "$command" = renew ]; then
    exec 8>/run/berth-certificate.lock
    flock --wait 600 8 || fail "another run of ssl-manager.sh has been at work for 10 minutes; look with: sudo fuser -v /run/berth-certificate.lock"
  fi
  "$command" "${@:2}"
}

main "$@"
