# What the site stands on. Sourced by health-check.sh.
# shellcheck shell=bash

# Per cent above which a warning and an alarm are due.
readonly DISK_WARNING=80 DISK_CRITICAL=90 MEMORY_WARNING=80 MEMORY_CRITICAL=92 SWAP_WARNING=50 SWAP_CRITICAL=80
# Per cent of the processors, by what waits for them.
readonly LOAD_WARNING=200 LOAD_CRITICAL=400

server_checks() {
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
  local used inodes
  used=$(df --output=pcent "$2" | tail -n 1 | tr -dc 0-9)
  inodes=$(df --output=ipcent "$2" | tail -n 1 | tr -dc 0-9)
  [ "${inodes:-0}" -le "$used" ] || used=$inodes
  result "$1" "$(graded "$used" "$DISK_WARNING" "$DISK_CRITICAL")" \
    "$2 is $used % full$([ "$used" -le "$DISK_WARNING" ] || echo "; see what takes it: sudo /opt/berth/log-monitor.sh sizes; make room: sudo /opt/berth/log-monitor.sh clean; or grow it: pulumi config set berth:volumeSize 30")" "$used"
}

check_memory_use() {
  local used swap
  used=$(awk '/^MemTotal:/ { total = $2 } /^MemAvailable:/ { free = $2 } END { print int(100 - 100 * free / total) }' /proc/meminfo)
  result memory "$(graded "$used" "$MEMORY_WARNING" "$MEMORY_CRITICAL")" "$used % in use$([ "$used" -le "$MEMORY_WARNING" ] || echo "; see by what: docker stats; or take a bigger server: pulumi config set berth:instanceType t3.small")" "$used"
  swap=$(awk '/^SwapTotal:/ { total = $2 } /^SwapFree:/ { free = $2 } END { print total ? int(100 - 100 * free / total) : 0 }' /proc/meminfo)
  result swap "$(graded "$swap" "$SWAP_WARNING" "$SWAP_CRITICAL")" "$swap % in use$([ "$swap" -le "$SWAP_WARNING" ] || echo "; see by what: docker stats; or take a bigger server: pulumi config set berth:instanceType t3.small")" "$swap"
}

check_load() {
  local load processors share
  processors=$(nproc)
  load=$(cut -d ' ' -f 2 /proc/loadavg)
  share=$(awk -v load="$load" -v processors="$processors" 'BEGIN { print int(100 * load / processors) }')
  result load "$(graded "$share" "$LOAD_WARNING" "$LOAD_CRITICAL")" "$load over five minutes, on $processors processors$([ "$share" -le "$LOAD_WARNING" ] || echo "; see by what: top, docker stats; or take a bigger server: pulumi config set berth:instanceType t3.large")"
}

check_clock() {
  if systemd-detect-virt --quiet --container; then
    result clock 0 "the host's own"
  elif [ "$(timedatectl show --property NTPSynchronized --value)" = yes ]; then
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
  local failed
  failed=$(systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1 | paste -sd ' ')
  if [ -n "$failed" ]; then result units 1 "failed: $failed; look with: systemctl status $failed"; else result units 0 "none failed"; fi
}
