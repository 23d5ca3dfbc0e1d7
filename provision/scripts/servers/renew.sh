# A web server on which an update waits for a reboot is replaced, by night, one at a time. A reboot would have Auto Scaling replace it all
# the same, since it answers the load balancer meanwhile with nothing. Sourced by servers.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# The hours of that, as 0400 for four o'clock: when the first server is back from its own reboot (steps/operations.sh).
readonly NIGHT_BEGINS=0400 NIGHT_ENDS=0600
# RENEWED has when one was replaced last, and how many there were: {time, count}. RENEWS_WITHIN are the seconds that the next waits for
# the new one, which begins when the requests of the one before have ended, UPDATES_WITHIN those for the updates of a new one, and RESTARTS_WITHIN those for its reboot.
readonly RENEWED=$SOCKETS/renewed RENEWS_WITHIN=5400 UPDATES_WITHIN=330 RESTARTS_WITHIN=180

# night says whether it is night.
night() {
  local time
  read_text time date +%H%M
  [ $((10#$time)) -ge $((10#$NIGHT_BEGINS)) ] && [ $((10#$time)) -lt $((10#$NIGHT_ENDS)) ]
}

# renewed prints field $1 of RENEWED, 0 where none was replaced since the boot.
renewed() {
  local text
  # shellcheck disable=SC2016 # jq's variables
  text=$(jq -r --arg f "$1" '.[$f] | numbers' "$RENEWED" 2>/dev/null) || text=""
  printf '%s\n' "${text:-0}"
}

# renew replaces one web server that waits for a reboot, while every other one serves, and the first server, too. Where that is the only
# one that takes requests, it is left.
renew() {
  local servers id time count text
  # shellcheck disable=SC2310 # they are one test
  if ! night || lock_held; then return; fi
  read_text servers seen_servers
  read_text time renewed time
  read_text count renewed count
  [ "$EPOCHSECONDS" -lt $((time + RENEWS_WITHIN)) ] || count=0
  # shellcheck disable=SC2016 # jq's variables
  read_text id jq -r --argjson least "$count" --slurpfile settings "$BERTH_ETC/servers.json" '$settings[0] as $own
    | if all(.[]; .phase == "serves") and length >= ([$least, $own.MIN // 1, 1] | max) and (length > 1 or $own.FIRST == true)
      then first(.[] | select(.reboot) | .id) // "-" else "-" end' <<<"$servers"
  # shellcheck disable=SC2310 # it is one test
  if [ "$id" = - ] || ! well; then return; fi
  read_text count jq length <<<"$servers"
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -cn --argjson time "$EPOCHSECONDS" --argjson count "$count" '$ARGS.named'
  put "$RENEWED" 0600 <<<"$text"
  # shellcheck disable=SC2310 # drop_server is one list
  drop_server "$id" "an update on it waits for a reboot" || say "AWS does not take server $id out (the lines above say why); it is tried again"
}

# well says whether the site answered on this server at the last health check.
well() { jq -e '.checks | any(.name == "site" and .severity == 0)' /run/berth/health.json >/dev/null 2>&1; }

# update_server has new server $1 install its updates, and reboot where they need that, before it joins. It is done where it takes the place
# of one that was replaced for it: the group's image is as old as the group, and the next night would find the same. It joins in any case.
update_server() {
  local before time boot state
  read_text time renewed time
  [ "$EPOCHSECONDS" -lt $((time + RENEWS_WITHIN)) ] || return 0
  before=$(known "$1" updated)
  [ -z "$before" ] || return 0
  know "$1" updated yes
  say "server $1 installs its updates before it joins"
  # shellcheck disable=SC2310 # each is one command
  if ! follow_on "$1" "$UPDATES_WITHIN" update </dev/null || ! state=$(follow_on "$1" "$ASK_WITHIN" state </dev/null) || ! boot=$(boot_of "$1"); then
    say "server $1 does not install its updates (the lines above say why); it joins without them, and installs them within a day"
    return
  fi
  # shellcheck disable=SC2310 # holds is true or false, or the end
  if ! holds '.reboot == true' <<<"$state"; then return; fi
  say "server $1 reboots before it joins"
  # The connection ends with it.
  on "$1" "$ANSWER_WITHIN" sudo -n systemctl reboot </dev/null || true
  hang_up "$1"
  # shellcheck disable=SC2310 # booted checks each of its commands
  await "$RESTARTS_WITHIN" booted "$1" "$boot" || fail server-not-answering "server $1 does not come back from its reboot within $RESTARTS_WITHIN seconds"
}

# boot_of prints which boot of server $1 it is.
boot_of() { on "$1" "$ANSWER_WITHIN" cat /proc/sys/kernel/random/boot_id </dev/null; }

# booted says whether server $1 is back from boot $2.
booted() {
  local now
  # shellcheck disable=SC2310 # it is one command
  now=$(boot_of "$1" 2>/dev/null) && [ -n "$now" ] && [ "$now" != "$2" ]
}
