# What somebody does by hand in the app that serves. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# SERVING is the release that serves, CONTAINER one of a service's.
SERVING="" CONTAINER=""

find_serving() {
  SERVING=$(current)
  need_release "$SERVING"
}

# find_container finds the container of service $1, of the release that serves or of its data. Docker says where it does not run.
find_container() {
  local project
  local -a ids=() names=() all=()
  [ -n "$1" ] || fail service-not-named "name a service, such as: sudo /opt/berth/deploy.sh shell web; what runs: sudo /opt/berth/deploy.sh status"
  find_serving
  for project in "release-$SERVING" "$DATA_PROJECT"; do
    read_lines ids lasting "$project" "$1"
    if [ "${#ids[@]}" -gt 0 ]; then
      CONTAINER=${ids[0]}
      return
    fi
    read_lines names docker_table ps --filter "label=com.docker.compose.project=$project" --format 'table {{.Label "com.docker.compose.service"}}'
    all+=("${names[@]}")
  done
  fail service-unknown "there is no service $1; these run: ${all[*]}"
}

# at_terminal is true where a person is at both ends of this script.
at_terminal() { [ -t 0 ] && [ -t 1 ]; }

# execute SERVICE COMMAND… runs a command in the running container of a service.
execute() {
  local -a flags=()
  find_container "${1:-}"
  # shellcheck disable=SC2310 # it is two tests
  if at_terminal; then flags=(--tty); fi
  docker exec --interactive "${flags[@]}" "$CONTAINER" "${@:2}"
}

# shell SERVICE opens the best shell that the container has.
shell() { execute "${1:-}" sh -c 'if command -v bash >/dev/null; then exec bash; else exec sh; fi'; }

# run_once SERVICE COMMAND… runs a command in a container of its own: the image, variables and networks are those of the service in the
# release that serves. A persistent service is refused: it would have its data twice. The next release ends what is still at work.
run_once() {
  local -a names=() persistent=() flags=()
  [ $# -ge 2 ] || fail arguments-invalid "usage: deploy.sh run SERVICE COMMAND…"
  find_serving
  read_json names "$RELEASES/$SERVING/plan.json" '.stateless[]'
  read_json persistent "$RELEASES/$SERVING/plan.json" '.stateful[]'
  [[ " ${names[*]} ${persistent[*]} " == *" $1 "* ]] || fail service-unknown "there is no service $1; these are: ${names[*]} ${persistent[*]}"
  [[ " ${names[*]} " == *" $1 "* ]] ||
    fail service-not-replaced "$1 is no service that every release replaces (these are: ${names[*]}); in the container of a persistent one: sudo /opt/berth/deploy.sh exec $1 ${*:2}"
  # shellcheck disable=SC2310 # it is two tests
  if at_terminal; then flags=(--interactive --tty); else flags=(--no-TTY); fi
  docker compose --progress quiet --env-file "$RELEASES/$SERVING/.env.production" --file "$RELEASES/$SERVING/app.json" \
    run --rm --no-deps "${flags[@]}" "$1" "${@:2}"
}

# client [SERVICE] opens the database's own client, as the database's administrator.
client() {
  local line kind script BERTH_COMMAND=""
  local -a databases=() flags=()
  find_serving
  # shellcheck disable=SC2016 # jq's variables
  read_json databases "$RELEASES/$SERVING/plan.json" '.databases[] | select(.kind != "command") | select($s == "" or .service == $s) | "\(.service) \(.kind)"' --arg s "${1:-}"
  [ "${#databases[@]}" -gt 0 ] || fail database-unknown "the release has no database${1:+ $1} that Berth knows; in a container: sudo /opt/berth/deploy.sh exec SERVICE COMMAND"
  [ "${#databases[@]}" -eq 1 ] || fail database-not-named "the release has more than one database (${databases[*]% *}); name one: sudo /opt/berth/deploy.sh db ${databases[0]% *}"
  line=${databases[0]} kind=${line##* }
  find_container "${line% *}"
  read_text script cat "/opt/berth/release/$kind.sh"
  [ "$kind" != redis ] || know_command "$CONTAINER"
  # shellcheck disable=SC2310 # it is two tests
  if at_terminal; then flags=(--tty); fi
  docker exec --interactive "${flags[@]}" ${BERTH_COMMAND:+--env BERTH_COMMAND} "$CONTAINER" sh -c "$script" "$kind" client
}

# variables prints the names of the app's variables, and no value.
variables() {
  local -a names=()
  find_serving
  read_lines names sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' "$RELEASES/$SERVING/.env.production"
  [ "${#names[@]}" -eq 0 ] || printf '%s\n' "${names[@]}"
}
