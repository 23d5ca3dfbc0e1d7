# The web servers of several: which there are, what is known of each, and how one is reached. Sourced by servers.sh and deploy.sh.
#
# What is known of a server is in /data/servers/ID.json: {address, made, release, completed}, texts. made says with which scripts and
# settings it was provisioned; release is there once it has joined, and is the one that it settled at last.
#
# What the service berth-servers sees is in /run/berth/servers, which it alone writes and a boot empties: look.json is what AWS said at its last
# look, {time, servers: [{id, state, health, address}]}, and ID.seen what a server answered at last, {time, release, ready, reboot, used};
# used is {memory, swap, disk}, in per cent, or null where the answer has no such figures.
# shellcheck shell=bash disable=SC2034,SC2153
set -euo pipefail

readonly SERVERS=$DATA/servers SOCKETS=/run/berth/servers FLEET=$BERTH_ETC/fleet
# The login of web servers, which their user data makes.
readonly WEB_USER=admin
# Seconds for one request to AWS, for a server to answer, and for a short command on it.
readonly AWS_WITHIN=20 ANSWER_WITHIN=10 ASK_WITHIN=30
readonly LOOK=$SOCKETS/look.json
# What an answer says of memory, swap and disk, in jq: all three in whole per cent, or null.
readonly USED='def used: [.used | objects | {memory, swap, disk} | select(all(.[]; type == "number" and . >= 0 and . <= 100 and . == floor))][0];'
# By key alone, and to who shows the group's host key.
readonly PINNED=(-F none -i "$FLEET/key" -o IdentitiesOnly=yes -o UserKnownHostsFile="$FLEET/known_hosts" -o GlobalKnownHostsFile=/dev/null -o HostKeyAlias=berth-web
  -o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout="$ANSWER_WITHIN" -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o LogLevel=ERROR)

# web_settings sets GROUP, TARGET_GROUP, REGION, REACH, NETWORK and FIRST.
web_settings() {
  load_settings servers GROUP TARGET_GROUP REGION REACH NETWORK FIRST:boolean
}

# call asks service $1 of AWS for action $2, in a version of its API; further arguments are parameters, NAME=VALUE.
call() {
  local service=$1 action=$2 version text
  shift 2
  case $service in
    autoscaling) version=2011-01-01 ;;
    ec2) version=2016-11-15 ;;
    elasticloadbalancing) version=2015-12-01 ;;
    *) fail aws-service-unknown "AWS has no service $service" ;;
  esac
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -nr --arg url "https://$service.$REGION.amazonaws.com/" \
    '"url = \"\($url)\"", "data = \"\([$ARGS.positional[] | capture("^(?<name>[^=]+)=(?<value>.*)$") | "\(.name)=\(.value | @uri)"] | join("&"))\""' \
    --args "Action=$action" "Version=$version" "$@"
  aws_request "$service" "$AWS_WITHIN" <<<"$text"
}

# members prints "ID STATE HEALTH PRIVATE-IP" for each web server of the group.
members() {
  local folder lines="" code=0
  folder=$(mktemp -d "$SOCKETS/members.XXXXXXXX") && [ -d "$folder" ] || return 1
  # shellcheck disable=SC2310 # call checks each of its commands
  { call autoscaling DescribeAutoScalingGroups "AutoScalingGroupNames.member.1=$GROUP" >"$folder/group" &&
    call ec2 DescribeInstances Filter.1.Name=tag:aws:autoscaling:groupName "Filter.1.Value.1=$GROUP" >"$folder/instances" &&
    lines=$(python3 -B /opt/berth/servers/members.py "$GROUP" "$folder/group" "$folder/instances"); } || code=$?
  rm -rf "$folder"
  [ "$code" -eq 0 ] || return "$code"
  # By an empty list every server is forgotten.
  if [ "${lines##*$'\n'}" != read ]; then
    say "python3 read nothing from what AWS answers"
    return 1
  fi
  printf '%s' "${lines%read}"
}

# known prints field $2 of what is known of server $1, nothing where it has not joined. Half a file is none.
known() {
  [ -e "$SERVERS/$1.json" ] || return 0
  # shellcheck disable=SC2016 # jq's variables
  jq -r --arg f "$2" 'select(type == "object") | .[$f] // empty | strings' "$SERVERS/$1.json" 2>/dev/null || true
}

# joined prints the servers that have joined.
joined() {
  local file name release
  for file in "$SERVERS"/*.json; do
    name=${file##*/} name=${name%.json}
    if ! [[ $name =~ ^i-[0-9a-f]+$ ]]; then continue; fi
    # One that is left out goes on with the release that it has.
    if ! release=$(jq -r '.release // "-" | strings' "$file") || [ -z "$release" ]; then
      [ -e "$file" ] || continue
      fail server-unclear "what is known of server $name does not read (the lines above say why), so it cannot be told whether it has joined, and nothing is done on a guess; the service berth-servers writes it again within a minute: sudo tail $file"
    fi
    [ "$release" = - ] || printf '%s\n' "$name"
  done
}

# know puts field $2 of server $1 to $3.
know() {
  local before text
  before=$(jq -c 'select(type == "object")' "$SERVERS/$1.json" 2>/dev/null) || before=""
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -cn --argjson before "${before:-null}" --arg f "$2" --arg v "$3" '($before // {}) + {($f): $v}'
  put "$SERVERS/$1.json" 0600 <<<"$text"
}

# forget has server $1 be none any more.
forget() {
  rm -f "$SERVERS/$1.json" "$SOCKETS/$1.seen"
  hang_up "$1"
}

