#!/usr/bin/env bash
# Releases the app, and what is done by hand in it. See usage.
#
# Settings: /etc/berth/release.json, written by 'pulumi up': DOMAIN, REPOSITORY, COMMIT, COMPOSE_FILE, KEEP, HEALTHY_WITHIN
# and DRAIN_WITHIN (seconds), STRATEGY, and APP, an object {routes, images, strategy, migration, database}. The app's
# variables: /etc/berth/app.env, and what the release does: /etc/berth/plan.json, both readable by root alone.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/aws.sh
source /opt/berth/aws.sh
# shellcheck source=provision/scripts/release/lock.sh
source /opt/berth/release/lock.sh
# shellcheck source=provision/scripts/release/source.sh
source /opt/berth/release/source.sh
# shellcheck source=provision/scripts/release/pages.sh
source /opt/berth/release/pages.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/binds.sh
source /opt/berth/release/binds.sh
# shellcheck source=provision/scripts/release/images.sh
source /opt/berth/release/images.sh
# shellcheck source=provision/scripts/release/data.sh
source /opt/berth/release/data.sh
# shellcheck source=provision/scripts/release/containers.sh
source /opt/berth/release/containers.sh
# shellcheck source=provision/scripts/release/database.sh
source /opt/berth/release/database.sh
# shellcheck source=provision/scripts/release/drill.sh
source /opt/berth/release/drill.sh
# shellcheck source=provision/scripts/release/password.sh
source /opt/berth/release/password.sh
# shellcheck source=provision/scripts/release/upgrade.sh
source /opt/berth/release/upgrade.sh
# shellcheck source=provision/scripts/release/bucket.sh
source /opt/berth/release/bucket.sh
# shellcheck source=provision/scripts/release/upstreams.sh
source /opt/berth/release/upstreams.sh
# shellcheck source=provision/scripts/release/edge.sh
source /opt/berth/release/edge.sh
# shellcheck source=provision/scripts/release/commands.sh
source /opt/berth/release/commands.sh
# shellcheck source=provision/scripts/release/jobs.sh
source /opt/berth/release/jobs.sh
# shellcheck source=provision/scripts/release/restart.sh
source /opt/berth/release/restart.sh
# shellcheck source=provision/scripts/release/prune.sh
source /opt/berth/release/prune.sh
# shellcheck source=provision/scripts/servers/members.sh
source /opt/berth/servers/members.sh
# shellcheck source=provision/scripts/servers/images.sh
source /opt/berth/servers/images.sh
# shellcheck source=provision/scripts/servers/reach.sh
source /opt/berth/servers/reach.sh
# shellcheck source=provision/scripts/servers/adopt.sh
source /opt/berth/servers/adopt.sh
# shellcheck source=provision/scripts/servers/fanout.sh
source /opt/berth/servers/fanout.sh

readonly LOG=/var/log/berth/release.log
# MiB of free space below which a failure is put down to the want of it.
readonly SCARCE_MIB=128

usage() {
  cat >&3 <<EOF
deploy.sh [deploy] [--change-password] [--upgrade-database]
                                                release the commit that 'pulumi up' chose; the database takes a changed password, its
                                                data moves to the major version of its new image
deploy.sh confirm-upgrade                       remove the data from before an upgrade
deploy.sh rollback [COMMIT] [--with-database [--yes]] [--change-password]
                                                return to the release before, or to a kept one of COMMIT
deploy.sh restart [SERVICE]                     restart the release that serves, or one service
deploy.sh status                                what runs, what is kept
deploy.sh history                               the last 30 releases
deploy.sh dump                                  dump the databases now, as a timer does every night
deploy.sh drill [due]                           restore the newest dumps beside the site and count their rows; due: if it is time
deploy.sh exec SERVICE COMMAND…                 run a command in the container of a service
deploy.sh shell SERVICE                         open a shell there
deploy.sh run SERVICE COMMAND…                  run a command in a container of its own, as the release that serves has it
deploy.sh jobs                                  the scheduled jobs: when each runs next, and how its last run was
deploy.sh job NAME                              run one of them now
deploy.sh db [SERVICE]                          open the database's own client, as its administrator
deploy.sh env                                   the names of the app's variables
deploy.sh maintenance on | off                  answer every page with 503 and the maintenance page
EOF
}

# What a release that fails has to know.
ACTION="" STEP="" OLD="" NEW="" SWITCHED="" REASON=""
# How long each step of it took, and when this one began, in microseconds.
TIMES="" BEGAN=0

