# What each minute was like, for the charts of the status page. Sourced by health-check.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# MINUTES has a line for each minute: the time in seconds, the processors' busy ticks and all their ticks since the start, per cent of
# the memory and of the volume in use, nginx's requests since the line before, how many of them it answered with 5xx, the time in
# milliseconds within which 95 in 100 were answered; at last which file its log was, and how much of it was read. A line is 70 bytes.
readonly MINUTES=/var/lib/berth/minutes.tsv REQUESTS=/var/log/nginx/minute
# Two days are kept, and cut off once there are four.
readonly DAYS=2 MOST=400000

record_minute() {
  local line time ticks gauges requests size end=""
  read_text time date +%s
  read_text ticks processor_ticks
  read_text gauges jq -r -s '(map({key: .name, value: .value}) | from_entries) | "\(.memory)\t\(.disk)"' <<<"$RESULTS"
  read_text requests count_requests
  printf -v line '%s\t%s\t%s\t%s' "$time" "$ticks" "$gauges" "$requests"
  mkdir -p "${MINUTES%/*}"
  # After a power cut the last line may be half of one.
  [ ! -s "$MINUTES" ] || end=$(tail --bytes 1 "$MINUTES")
  [ -z "$end" ] || line=$'\n'$line
  printf '%s\n' "$line" >>"$MINUTES" || fail file-not-written "cannot write $MINUTES (the line above says why); the status page lacks this minute"
  read_text size stat --format %s "$MINUTES"
  if [ "$size" -gt "$MOST" ]; then
    read_text line tail --lines $((DAYS * 1440)) "$MINUTES"
    put "$MINUTES" 0644 <<<"$line"
  fi
}

processor_ticks() {
  local user nice system idle wait irq soft steal
  read -r _ user nice system idle wait irq soft steal _ </proc/stat
  printf '%s\t%s\n' $((user + nice + system + irq + soft + steal)) $((user + nice + system + idle + wait + irq + soft + steal))
}

# count_requests reads what nginx wrote since the last line of MINUTES. Of a log that was emptied meanwhile (steps/operations.sh) the
# end is not counted, and without a line there is no minute to count.
count_requests() {
  local before="" file=0 size=0 from counted
  if [ -e "$REQUESTS" ]; then
    read_text file stat --format '%i %s' "$REQUESTS"
    read -r file size <<<"$file"
  fi
  from=$size
  if [ -s "$MINUTES" ]; then
    read_text before tail --lines 1 "$MINUTES"
    [[ $before =~ ^([0-9]+$'\t'){8}([0-9]+)$'\t'([0-9]+)$ ]] || before=""
  fi
  if [ -n "$before" ]; then
    from=0
    if [ "${BASH_REMATCH[2]}" = "$file" ] && [ "${BASH_REMATCH[3]}" -le "$size" ]; then from=${BASH_REMATCH[3]}; fi
  fi
  read_text counted summarize "$from" "$size"
  printf '%s\t%s\t%s\n' "$counted" "$file" "$size"
}

# summarize counts the bytes $1 to $2 of the log: lines of a status and the seconds that the request took. A connection that
# became a WebSocket (101) took as long as it was open.
summarize() {
  { [ "$1" -ge "$2" ] || tail --bytes +$(($1 + 1)) "$REQUESTS" | head --bytes $(($2 - $1)); } | awk '
    { requests++; errors += ($1 >= 500) }
    $1 != 101 { took = int($2 * 1000 + 0.5); if (took > 60000) took = 60000; of[took]++; timed++; if (took > slowest) slowest = took }
    END {
      for (took = 0; took < slowest && (sum += of[took]) < 0.95 * timed; took++);
      printf "%d\t%d\t%d\n", requests, errors, took
    }'
}
