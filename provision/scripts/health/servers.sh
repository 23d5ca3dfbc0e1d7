# The web servers of several servers, by what the service berth-servers has seen of them, which asks all the time. Sourced by health-check.sh.
# shellcheck shell=bash
set -euo pipefail

# Seconds after which AWS has not said for too long which servers there are, and after which too few of them are an alarm.
readonly LOOK_OLD=180 SHORT_FOR=900
# When there were first too few, in seconds.
# shellcheck disable=SC2153
readonly SHORT=$SOCKETS/short

# check_servers says whether every web server serves release $1.
check_servers() {
  local now since looked servers least count text severity=0 advice="; why: sudo tail -n 20 /var/log/berth/servers.log"
  local -a bad=()
  # shellcheck disable=SC2310 # it is one test
  several || return 0
  read_text now date +%s
  looked=$(jq -r '.time | numbers' "$LOOK" 2>/dev/null) || looked=""
  if [ -n "$looked" ]; then since=$looked; else read_text since began "$now"; fi
  if [ $((now - since)) -gt "$LOOK_OLD" ]; then
    result servers 2 "AWS has not said for $(((now - since) / 60)) minutes which servers there are, so none joins and none is watched$advice; look with: systemctl status berth-servers"
    return
  fi
  if [ -z "$looked" ]; then
    result servers 1 "AWS has not said yet which servers there are$advice"
    return
  fi
  read_text servers seen_servers
  read_text count jq 'map(select(.phase == "serves")) | length' <<<"$servers"
  read_text least jq '.MIN | numbers // 0' "$BERTH_ETC/servers.json"
  read_json bad /dev/stdin '.[] | select(.phase == "fails") | "\(.id) \(.said)"' <<<"$servers"
  text="$count web servers serve $1"
  [ "$count" -ne 1 ] || text="1 web server serves $1"
  if [ "$count" -ge "$least" ]; then
    rm -f "$SHORT"
  else
    read_text since short_since "$now"
    severity=$((1 + (now - since > SHORT_FOR)))
    text+=", of at least $least, for $(((now - since) / 60)) minutes"
  fi
  if [ "${#bad[@]}" -gt 0 ]; then
    [ "$severity" -gt 0 ] || severity=1
    text+=$(printf '; %s' "${bad[@]}")
    advice+="; look there with: sudo /opt/berth/servers.sh ssh ${bad[0]%% *}"
  fi
  [ "$severity" -gt 0 ] || advice=""
  result servers "$severity" "$text$advice" "$count"
  check_use "$servers"
}

# check_use grades how much of the web servers of list $1 is in use, by the limits of the first server.
check_use() {
  local ssh="sudo /opt/berth/servers.sh ssh" another="end it in the EC2 console, and another one takes its place"
  local memory="; see by what: $ssh ID 'sudo docker stats --no-stream'; or take bigger ones: pulumi config set berth:instanceType t3.small, pulumi up, and $another"
  check_most memory "$MEMORY_WARNING" "$MEMORY_CRITICAL" "$memory" <<<"$1"
  check_most swap "$SWAP_WARNING" "$SWAP_CRITICAL" "$memory" <<<"$1"
  check_most disk "$DISK_WARNING" "$DISK_CRITICAL" "; see what takes it: $ssh ID 'sudo /opt/berth/log-monitor.sh sizes'; make room: $ssh ID 'sudo /opt/berth/log-monitor.sh clean'; or $another" <<<"$1"
}

# check_most notes what is highest of $1 among the web servers of the list on standard input, which CloudWatch gets, too. It names all
# that are above $2; $4 is the advice for the first. Where no figure is known there is nothing to note.
check_most() {
  local advice=""
  local -a most=()
  # shellcheck disable=SC2016 # jq's variables
  read_json most /dev/stdin 'map(select(.used) | {id, share: .used[$use]}) | sort_by(-.share) | select(. != []) | .[0].share, .[0].id,
    ([.[0]] + map(select(.share > $limit))[1:] | map("\(.share) % on \(.id)") | join(", "))' --arg use "$1" --argjson limit "$2"
  [ "${#most[@]}" -gt 0 ] || return 0
  [ "${most[0]}" -le "$2" ] || advice=${4//ID/${most[1]}}
  graded "web-$1" "${most[0]}" "$2" "$3" "most in use: ${most[2]}$advice" "${most[0]}"
}

# began prints since when the service could look: the later of the boot and of when there were several servers. $1 is now.
began() {
  local up written
  read -r up _ </proc/uptime
  read_text written stat --format %Y "$BERTH_ETC/servers.json"
  up=$(($1 - ${up%.*}))
  printf '%s\n' $((up > written ? up : written))
}

# short_since prints since when there are too few, which is $1, now, at first.
short_since() {
  local since
  since=$(cat "$SHORT" 2>/dev/null) || since=""
  if ! [[ $since =~ ^[1-9][0-9]{0,11}$ ]]; then
    since=$1
    put "$SHORT" 0644 <<<"$since"
  fi
  printf '%s\n' "$since"
}
