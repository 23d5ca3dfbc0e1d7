#!/usr/bin/env bash
# Releases, and ends it when the nth step of a name begins: cut_release.sh NAME:NTH kill|power|none
# kill ends every process of the release at once. power says that the step is reached, and goes on: whoever reads it
# pulls the plug.
set -euo pipefail
name=${1%:*} nth=${1#*:} how=$2 seen=0
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
    power) printf 'reached %s\n' "$name" ;;
  esac
done <"$pipe"
rm -f "$pipe"
wait "$release" 2>/dev/null || [ "$how" = kill ]