# step names what a release is at: in the log, and where it ends in the record of a failed one.
step() {
  local now=${EPOCHREALTIME/[!0-9]/} tenths
  tenths=$(((now - BEGAN) / 100000))
  [ -z "$STEP" ] || TIMES+="${TIMES:+, }$STEP $((tenths / 10)).$((tenths % 10))"
  STEP=$1 BEGAN=$now
  [ /dev/fd/3 -ef /dev/fd/1 ] || printf -- '--- step %s\n' "$1" || true
}

# shellcheck disable=SC2310 # kept is one test
# deploy [--change-password] [--upgrade-database] releases COMMIT with the settings as they are.
deploy() {
  while [ $# -gt 0 ]; do
    case $1 in
      --change-password) CHANGE_PASSWORD=yes ;;
      --upgrade-database) UPGRADE_DATABASE=yes ;;
      *) fail flag-unknown "deploy knows no $1; see: deploy.sh help" ;;
    esac
    shift
  done
  ACTION=deploy
  finish_interrupted "$OLD"
  step fetch
  fetch
  NEW=$(release_id)
  # It may have been restarted since.
  [[ $OLD != "$NEW"-r* ]] || NEW=$OLD
  if [ "$NEW" = "$OLD" ]; then
    resume
  elif kept "$NEW"; then
    say "release $NEW is kept: returning to it without a build"
    begin_dump "$OLD" "$NEW"
    activate
  else
    step plan
    leftovers
    make_room
    say "preparing release $NEW beside ${OLD:-nothing}"
    plan "$RELEASES/$NEW"
    step images
    prepare_images "$RELEASES/$NEW"
    begin_dump "$OLD" "$NEW"
    activate
  fi
}

# shellcheck disable=SC2310 # kept is one test
# resume makes sure of the release that serves already.
resume() {
  say "release $NEW serves already"
  find_servers
  tell_volumes "$NEW"
  learn_routes "$NEW"
  switch_traffic "$NEW"
  find_changed_data "$NEW"
  keep_persistent "$NEW"
  prepare_binds "$NEW"
  start_data "$NEW"
  create "$NEW"
  join "$NEW"
  share_release "$NEW"
  spare_serving "$NEW"
  stop_alone "$NEW"
  prepare_servers "$NEW"
  start_release "$NEW"
  await_servers "$NEW"
  [ "${#WEB[@]}" -eq 0 ] || switch_everywhere "$NEW"
  verify "$NEW"
  settle_servers "$NEW"
  await_settled "$NEW"
  stop_others "$NEW"
  if ! kept "$NEW"; then
    write_release_record
    record
  fi
}

# keep_persistent takes out of what changes what stays as it is on the way back to release $1, where it was released before.
# shellcheck disable=SC2310 # kept is one test
keep_persistent() {
  if kept "$1"; then
    keep_databases "$1"
    keep_jobs "$1"
  fi
}

# shellcheck disable=SC2310 # kept is one test
# activate leads the site from OLD to NEW, whose images and compose files are there.
activate() {
  step check
  find_servers
  begin_images "$NEW"
  begin_hashes "$NEW"
  check_binds "$OLD" "$NEW"
  check_moving "$OLD" "$NEW"
  prepare_binds "$NEW"
  make_mountpoints "$NEW"
  [ -z "$OLD" ] || begin_create "$NEW"
  [ -z "$OLD" ] || check_passwords "$NEW"
  find_changed_data "$NEW"
  keep_persistent "$NEW"
  foretell "$NEW"
  end_create "$NEW"
  if [ -n "$DUMPING" ]; then
    step dump
    end_dump
  fi
  step data
  check_memory
  if [ "$STRATEGY" = stop-first ] && [ -n "$OLD" ]; then
    say "stopping release $OLD first, as berth:releaseStrategy wants; the site is away until the new one is ready"
    note_stopped
    stop_release "$OLD"
  fi
  change_passwords "$NEW"
  upgrade_databases "$NEW"
  stop_moving "$OLD" "$NEW"
  give_way "$NEW"
  start_data "$NEW"
  if [ -n "$OLD" ] && { [ "$DATA_TOUCHED" = yes ] || [ "${#AS_IT_IS[@]}" -gt 0 ]; }; then join "$OLD"; fi
  step create
  create "$NEW"
  # What an interrupted run changed may have left the one that serves without it.
  join ${OLD:+"$OLD"} "$NEW"
  share_release "$NEW"
  if ! kept "$NEW"; then
    step migration
    migrate "$NEW"
  fi
  end_images
  step start
  say "starting release $NEW, ready within $HEALTHY_WITHIN seconds"
  stop_alone "$NEW" "$OLD"
  prepare_servers "$NEW"
  start_release "$NEW"
  step rehearse
  write_release_record
  rehearse "$NEW"
  await_servers "$NEW"
  step switch
  seal_upgrades
  SWITCHED=yes
  switch_everywhere "$NEW"
  [ -z "$RESTORING" ] || open_again
  step verify
  verify "$NEW"
  say "https://$DOMAIN/ is served by $NEW"
  settle_servers "$NEW"
  if [ -n "$OLD" ]; then
    step drain
    drain "$OLD" "$NEW"
  fi
  await_settled "$NEW"
  step stop
  stop_others "$NEW"
  stop_surplus_data "$NEW"
  step verify
  verify "$NEW"
  record
  step end
  print "seconds of each step: $TIMES"
}

