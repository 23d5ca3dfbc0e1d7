#!/usr/bin/env bash
# Waits until the web servers serve what the first server does.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

# Less than the step has.
readonly JOINED_WITHIN=1700

main() {
  step_settings MIN:number
  /opt/berth/servers.sh await "$MIN" "$JOINED_WITHIN"
  say "$MIN web servers or more serve what this one does"
}

main "$@"
