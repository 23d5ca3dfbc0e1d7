#!/usr/bin/env bash
# What the workflow of a release needs to know of its version, that of provision/scripts/VERSION.
#   release.sh tag     print its tag; an error where that is there already
#   release.sh notes   print what CHANGELOG.md says of it
set -euo pipefail

fail() {
  echo "release.sh: $*" >&2
  exit 1
}

version() {
  local version
  version=$(<provision/scripts/VERSION)
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "provision/scripts/VERSION holds '$version'; write a version in it, such as 0.2.0"
  printf '%s\n' "$version"
}

# tag asks GitHub, which knows tags that a checkout of one commit does not have.
tag() {
  local version there
  version=$(version)
  there=$(gh api "repos/$GITHUB_REPOSITORY/git/matching-refs/tags/v$version" --jq "map(select(.ref == \"refs/tags/v$version\")) | length")
  [ "$there" != 1 ] || fail "v$version was released already; write the next version in provision/scripts/VERSION and CHANGELOG.md"
  [ "$there" = 0 ] || fail "GitHub does not say whether there is a tag v$version (it says '$there'); nothing was released"
  printf 'v%s\n' "$version"
}

notes() {
  local version notes
  version=$(version)
  notes=$(awk -v heading="## [$version] - " '/^## / { inside = index($0, heading) == 1; next } inside' CHANGELOG.md)
  [ -n "${notes//[[:space:]]/}" ] || fail "CHANGELOG.md has nothing below '## [$version] - YEAR-MONTH-DAY'; move there what is below '## [Unreleased]'"
  printf '%s\n' "$notes"
}

case ${1:-} in
  tag | notes) "$1" ;;
  *) fail "usage: release.sh tag | notes" ;;
esac
