#!/usr/bin/env bash
# Schedules renewal, then gets the real certificate. Without one the site goes on with what it has, and the timer
# tries again.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

main() {
  /opt/berth/ssl-manager.sh schedule
  /opt/berth/ssl-manager.sh generate || say "the site stays on the certificate it has; the next try is scheduled: systemctl list-timers berth-certificate.timer"
  /opt/berth/ssl-manager.sh check || true
}

main "$@"
