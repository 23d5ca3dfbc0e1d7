#!/usr/bin/env bash
# Leaves the release's settings on the server, readable by root alone, and releases the commit.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck disable=SC1091
source /dev/stdin

main() {
  put "$BERTH_ETC/release.env" 0600 <<<"$RELEASE_SETTINGS"
  put "$BERTH_ETC/app.env" 0600 < <(printf '%s' "$APP_ENVIRONMENT")
  if [ -n "$DEPLOY_KEY" ]; then
    put "$BERTH_ETC/deploy_key" 0600 <<<"$DEPLOY_KEY"
    put "$BERTH_ETC/known_hosts" 0600 <<<"$KNOWN_HOSTS"
  else
    rm -f "$BERTH_ETC/deploy_key" "$BERTH_ETC/known_hosts"
  fi
  /opt/berth/deploy.sh
}

main "$@"
