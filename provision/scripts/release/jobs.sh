# Scheduled jobs: what berth:jobs names runs at its times in a container of its own, as the release that serves has the
# service. Sourced by deploy.sh, health-check.sh, status.sh and the operations step.
#
# A timer of systemd starts 'deploy.sh job NAME', and so does a person. Whoever runs a job holds its lock. A job belongs to the release
# that served when it began: a later release stops what is beside it and leaves the job, with its networks and images, until it ends
# or its timeout does.
# shellcheck shell=bash
set -euo pipefail

# What was left of each job: its last run and its last success. The lock that a job has while its container is made, shared with other
# jobs: what removes a release, or stops what writes, has it alone.
readonly UNITS=/etc/systemd/system JOB_RESULTS=$DATA/jobs JOB_LOCKS=/run/berth/jobs STARTING_LOCK=/run/berth/jobs.lock
# Seconds in which a job's container is made, and after which a run that did not begin counts as overdue.
readonly JOB_STARTS=120 JOB_OVERDUE=900
# Seconds that a job which is ended has, whatever its compose file says: a release waits for it.
readonly JOB_STOPS=60

# The job of this run: its name, service, command and timeout, when it began, by the clock and in seconds, its container, what prints its
# output, and why it failed.
JOB="" JOB_SERVICE="" JOB_COMMAND="" JOB_TIMEOUT="" JOB_TIME="" JOB_BEGAN="" JOB_CONTAINER="" JOB_PRINTER="" JOB_REASON=""

# read_job sets the variables of job $1.
read_job() {
  local -a fields=() names=()
  [ -n "$1" ] || fail arguments-invalid "usage: deploy.sh job NAME; the jobs: sudo /opt/berth/deploy.sh jobs"
  load_settings jobs JOBS:array
  # shellcheck disable=SC2016 # jq's variables
  read_json fields "$BERTH_ETC/jobs.json" '.JOBS[] | select(.name == $n) | .service, .command, .timeout' --arg n "$1"
  if [ "${#fields[@]}" -ne 3 ]; then
    read_json names "$BERTH_ETC/jobs.json" '.JOBS[].name'
    fail job-unknown "there is no job $1; these are: ${names[*]:-none}; the setting: pulumi config get berth:jobs"
  fi
  JOB=$1 JOB_SERVICE=${fields[0]} JOB_COMMAND=${fields[1]} JOB_TIMEOUT=${fields[2]}
}

# at_work says whether somebody runs job $1.
at_work() { [ -e "$JOB_LOCKS/$1" ] && ! flock --nonblock 6 6<"$JOB_LOCKS/$1"; }

# by_timer says whether systemd runs this script.
by_timer() { [ -n "${INVOCATION_ID:-}" ]; }

# run_job runs job $1 once.
run_job() {
  local who
  read_job "${1:-}"
  mkdir -p "$JOB_LOCKS" "$JOB_RESULTS"
  exec 7>>"$JOB_LOCKS/$JOB"
  # The health check has it for a moment to see whether it is free.
  if ! flock --wait 2 7; then
    pass_over job-at-work "it is still at work, and one run at a time is enough"
    return
  fi
  read_text who operator
  JOB_BEGAN=$SECONDS
  read_text JOB_TIME date --utc +%FT%TZ
  trap end_job EXIT
  # Without these, end_job would see the code of the command before, most often 0, and take the job for one that succeeded.
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  await_docker
  await_reboot
  exec 6>>"$STARTING_LOCK"
  flock --shared --wait "$JOB_STARTS" 6 || fail job-starts-blocked "a release still removes what jobs could be at work in, after $JOB_STARTS seconds; look with: sudo lslocks --notruncate"
  if [ -e "$MAINTENANCE" ]; then
    trap explain_end EXIT
    pass_over job-during-maintenance "the maintenance page is on, and nothing of the app is to write meanwhile; end it: sudo /opt/berth/deploy.sh maintenance off"
    return
  fi
  # A release may be moving the job's service and its volume to where it never runs twice.
  if [ -e "$STOPPED" ]; then
    trap explain_end EXIT
    pass_over job-during-release "a release has stopped services and is not done; if none is under way, one was interrupted, and this starts them again: sudo /opt/berth/deploy.sh"
    return
  fi
  # shellcheck disable=SC2016 # jq's variables
  read_text who jq -cn --arg time "$JOB_TIME" --arg who "$who" '{time: $time, who: $who, result: "running", reason: "", release: "", seconds: null}'
  note_job "$who"
  start_job
  exec 6>&-
  follow_job
}

