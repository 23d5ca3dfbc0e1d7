#!/usr/bin/env bash
# Points nginx at the release that serves, as the volume has it, before nginx starts. A web server of several that was off may have
# missed a release: it is not ready until the first server has had it join again.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/upstreams.sh
source /opt/berth/release/upstreams.sh

main() {
  local serving
  if [ -e "$BERTH_ETC/role" ]; then
    # Of this boot.
    [ -L "$SLOTS/current" ] || point current starting
    return
  fi
  read_text serving readlink "$RELEASES/current"
  point current "$serving"
}

main "$@"
