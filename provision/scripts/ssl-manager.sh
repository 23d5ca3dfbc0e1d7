#!/usr/bin/env bash
# Certificates of the site: ssl-manager.sh placeholder | generate | renew | install | check | setup-cron
#   placeholder  serve the best certificate there is; make a self-signed one where there is none
#   generate     verify DNS and HTTP, ask the staging authority, then the real one
#   renew        what the timer runs: renew by fraction of life, or generate where there is no certificate yet
#   install      serve what certbot just wrote (certbot's deploy hook)
#   check        say issuer, names and end of what is served
#   setup-cron   schedule renew, twice a day with jitter
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
  local folder=$TLS/placeholder name subject=""
  if valid "$LIVE"; then
    serve "$LIVE"
    say "serving the certificate that is on the volume"
    return
  fi
  for name in $NAMES; do subject+="${subject:+,}DNS:$name"; done
  if ! valid "$folder" || ! covers "$folder"; then
    umask 077
    mkdir -p "$folder"
    # The common name is at most 64 characters long; the names that count are the alternative ones.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=placeholder" \
      -addext "subjectAltName=$subject" -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" 2>/dev/null
  fi
  serve "$folder"
  say "serving a self-signed placeholder until the real certificate is there"
}

resolves() {
  getent ahostsv4 "$1" | cut -d ' ' -f 1 | grep -Fxq "$ADDRESS"
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
      grep -Eiq 'anti-replay nonce|serverInternal|connection (refused|reset|aborted)|read timed out|temporarily unavailable' || return 1
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

generate() {
  if valid "$LIVE" && covers "$LIVE" && from_directory; then
    install_certificate
    say "the certificate for $NAMES is there already"
    return
  fi
  say "waiting for DNS, at most 3 minutes a name: $NAMES -> $ADDRESS"
  verify_dns 180 || return 1
  verify_http || return 1
  say "asking the staging authority first"
  rehearse_with_staging || {
    say "the staging authority refused; the real one was not asked; the log above says why"
    return 1
  }
  say "asking $DIRECTORY for $NAMES"
  ask "$DIRECTORY" --deploy-hook "/opt/berth/ssl-manager.sh install" || {
    say "the authority refused; the log: /var/log/letsencrypt/letsencrypt.log"
    return 1
  }
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
    generate
    return
  fi
  [ ! -s "$BERTH_ETC/acme-roots.pem" ] || export REQUESTS_CA_BUNDLE=$BERTH_ETC/acme-roots.pem
  patiently renew_once || {
    say "renewal failed; the site stays on the certificate it has; the log: /var/log/letsencrypt/letsencrypt.log"
    return 1
  }
}

# check prints one line a person and the program can read, and fails where it is not an authority's certificate.
check() {
  local issuer end
  issuer=$(openssl x509 -in "$TLS/current/fullchain.pem" -noout -issuer -nameopt multiline | sed -n 's/^ *commonName *= //p')
  end=$(date --utc --date "$(openssl x509 -in "$TLS/current/fullchain.pem" -noout -enddate | cut -d = -f 2)" +%FT%TZ)
  say "certificate issued by \"$issuer\", valid until $end"
  [ "$(readlink "$TLS/current")" = "$LIVE" ]
}

setup_cron() {
  put /etc/systemd/system/berth-certificate.service 0644 <<EOF
[Unit]
Description=Renew the site's certificate
After=network-online.target nginx.service
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=/opt/berth/ssl-manager.sh renew
EOF
  put /etc/systemd/system/berth-certificate.timer 0644 <<EOF
[Unit]
Description=Renew the site's certificate twice a day

[Timer]
OnCalendar=*-*-* 00,12:00:00
RandomizedDelaySec=6h
Persistent=true

[Install]
WantedBy=timers.target
EOF
  systemctl daemon-reload
  systemctl enable --quiet --now berth-certificate.timer
}

main() {
  need_root
  local command=${1:-}
  case $command in
    placeholder | generate | renew | check) ;;
    install) command=install_certificate ;;
    setup-cron) command=setup_cron ;;
    *) fail "usage: ssl-manager.sh placeholder | generate | renew | install | check | setup-cron" ;;
  esac
  load_settings certificate
  # The timer and an operator must not ask the authority at the same time; certbot's deploy hook runs inside.
  if [ "$command" = generate ] || [ "$command" = renew ]; then
    exec 8>/run/berth-certificate.lock
    flock --wait 600 8 || fail "another run of ssl-manager.sh has been at work for 10 minutes; look with: sudo fuser -v /run/berth-certificate.lock"
  fi
  "$command"
}

main "$@"