# pass_over says why this run is none, $2, and writes it down. It is no failure of a timer's; for a person $1 is its identifier.
pass_over() {
  local now text
  read_text now date --utc +%FT%TZ
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -cn --arg now "$now" --arg why "$2" '{skipped: $now, skippedBecause: $why}'
  note_job "$text"
  # shellcheck disable=SC2310 # by_timer is one test
  by_timer || fail "$1" "job $JOB does not run now: $2"
  say "job $JOB does not run now: $2"
}

# note_job puts the fields of JSON object $1 into what is known of the job. What does not read is replaced.
note_job() {
  local before text file=$JOB_RESULTS/$JOB.json
  before=$(jq -c 'select(type == "object")' "$file" 2>/dev/null) || before=""
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -cn --argjson before "${before:-null}" --argjson now "$1" '($before // {}) + $now'
  put "$file" 0600 <<<"$text"
}

# start_job starts the job's container. Its command is in no process's arguments: Compose hands it on as a variable, which the
# container's shell takes away before it runs it.
start_job() {
  local name=berth-job-$JOB
  local -a names=() ids=()
  find_serving
  read_json names "$RELEASES/$SERVING/plan.json" '.stateless[]'
  [[ " ${names[*]} " == *" $JOB_SERVICE "* ]] ||
    fail service-not-replaced "release $SERVING has no service $JOB_SERVICE that every release replaces (these are: ${names[*]}); name one: pulumi config get berth:jobs"
  # What a run left whose script was killed goes on.
  read_lines ids docker_table ps --no-trunc --format 'table {{.ID}}' "${JOBS_ALONE[@]}" --filter "name=^/$name\$"
  if [ "${#ids[@]}" -gt 0 ]; then
    say "what an interrupted run of job $JOB left at work is ended"
    docker stop -t "$JOB_STOPS" "${ids[@]}" >/dev/null 7>&-
  fi
  read_lines ids docker_table ps --all --no-trunc --format 'table {{.ID}}' "${JOBS_ALONE[@]}" --filter "name=^/$name\$"
  [ "${#ids[@]}" -eq 0 ] || docker rm --force --volumes "${ids[@]}" >/dev/null
  JOB_CONTAINER=$name
  # shellcheck disable=SC2016 # the container's variables
  BERTH_JOB=$JOB_COMMAND timeout "$JOB_STARTS" docker compose --progress quiet --env-file "$RELEASES/$SERVING/.env.production" --file "$RELEASES/$SERVING/app.json" \
    run --detach --name "$name" --label "berth.job=$JOB" --no-deps --no-TTY --env BERTH_JOB "$JOB_SERVICE" sh -c 'job=$BERTH_JOB; unset BERTH_JOB; eval "$job"' 6>&- 7>&- >/dev/null ||
    fail job-not-started "Docker does not start the container of job $JOB (the lines above say why)"
  say "job $JOB runs in service $JOB_SERVICE of release $SERVING, for at most $JOB_TIMEOUT seconds"
}

# follow_job prints what the container prints, for who looks and for the journal, until it ends or its time does.
follow_job() {
  local state
  # shellcheck disable=SC2310,SC2312 # by_timer is one test; what cannot be printed does not end the job
  if by_timer; then
    docker logs --follow "$JOB_CONTAINER" 2>&1 6>&- 7>&- | plain 7>&- &
  else
    docker logs --follow "$JOB_CONTAINER" 2>&1 6>&- 7>&- | plain 7>&- | tee >(systemd-cat --level-prefix=false --identifier="berth-job-$JOB" 7>&-) 7>&- &
  fi
  JOB_PRINTER=$!
  # shellcheck disable=SC2310 # job_ended checks each of its commands
  if ! await "$JOB_TIMEOUT" job_ended; then
    JOB_REASON="it had not ended after $JOB_TIMEOUT seconds, its timeout, and was ended"
    exit 1
  fi
  read_text state docker inspect --format '{{.State.ExitCode}} {{.State.OOMKilled}}' "$JOB_CONTAINER"
  case $state in
    "0 false") return ;;
    *" true") JOB_REASON="it took more memory than there is, and ended with exit code ${state% *}" ;;
    *) JOB_REASON="it ended with exit code ${state% *}" ;;
  esac
  exit 1
}

