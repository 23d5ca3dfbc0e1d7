#!/usr/bin/env bash
# Installs the provider plugins that .github/plugins.txt lists, each by its version and the SHA-256 sum of its archive:
# plugins.sh install. The sums are filled in once for each version: plugins.sh pin, on a machine that you trust, and commit
# the file.
set -euo pipefail

LIST=$(dirname "${BASH_SOURCE[0]}")/plugins.txt
readonly LIST ARCHIVES=https://get.pulumi.com/releases/plugins

say() { printf 'plugins.sh: %s\n' "$*"; }

fail() {
  say "$*" >&2
  exit 1
}

# each runs the command $1 with name, version and sum of every line.
each() {
  local name version sum lines
  lines=$(grep --invert-match '^#' "$LIST") || fail "$LIST lists no plugin"
  while read -r name version sum; do
    [[ $name =~ ^[a-z]+$ && $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "$LIST has a line that is not NAME VERSION SHA256: $name $version $sum"
    "$1" "$name" "$version" "$sum"
  done <<<"$lines"
}

install_one() {
  [[ $3 =~ ^[0-9a-f]{64}$ ]] ||
    fail "$LIST has no SHA-256 sum of the plugin $1 $2, so nothing vouches for what would run with the deployer's role. Nothing was installed. Fix: .github/plugins.sh pin, and commit $LIST"
  pulumi plugin install resource "$1" "v$2" --checksum "$3" </dev/null
}

pin_one() {
  local sum
  sum=$(curl --silent --show-error --fail --location "$ARCHIVES/pulumi-resource-$1-v$2-linux-amd64.tar.gz" | sha256sum)
  sum=${sum%% *}
  [[ $3 == unknown || $3 == "$sum" ]] || fail "the archive of the plugin $1 $2 has the sum $sum, and $LIST has $3: it was replaced since. Nothing was changed"
  printf '%s %s %s\n' "$1" "$2" "$sum" >>"$PINNED"
}

pin() {
  PINNED=$(mktemp)
  grep '^#' "$LIST" >"$PINNED"
  each pin_one
  cat "$PINNED" >"$LIST"
  rm "$PINNED"
  say "see what changed: git diff $LIST"
}

main() {
  case ${1:-} in
    install) each install_one ;;
    pin) pin ;;
    *) fail "usage: plugins.sh install | pin" ;;
  esac
}

main "$@"
