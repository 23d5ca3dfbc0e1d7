#!/usr/bin/env bash
# Points nginx at the release that serves, as the volume has it, before nginx starts.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/upstreams.sh
source /opt/berth/release/upstreams.sh

main() {
  local serving
  read_text serving readlink "$RELEASES/current"
  point current "$serving"
}

main "$@"
