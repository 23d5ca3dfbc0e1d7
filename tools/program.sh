#!/usr/bin/env bash
# Runs Berth's program, for 'pulumi preview' and 'pulumi up': Pulumi.yaml names this script. The program is the released one, where
# tools/program.txt has one of these very sources, and is built from them otherwise, once.
#   program.sh           run it
#   program.sh release   build a release's files into dist/; URL says where they will be
# It runs on macOS too, whose bash is of version 3.
set -euo pipefail

readonly PINS=tools/program.txt
readonly PLATFORMS="linux-amd64 linux-arm64 darwin-amd64 darwin-arm64"
# KEPT is how many programs stay: of another checkout, or of another commit.
readonly KEPT=4

say() { printf 'berth: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

sums() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# sum prints the SHA-256 of what is read.
sum() {
  local all
  all=$(sums)
  printf '%s\n' "${all%% *}"
}

# source_sum prints one of everything that the program is built from; a test compares the list with Go's own.
source_sum() {
  local files
  files=$(find go.mod go.sum main.go docs/iam infra internal provision -type f ! -name '*_test.go' ! -path '*/testdata/*' | LC_ALL=C sort)
  # shellcheck disable=SC2086 # one name a word: none has a space
  sums $files | sum
}

# pin prints what tools/program.txt has under a name: url, source, or a platform. Without the file there is nothing.
pin() {
  [ ! -e "$PINS" ] || awk -v name="$1" '$1 == name { print $2 }' "$PINS"
}

platform() {
  local system machine
  system=$(uname -s | tr '[:upper:]' '[:lower:]')
  machine=$(uname -m)
  case $machine in
    x86_64) machine=amd64 ;;
    aarch64) machine=arm64 ;;
  esac
  printf '%s-%s\n' "$system" "$machine"
}

# fetch gets the released program into file $1, or says why there is none to get. What comes with another sum is not run. Asked in
# a condition, it checks what its commands give.
# shellcheck disable=SC2310 # sum is one command
fetch() {
  local url want got platform
  url=$(pin url)
  platform=$(platform)
  want=$(pin "$platform")
  if [ -z "$url" ] || [ -z "$want" ]; then
    say "no program was released for $platform"
    return 1
  fi
  if ! curl --fail --silent --show-error --location --proto '=https' --connect-timeout 20 --max-time 300 --output "$1" "$url/berth-$platform"; then
    rm -f "$1"
    say "the released program does not come from $url (the line above says why)"
    return 1
  fi
  got=$(sum <"$1") || got=unknown
  [ "$got" = "$want" ] && return 0
  rm -f "$1"
  fail "what came from $url/berth-$platform is not the released program: its SHA-256 is $got, and $PINS says $want; it was not run, and nothing was changed. Fix: try again later, or have Pulumi build from source: put 'runtime: go' in place of the setting runtime in Pulumi.yaml"
}

# build builds the program into file $1.
build() {
  local log=$1.log
  command -v go >/dev/null || fail "there is no go on this machine, with which the program is built: install it from https://go.dev/dl/; nothing was changed"
  say "building the program from its source, once for these sources: this takes some minutes where Go has nothing cached"
  if ! go build -ldflags '-s -w' -o "$1" . 2>"$log"; then
    grep -v '^go: downloading' "$log" >&2 || true
    rm -f "$1" "$log"
    fail "the program does not build (the lines above say why); nothing was changed"
  fi
  rm -f "$log"
}

# prune takes away all programs but the last that were used.
prune() {
  local old
  # shellcheck disable=SC2012 # names of hexadecimal digits
  ls -t "$1" | tail -n +$((KEPT + 1)) | while read -r old; do rm -f "$1/$old"; done
}

# make makes the program of the sources that have sum $2, as file $1.
# shellcheck disable=SC2310 # fetch checks what its commands give
make() {
  local known
  known=$(pin source)
  if [ "$known" != "$2" ]; then
    say "no version of these sources was released"
    build "$1"
  elif ! fetch "$1"; then
    build "$1"
  fi
  chmod 700 "$1"
}

run() {
  local folder=${XDG_CACHE_HOME:-$HOME/.cache}/berth/program source
  source=$(source_sum)
  if [ ! -x "$folder/$source" ]; then
    (umask 077 && mkdir -p "$folder")
    make "$folder/$source.$$" "$source"
    mv -f "$folder/$source.$$" "$folder/$source"
  fi
  touch "$folder/$source"
  prune "$folder"
  exec "$folder/$source"
}

# release builds what a release holds, and the tools/program.txt of the checkouts that come after it.
release() {
  local name source made
  [ -n "${URL:-}" ] || fail "say where the files will be: URL=https://… tools/program.sh release"
  rm -rf dist
  mkdir dist
  source=$(source_sum)
  printf 'url %s\nsource %s\n' "$URL" "$source" >dist/program.txt
  for name in $PLATFORMS; do
    say "building dist/berth-$name"
    CGO_ENABLED=0 GOOS=${name%-*} GOARCH=${name#*-} go build -trimpath -ldflags '-s -w' -o "dist/berth-$name" .
    made=$(sum <"dist/berth-$name")
    printf '%s %s\n' "$name" "$made" >>dist/program.txt
  done
  (cd dist && sums berth-*) >dist/checksums.txt
}

main() {
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  case ${1:-run} in
    run | release | source_sum) "${1:-run}" ;;
    *) fail "usage: tools/program.sh [release | source_sum]" ;;
  esac
}

main "$@"
