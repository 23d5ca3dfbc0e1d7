# Whether what a release says of a database fits the data that is there: its password, its major version. Sourced by deploy.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# credentials prints NAME and VALUE, each ended by a NUL, for the variables of service $2 of release $1 that an image of a database
# takes its users from. A value of a file's is read from the secret that is mounted there.
credentials() {
  # shellcheck disable=SC2016 # jq's variables; in a compose file a $ is written twice
  jq --join-output --arg s "$2" '.secrets as $secrets | .services[$s] as $service | $service.environment // {} | to_entries[]
    | select(.key | test("^(POSTGRES|POSTGRESQL|MYSQL|MARIADB)_([A-Z]+_)?(PASSWORD|USER|USERNAME|DB|DATABASE)(_FILE)?$"))
    | (.value // "" | tostring | gsub("\\$\\$"; "$")) as $value
    | if .key | endswith("_FILE") | not then .key, $value
      else .key, (first($service.secrets[]? | select((.target // .source | if startswith("/") then . else "/run/secrets/" + . end) == $value) | $secrets[.source].file // empty) // "") end
    | "\(.)\u0000"' "$RELEASES/$1/data.json"
}

# server_of prints the running container that service $2 of release $1 takes its data from: its own, or one that gives way to it.
server_of() {
  local line project service other
  local -a ids=() lines=()
  read_lines ids running "$DATA_PROJECT" "$2"
  if [ "${#ids[@]}" -eq 0 ]; then
    read_lines lines in_the_way "$1"
    for line in "${lines[@]}"; do
      read -r project service other _ <<<"$line"
      [ "$other" != "$2" ] || read_lines ids running "$project" "$service"
    done
  fi
  [ "${#ids[@]}" -eq 0 ] || printf '%s\n' "${ids[0]}"
}

# try_logins prints what the script of database kind $3 says of the logins that service $2 of release $1 would have in container $4:
# a line "VARIABLE USER" for each that is refused. No value is an argument of a process.
try_logins() {
  local script BERTH_HOST name value
  local -a given=() handed=(--env BERTH_HOST)
  # shellcheck disable=SC2310,SC2312 # what is not read has no last word
  mapfile -d '' -t given < <(credentials "$1" "$2" && printf 'read\0')
  [ "${given[-1]:-}" = read ] || fail "jq read nothing from $RELEASES/$1/data.json, and nothing is done on a guess"
  unset 'given[-1]'
  set -- "$3" "$4" "${given[@]}"
  read_text script cat "/opt/berth/release/$1.sh"
  read_text BERTH_HOST docker inspect --format '{{range .NetworkSettings.Networks}}{{if .IPAddress}}{{.IPAddress}}{{println}}{{end}}{{end}}none' "$2"
  BERTH_HOST=${BERTH_HOST%%$'\n'*}
  export BERTH_HOST
  local kind=$1 id=$2
  shift 2
  (
    while [ $# -gt 1 ]; do
      name=$1 value=$2
      shift 2
      if [[ $name == *_FILE ]]; then
        if [ -z "$value" ] || [ ! -f "$value" ]; then continue; fi
        read_text value cat "$value"
        name=${name%_FILE}
      fi
      export "BERTH_NEW_$name=$value"
      handed+=(--env "BERTH_NEW_$name")
    done
    docker exec --interactive "${handed[@]}" "$id" timeout 60 sh -c "$script" "$kind" login </dev/null
  )
}

# check_passwords refuses release $1 where it changed the password of a database that the data does not know: a database takes one
# only when its volume is made.
check_passwords() {
  local database service kind id line variable user client again="pulumi up"
  local -a databases=() refused=()
  [ "$ACTION" != rollback ] || again="sudo /opt/berth/deploy.sh rollback $1"
  read_json databases "$RELEASES/$1/plan.json" '.databases[]? | select(.kind | IN("postgres", "mysql")) | "\(.service) \(.kind)"'
  for database in "${databases[@]}"; do
    service=${database% *} kind=${database##* }
    id=$(server_of "$1" "$service")
    [ -n "$id" ] || continue
    check_major "$1" "$service" "$kind" "$id"
    read_lines refused try_logins "$1" "$service" "$kind" "$id"
    for line in "${refused[@]}"; do
      read -r variable user <<<"$line"
      [ -n "$user" ] || fail "the login of service $service cannot be tried: its container printed '$variable', which is no answer, and nothing is done on a guess; nothing was changed"
      if [ "$variable" = unknown ]; then
        say "the password of $user in service $service changes, and it cannot be told whether its database takes the new one; a database takes the password of its variable only when its volume is made"
        continue
      fi
      client="psql --username $user --dbname template1 --command '\\password $user'"
      [ "$kind" = postgres ] || client="sh -c 'exec \$(command -v mariadb || command -v mysql) --user root --password', and there: ALTER USER '$user'@'%' IDENTIFIED BY 'THE NEW ONE'"
      fail "this release has another $variable for service $service, but its database refuses user $user with it: a database takes a password from there only when its volume is made; nothing was changed. Fix: keep the old value, in the variable that the compose file takes for $variable: pulumi config set --secret --path berth:secrets.NAME; or change it in the database, from when on what serves cannot log in, and release at once: sudo docker exec --interactive --tty ${id:0:12} $client; then: $again; see docs/runbook/rotate-keys.md"
    done
  done
}

# check_major refuses release $1 where the image of Postgres service $2 is of another major version than the data in container $4.
check_major() {
  local image data major
  [ "$3" = postgres ] || return 0
  # shellcheck disable=SC2016 # jq's and the container's variables
  read_text image jq -r --arg s "$2" '.services[$s].image' "$RELEASES/$1/data.json"
  read_text major docker image inspect --format '{{range .Config.Env}}{{println .}}{{end}}none' "$image"
  # shellcheck disable=SC2016 # sed's own
  read_text major sed -n 's/^PG_MAJOR=//p; $a none' <<<"$major"
  major=${major%%[!0-9]*}
  [ -n "$major" ] || return 0
  # shellcheck disable=SC2016 # see above
  data=$(docker exec "$4" sh -c 'cat "$PGDATA/PG_VERSION"' </dev/null) || data=""
  if ! [[ $data =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
    say "it cannot be told whether the data of service $2 is of Postgres $major, as its image is: its container has no PG_VERSION in PGDATA; where it is not, the new server does not start, and the release is rolled back"
    return
  fi
  # On the way back a database stays as it is.
  # shellcheck disable=SC2310 # kept is one test
  if [ "$data" = "$major" ] || kept "$1"; then return 0; fi
  fail "the image $image of service $2 is Postgres $major, which does not start on the data of Postgres $data that is there; nothing was changed. Fix: keep an image of Postgres $data; or move the data by hand: docs/runbook/upgrade-the-database.md"
}