# job_ended waits for the end of the container; a Docker that is restarted meanwhile lets it run and is asked again. bash heeds a signal
# while it waits, not while a command is at work.
job_ended() {
  local running
  timeout "$JOB_TIMEOUT" docker wait "$JOB_CONTAINER" >/dev/null 2>&1 6>&- 7>&- &
  wait "$!" || true
  running=$(docker inspect --format '{{.State.Running}}' "$JOB_CONTAINER" 2>/dev/null) && [ "$running" = false ]
}

# end_job ends every run: it leaves no container, and writes down how it was.
# shellcheck disable=SC2317 # trap calls it
end_job() {
  local code=$? seconds=$((SECONDS - JOB_BEGAN)) result=succeeded noted written
  trap '' PIPE HUP TERM INT
  set +e
  trap - EXIT
  if [ "$code" -ne 0 ]; then
    result=failed
    if [ -z "$JOB_REASON" ] && [ -n "$FAILED" ]; then JOB_REASON=$SAID; fi
    case $code in 129 | 130 | 141 | 143) JOB_REASON=${JOB_REASON:-"it was ended from outside (signal $((code - 128))): by a reboot, by a connection that was cut, or by somebody"} ;; esac
    : "${JOB_REASON:="it could not be run${CULPRIT:+, because this failed: $CULPRIT}"}"
  fi
  if [ -n "$JOB_CONTAINER" ]; then
    [ "$result" = succeeded ] || timeout $((JOB_STOPS + 10)) docker stop -t "$JOB_STOPS" "$JOB_CONTAINER" >/dev/null 2>&1
    [ -z "$JOB_PRINTER" ] || wait "$JOB_PRINTER"
    timeout 30 docker rm --force --volumes "$JOB_CONTAINER" >/dev/null 2>&1
  fi
  (
    set -e
    # shellcheck disable=SC2016 # jq's variables
    read_text noted jq -cn --arg time "$JOB_TIME" --arg result "$result" --arg reason "$JOB_REASON" --arg release "$SERVING" --argjson seconds "$seconds" \
      '{time: $time, result: $result, reason: $reason, release: $release, seconds: $seconds} + if $result == "succeeded" then {succeeded: $time} else {} end'
    note_job "$noted"
  )
  written=$?
  if [ "$written" -ne 0 ] && [ "$code" -eq 0 ]; then code=1 JOB_REASON="it ended well, and that could not be written down (the lines above say why)"; fi
  if [ "$code" -eq 0 ]; then
    say "job $JOB has ended well, after $seconds seconds"
    tell_missed
  else
    say "job $JOB failed: $JOB_REASON; what it printed: sudo journalctl -t berth-job-$JOB; again: sudo /opt/berth/deploy.sh job $JOB"
  fi
  exit "$code"
}

# tell_missed says which run of the timer's this one took the place of: systemd starts nothing that is at work.
tell_missed() {
  local began next now text
  began=$(date --date "$JOB_TIME" +%s) && now=$(date +%s) || return 0
  # shellcheck disable=SC2310 # job_after checks each of its commands
  next=$(job_after "$JOB" "$began") && [ "$next" -le "$now" ] || return 0
  text=$(date --utc --date "@$next" +%FT%TZ) || return 0
  say "the run of $text was not begun, because this one was still at work"
}

# job_after prints the first time, in seconds, at which job $1 is due after second $2.
job_after() {
  local text line at first=""
  local -a calendars=()
  # shellcheck disable=SC2016 # jq's variables
  read_json calendars "$BERTH_ETC/jobs.json" '.JOBS[] | select(.name == $n) | .calendars[]' --arg n "$1"
  read_text text env TZ=UTC systemd-analyze calendar --base-time="@$2" "${calendars[@]}"
  while read -r line; do
    [[ $line == "Next elapse: "* ]] || continue
    read_text at date --date "${line#*: }" +%s
    if [ -z "$first" ] || [ "$at" -lt "$first" ]; then first=$at; fi
  done <<<"$text"
  [ -n "$first" ] || fail job-time-unknown "systemd tells no time of job $1; look with: systemd-analyze calendar '${calendars[0]:-}'"
  printf '%s\n' "$first"
}

