#!/usr/bin/env bash
# Runs one step of the provisioning: step.sh NAME SECONDS, with the step's settings on standard input. What the step
# says goes to the operator, everything else to its log; a failure shows the log's last lines.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

# LEAST is the free space in MiB below which a disk counts as full; every TELL_EVERY seconds the operator sees how far a step has come.
readonly LOGS=/var/log/berth LEAST=32 TELL_EVERY=10

# full says which of the disks $@ is full, and what to do.
full() {
  local disk free table seen=" "
  for disk in "$@"; do
    [ -d "$disk" ] || continue
    read_text table df --output=avail,target --block-size=1M "$disk"
    read -r free disk <<<"${table##*$'\n'}"
    # Most are on one disk.
    [[ $seen != *" $disk "* ]] || continue
    seen+="$disk "
    [ "$free" -ge "$LEAST" ] || echo "$free MiB are free on $disk; see what takes it: sudo /opt/berth/log-monitor.sh sizes; make room: sudo /opt/berth/log-monitor.sh clean; docs/runbook/disk-full.md says more"
  done
}

# report says how far step $1 with the log $2 has come, wherever that can be told and has changed, until its input ends. Nothing
# depends on it.
report() {
  local now before="" began=$SECONDS size code
  local -a dumps layers
  while true; do
    code=0
    read -r -t "$TELL_EVERY" _ || code=$?
    [ "$code" -gt 128 ] || return 0
    now=$(awk -f /opt/berth/steps/progress.awk "$2") || return 0
    if [ "$now" = dumping ]; then
      dumps=(/data/dumps/*.partial)
      size=$(stat --format %s "${dumps[-1]}" 2>/dev/null) || continue
      [[ $size =~ ^[0-9]+$ ]] || continue
      now="dumping: $((size >> 20)) MiB so far"
    fi
    if [[ $now == "pulling: "* ]]; then
      # Docker puts what it fetches of a layer here, and takes it away when the layer is unpacked.
      layers=(/data/docker/tmp/GetImageBlob*)
      if [ -e "${layers[0]}" ] && size=$(stat --format %s "${layers[@]}" 2>/dev/null | awk '{ sum += $1 } END { print sum }') && [[ $size =~ ^[0-9]+$ ]]; then
        now+=", and $((size >> 20)) MiB of the others"
      fi
    fi
    if [ -n "$now" ] && [ "$now" != "$before" ]; then echo "$1: $now, after $((SECONDS - began)) seconds"; fi
    before=$now
  done
}

main() {
  local name=$1 limit=$2 log code=0 why out filter watch reporter
  umask 077
  # Where a step keeps what it writes, and its log.
  why=$(full / /etc /var/log)
  if [ -n "$why" ]; then
    echo "$name: not begun [step-not-begun]: $why; then run 'pulumi up' again" >&2
    exit 1
  fi
  mkdir -p "$LOGS"
  log=$LOGS/$name.log

  # An operator who lost the connection runs 'pulumi up' again while the first run may still be at work here.
  exec 9>"/run/berth-step-$name.lock"
  flock --wait "$limit" 9 || {
    echo "$name: an earlier run of this step is still at work after $limit seconds [step-at-work]; look with: sudo lslocks --notruncate" >&2
    exit 1
  }
  TZ=UTC printf '\n=== %(%FT%TZ)T %s\n' -1 "$name" >>"$log"
  # What is asked to end may have to put things back first.
  # shellcheck disable=SC2312 # what it cannot write, no step waits for
  exec {out}> >(plain >>"$log" 9>&-)
  filter=$!
  # shellcheck disable=SC2312 # see report
  exec {watch}> >(report "$name" "$log" {out}>&- 9>&-)
  reporter=$!
  timeout --kill-after=180 "$limit" bash "/opt/berth/steps/$name.sh" 3>&1 >&"$out" 2>&1 {out}>&- {watch}>&- 9>&- || code=$?
  exec {watch}>&-
  wait "$reporter" || true
  # What is shown below is in the log then.
  exec {out}>&-
  wait "$filter" || true
  # What a step left unread would end its SSH session with an error.
  [ -t 0 ] || cat >/dev/null
  [ "$code" -ne 0 ] || return 0

  # Where the step has shown what matters (lib.sh's show), what its log has beside that is noise.
  awk '/^=== / { shown = 0 } /^[a-z.-]+: ---$/ { shown = 1 } END { exit !shown }' "$log" || {
    echo "--- the last lines of the log" >&2
    tail -n 20 "$log" | cut -c 1-300 | plain >&2
  }
  # shellcheck disable=SC2310 # the step's failure is what matters here
  why=$(full /data) || true
  [ -z "$why" ] || echo "$name: $why" >&2
  case $code in
    124 | 137) echo "$name: did not finish within $limit seconds [step-timed-out]; what it was at is in the lines above" >&2 ;;
  esac
  echo "$name: failed; the whole log on the server: $log; after the fix, run 'pulumi up' again" >&2
  exit "$code"
}

main "$@"
