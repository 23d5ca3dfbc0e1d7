#!/usr/bin/env bash
# Leaves the release's settings on the server, readable by root alone, and releases the commit.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

# The volume remembers whose it is: one stack's release does not go out on another's server.
own() {
  local owner
  owner=$(cat "$DATA/stack" 2>/dev/null) || put "$DATA/stack" 0600 <<<"$STACK"
  [ "${owner:-$STACK}" = "$STACK" ] ||
    fail data-of-another-stack "this server's data belongs to stack $owner, and this is a release of stack $STACK; choose the stack: pulumi stack select $owner; or, when it is right, remove the mark on the server: sudo rm $DATA/stack"
}

main() {
  step_settings STACK RELEASE:object RELEASE_PLAN:object APP_ENVIRONMENT DEPLOY_KEY KNOWN_HOSTS REGISTRIES:object
  own
  put "$BERTH_ETC/release.json" 0600 <<<"$RELEASE"
  # It holds values of the app's variables.
  put "$BERTH_ETC/plan.json" 0600 <<<"$RELEASE_PLAN"
  put "$BERTH_ETC/app.env" 0600 < <(printf '%s' "$APP_ENVIRONMENT")
  if [ -n "$DEPLOY_KEY" ]; then
    put "$BERTH_ETC/deploy_key" 0600 <<<"$DEPLOY_KEY"
    put "$BERTH_ETC/known_hosts" 0600 <<<"$KNOWN_HOSTS"
  else
    rm -f "$BERTH_ETC/deploy_key" "$BERTH_ETC/known_hosts"
  fi
  put "$BERTH_ETC/docker/config.json" 0600 <<<"$REGISTRIES"
  /opt/berth/deploy.sh
}

main "$@"
