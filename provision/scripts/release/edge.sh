# nginx, from one release to another. Sourced by deploy.sh.
# shellcheck shell=bash disable=SC2034

# Seconds in which a release has to answer behind nginx, and, with visitors led to it, goes on to.
readonly ANSWERS_WITHIN=15 VERIFIED_WITHIN=5
# Where nginx serves the release that comes next, on loopback. The site's configuration has the other end.
readonly NEXT_PORT=18443
readonly MAINTENANCE=$DATA/maintenance

# lead makes link $1 ("current" or "next") lead to release $2 ("starting" before any). When this returns, no new request is
# led elsewhere; open ones finish where they are. nginx is told where the paths are others than those that it knows.
lead() {
  local before known
  before=$(readlink "$RELEASES/$1" || true)
  known=$(knows "$1")
  link "$1" "$2"
  if [ "$known" = "$(routes_of "$1" "$2")" ]; then
    lead_kernel "$1" "$2" "$before"
  else
    tell_nginx "$1" "$2" "$before"
  fi
  routes_of "$1" "$2" | put "$KNOWN.$1" 0600
}

# tell_nginx has nginx take up the paths of release $2. Until its old workers are through, those of release $3 lead on, where
# they are others.
tell_nginx() {
  local old also="$RELEASES/$3/$1.nft"
  if [ ! -e "$also" ] || cmp --silent "$RELEASES/$2/$1.conf" "$RELEASES/$3/$1.conf"; then also=""; fi
  if ! nginx -t -q; then
    link "$1" "$3"
    fail "nginx refuses the routes of $2 (the lines above say where); what is served now stays; the routes are: pulumi config get berth:routes"
  fi
  lead_kernel "$1" "$2" "$3" "$also"
  old=$(workers)
  apply_nginx
  await 30 retired "$old" || fail "nginx did not take up its configuration within 30 seconds; look with: sudo tail /var/log/nginx/error.log"
}

# lead_kernel has the kernel lead the routes as the links say, and those of file $4, too. Where it refuses, link $1 leads to
# release $3 again, not to $2.
lead_kernel() {
  if lead_fronts "${4:-}"; then return; fi
  link "$1" "$3"
  fail "the kernel does not lead the routes to $2 (the lines above say why); what is served now stays; look with: sudo nft list table ip berth_fronts; then run it again"
}

# KNOWN.current and KNOWN.next say which routes nginx has taken up since the server started. Neither is there while that is
# not certain.
readonly KNOWN=/run/berth/routes

knows() { cat "$KNOWN.$1" 2>/dev/null || true; }
routes_of() { sha256sum <"$RELEASES/$2/$1.conf"; }

# link makes link $1 lead to release $2, of which nginx knows nothing yet.
link() {
  rm -f "$KNOWN.$1"
  ln -sfn "$2" "$RELEASES/$1.new"
  mv -T "$RELEASES/$1.new" "$RELEASES/$1"
}

# workers are nginx's processes that take new connections.
workers() { pgrep --parent "$(cat /run/nginx.pid)" --full '^nginx: worker process$' || true; }

retired() {
  local now
  now=$(workers)
  # New ones have to be there, too.
  [ -n "$now" ] && ! grep -qxFf <(printf '%s\n' "$1") <<<"$now"
}

# open_connections counts those that the loopback ports of release $1 and no other hold.
open_connections() {
  local port filter=""
  for port in $(jq -r --slurpfile other "$RELEASES/${2:-$1}/plan.json" '[.routes[].upstream] - if $other[0].id == .id then [] else [$other[0].routes[].upstream] end | .[]' "$RELEASES/$1/plan.json"); do
    filter+="${filter:+ or }sport = :$port"
  done
  if [ -z "$filter" ]; then echo 0; else ss --no-header --numeric --tcp state established "( $filter )" | wc -l; fi
}

drained() { [ "$(open_connections "$1" "$2")" -eq 0 ]; }

# drain waits for the open requests and WebSockets of release $1, now that $2 gets the new ones.
drain() {
  if ! drained "$1" "$2"; then
    say "draining $(open_connections "$1" "$2") open connections, at most $DRAIN_WITHIN seconds"
    await "$DRAIN_WITHIN" drained "$1" "$2" || say "$(open_connections "$1" "$2") connections are still open and end now"
  fi
  # A worker of before the switch leads nowhere once release $1 has stopped, and a busy HTTP/2 connection may stay with it for
  # a thousand requests: between two of them it is ended, and comes back to a worker of now.
  await 2 gone_workers || pkill --parent "$(cat /run/nginx.pid)" --full "$LEAVING" || true
}

readonly LEAVING='^nginx: worker process is shutting down$'

gone_workers() { ! pgrep --parent "$(cat /run/nginx.pid)" --full "$LEAVING" >/dev/null; }

# site_answers asks for every route of release $1 as a visitor would, by the public name, on port $2 of this server.
site_answers() {
  local path health code
  UNWELL=""
  while IFS=$'\t' read -r path health; do
    code=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 --insecure --connect-to "$DOMAIN:443:127.0.0.1:$2" "https://$DOMAIN${health:-$path}") || code=000
    # The front page of a site is there.
    if [ "$path" = / ] && [ -z "$health" ] && [[ $code == 404 ]]; then code="404, not a page"; fi
    answers "$code" "$health" || { UNWELL="https://$DOMAIN${health:-$path} answers $(spoken "$code")" && return 1; }
  done < <(jq -r '.routes[] | [.path, .health] | @tsv' "$RELEASES/$1/plan.json")
}

readonly ADVICE="its containers are healthy, so look at what they say: sudo docker logs; or name a path that tells: pulumi config set --path 'berth:routes[0].health' /healthz"

# rehearse asks release $1 behind nginx before anybody is led to it.
rehearse() {
  lead next "$1"
  await "$ANSWERS_WITHIN" site_answers "$1" "$NEXT_PORT" || fail "$UNWELL behind nginx, for $ANSWERS_WITHIN seconds, and nobody was led there; $ADVICE"
}

# verify asks the site itself.
verify() {
  [ ! -e "$MAINTENANCE" ] || { say "the maintenance page is on, so the site was not asked; turn it off: sudo /opt/berth/deploy.sh maintenance off" && return; }
  await "$VERIFIED_WITHIN" site_answers "$1" 443 || fail "$UNWELL, for $VERIFIED_WITHIN seconds; $ADVICE"
}

maintenance() {
  case ${1:-} in
    on) : >"$MAINTENANCE" && say "every page answers 503 with the maintenance page; end it: sudo /opt/berth/deploy.sh maintenance off" ;;
    off) rm -f "$MAINTENANCE" && say "the site is back" ;;
    *) fail "usage: deploy.sh maintenance on | off" ;;
  esac
}
