# Whether an authority would find the site. A try that fails counts against the authority's limits, so it is not asked
# before. Sourced by ssl-manager.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# balancer prints the load balancer's name, nothing with one server.
balancer() { [ ! -e "$BERTH_ETC/servers.json" ] || jq -r .BALANCER "$BERTH_ETC/servers.json"; }

# wanted prints the addresses that the names may have: this server's, and with several those of the load balancer, which hands challenges on.
wanted() {
  local name
  printf '%s\n' "$ADDRESS"
  # shellcheck disable=SC2310 # balancer is one command
  name=$(balancer) || return
  [ -z "$name" ] || getent ahostsv4 "$name" | cut -d ' ' -f 1
}

resolves() {
  local all
  # shellcheck disable=SC2310 # wanted is one list
  all=$(wanted) && [ -n "$all" ] && getent ahostsv4 "$1" | cut -d ' ' -f 1 | grep -Fx "$all" >/dev/null
}

# verify_dns waits for every name to lead here, for $1 seconds each.
verify_dns() {
  local name where here
  # shellcheck disable=SC2310 # resolves is one pipe
  for name in $NAMES; do
    await "$1" resolves "$name" || {
      where=$(getent ahostsv4 "$name" | cut -d ' ' -f 1 | sort -u | paste -sd ' ') || true
      here=$(balancer) || here=""
      say "$name does not resolve to ${here:-$ADDRESS} (it resolves to: $where); point it there, or delegate the zone to the name servers that 'pulumi stack output nameServers' shows"
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
