#!/usr/bin/env bash
# Replaces nginx by a new process with the libraries of now, while its ports stay open: the new one takes over the sockets, and
# the old one ends what it has begun. needrestart runs it instead of a restart. Source: nginx.org, "Upgrading Executable on the
# Fly".
set -euo pipefail

readonly PIDS=/run/nginx.pid WITHIN=30

# taken_over says whether another master than $1 has the PID file, and workers.
taken_over() {
  local now
  now=$(cat "$PIDS" 2>/dev/null) || return 1
  [ "$now" != "$1" ] && pgrep --parent "$now" >/dev/null
}

# shellcheck disable=SC2310 # taken_over is one list
main() {
  local old before end=$((SECONDS + WITHIN))
  if ! nginx -t -q; then
    echo "nginx refuses its configuration (the lines above say where), so it is not replaced [nginx-configuration-refused]; what it serves now stays" >&2
    exit 1
  fi
  if ! old=$(cat "$PIDS" 2>/dev/null); then exec systemctl restart nginx.service; fi
  if before=$(cat "$PIDS.oldbin" 2>/dev/null) && kill -0 "$before" 2>/dev/null; then
    # A run that was cut may not have told it to end.
    if taken_over "$before"; then kill -QUIT "$before"; fi
    echo "the nginx that was replaced before still ends what it has begun (process $before), and until then nginx is not replaced again; the next update does it, or now: sudo $0" >&2
    exit 0
  fi
  kill -USR2 "$old"
  until taken_over "$old"; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "nginx was not replaced within $WITHIN seconds, and the old process serves on [nginx-not-replaced]; look with: sudo /opt/berth/log-monitor.sh view nginx" >&2
      exit 1
    fi
    sleep 0.1
  done
  kill -QUIT "$old"
}

main "$@"
