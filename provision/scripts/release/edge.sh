# nginx, from one release to another. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# Seconds in which a release has to answer behind nginx, and, with visitors there, goes on to.
readonly ANSWERS_WITHIN=15 VERIFIED_WITHIN=5
# Where nginx serves the slot that SLOTS/next points at, on loopback. The site's configuration has the other end.
readonly NEXT_PORT=18443
readonly MAINTENANCE=$DATA/maintenance
# What did not answer when the site was asked last, and the releases that were drained.
UNWELL="" DRAINED=""

# switch_traffic has every request from now on go to release $1 ("starting" before any); open ones finish where they are. The volume
# has it for the next boot.
switch_traffic() {
  point current "$1"
  ln -sfn "$1" "$RELEASES/current.new"
  mv -T "$RELEASES/current.new" "$RELEASES/current"
}

# KNOWN says which routes nginx has loaded since the server started. It is not there while that is not certain.
readonly KNOWN=/run/berth/routes

# learn_routes has nginx know the routes of the releases that are named, the one that serves and the one that comes next. It is
# reloaded only where they are others than those it knows.
learn_routes() {
  local folder before old known
  write_routes folder "$((KEEP + 1))" "$@"
  before=$(readlink "$INCLUDED/now" || true)
  known=$(cat "$KNOWN" 2>/dev/null || true)
  if [ "$before" = "$folder" ] && [ "$known" = "$folder" ]; then return; fi
  rm -f "$KNOWN"
  include_routes "$folder"
  if ! nginx -t -q; then
    [ -z "$before" ] || include_routes "$before"
    fail nginx-routes-refused "nginx refuses the routes of ${!#} (the lines above say where); what is served now stays; the routes are: pulumi config get berth:routes"
  fi
  old=$(workers)
  apply_nginx
  # shellcheck disable=SC2310 # retired checks each of its commands
  await 30 retired "$old" || fail nginx-not-reloaded "nginx did not take up its configuration within 30 seconds; look with: sudo /opt/berth/log-monitor.sh view nginx"
  put "$KNOWN" 0600 <<<"$folder"
  forget_routes "$folder"
}

# forget_routes removes what nginx no longer includes.
forget_routes() {
  local folder
  for folder in "$INCLUDED"/*/; do
    folder=${folder%/}
    if [ -L "$folder" ] || [ "${folder##*/}" = "$1" ]; then continue; fi
    rm -r "$folder"
  done
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

# open_connections counts nginx's connections to the loopback ports, and to the containers on the first server, that release $1 and no
# other has. Where ss prints not even its head, their number is unknown.
open_connections() {
  local port filter="" table
  local -a ports=() open
  # shellcheck disable=SC2016 # jq's variables
  read_json ports "$RELEASES/$1/plan.json" 'def ports: [.routes[] | .address // range(.upstream; .upstream + (.replicas // 1))];
    ports - if $other[0].id == .id then [] else ($other[0] | ports) end | .[]' \
    --slurpfile other "$RELEASES/${2:-$1}/plan.json"
  for port in "${ports[@]}"; do
    if [[ $port == *:* ]]; then filter+="${filter:+ or }dst $port"; else filter+="${filter:+ or }dport = :$port"; fi
  done
  [ -n "$filter" ] || {
    echo 0
    return
  }
  [[ $filter == *dst* ]] || filter="dst 127.0.0.1 and ( $filter )"
  read_text table ss --numeric --tcp state established "$filter"
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
  # Once: what has not ended then is ended with the containers.
  [[ $DRAINED != *" $1 "* ]] || return 0
  DRAINED+=" $1 "
  # What nginx keeps without a request is gone in a second.
  # shellcheck disable=SC2310 # drained checks each of its commands
  if ! await 2 drained "$1" "$2"; then
    read_text open open_connections "$1" "$2"
    say "draining $open open connections, at most $DRAIN_WITHIN seconds"
    # shellcheck disable=SC2310 # drained checks each of its commands
    if ! await "$DRAIN_WITHIN" drained "$1" "$2"; then
      read_text open open_connections "$1" "$2"
      say "$open connections are still open and end now"
    fi
  fi
  # A worker of before a reload may not know the routes of release $2, and a busy HTTP/2 connection may stay with it for a thousand
  # requests: between two of them it is ended, and comes back to a worker of now.
  # shellcheck disable=SC2310 # gone_workers is one command; one that fails has nothing to end
  await 2 gone_workers || pkill --parent "$(</run/nginx.pid)" --full "$LEAVING" || true
}