# write_release_record writes down what NEW is before it gets traffic: that the disk is full must not be found out when there
# is no other release left to go back to.
write_release_record() {
  local served text
  local -a services=()
  read_lines services docker_table ps --filter "label=com.docker.compose.project=release-$NEW" --format 'table {{.Label "com.docker.compose.service"}}'
  read_text served date --utc +%FT%T.%NZ
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -n --arg id "$NEW" --arg commit "$COMMIT" --arg served "$served" \
    '{id: $id, commit: $commit, served: $served, running: ($ARGS.positional | unique)}' --args "${services[@]}"
  put "$RELEASES/$NEW/foreseen.json" 0600 <<<"$text"
}

# record makes NEW a release that can be returned to.
record() {
  mv -f "$RELEASES/$NEW/foreseen.json" "$RELEASES/$NEW/released.json"
  rm -f "$STOPPED"
}

# rollback [COMMIT] [--with-database] [--yes] [--change-password] returns to a kept release.
rollback() {
  local wanted="" with_database="" yes="" name
  local -a names=() added=()
  while [ $# -gt 0 ]; do
    case $1 in
      --with-database) with_database=yes ;;
      --yes) yes=yes ;;
      --change-password) CHANGE_PASSWORD=yes ;;
      -*) fail flag-unknown "there is no flag $1; see: deploy.sh help" ;;
      *) wanted=$1 ;;
    esac
    shift
  done
  ACTION=rollback
  step choose
  need_release "$OLD"
  finish_interrupted "$OLD"
  read_lines names kept_releases
  for name in "${names[@]}"; do
    if [ "$name" != "$OLD" ] && [[ $name == "$wanted"* || -n $wanted && $wanted == "${name%%-*}"* ]]; then
      NEW=$name
      break
    fi
  done
  [ -n "$NEW" ] || fail release-not-kept "no kept release${wanted:+ of $wanted} to return to; kept: ${names[*]}; an older commit is released again with: pulumi config set berth:ref COMMIT && pulumi up"
  read_text COMMIT jq -r .commit "$RELEASES/$NEW/released.json"
  if [ -n "$with_database" ]; then
    need_one_server "restored"
    check_binds "$OLD" "$NEW"
    check_moving "$OLD" "$NEW"
    confirm_restore "$NEW" "$yes"
    step restore
    [ -e "$MAINTENANCE" ] || RESTORING=yes
    maintenance on
    stop_writers "the databases are restored"
    dump_databases "$OLD" "$OLD"
    start_dumped "$NEW"
    # What only the release to return to has, as where a database came back from elsewhere, was not among those.
    # shellcheck disable=SC2016 # jq's variables
    read_json added "$RELEASES/$NEW/plan.json" 'def all: [.databases[]?, .sqlite[]? | .service]; (all - ($old[0] | all))[]' --slurpfile old "$RELEASES/$OLD/plan.json"
    [ "${#added[@]}" -eq 0 ] || dump_databases "$OLD" "$NEW"
    RESTORED=yes
    restore_databases "$NEW"
  fi
  activate
  say "'pulumi up' without a change leaves it so; to make it the stack's: pulumi config set berth:ref $COMMIT"
}

# dump keeps what the databases hold now, beside the dumps before releases.
dump() {
  OLD=$(current)
  need_release "$OLD"
  refuse_interrupted
  dump_databases "$OLD" "$OLD"
  prune_dumps
  # A copy of many gigabytes takes long, and a release need not wait for it: what is copied is kept.
  exec 8>&-
  copy_off_site "$OLD"
}

