#!/usr/bin/env bash
# Measures on a real account what the rehearsal measures of several servers (docs/growth.md): growth.sh STACK [PATH]
# From one server to three, a release, a rollback, a web server that is gone, and back to one, with 100 requests a second for PATH ("/")
# all the time. It changes the stack's settings and leaves it with one server. It takes about an hour, and costs what an hour of three
# servers and a load balancer does: less than 1 USD. RATE is another number of requests, RESOLVER another name server than 1.1.1.1:53.
# It needs what 'pulumi up' needs, Go, and ssh. The stack's settings are in this folder, or in the one that BERTH_OPERATOR names.
set -euo pipefail

# Seconds for a web server that takes the place of another: three tries of a quarter of an hour.
readonly REPLACED_WITHIN=2700
HERE=$(cd "$(dirname "$0")" && pwd)
readonly HERE RATE=${RATE:-100} RESOLVER=${RESOLVER:-1.1.1.1:53}

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

output() { pulumi stack output --stack "$STACK" "$1" || fail "stack $STACK has no output $1; make it with: pulumi up --stack $STACK"; }

settle() { pulumi config set --stack "$STACK" "$@"; }

update() { pulumi up --stack "$STACK" --yes --skip-preview >"$FOLDER/update" 2>&1 || fail "pulumi up failed; its lines: $FOLDER/update"; }

on_server() { "$HERE/ssh.sh" "$STACK" "$1" </dev/null; }

# measured prints what visitors noticed while the rest of the arguments ran, under the name $1.
measured() {
  local name=$1 began=$SECONDS
  shift
  "$FOLDER/visitors" -site "$SITE" -path "$SITE_PATH" -rate "$RATE" -resolver "$RESOLVER" >"$FOLDER/report" &
  VISITORS=$!
  "$@"
  kill -INT "$VISITORS"
  wait "$VISITORS" || fail "the visitors ended early; their lines: $FOLDER/report"
  printf '\n## %s: %d seconds\n' "$name" $((SECONDS - began))
  cat "$FOLDER/report"
}

to_three() {
  settle berth:servers 3
  update
}

# release releases the same commit with another variable, which is a release like any other.
release() {
  settle --path berth:environment.BERTH_MEASURED "$SECONDS-$$"
  update
  grep -o 'released .* in [0-9]* seconds' "$FOLDER/update" | tail -n 1
}

rollback() { on_server 'sudo /opt/berth/deploy.sh rollback' | grep -o 'released .* in [0-9]* seconds' | tail -n 1; }

# lose_one has a web server turn itself off, without the end of anything that runs there, and waits until another one serves in its place.
lose_one() {
  local lines id ready=0 end=$((SECONDS + REPLACED_WITHIN))
  lines=$(on_server 'sudo /opt/berth/servers.sh status')
  id=$(grep -o '^i-[0-9a-f]*' <<<"$lines" | head -n 1)
  [ -n "$id" ] || fail "there is no web server to lose: $lines"
  say "turning $id off, and waiting for another in its place"
  # shellcheck disable=SC2310 # its connection is lost
  on_server "sudo /opt/berth/servers.sh ssh $id 'sudo systemctl poweroff --force'" || true
  while [[ $lines == *"$id"* ]] || [ "$ready" -lt 2 ]; do
    [ "$SECONDS" -lt "$end" ] || fail "no other web server serves in place of $id within $REPLACED_WITHIN seconds; why: make ssh STACK=$STACK, then: sudo tail -n 20 /var/log/berth/servers.log"
    sleep 5
    # shellcheck disable=SC2310 # it is one command
    lines=$(on_server 'sudo /opt/berth/servers.sh status') || lines=$id
    ready=$(grep -c ', ready; InService, Healthy$' <<<"$lines") || ready=0
  done
}

to_one() {
  settle berth:servers 1
  update
}

main() {
  STACK=${1:-} SITE_PATH=${2:-/}
  [ -n "$STACK" ] || fail "usage: growth.sh STACK [PATH]"
  cd "${BERTH_OPERATOR:-$HERE/..}"
  local url
  url=$(output url)
  SITE=${url#https://} SITE=${SITE%/}
  FOLDER=$(mktemp -d)
  VISITORS=""
  # A step that fails ends the visitors, too; its lines stay.
  trap '[ -z "$VISITORS" ] || kill "$VISITORS" 2>/dev/null || true' EXIT
  (cd "$HERE/../tests" && go build -o "$FOLDER/visitors" ./visitors)
  measured "A release with one server" release
  measured "From one server to three" to_three
  measured "A release on three servers" release
  measured "A rollback on three servers" rollback
  measured "A web server is gone" lose_one
  measured "From three servers back to one" to_one
  pulumi config rm --stack "$STACK" --path berth:environment.BERTH_MEASURED
  rm -rf "$FOLDER"
  say "the variable BERTH_MEASURED is taken back with the next: pulumi up --stack $STACK"
}

main "$@"
