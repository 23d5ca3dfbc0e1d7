#!/usr/bin/env bash
# Certificates of the site: ssl-manager.sh placeholder | generate | renew | install | check | revert | schedule
#   placeholder       serve the best certificate there is; make a self-signed one where there is none
#   generate [--now]  verify DNS and HTTP, ask the staging authority, then the real one; --now passes over the pause
#                     after a refusal
#   renew             what the timer runs: renew by fraction of life, or generate where there is no certificate as it is set
#   install           serve what certbot just wrote (certbot's deploy hook)
#   check [--json]    issuer, names, end, chain, whether it is what is served, when renewal is due; the exit code is 0
#                     when all is well, 1 for a warning (the placeholder is one), 2 when visitors are warned or soon will be
#   revert            serve the self-signed placeholder again; install goes back
#   schedule          have systemd run renew twice a day, with jitter
# Settings: /etc/berth/certificate.json, written by 'pulumi up': NAMES, ADDRESS, EMAIL, DIRECTORY, STAGING_DIRECTORY,
# PROFILE.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

# shellcheck disable=SC2034 # for the parts below
readonly TLS=$DATA/tls CERTIFICATE_NAME=berth WEBROOT=/var/lib/berth/acme
# shellcheck disable=SC2034 # for the parts below
LOGS=/var/log/letsencrypt
readonly LIVE=/etc/letsencrypt/live/$CERTIFICATE_NAME
# shellcheck source=provision/scripts/certificate/state.sh
source /opt/berth/certificate/state.sh
# shellcheck source=provision/scripts/certificate/verify.sh
source /opt/berth/certificate/verify.sh
# shellcheck source=provision/scripts/certificate/reason.sh
source /opt/berth/certificate/reason.sh
# shellcheck source=provision/scripts/certificate/ask.sh
source /opt/berth/certificate/ask.sh

# serve points nginx's certificate at a folder that holds fullchain.pem and privkey.pem.
serve() {
  install -d -m 0700 "$TLS"
  ln -sfn "$1" "$TLS/current.new"
  mv -T "$TLS/current.new" "$TLS/current"
}

# shellcheck disable=SC2310 # valid is one list
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
# shellcheck disable=SC2310 # valid is one list, and covers checks each of its commands
self_signed() {
  local folder=$TLS/placeholder name subject=""
  for name in $NAMES; do subject+="${subject:+,}DNS:$name"; done
  if ! valid "$folder" || ! covers "$folder"; then
    umask 077
    mkdir -p "$folder"
    # The common name is at most 64 characters long; the names that count are the alternative ones.
    if ! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=placeholder" \
      -addext "subjectAltName=$subject" -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" 2>/dev/null || ! valid "$folder"; then
      fail placeholder-not-made "openssl makes no certificate in $folder; what nginx serves stays as it is; look with: sudo openssl version"
    fi
  fi
}

# generate asks for a certificate where the one that stands is not what is set.
# shellcheck disable=SC2120,SC2310 # the command line's; all that is asked checks each of its commands
generate() {
  local code answer
  if valid "$LIVE" && covers "$LIVE" && as_set; then
    install_certificate
    say "the certificate for $NAMES is there already"
    return
  fi
  if [ "${1:-}" != --now ] && pausing; then exit 1; fi
  say "waiting for DNS, at most 3 minutes a name: $NAMES -> $ADDRESS"
  verify_dns 180 || exit 1
  verify_http || exit 1
  say "asking the staging authority first"
  rehearse_with_staging || {
    code=$?
    refused "$code"
    answer=$(answered "$code")
    say "the staging authority $answer; the real one was not asked; $WHY"
    exit 1
  }
  say "asking $DIRECTORY for $NAMES"
  ask "$DIRECTORY" --deploy-hook "/opt/berth/ssl-manager.sh install" || {
    code=$?
    refused "$code"
    answer=$(answered "$code")
    say "the authority $answer; $WHY"
    exit 1
  }
  rm -f "$REFUSED"
  install_certificate
}

answered() { if [ "$1" -eq "$PASSING" ]; then echo "cannot be reached"; else echo refused; fi; }

# shellcheck disable=SC2310 # valid is one list
install_certificate() {
  valid "$LIVE" || fail certificate-missing "there is no valid certificate in $LIVE to install; try for one: sudo /opt/berth/ssl-manager.sh generate"
  if ! [ "$TLS/current" -ef "$LIVE" ]; then serve "$LIVE"; fi
  # A release that tries routes puts back at once what nginx refuses of them.
  await 10 nginx -t -q 2>/dev/null || true
  reload_nginx
}

# renew asks when it is time, and the authority would find the site.
# shellcheck disable=SC2310 # all that is asked checks each of its commands
renew() {
  local END LEFT MARGIN all next
  if ! whole "$LIVE" || ! covers "$LIVE" || ! as_set; then
    # shellcheck disable=SC2119
    generate
    return
  fi
  read_text all times "$LIVE"
  read -r END _ LEFT MARGIN <<<"$all"
  if [ "$LEFT" -gt "$MARGIN" ]; then
    read_text next date --utc --date "@$((END - MARGIN))" +%F
    say "renewal is due on $next"
    return
  fi
  ! limited || exit 1
  if verify_dns 15 && verify_http; then
    if patiently renew_once; then
      rm -f "$REFUSED"
      return
    fi
    [ "$UNTIL" -eq 0 ] || refused 1
    say "$WHY"
  fi
  next=$(next_look)
  say "renewal failed; the site stays on the certificate it has; the next try: $next"
  exit 1
}

# revert serves the placeholder, whatever there is.
revert() {
  self_signed
  serve "$TLS/placeholder"
  reload_nginx
  say "serving the self-signed placeholder; go back with: sudo /opt/berth/ssl-manager.sh install"
}

schedule() {
  timer berth-certificate "Renew the site's certificate" "/opt/berth/ssl-manager.sh renew" 0 0,12 21600
}

main() {
  need_root
  local command=${1:-}
  case $command in
    placeholder | generate | renew | check | revert | schedule) ;;
    install) command=install_certificate ;;
    *) fail arguments-invalid "usage: ssl-manager.sh placeholder | generate [--now] | renew | install | check [--json] | revert | schedule" ;;
  esac
  load_settings certificate NAMES ADDRESS EMAIL DIRECTORY STAGING_DIRECTORY PROFILE
  # The timer and an operator must not ask the authority at the same time; certbot's deploy hook runs inside.
  if [ "$command" = generate ] || [ "$command" = renew ]; then
    exec 8>/run/berth-certificate.lock
    flock --wait 600 8 || fail certificate-lock-held "another run of ssl-manager.sh has been at work for 10 minutes; look with: sudo lslocks --notruncate"
  fi
  "$command" "${@:2}"
}

main "$@"