status() {
  local name table
  local -a names=()
  OLD=$(current)
  read_lines names kept_releases
  say "release ${OLD:-none} serves; kept: ${names[*]}"
  tell_kept
  [ ! -e "$MAINTENANCE" ] || say "the maintenance page is on"
  for name in $DATA_PROJECT ${OLD:+release-$OLD}; do
    read_text table docker ps --all --filter "label=com.docker.compose.project=$name" --format 'table {{.Label "com.docker.compose.service"}}\t{{.Status}}\t{{.Image}}'
    print "$table"
  done
  tell_servers
}

# finish ends every release: a failed one leaves the site as it was.
finish() {
  local code=$?
  trap '' PIPE HUP TERM INT
  set +e
  trap - EXIT
  # What fails here ends its own part, and no more.
  if [ "$code" -eq 0 ]; then
    (
      set -e
      audit released
    )
    code=$?
    (
      set -e
      # What was restarted is the same release: it takes none of the places of those that are kept.
      # Half of it removed, it is none that one returns to.
      if [ "$ACTION" = restart ]; then
        rm -f "$RELEASES/$OLD/released.json"
        remove_release "$OLD"
      fi
      prune
    )
    code=$((code + $?))
    # It runs at once, not in the next minute.
    systemctl start --no-block berth-health.service 2>/dev/null
    say "released $NEW in $SECONDS seconds"
    if [ "$code" -ne 0 ]; then
      say "$NEW serves, but it could not be recorded, or what no kept release needs could not be taken away (the lines above say why); when that is put right, run it again"
      tell_scarce
    fi
    exit "$code"
  fi
  [ -n "$FAILED" ] || ended "$code"
  REASON=$SAID
  stop_create
  stop_dump
  stop_images
  if [ -n "$BY_HAND" ] && [ -z "$SHOWN" ]; then
    # shellcheck disable=SC2310 # logged checks each of its commands
    await 2 logged || true
    say "--- the last lines of the log"
    # Of this run alone.
    awk '/^=== / { text = ""; next } { text = text $0 "\n" } END { printf "%s", text }' "$LOG" | tail -n 20 | cut -c 1-300 | plain >&3
  fi
  [ -z "$NEW" ] || [ "$NEW" = "$OLD" ] || put_back
  [ -z "$RESTORING" ] || (
    set -e
    open_again
  )
  (
    set -e
    audit failed "$STEP" "$REASON"
  )
  [[ $REASON == *"MiB are free"* ]] || tell_scarce
  if [ -n "$OLD" ] && [ ! -e "$MAINTENANCE" ] && [ "$RELEASES/current" -ef "$RELEASES/$OLD" ]; then say "the site is served by $OLD, as before"; fi
  [ -z "$BY_HAND" ] || say "the whole log: $LOG"
  exit "$code"
}

# tell_scarce says where there is hardly any room.
tell_scarce() {
  local free
  free=$(free_mib)
  if [ "${free:-0}" -lt "$SCARCE_MIB" ]; then say "only ${free:-0} MiB are free on $DATA; $MORE_ROOM; then run 'pulumi up' again"; fi
}

# ended says how a step ended that gave no reason itself.
ended() {
  case $1 in
    129 | 130 | 141 | 143) say "step $STEP was ended from outside (signal $(($1 - 128))): by a connection that was cut, or by somebody; run it again" ;;
    *) say "step $STEP ended with exit code $1${CULPRIT:+, because this failed: $CULPRIT}; the lines above say why" ;;
  esac
}

