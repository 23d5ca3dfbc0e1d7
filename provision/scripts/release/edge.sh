# nginx, from one release to another. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# Seconds in which a release has to answer behind nginx, and, with visitors led to it, goes on to.
readonly ANSWERS_WITHIN=15 VERIFIED_WITHIN=5
# Where nginx serves the release that comes next, on loopback. The site's configuration has the other end.
readonly NEXT_PORT=18443
readonly MAINTENANCE=$DATA/maintenance
# What did not answer when the site was asked last, and the releases that were drained.
UNWELL="" DRAINED=""

# switch_traffic points link $1 ("current" or "next") at release $2 ("starting" before any). When it returns, every new request goes
# there; open ones finish where they are. nginx is reloaded only where the paths differ from those that it knows.
switch_traffic() {
  local before known routes
  before=$(readlink "$RELEASES/$1" || true)
  known=$(knows "$1")
  read_text routes sha256sum <"$RELEASES/$2/$1.conf"
  link "$1" "$2"
  if [ "$known" = "$routes" ]; then
    switch_kernel "$1" "$2" "$before"
  else
    tell_nginx "$1" "$2" "$before"
  fi
  put "$KNOWN.$1" 0600 <<<"$routes"
}

# tell_nginx has nginx load the paths of release $2. Until its old workers are done, those of release $3 stay routed where they
# differ.
tell_nginx() {
  local old also="$RELEASES/$3/$1.nft"
  if [ ! -e "$also" ] || cmp --silent "$RELEASES/$2/$1.conf" "$RELEASES/$3/$1.conf"; then also=""; fi
  if ! nginx -t -q; then
    link "$1" "$3"
    fail "nginx refuses the routes of $2 (the lines above say where); what is served now stays; the routes are: pulumi config get berth:routes"
  fi
  switch_kernel "$1" "$2" "$3" "$also"
  old=$(workers)
  apply_nginx
  # shellcheck disable=SC2310 # retired checks each of its commands
  await 30 retired "$old" || fail "nginx did not take up its configuration within 30 seconds; look with: sudo /opt/berth/log-monitor.sh view nginx"
}

# switch_kernel has the kernel route the upstreams as the links say, and those of file $4, too. Where it refuses, link $1 points at
# release $3 again, not at $2.
switch_kernel() {
  # shellcheck disable=SC2310 # route_upstreams checks each of its commands
  if route_upstreams "${4:-}"; then return; fi
  link "$1" "$3"
  fail "the kernel does not take the routes of $2 (the lines above say why); what is served now stays; look with: sudo nft list table ip berth_upstreams; then run it again"
}

# KNOWN.current and KNOWN.next say which routes nginx has taken up since the server started. Neither is there while that is
# not certain.
readonly KNOWN=/run/berth/routes

knows() { cat "$KNOWN.$1" 2>/dev/null || true; }

# link points link $1 at release $2, of which nginx knows nothing yet.
link() {
  rm -f "$KNOWN.$1"
  ln -sfn "$2" "$RELEASES/$1.new"
  mv -T "$RELEASES/$1.new" "$RELEASES/$1"
}

# workers are nginx's processes that take new connections.
workers() { pgrep --parent "$(</run/nginx.pid)" --full '^nginx: worker process$' || true; }

retired() {
  local worker
  local -a now=()
  read_lines now workers
  for worker in "${now[@]}"; do
    [[ $'\n'$1$'\n' != *$'\n'"$worker"$'\n'* ]] || return 1
  done
  # New ones have to be there, too.
  [ "${#now[@]}" -gt 0 ]
}

