# How a new web server gets what it needs, and joins at the release that serves. Sourced by servers.sh and deploy.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# Seconds for a new server's SSH, its first boot, the scripts on their way, and each of the steps.
readonly BOOTS_WITHIN=300 FIRST_BOOT_WITHIN=330 INSTALLED_WITHIN=120 STEP_WITHIN=900

# greets says whether server $1 lets us in, by a word that it prints; else its code is that of "on".
greets() {
  local said
  said=$(on "$1" "$ANSWER_WITHIN" echo here </dev/null 2>/dev/null) || return
  [ "$said" = here ]
}

# provision_server has server $1 be as Berth has web servers: with its scripts, Docker, the packet filter and nginx, by the same steps as
# the first. What is done already is done in seconds.
provision_server() {
  local now name text settings=$BERTH_ETC/edge-settings.json
  [ -e "$settings" ] || fail edge-settings-missing "the settings of nginx for web servers are missing; have the step servers write them: pulumi up --replace \"\$(pulumi stack --show-urns | grep -o 'urn:pulumi:[^ ]*Command::servers')\""
  read_text now made
  # shellcheck disable=SC2310 # greets is one command
  await "$BOOTS_WITHIN" greets "$1" || fail server-not-answering "server $1 does not answer over SSH within $BOOTS_WITHIN seconds, or shows another host key than the group's"
  read_text text cat /opt/berth/first-boot.sh
  on "$1" "$FIRST_BOOT_WITHIN" "$text" </dev/null
  read_text text cat /opt/berth/install.sh
  # shellcheck disable=SC2312 # half an archive is none to tar
  on "$1" "$INSTALLED_WITHIN" "$text" < <(tar -czf - -C /opt/berth/ --exclude __pycache__ . | base64)
  done_on "$1" "$ASK_WITHIN" enlist </dev/null
  for name in packages firewall operations; do
    on "$1" $((STEP_WITHIN + 60)) sudo -n /opt/berth/step.sh "$name" "$STEP_WITHIN" </dev/null
  done
  on "$1" $((STEP_WITHIN + 60)) sudo -n /opt/berth/step.sh edge "$STEP_WITHIN" <"$settings"
  know "$1" made "$now"
}

# join_server has server $1 serve the release that serves here. No release begins meanwhile.
join_server() {
  local now
  local -a kept=()
  take_lock "the join of server $1"
  now=$(current)
  need_release "$now"
  # What it serves already may be there no more: a first server that was made again has the network and the registry empty.
  share_release "$now"
  # shellcheck disable=SC2310 # serves_now checks each of its commands
  if serves_now "$1"; then
    know "$1" release "$now"
    exec 8>&-
    return
  fi
  read_text PACK pack "$now"
  prepare_on "$1" "$now"
  rm -rf "$PACK"
  tell_maintenance "$1"
  switch_on "$1" "$now" </dev/null
  read_lines kept kept_releases
  settle_on "$1" "$now" "${kept[@]}" </dev/null
  know "$1" release "$now"
  exec 8>&-
}

# serves_now says whether server $1 serves the release that this one does, open or closed as this one is, and nothing else runs there.
serves_now() {
  local now answer closed=false
  [ ! -e "$MAINTENANCE" ] || closed=true
  now=$(current) && answer=$(follow_on "$1" "$ASK_WITHIN" state </dev/null) || return 2
  note_answer "$1" "$answer"
  # shellcheck disable=SC2016,SC2310 # jq's variables; holds is true or false, or the end
  holds --arg now "$now" --argjson closed "$closed" '.release == $now and .ready and .settled and .maintenance == $closed' <<<"$answer"
}

# attend makes sure of server $1 of the group, which is in lifecycle state $2 and has address $3.
attend() {
  local before now code=0
  before=$(known "$1" address)
  [ "$before" = "$3" ] || know "$1" address "$3"
  before=$(known "$1" made)
  read_text now made
  if [ "$before" != "$now" ]; then
    say "server $1 ($3) is provisioned"
    provision_server "$1"
  fi
  [ "$2" != Pending:Wait ] || update_server "$1"
  # shellcheck disable=SC2310 # serves_now checks each of its commands
  serves_now "$1" || code=$?
  before=$(known "$1" release)
  if [ "$code" -eq 2 ]; then
    # The load balancer asks it, too: where it is broken, it is replaced.
    [ -z "$before" ] || return 0
    fail server-not-answering "server $1 does not answer"
  fi
  if [ "$code" -ne 0 ] || [ -z "$before" ]; then
    # A release that is under way has it run two.
    # shellcheck disable=SC2310 # it is one command
    if [ -n "$before" ] && lock_held; then return; fi
    join_server "$1"
    now=$(current)
    say "server $1 ($3) serves release $now"
  else
    # A release may not have seen the end of it.
    now=$(current)
    [ "$before" = "$now" ] || know "$1" release "$now"
  fi
  before=$(known "$1" completed)
  if [ "$2" = Pending:Wait ] && [ -z "$before" ]; then
    complete "$1" CONTINUE
    # AWS takes it once, and shows it later.
    know "$1" completed yes
  fi
}

# lock_held says whether a release is under way.
lock_held() { ! flock --nonblock "$LOCK" true; }

# complete ends the wait of server $1, with CONTINUE or ABANDON.
complete() { call autoscaling CompleteLifecycleAction "AutoScalingGroupName=$GROUP" LifecycleHookName=berth-join "InstanceId=$1" "LifecycleActionResult=$2" >/dev/null; }
