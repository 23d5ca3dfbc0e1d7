#!/usr/bin/env bash
# Keeps the networks of the proxies that nginx trusts (berth:trustedProxies): proxies.sh provide | refresh VENDOR...
# The edge step provides the lists that Berth brings; a timer refreshes them. A list that cannot be fetched, or that makes no sense, is
# not taken: the one before stays, and that is said.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

readonly FOLDER=/etc/nginx/berth/proxies

# fetch prints what a URL has.
fetch() { curl --silent --show-error --fail --location --proto '=https' --max-time 30 --max-filesize 20000000 "$1"; }

# shellcheck disable=SC2310 # fetch is one command
# published prints the networks of vendor $1, as it publishes them.
published() {
  local text
  case $1 in
    cloudflare)
      fetch https://www.cloudflare.com/ips-v4 || return 1
      echo
      fetch https://www.cloudflare.com/ips-v6 || return 1
      ;;
    cloudfront)
      text=$(fetch https://ip-ranges.amazonaws.com/ip-ranges.json) || return 1
      jq -r '(.prefixes + .ipv6_prefixes)[] | select(.service == "CLOUDFRONT_ORIGIN_FACING") | .ip_prefix // .ipv6_prefix' <<<"$text"
      ;;
    *) fail proxy-vendor-unknown "there is no list of the networks of $1" ;;
  esac
}

# networks prints the networks in the text on standard input, one a line and sorted, and fails where a line is none, where there are
# fewer than ten or more than a thousand, or where one is private or as wide as no vendor's is.
networks() {
  awk '
    /^[ \t\r]*(#.*)?$/ { next }
    { sub(/\r$/, "") }
    /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\/[0-9]+$/ {
      split($0, part, /[.\/]/)
      for (i = 1; i <= 4; i++) if (part[i] > 255) bad($0)
      if (part[5] < 8 || part[5] > 32 || part[1] == 0 || part[1] == 10 || part[1] == 127 || part[1] >= 224) bad($0)
      if (part[1] == 172 && part[2] >= 16 && part[2] < 32 || part[1] == 192 && part[2] == 168 || part[1] == 169 && part[2] == 254) bad($0)
      count++; print; next
    }
    /^2[0-9a-f:]+\/[0-9]+$/ {
      split($0, part, "/")
      if (part[2] < 20 || part[2] > 128) bad($0)
      count++; print; next
    }
    { bad($0) }
    function bad(line) { if (!failed) print "this is no network of a proxy: " substr(line, 1, 60) >"/dev/stderr"; failed = 1; exit 1 }
    END { if (!failed && (count < 10 || count > 1000)) { print count + 0 " networks are too few or too many" >"/dev/stderr"; failed = 1 } exit failed }
  ' | LC_ALL=C sort -u
}

# rendered prints list $1 with text before and behind each network.
rendered() {
  local network
  while read -r network; do printf '%s%s%s\n' "$2" "$network" "$3"; done <<<"$1"
}

# provide puts the list that Berth brings of vendor $1 where nginx reads it, if there is none yet.
provide() {
  local list text
  [ ! -e "$FOLDER/$1.conf" ] || return 0
  read_text list networks <"/opt/berth/edge/$1.txt"
  read_text text rendered "$list" "" ' "";'
  put "$FOLDER/$1.geo" 0644 <<<"$text"
  read_text text rendered "$list" "set_real_ip_from " ";"
  put "$FOLDER/$1.conf" 0644 <<<"$text"
}

# common prints the lines that two sorted texts both have.
common() { LC_ALL=C comm -12 /dev/fd/3 /dev/fd/4 3<<<"$1" 4<<<"$2"; }

# refresh takes the list that vendor $1 publishes, where it is another and at least half of the known networks are in it.
refresh() {
  local text list known
  local -a kept=() all=()
  # shellcheck disable=SC2310 # published checks each of its commands, networks is one pipeline
  if ! text=$(published "$1") || ! list=$(networks <<<"$text"); then
    say "the networks of $1 cannot be refreshed (the lines above say why), and those that are known stay; it is tried again tomorrow, or now: sudo $0 refresh $1"
    return 0
  fi
  read_text known sed 's|^set_real_ip_from \(.*\);$|\1|' "$FOLDER/$1.conf"
  [ "$list" != "$known" ] || return 0
  mapfile -t all <<<"$known"
  read_lines kept common "$known" "$list"
  if [ $((2 * ${#kept[@]})) -lt "${#all[@]}" ]; then
    say "$1 publishes other networks than those that are known for the most part, and those that are known stay; where the others are right, name them in berth:trustedProxies instead of $1, or take a newer version of Berth"
    return 0
  fi
  read_text text rendered "$list" "" ' "";'
  put_checked "$FOLDER/$1.geo" nginx nginx -t -q <<<"$text"
  read_text text rendered "$list" "set_real_ip_from " ";"
  put_nginx "$FOLDER/$1.conf" <<<"$text"
  say "nginx knows the networks of $1 as they are now"
}

main() {
  local vendor
  need_root
  [ "$#" -ge 2 ] || fail arguments-invalid "usage: proxies.sh provide | refresh VENDOR..."
  install -d -m 0755 "$FOLDER"
  for vendor in "${@:2}"; do
    case $1 in
      provide) provide "$vendor" ;;
      refresh) refresh "$vendor" ;;
      *) fail arguments-invalid "usage: proxies.sh provide | refresh VENDOR..." ;;
    esac
  done
}

main "$@"