# open_connections counts those that the loopback ports of release $1 and no other hold. Where ss prints not even its head,
# nobody knows how many there are.
open_connections() {
  local port filter="" table
  local -a ports=() open
  # shellcheck disable=SC2016 # jq's variables
  read_json ports "$RELEASES/$1/plan.json" '[.routes[].upstream] - if $other[0].id == .id then [] else [$other[0].routes[].upstream] end | .[]' \
    --slurpfile other "$RELEASES/${2:-$1}/plan.json"
  for port in "${ports[@]}"; do filter+="${filter:+ or }sport = :$port"; done
  [ -n "$filter" ] || {
    echo 0
    return
  }
  read_text table ss --numeric --tcp state established "( $filter )"
  mapfile -t open <<<"$table"
  echo $((${#open[@]} - 1))
}

drained() {
  local open
  read_text open open_connections "$1" "$2"
  [ "$open" -eq 0 ]
}

# drain waits for the open requests and WebSockets of release $1, now that $2 gets the new ones.
drain() {
  local open
  # Once: what has not ended by itself then is ended with the containers.
  [[ $DRAINED != *" $1 "* ]] || return 0
  DRAINED+=" $1 "
  read_text open open_connections "$1" "$2"
  if [ "$open" -gt 0 ]; then
    say "draining $open open connections, at most $DRAIN_WITHIN seconds"
    # shellcheck disable=SC2310 # drained checks each of its commands
    if ! await "$DRAIN_WITHIN" drained "$1" "$2"; then
      read_text open open_connections "$1" "$2"
      say "$open connections are still open and end now"
    fi
  fi
  # A worker of before the switch leads nowhere once release $1 has stopped, and a busy HTTP/2 connection may stay with it for
  # a thousand requests: between two of them it is ended, and comes back to a worker of now.
  # shellcheck disable=SC2310 # gone_workers is one command; one that fails has nothing to end
  await 2 gone_workers || pkill --parent "$(</run/nginx.pid)" --full "$LEAVING" || true
}

readonly LEAVING='^nginx: worker process is shutting down$'

gone_workers() { ! pgrep --parent "$(</run/nginx.pid)" --full "$LEAVING" >/dev/null; }

# in_circles says whether redirects of $2, on port $1 of this server, come back to it for ever; a first one may be for a cookie. 47 is
# curl's code for too many.
in_circles() {
  local code=0
  curl --silent --output /dev/null --max-time 20 --insecure --connect-to "$DOMAIN:443:127.0.0.1:$1" --cookie '' --location --max-redirs 5 "$2" || code=$?
  [ "$code" -eq 47 ]
}

# site_answers asks for every route of release $1 as a visitor would, by the public name, on port $2 of this server.
site_answers() {
  local route path health code said
  local -a routes=()
  UNWELL=""
  read_json routes "$RELEASES/$1/plan.json" '.routes[] | [.path, .health] | @tsv'
  for route in "${routes[@]}"; do
    path=${route%%$'\t'*} health=${route#*$'\t'}
    said=$(curl --silent --output /dev/null --write-out '%{http_code} %{redirect_url}' --max-time 20 --insecure --connect-to "$DOMAIN:443:127.0.0.1:$2" "https://$DOMAIN${health:-$path}") || said=000
    code=${said%% *}
    # shellcheck disable=SC2310 # it is one test
    if [ "$said" = "$code https://$DOMAIN${health:-$path}" ] && in_circles "$2" "https://$DOMAIN${health:-$path}"; then
      code="$code, a redirect to itself (nginx ends TLS here, so berth:routes has to name the service behind this one),"
    fi
    # The front page of a site is there.
    if [ "$path" = / ] && [ -z "$health" ] && [[ $code == 404 ]]; then code="404, not a page"; fi
    # shellcheck disable=SC2310 # answers is one test
    answers "$code" "$health" || {
      UNWELL="https://$DOMAIN${health:-$path} answers ${code/#000/nothing}"
      return 1
    }
  done
}

readonly ADVICE="its containers are healthy, so look at what they say: sudo /opt/berth/log-monitor.sh view; or name a path that tells: pulumi config set --path 'berth:routes[0].health' /healthz"

# rehearse asks release $1 behind nginx before anybody is led to it.
rehearse() {
  switch_traffic next "$1"
  # shellcheck disable=SC2310 # site_answers checks each of its commands
  await "$ANSWERS_WITHIN" site_answers "$1" "$NEXT_PORT" || fail "$UNWELL behind nginx, for $ANSWERS_WITHIN seconds, and it got no traffic; $ADVICE"
}

# verify asks the site itself.
verify() {
  [ ! -e "$MAINTENANCE" ] || {
    say "the maintenance page is on, so the site was not asked; turn it off: sudo /opt/berth/deploy.sh maintenance off"
    return
  }
  # shellcheck disable=SC2310 # site_answers checks each of its commands
  await "$VERIFIED_WITHIN" site_answers "$1" 443 || fail "$UNWELL, for $VERIFIED_WITHIN seconds; $ADVICE"
}

maintenance() {
  case ${1:-} in
    on) : >"$MAINTENANCE" && say "every page answers 503 with the maintenance page; end it: sudo /opt/berth/deploy.sh maintenance off" ;;
    off) rm -f "$MAINTENANCE" && say "the site is back" ;;
    *) fail "usage: deploy.sh maintenance on | off" ;;
  esac
}
