# How the site's certificate is. Sourced by ssl-manager.sh.
# shellcheck shell=bash disable=SC2153

valid() {
  [ -s "$1/fullchain.pem" ] && openssl x509 -in "$1/fullchain.pem" -noout -checkend 0 >/dev/null
}

# names prints those that a certificate holds.
names() { openssl x509 -in "$1/fullchain.pem" -noout -ext subjectAltName 2>/dev/null | grep -o 'DNS:[^, ]*' | cut -d : -f 2; }

# covers says whether a certificate holds exactly the site's names.
covers() {
  [ "$(names "$1" | sort)" = "$(tr ' ' '\n' <<<"$NAMES" | sort)" ]
}

# as_set says whether the certificate on the volume came from the authority, and by the profile, that are set.
as_set() {
  local settings=/etc/letsencrypt/renewal/$CERTIFICATE_NAME.conf
  [ "$(sed -n 's/^server = //p' "$settings" 2>/dev/null)" = "$DIRECTORY" ] &&
    [ "$(sed -n 's/^required_profile = //p' "$settings")" = "${PROFILE:-}" ]
}

# date_of prints a date of the certificate in folder $1, startdate or enddate, in seconds since 1970.
date_of() { date --utc --date "$(openssl x509 -in "$1/fullchain.pem" -noout "-$2" | cut -d = -f 2)" +%s; }

# times sets END, the end of the certificate in folder $1 in seconds since 1970, and in seconds LIFE, what is LEFT of it,
# and the MARGIN with which it is renewed: a third of its life, and half of one that is shorter than ten days. Source:
# certbot 4.1, "should_autorenew"; Debian 13's certbot 4.0 takes 30 days for any certificate.
times() {
  END=$(date_of "$1" enddate)
  LIFE=$((END - $(date_of "$1" startdate)))
  LEFT=$((END - $(date +%s)))
  MARGIN=$((LIFE / 3))
  [ "$LIFE" -ge 864000 ] || MARGIN=$((LIFE / 2))
}

# span prints seconds as days, or hours where there are few.
span() { if [ "$1" -ge 172800 ]; then echo "$(($1 / 86400)) days"; else echo "$(($1 / 3600)) hours"; fi; }

fingerprint() { openssl x509 -noout -fingerprint -sha256 2>/dev/null; }

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

# judge sets SEVERITY and REASON. A certificate is late when half of the margin for its renewal is gone (a third, where
# the margin is half of its life): with a sixth of its life left. PERCENT is what is left of its life, 0 where no
# authority signed it.
judge() {
  local file=$TLS/current/fullchain.pem ended late
  ended="$(span "$LEFT") are left"
  late="$ended, and it was due for renewal $(span $((MARGIN - LEFT))) ago; why that failed: sudo tail -n 30 /var/log/letsencrypt/letsencrypt.log; try now: sudo /opt/berth/ssl-manager.sh renew"
  SEVERITY=0 REASON="issued by $ISSUER, $ended" PERCENT=$((LEFT > 0 ? 100 * LEFT / LIFE : 0))
  if [ "$(readlink "$TLS/current")" != "$LIVE" ]; then
    PERCENT=0 SEVERITY=1 REASON="self-signed until an authority signs it; why it did not: sudo tail /var/log/berth/certificate.log; try now: sudo /opt/berth/ssl-manager.sh generate"
  elif [ "$LEFT" -le 0 ]; then
    SEVERITY=2 REASON="it ended $(span $((-LEFT))) ago${late#"$ended"}"
  elif [ "$LEFT" -le $((LIFE / 12)) ]; then
    SEVERITY=2 REASON=$late
  elif [ "$LEFT" -le $((LIFE / 6)) ]; then
    SEVERITY=1 REASON=$late
  elif ! covers "$TLS/current"; then
    SEVERITY=1 REASON="it does not hold exactly the site's names ($NAMES); get another: sudo /opt/berth/ssl-manager.sh generate"
  fi
  if [ "$(timeout 10 openssl s_client -connect 127.0.0.1:443 -servername "${NAMES%% *}" </dev/null 2>/dev/null | fingerprint)" != "$(fingerprint <"$file")" ]; then
    SEVERITY=2 REASON="what nginx serves is not what is on disk; look with: sudo nginx -t; and reload: sudo systemctl reload nginx"
  elif [ "$SEVERITY" -eq 0 ] && ! chained "$file"; then
    SEVERITY=2 REASON="its chain is broken: the second certificate in $file did not sign the first; get another: sudo /opt/berth/ssl-manager.sh renew"
  fi
}

# next_look says when renewal is tried again.
next_look() {
  if ! systemd_runs; then
    if [ -e /etc/cron.d/berth-certificate ]; then echo "by cron, twice a day"; else echo never; fi
    return
  fi
  systemctl show berth-certificate.timer --property NextElapseUSecRealtime --value 2>/dev/null || echo never
}

# check says how the certificate is. Its first line is what the program reads.
check() {
  local ISSUER END LIFE LEFT MARGIN SEVERITY REASON PERCENT
  ISSUER=$(openssl x509 -in "$TLS/current/fullchain.pem" -noout -issuer -nameopt multiline | sed -n 's/^ *commonName *= //p')
  times "$TLS/current"
  judge
  if [ "${1:-}" = --json ]; then
    jq -n --arg issuer "$ISSUER" --argjson end "$END" --argjson days $((LEFT / 86400)) --argjson percent "$PERCENT" --argjson severity "$SEVERITY" \
      --arg reason "$REASON" --arg names "$(names "$TLS/current")" --argjson due $((END - MARGIN)) \
      '{severity: $severity, reason: $reason, issuer: $issuer, names: ($names | split("\n")), days: $days, lifeLeft: $percent, validUntil: ($end | todate), renewalDue: ($due | todate)}'
  else
    say "certificate issued by \"$ISSUER\", valid until $(date --utc --date "@$END" +%FT%TZ)"
    say "names: $(names "$TLS/current" | paste -sd ' '); renewal is due on $(date --utc --date "@$((END - MARGIN))" +%F); next look: $(next_look)"
    [ "$SEVERITY" -eq 0 ] || say "$REASON"
  fi
  return "$SEVERITY"
}