# hang_up ends the open connection to server $1.
hang_up() {
  [ -S "$SOCKETS/$1" ] || return 0
  timeout 5 ssh -F none -o ControlPath="$SOCKETS/$1" -O exit web >/dev/null 2>&1 || rm -f "$SOCKETS/$1"
}

# reached prints where ssh finds server $1.
reached() {
  local address
  # shellcheck disable=SC2310 # known checks its command
  address=$(known "$1" address) || return 1
  [[ $address =~ ^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$ ]] || return 1
  printf '%s@%s\n' "$WEB_USER" "$address"
}

# on runs a command on server $1, for at most $2 seconds; 255 is ssh's own code, where the server does not answer. The connection stays
# open for the next one, and the server reaches the registry through it.
on() {
  local server=$1 limit=$2 where
  shift 2
  # shellcheck disable=SC2310 # reached checks each of its commands
  where=$(reached "$server") || return 255
  timeout "$limit" ssh "${PINNED[@]}" -o ControlMaster=auto -o ControlPath="$SOCKETS/$server" -o ControlPersist=600 -R "$REGISTRY:$REGISTRY" -o ExitOnForwardFailure=no "$where" "$@"
}

# need_server ends the script where $1 is no web server that can be reached.
need_server() {
  # shellcheck disable=SC2310,SC2312 # reached checks each of its commands
  if ! [[ $1 =~ ^i-[0-9a-f]+$ ]] || [ -z "$(reached "$1")" ]; then
    fail server-unknown "there is no web server $1; those that there are: sudo /opt/berth/servers.sh status"
  fi
}

# by_hand has this process become ssh to server $1, for a person: a shell, or a command as ssh takes it. There is no time limit, and the
# service's own connection is left alone.
by_hand() {
  local where
  need_server "$1"
  read_text where reached "$1"
  shift
  set -- -- "$where" "$@"
  if [ -t 0 ] && [ -t 1 ]; then set -- -t "$@"; fi
  exec ssh "${PINNED[@]}" -o ControlPath=none "$@"
}

# follow_on has follow.sh on server $1 do the rest of the arguments, for at most $2 seconds.
follow_on() { on "$1" "$2" sudo -n /opt/berth/follow.sh "${@:3}"; }

# unreached_code says whether $1 is the code of a command that did not run to its end on the server: ssh's own, or the time limit's.
unreached_code() { [ "$1" -eq 255 ] || [ "$1" -eq 124 ]; }

# note_look keeps list $1, as members prints it.
note_look() {
  local text
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -Rcn --argjson time "$EPOCHSECONDS" '{time: $time, servers: [inputs | select(. != "") | split(" ") | {id: .[0], state: .[1], health: .[2], address: .[3]}]}' <<<"$1"
  put "$LOOK" 0600 <<<"$text"
}

# note_answer keeps what server $1 answered (follow.sh state).
note_answer() {
  local text
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -c --argjson time "$EPOCHSECONDS" "$USED"'{time: $time, release: ((.release | strings) // ""), ready: (.ready == true), reboot: (.reboot == true), used: used}' <<<"$2"
  put "$SOCKETS/$1.seen" 0600 <<<"$text"
}

# seen_servers prints a JSON list: each web server, and how it is, by what is known and seen of it alone (servers/seen.jq). It takes no
# time, and asks nobody.
seen_servers() {
  local now up current switched look known seen
  current=$(current)
  switched=$(stat --format %Y "$RELEASES/current" 2>/dev/null) || switched=0
  look=$(jq -c objects "$LOOK" 2>/dev/null) || look=""
  read_text known of_each "$SERVERS" .json
  read_text seen of_each "$SOCKETS" .seen
  read_text now date +%s
  read -r up _ </proc/uptime
  # shellcheck disable=SC2016 # jq's variables
  jq -cn --argjson now "$now" --argjson booted $((now - ${up%.*})) --arg current "$current" --argjson switched "$switched" --argjson look "${look:-null}" \
    --argjson known "$known" --argjson seen "$seen" -f /opt/berth/servers/seen.jq
}

# of_each prints a JSON object: what the file $1/ID$2 of each server holds, by ID. Half a file is none.
of_each() {
  local file id text all="{}"
  for file in "$1"/i-*"$2"; do
    id=${file##*/} id=${id%"$2"}
    # shellcheck disable=SC2016 # jq's variables
    text=$(jq -c --arg id "$id" 'objects | {($id): .}' "$file" 2>/dev/null) || text=""
    all+=$'\n'$text
  done
  jq -cs add <<<"$all"
}

# drop_server has server $1 get no requests, and Auto Scaling replace it, because $2.
drop_server() {
  say "server $1 is taken out and replaced, because $2"
  # shellcheck disable=SC2310 # call checks each of its commands
  call elasticloadbalancing DeregisterTargets "TargetGroupArn=$TARGET_GROUP" "Targets.member.1.Id=$1" >/dev/null &&
    call autoscaling SetInstanceHealth "InstanceId=$1" HealthStatus=Unhealthy ShouldRespectGracePeriod=false >/dev/null || return 1
  forget "$1"
}

# made prints what a server has to be provisioned with now: a hash of the scripts and of the settings of nginx.
made() {
  local sums
  read_text sums find /opt/berth/ -type f ! -path '*/__pycache__/*' -exec sha256sum {} +
  read_text sums sort <<<"$sums"
  read_text sums sha256sum - "$BERTH_ETC/edge-settings.json" <<<"$sums"
  read_text sums sha256sum <<<"$sums"
  printf '%s\n' "${sums:0:16}"
}
