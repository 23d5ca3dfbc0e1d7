# How the site's certificate is. Sourced by ssl-manager.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# whole says whether there is a certificate in folder $1, and all of its chain can be read: a power cut may leave half of it.
# That openssl itself does not work says nothing about it, and ends the script.
whole() {
  local file=$1/fullchain.pem said
  [ -s "$file" ] || return 1
  read_text said openssl version
  said=$(openssl x509 -in "$file" -noout -fingerprint) && [ -n "$said" ] && said=$(openssl crl2pkcs7 -nocrl -certfile "$file") && [ -n "$said" ]
}

# shellcheck disable=SC2310 # whole checks each of its commands
valid() {
  local said
  # It says so, too: an openssl that prints nothing has checked nothing.
  whole "$1" && said=$(openssl x509 -in "$1/fullchain.pem" -noout -checkend 0) && [ -n "$said" ]
}

# names prints those that a certificate holds, sorted.
names() { openssl x509 -in "$1/fullchain.pem" -noout -ext subjectAltName 2>/dev/null | grep -o 'DNS:[^, ]*' | cut -d : -f 2 | sort; }

# covers says whether a certificate holds exactly the site's names.
covers() {
  local held wanted
  [ -s "$1/fullchain.pem" ] || return 1
  read_text held names "$1"
  read_text wanted sort <<<"${NAMES// /$'\n'}"
  [ "$held" = "$wanted" ]
}

# as_set says whether the certificate on the volume came from the authority, and by the profile, that are set.
as_set() {
  local settings=/etc/letsencrypt/renewal/$CERTIFICATE_NAME.conf line server="" profile=""
  [ -s "$settings" ] || return 1
  while read -r line; do
    case $line in
      "server = "*) server=${line#*= } ;;
      "required_profile = "*) profile=${line#*= } ;;
    esac
  done <"$settings"
  [ "$server" = "$DIRECTORY" ] && [ "$profile" = "${PROFILE:-}" ]
}

# date_of prints a date of the certificate in folder $1, startdate or enddate, in seconds since 1970.
date_of() {
  local text
  read_text text openssl x509 -in "$1/fullchain.pem" -noout "-$2"
  date --utc --date "${text#*=}" +%s
}

# times prints the end of the certificate in folder $1 in seconds since 1970, and in seconds its life, what is left of it, and
# the margin with which it is renewed: a third of its life, and half of one that is shorter than ten days. Source:
# certbot 4.1, "should_autorenew"; Debian 13's certbot 4.0 takes 30 days for any certificate.
times() {
  local start end now life
  read_text end date_of "$1" enddate
  read_text start date_of "$1" startdate
  read_text now date +%s
  life=$((end - start))
  echo "$end $life $((end - now)) $((life >= 864000 ? life / 3 : life / 2))"
}

# span prints seconds as days, or hours where there are few.
span() { if [ "$1" -ge 172800 ]; then echo "$(($1 / 86400)) days"; else echo "$(($1 / 3600)) hours"; fi; }

fingerprint() { openssl x509 -noout -fingerprint -sha256 2>/dev/null; }

