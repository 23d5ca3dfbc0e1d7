#!/usr/bin/env bash
# Releases, and disturbs it when the nth step of a name begins: cut_release.sh NAME:NTH kill|end|power|fill|none
# kill ends every process of the release at once. end asks deploy.sh to end, which it does. power says that the step is reached, and goes on: whoever reads it
# pulls the plug. fill leaves no room on the volume, while the release holds still, and keeps at it until the release ends.
set -euo pipefail
name=${1%:*} nth=${1#*:} how=$2 seen=0 filler=""

# fill takes what is free on the volume, and what is kept for root; so does keep_full with what is set free later.
fill() {
  local free
  free=$(df --output=avail --block-size=1 /data | tail -n 1)
  fallocate --length "$free" /data/filler
  head -c 10G /dev/zero >>/data/filler 2>/dev/null || true
}

keep_full() {
  while sleep 0.05; do head -c 10G /dev/zero >>/data/filler 2>/dev/null || true; done
}

pipe=$(mktemp --dry-run)
mkfifo "$pipe"
# The operator's terminal is descriptor 3 of a step; here only the log is wanted.
setsid /opt/berth/deploy.sh >"$pipe" 2>&1 3>/dev/null </dev/null &
release=$!
while IFS= read -r line; do
  printf '%s\n' "$line"
  [ "$line" = "--- step $name" ] || continue
  seen=$((seen + 1))
  [ "$seen" = "$nth" ] || continue
  case $how in
    kill)
      pkill -KILL --session "$release"
      printf 'cut at %s\n' "$name"
      break
      ;;
    end)
      kill -TERM "$release"
      printf 'ended at %s\n' "$name"
      ;;
    power) printf 'reached %s\n' "$name" ;;
    fill)
      pkill -STOP --session "$release"
      fill
      keep_full &
      filler=$!
      pkill -CONT --session "$release"
      printf 'filled at %s\n' "$name"
      ;;
  esac
done <"$pipe"
rm -f "$pipe"
code=0
wait "$release" 2>/dev/null || code=$?
[ "$how" != kill ] || code=0
# 143 is what it says of itself.
[ "$how" != end ] || code=$((code != 143))
[ -z "$filler" ] || kill "$filler"
exit "$code"
