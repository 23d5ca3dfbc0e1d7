# What the site needs of its server. Sourced by health-check.sh.
# shellcheck shell=bash
set -euo pipefail

# Per cent above which a warning and an alarm are due.
readonly DISK_WARNING=80 DISK_CRITICAL=90 MEMORY_WARNING=80 MEMORY_CRITICAL=92 SWAP_WARNING=50 SWAP_CRITICAL=80
# Per cent of the processors, by what waits for them.
readonly LOAD_WARNING=200 LOAD_CRITICAL=400

server_checks() {
  # shellcheck disable=SC2310 # there is one list
  if there; then
    check_disk disk "$DATA"
  else
    result disk 2 "$DATA is not there, or takes nothing: its volume was taken away, or failed; give it back: pulumi refresh, pulumi up; look with: systemctl status data.mount" 100
  fi
  check_disk root /
  check_memory_use
  check_load
  check_clock
  check_reboot
  check_units
}

# there says whether the volume is there and takes what is written; a directory's time needs no room.
there() { mountpoint -q "$DATA" && timeout 10 touch "$DATA" 2>/dev/null; }

check_disk() {
  local used advice="; see what takes it: sudo /opt/berth/log-monitor.sh sizes; make room: sudo /opt/berth/log-monitor.sh clean; or grow it: pulumi config set berth:volumeSize 30"
  read_text used disk_used "$2"
  [ "$used" -gt "$DISK_WARNING" ] || advice=""
  graded "$1" "$used" "$DISK_WARNING" "$DISK_CRITICAL" "$2 is $used % full$advice" "$used"
}

check_memory_use() {
  local used swap worse="" advice="; see by what: docker stats; or take a bigger server: pulumi config set berth:instanceType t3.small"
  read_text used memory_used
  read -r used swap <<<"$used"
  [ "$used" -le "$MEMORY_WARNING" ] || worse=$advice
  graded memory "$used" "$MEMORY_WARNING" "$MEMORY_CRITICAL" "$used % in use$worse" "$used"
  [ "$swap" -gt "$SWAP_WARNING" ] || advice=""
  graded swap "$swap" "$SWAP_WARNING" "$SWAP_CRITICAL" "$swap % in use$advice" "$swap"
}

check_load() {
  local load processors share advice="; see by what: top, docker stats; or take a bigger server: pulumi config set berth:instanceType t3.large"
  read_text processors nproc
  read -r _ load _ </proc/loadavg
  # It has two places: without the point it is in hundredths.
  share=$((10#${load/./} / processors))
  [ "$share" -gt "$LOAD_WARNING" ] || advice=""
  graded load "$share" "$LOAD_WARNING" "$LOAD_CRITICAL" "$load over five minutes, on $processors processors$advice"
}

check_clock() {
  local synchronised
  read_text synchronised timedatectl show --property NTPSynchronized --value
  if [ "$synchronised" = yes ]; then
    result clock 0 "synchronised"
  else
    result clock 1 "not synchronised; look with: timedatectl timesync-status"
  fi
}

check_reboot() {
  if [ -e /run/reboot-required ]; then
    result reboot 1 "an update waits for a reboot, which comes in the night; or now: sudo systemctl reboot"
  else
    result reboot 0 "none is due"
  fi
}

check_units() {
  local table unit active failed=""
  # With its legend it prints something where none failed, too.
  read_text table systemctl list-units --failed --plain
  while read -r unit _ active _; do
    # Of a job's its own check tells.
    [ "$active" != failed ] || [[ $unit == berth-job-* ]] || failed+="${failed:+ }$unit"
  done <<<"$table"
  if [ -n "$failed" ]; then result units 1 "failed: $failed; look with: systemctl status $failed"; else result units 0 "none failed"; fi
}