# jobs_known prints a line of JSON for each job: its settings, when it runs next, how its last run was, and since when one is overdue.
jobs_known() {
  local name next last now base due overdue running
  local -a names=()
  [ -e "$BERTH_ETC/jobs.json" ] || return 0
  load_settings jobs JOBS:array
  read_json names "$BERTH_ETC/jobs.json" '.JOBS[].name'
  read_text now date +%s
  for name in "${names[@]}"; do
    running=false overdue=""
    # shellcheck disable=SC2310 # it is one test
    if at_work "$name"; then running=true; fi
    # systemd prints nothing for a timer that is not there.
    next=$(TZ=UTC systemctl show --property NextElapseUSecRealtime --value "berth-job-$name.timer") || next=""
    # date takes nothing for the midnight of today.
    [ -z "$next" ] || next=$(date --date "$next" +%s) || next=""
    last=null base=0
    if [ -e "$JOB_RESULTS/$name.json" ]; then
      last=$(jq -ce 'select(type == "object")' "$JOB_RESULTS/$name.json") || last='{"result":"unknown"}'
    fi
    # A timer that is not there, or is not due for anything, is as bad as a run that did not begin.
    if [ -e "$UNITS/berth-job-$name.timer" ]; then read_text base stat --format %Y "$UNITS/berth-job-$name.timer"; fi
    # shellcheck disable=SC2016 # jq's variables
    read_text due jq -r --argjson base "$base" '[$base, ((.time, .skipped) | select(. != null) | fromdate)] | max' <<<"$last"
    read_text due job_after "$name" "$due"
    if [ "$running" = false ] && [ $((now - due)) -gt "$JOB_OVERDUE" ]; then overdue=$due; fi
    # shellcheck disable=SC2016 # jq's variables
    jq -c --arg n "$name" --arg next "$next" --argjson last "$last" --argjson running "$running" --arg overdue "$overdue" '
      def at: try (tonumber | todate) catch null;
      .JOBS[] | select(.name == $n) | {name, service, schedule, next: ($next | at), overdue: ($overdue | at), last: $last,
        state: (if $running then "running" elif $last.result == null then "never" elif $last.result == "running" then "interrupted" else $last.result end)}' "$BERTH_ETC/jobs.json"
  done
}

# list_jobs prints the jobs for a person.
list_jobs() {
  local known lines table
  known=$(jobs_known)
  [ -n "$known" ] || {
    say "there are no jobs; they are set with berth:jobs"
    return
  }
  read_text lines jq -r '[.name, .schedule, (.next // "-"), (.last.time // "-"), .state, (.last.seconds // "-"), (.last.skipped // "-"), (if .state == "failed" then .last.reason else "" end)] | @tsv' <<<"$known"
  read_text table column -t -s $'\t' <<<$'JOB\tSCHEDULE (UTC)\tNEXT\tLAST\tRESULT\tSECONDS\tSKIPPED\tWHY\n'"$lines"
  print "$table"
}

# alone_with_jobs has no job's container made until fd 6 is closed.
alone_with_jobs() {
  mkdir -p "${STARTING_LOCK%/*}"
  exec 6>>"$STARTING_LOCK"
  flock --wait $((JOB_STARTS + 10)) 6 || fail job-still-starting "a job's container is still being made after $JOB_STARTS seconds; look with: sudo lslocks --notruncate"
}

# stop_writers ends all jobs that are at work, because $1. None begins while the maintenance page is on.
stop_writers() {
  local id
  local -a ids=()
  alone_with_jobs
  exec 6>&-
  read_lines ids docker_table ps --no-trunc --format 'table {{.ID}} {{.Label "berth.job"}}' --filter label=berth.job "${JOBS_ALONE[@]}"
  for id in "${ids[@]}"; do
    say "job ${id#* } is ended, because $1; it counts as failed"
    docker stop -t "$JOB_STOPS" "${id%% *}" >/dev/null
  done
}

# tell_jobs says which jobs go on in release $1, which stops.
tell_jobs() {
  local line
  local -a lines=()
  read_lines lines jobs_in "release-$1"
  for line in "${lines[@]}"; do say "job ${line#* } began in release $1 and goes on there: its networks and images stay until the job ends, at its timeout at the latest"; done
}