# put_back undoes what a release did that failed. Visitors who are there may finish. A release that still serves is neither stopped
# nor removed.
put_back() {
  local back=0
  # Before the switch no visitor has written to a new version; after it the new version stays, which the release before can use as well.
  if [ -n "$SWITCHED" ]; then
    keep_upgraded
  else
    (
      set -e
      undo_upgrades "$OLD"
    )
    back=$?
    if [ "$back" -ne 0 ]; then
      # On a new version's half-filled data nothing of the old one starts.
      RESTORING=""
      say "the upgrade could not be taken back (the lines above say why), so nothing was started, and the maintenance page stays on; after the fix, run again, which takes it back first: sudo /opt/berth/deploy.sh"
      return
    fi
  fi
  if [ -n "$OLD" ] && [ -n "$STOPPED_FIRST$SWITCHED" ]; then
    (
      set -e
      start_again "$OLD" "$NEW"
    )
    back=$?
    [ "$back" -eq 0 ] || say "release $OLD does not start; the lines above say why"
  fi
  if [ -n "$SWITCHED" ]; then
    say "going back to ${OLD:-the starting page}"
    (
      set -e
      switch_traffic "${OLD:-starting}"
    )
    if [ "$RELEASES/current" -ef "$RELEASES/$NEW" ]; then
      say "going back failed (the lines above say why): $NEW still serves and keeps running, with the data as it is now; look with: readlink /run/berth-edge/current; after the fix, release again: sudo /opt/berth/deploy.sh${OLD:+; or return to $OLD: sudo /opt/berth/deploy.sh rollback $OLD}"
      return
    fi
    (
      set -e
      servers_back "$OLD" "$NEW"
    )
    (
      set -e
      drain "$NEW" "$OLD"
    )
  else
    (
      set -e
      servers_back "$OLD" "$NEW"
    )
  fi
  [ "${#CHANGED_PASSWORDS[@]}" -eq 0 ] || (
    set -e
    restore_passwords "$NEW" "$OLD"
  )
  # A database has to run again before its content comes back.
  [ -z "$OLD" ] || (
    set -e
    restore_data "$OLD"
  )
  # A release that failed late has removed the page, and visitors write again.
  if [ -n "$RESTORED" ]; then
    (
      set -e
      maintenance on
      stop_writers "the databases are restored as they were"
      restore_databases "$OLD"
    )
    back=$?
    if [ "$back" -ne 0 ]; then
      RESTORING=""
      say "the databases could not be put back as they were (the lines above say why), so the maintenance page stays on; their dumps of before are the newest in $DUMPS; open the site as it is: sudo /opt/berth/deploy.sh maintenance off"
    fi
  fi
  (
    set -e
    stop_release "$NEW"
  )
  if [ "$ACTION" = restart ] || [ ! -e "$RELEASES/$NEW/released.json" ]; then
    (
      set -e
      remove_release "$NEW"
    )
  fi
}

# end_with_finish has finish end what is now begun.
end_with_finish() {
  trap finish EXIT
  # Without these, finish would see the code of the command before, most often 0, and take the release for made.
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
}

# logged says whether what was said last is in the log, and so all that was printed before it.
logged() {
  local lines
  lines=$(tail -n 20 "$LOG") && [[ $lines == *"$SAID"* ]]
}

# log_by_hand does for a release by hand what a step does: what is said goes to the terminal, all else to the log.
log_by_hand() {
  [ /dev/fd/3 -ef /dev/fd/1 ] || return 0
  mkdir -p "${LOG%/*}"
  TZ=UTC printf '\n=== %(%FT%TZ)T %s\n' -1 "${1:-deploy}" >>"$LOG"
  # shellcheck disable=SC2312 # what it cannot write, nothing waits for
  exec > >(plain >>"$LOG") 2>&1
  BY_HAND=yes
}

main() {
  need_root
  umask 077
  load_settings release DOMAIN REPOSITORY COMMIT COMPOSE_FILE STRATEGY HEALTHY_WITHIN:number DRAIN_WITHIN:number KEEP:number APP:object
  STOPPED_FIRST="" CHANGE_PASSWORD="" UPGRADE_DATABASE="" RESTORING="" RESTORED="" BY_HAND=""
  case ${1:-deploy} in
    deploy | rollback)
      log_by_hand "$@"
      await_docker
      await_reboot
      take_lock "${1:-deploy}"
      OLD=$(current)
      end_with_finish
      "${1:-deploy}" "${@:2}"
      ;;
    restart)
      log_by_hand "$@"
      await_docker
      await_reboot
      take_lock restart
      OLD=$(current)
      restart "${2:-}"
      ;;
    dump)
      log_by_hand "$@"
      await_docker
      await_reboot
      take_lock dump
      dump
      ;;
    confirm-upgrade)
      await_docker
      take_lock confirm-upgrade
      confirm_upgrade
      ;;
    drill)
      log_by_hand "$@"
      await_docker
      drill "${2:-}"
      ;;
    status | history) "$1" ;;
    exec)
      [ $# -ge 3 ] || fail arguments-invalid "usage: deploy.sh exec SERVICE COMMAND…; a shell: deploy.sh shell SERVICE"
      execute "${@:2}"
      ;;
    shell) shell "${2:-}" ;;
    run) run_once "${@:2}" ;;
    jobs) list_jobs ;;
    job) run_job "${2:-}" ;;
    db) client "${2:-}" ;;
    env) variables ;;
    maintenance) maintenance "${2:-}" ;;
    help | --help) usage ;;
    *)
      usage
      fail command-unknown "there is no command $1"
      ;;
  esac
}

main "$@"