# chained says whether every certificate of file $1 was signed by the one after it.
chained() {
  local folder part sound=yes
  local -a parts
  read_text folder mktemp -d
  csplit --quiet --elide-empty-files --prefix "$folder/" "$1" '/BEGIN CERTIFICATE/' '{*}' || sound=""
  parts=("$folder"/*)
  [ "${#parts[@]}" -gt 1 ] || sound=""
  for ((part = 0; part < ${#parts[@]} - 1; part++)); do
    openssl verify -partial_chain -no_check_time -trusted "${parts[part + 1]}" "${parts[part]}" >/dev/null 2>&1 || sound=""
  done
  rm -rf "$folder"
  [ -n "$sound" ]
}

# judge sets SEVERITY and REASON. A certificate is late when half of the margin for its renewal is gone (a third, where
# the margin is half of its life): with a sixth of its life left. PERCENT is what is left of its life, 0 where no
# authority signed it.
# shellcheck disable=SC2310 # covers and chained check each of their commands
judge() {
  local file=$TLS/current/fullchain.pem ended late gone mine served
  ended=$(span "$LEFT")
  late=$(span $((MARGIN - LEFT)))
  gone=$(span $((-LEFT)))
  ended="$ended are left"
  late="$ended, and it was due for renewal $late ago; why that failed: sudo /opt/berth/log-monitor.sh view certbot; try now: sudo /opt/berth/ssl-manager.sh renew"
  SEVERITY=0 REASON="issued by $ISSUER, $ended" PERCENT=$((LEFT > 0 ? 100 * LEFT / LIFE : 0))
  if ! [ "$TLS/current" -ef "$LIVE" ]; then
    PERCENT=0 SEVERITY=1 REASON="self-signed until an authority signs it; why it did not: sudo tail /var/log/berth/certificate.log; try now: sudo /opt/berth/ssl-manager.sh generate"
  elif [ "$LEFT" -le 0 ]; then
    SEVERITY=2 REASON="it ended $gone ago${late#"$ended"}"
  elif [ "$LEFT" -le $((LIFE / 12)) ]; then
    SEVERITY=2 REASON=$late
  elif [ "$LEFT" -le $((LIFE / 6)) ]; then
    SEVERITY=1 REASON=$late
  elif ! covers "$TLS/current"; then
    SEVERITY=1 REASON="it does not hold exactly the site's names ($NAMES); get another: sudo /opt/berth/ssl-manager.sh generate"
  fi
  mine=$(fingerprint <"$file") || mine=""
  served=$(timeout 10 openssl s_client -connect 127.0.0.1:443 -servername "${NAMES%% *}" </dev/null 2>/dev/null | fingerprint) || served=""
  if [ -z "$mine" ] || [ "$served" != "$mine" ]; then
    SEVERITY=2 REASON="what nginx serves is not what is on disk; look with: sudo nginx -t; and reload: sudo systemctl reload nginx"
  elif [ "$SEVERITY" -eq 0 ] && ! chained "$file"; then
    SEVERITY=2 REASON="its chain is broken: the second certificate in $file did not sign the first; get another: sudo /opt/berth/ssl-manager.sh renew"
  fi
}

# next_look says when renewal is tried again.
next_look() {
  systemctl show berth-certificate.timer --property NextElapseUSecRealtime --value 2>/dev/null || echo never
}

# check says how the certificate is. Its first line is what the program reads.
check() {
  local ISSUER END LIFE LEFT MARGIN SEVERITY REASON PERCENT all ends due next
  read_text all openssl x509 -in "$TLS/current/fullchain.pem" -noout -issuer -nameopt multiline
  ISSUER=${all##*commonName*= } ISSUER=${ISSUER%%$'\n'*}
  make_plain ISSUER
  read_text all times "$TLS/current"
  read -r END LIFE LEFT MARGIN <<<"$all"
  judge
  read_text all names "$TLS/current"
  if [ "${1:-}" = --json ]; then
    # shellcheck disable=SC2016 # jq's variables
    read_text all jq -n --arg issuer "$ISSUER" --argjson ends "$END" --argjson days $((LEFT / 86400)) --argjson percent "$PERCENT" --argjson severity "$SEVERITY" \
      --arg reason "$REASON" --arg names "$all" --argjson due $((END - MARGIN)) \
      '{severity: $severity, reason: $reason, issuer: $issuer, names: ($names | split("\n")), days: $days, lifeLeft: $percent, validUntil: ($ends | todate), renewalDue: ($due | todate)}'
    printf '%s\n' "$all"
  else
    read_text ends date --utc --date "@$END" +%FT%TZ
    read_text due date --utc --date "@$((END - MARGIN))" +%F
    next=$(next_look)
    say "certificate issued by \"$ISSUER\", valid until $ends"
    say "names: ${all//$'\n'/ }; renewal is due on $due; next look: $next"
    [ "$SEVERITY" -eq 0 ] || say "$REASON"
  fi
  exit "$SEVERITY"
}
