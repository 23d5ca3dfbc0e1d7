# How much of a server is in use, in per cent. Sourced by health-check.sh for the first server, and by follow.sh for a web server.
# shellcheck shell=bash
set -euo pipefail

# memory_used prints it of the memory and of the swap.
memory_used() {
  local name value
  local -A of=()
  while read -r name value _; do of+=(["${name%:}"]="$value"); done </proc/meminfo
  printf '%s %s\n' $((100 * (of[MemTotal] - of[MemAvailable]) / of[MemTotal])) $((of[SwapTotal] ? 100 * (of[SwapTotal] - of[SwapFree]) / of[SwapTotal] : 0))
}

# disk_used prints it of the fullest of the file systems of paths $@, by their room or by their number of files.
disk_used() {
  local table share most=-1
  read_text table df --output=pcent,ipcent "$@"
  [[ $table == *$'\n'* ]] || return 1
  for share in ${table#*$'\n'}; do
    # A file system without a limit on files has a dash there.
    share=${share%\%} share=${share/#-/0}
    [[ $share =~ ^(0|[1-9][0-9]{0,2})$ ]] || return 1
    [ "$share" -le "$most" ] || most=$share
  done
  [ "$most" -ge 0 ] || return 1
  printf '%s\n' "$most"
}

# gauges prints both as JSON, the disk as the fuller one of the system's and of Docker's.
gauges() {
  local memory swap disk
  read_text memory memory_used
  read -r memory swap <<<"$memory"
  read_text disk disk_used / "$DATA/docker"
  printf '{"memory":%s,"swap":%s,"disk":%s}\n' "$memory" "$swap" "$disk"
}