readonly LEAVING='^nginx: worker process is shutting down$'

gone_workers() { ! pgrep --parent "$(</run/nginx.pid)" --full "$LEAVING" >/dev/null; }

# ask asks name $2 of the site for path $3, as a visitor would, on port $1 of this server; further arguments are curl's.
ask() { curl --silent --output /dev/null --max-time 20 --insecure --connect-to "$2:443:127.0.0.1:$1" "${@:4}" "https://$2$3"; }

# in_circles says whether redirects of path $3 of name $2, on port $1 of this server, come back to it for ever; a first one may be for
# a cookie. 47 is curl's code for too many.
in_circles() {
  local code=0
  # shellcheck disable=SC2310 # ask is one command
  ask "$1" "$2" "$3" --cookie '' --location --max-redirs 5 || code=$?
  [ "$code" -eq 47 ]
}

# site_answers asks for every route of release $1 as a visitor would, by its public name, on port $2 of this server.
site_answers() {
  local route host path health protocol url code said
  local -a routes=() ASKING=()
  UNWELL=""
  read_asked routes "$1" false
  [ "${#routes[@]}" -gt 0 ] || {
    UNWELL="no name of the site has a route of release $1, so none can be asked,"
    return 1
  }
  for route in "${routes[@]}"; do
    IFS=$'\x1f' read -r host path health _ _ _ _ protocol <<<"$route"
    url=https://$host$path
    asking "$protocol"
    # shellcheck disable=SC2310 # ask is one command
    said=$(ask "$2" "$host" "$path" "${ASKING[@]}" --write-out '%{http_code} %{redirect_url}') || said=000
    code=${said%% *}
    # shellcheck disable=SC2310 # it is one test
    if [ "$said" = "$code $url" ] && in_circles "$2" "$host" "$path"; then
      code="$code, a redirect to itself (nginx ends TLS here, so berth:routes has to name the service behind this one),"
    fi
    # The front page of a site is there. A further host may be an API that has none.
    if [ "$host$path" = "$DOMAIN/" ] && [ -z "$health" ] && [[ $code == 404 ]]; then code="404, not a page"; fi
    # shellcheck disable=SC2310 # answers is one test
    answers "$code" "$health" || {
      UNWELL="$url answers ${code/#000/nothing}"
      return 1
    }
  done
}

readonly ADVICE="its containers are healthy, so read what they say: sudo /opt/berth/log-monitor.sh view; or name a path that tells: pulumi config set --path 'berth:routes[0].health' /healthz"

# rehearse asks release $1 behind nginx before any visitor gets there.
rehearse() {
  learn_routes "${OLD:-starting}" "$1"
  point next "$1"
  # shellcheck disable=SC2310 # site_answers checks each of its commands
  await "$ANSWERS_WITHIN" site_answers "$1" "$NEXT_PORT" || fail release-not-answering "the release is not well: $UNWELL behind nginx, for $ANSWERS_WITHIN seconds, and it got no traffic; $ADVICE"
}

# verify asks the site itself.
verify() {
  [ ! -e "$MAINTENANCE" ] || {
    say "the maintenance page is on, so the site was not asked; turn it off: sudo /opt/berth/deploy.sh maintenance off"
    return
  }
  # shellcheck disable=SC2310 # site_answers checks each of its commands
  await "$VERIFIED_WITHIN" site_answers "$1" 443 || fail site-not-answering "the site is not well: $UNWELL, for $VERIFIED_WITHIN seconds; $ADVICE"
}

maintenance() {
  case ${1:-} in
    on) : >"$MAINTENANCE" ;;
    off) rm -f "$MAINTENANCE" ;;
    *) fail arguments-invalid "usage: deploy.sh maintenance on | off" ;;
  esac
  # shellcheck disable=SC2310 # it is one test
  if several; then maintain_servers "$1"; fi
  if [ "$1" = on ]; then say "every page answers 503 with the maintenance page; end it: sudo /opt/berth/deploy.sh maintenance off"; else say "the site is back"; fi
}

# open_again takes away the page that a release put there.
open_again() {
  rm -f "$MAINTENANCE"
  # shellcheck disable=SC2310 # it is one test
  if several; then maintain_servers off; fi
}
