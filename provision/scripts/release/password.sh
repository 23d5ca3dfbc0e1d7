# Whether the password that a release gives a database is the one that the database has. Sourced by deploy.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# The services of databases whose passwords this release is to change, and of those, the ones that it did change.
NEW_PASSWORDS=() CHANGED_PASSWORDS=()

# credentials prints NAME and VALUE, each ended by a NUL, for the variables of service $2 of release $1 that an image of a database
# takes its users from. For a value of a secret that is mounted, it prints NAME_FILE and the file, or NAME_VARIABLE and the app's
# variable that the secret is made from.
credentials() {
  # shellcheck disable=SC2016 # jq's variables; in a compose file a $ is written twice
  jq --join-output --arg s "$2" '.secrets as $secrets | .services[$s] as $service | $service.environment // {} | to_entries[]
    | select(.key | test("^(POSTGRES|POSTGRESQL|MYSQL|MARIADB)_([A-Z]+_)?(PASSWORD|USER|USERNAME|DB|DATABASE)(_FILE)?$"))
    | (.value // "" | tostring | gsub("\\$\\$"; "$")) as $value
    | if .key | endswith("_FILE") | not then .key, $value
      else (first($service.secrets[]? | select((.target // .source | if startswith("/") then . else "/run/secrets/" + . end) == $value) | $secrets[.source]) // {}) as $secret
        | if $secret.environment then (.key | sub("_FILE$"; "_VARIABLE")), $secret.environment else .key, ($secret.file // "") end end
    | "\(.)\u0000"' "$RELEASES/$1/data.json"
}

# hand_over exports what credentials prints of service $2 of release $1 as variables that begin with $3, and adds their names to
# HANDED. No value is an argument of a process.
hand_over() {
  local name value index
  local -a given=()
  # shellcheck disable=SC2310,SC2312 # what is not read has no last word
  mapfile -d '' -t given < <(credentials "$1" "$2" && printf 'read\0')
  [ "${given[-1]:-}" = read ] || fail jq-read-nothing "jq read nothing from $RELEASES/$1/data.json, and nothing is done on a guess"
  for ((index = 0; index + 1 < ${#given[@]}; index += 2)); do
    name=${given[index]} value=${given[index + 1]}
    if [[ $name == *_FILE ]]; then
      if [ -z "$value" ] || [ ! -f "$value" ]; then continue; fi
      read_text value cat "$value"
      name=${name%_FILE}
    elif [[ $name == *_VARIABLE ]]; then
      read_text value app_variable "$RELEASES/$1" "$value"
      name=${name%_VARIABLE}
    fi
    export "$3$name=$value"
    HANDED+=(--env "$3$name")
  done
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

# logins has the script of database kind $4 do $1 in container $5: login prints a line "VARIABLE USER" for each login that service
# $3 of release $2 would have and that is refused, change has the database take their passwords. $6 is the release whose passwords the
# database has now, where the container is not that one's.
logins() {
  local script BERTH_HOST
  read_text script cat "/opt/berth/release/$4.sh"
  read_text BERTH_HOST docker inspect --format '{{range .NetworkSettings.Networks}}{{if .IPAddress}}{{.IPAddress}}{{println}}{{end}}{{end}}none' "$5"
  BERTH_HOST=${BERTH_HOST%%$'\n'*}
  export BERTH_HOST
  local -a HANDED=(--env BERTH_HOST)
  (
    hand_over "$2" "$3" BERTH_NEW_
    [ -z "${6:-}" ] || hand_over "$6" "$3" BERTH_NOW_
    docker exec --interactive "${HANDED[@]}" "$5" timeout 60 sh -c "$script" "$4" "$1" </dev/null
  )
}

# check_passwords refuses release $1 where it changed the password of a database that the data does not know: a database takes one
# only when its volume is made.
check_passwords() {
  local database service kind id line variable user again="sudo /opt/berth/deploy.sh deploy --change-password"
  local -a databases=() refused=()
  [ "$ACTION" != rollback ] || again="sudo /opt/berth/deploy.sh rollback $1 --change-password"
  # shellcheck disable=SC2034 # for upgrade.sh
  NEW_PASSWORDS=() TO_UPGRADE=()
  read_json databases "$RELEASES/$1/plan.json" '.databases[]? | select(.kind | IN("postgres", "mysql")) | "\(.service) \(.kind)"'
  for database in "${databases[@]}"; do
    service=${database% *} kind=${database##* }
    id=$(server_of "$1" "$service")
    [ -n "$id" ] || continue
    check_version "$1" "$service" "$kind" "$id"
    read_lines refused logins login "$1" "$service" "$kind" "$id"
    for line in "${refused[@]}"; do
      read -r variable user <<<"$line"
      [ -n "$user" ] || fail login-not-tried "the login of service $service cannot be tried: its container printed '$variable', which is no answer, and nothing is done on a guess; nothing was changed"
      if [ "$variable" = unknown ]; then
        say "the password of $user in service $service changes, and it cannot be told whether its database takes the new one; a database takes the password of its variable only when its volume is made"
        continue
      fi
      if [ -n "$CHANGE_PASSWORD" ]; then
        same_image "$1" "$service" "$id"
        NEW_PASSWORDS+=("$service $kind")
        break
      fi
      fail password-refused "this release has another $variable for service $service, but its database refuses user $user with it: a database takes a password from there only when its volume is made; nothing was changed. Fix: keep the old value, in the variable that the compose file takes for $variable: pulumi config set --secret --path berth:secrets.NAME; or have the database take the new one with this release, until which what serves cannot open a new connection to it: $again; see docs/runbook/rotate-keys.md"
    done
  done
}

# same_image refuses to change a password on the way back to release $1 where service $2 runs in container $3 by another image: with
# its password the service goes back as well, and an older version may not read the data.
same_image() {
  local image now
  [ "$ACTION" = rollback ] || return 0
  # shellcheck disable=SC2016 # jq's variables
  read_text image jq -r --arg s "$2" '.services[$s].image' "$RELEASES/$1/data.json"
  read_text now docker inspect --format '{{.Config.Image}}' "$3"
  [ "$image" = "$now" ] ||
    fail database-image-differs "the database of $2 now runs by another image than release $1 has, so its password cannot be changed on the way back; nothing was changed. Fix: release a commit that has both this image and the old password: pulumi config set --secret --path berth:secrets.NAME, then: pulumi up"
}

# change_passwords has the databases of NEW_PASSWORDS take the passwords that release $1 gives them.
change_passwords() {
  local database service kind id
  local -a refused=()
  for database in "${NEW_PASSWORDS[@]}"; do
    service=${database% *} kind=${database##* }
    id=$(server_of "$1" "$service")
    [ -n "$id" ] || fail database-stopped "the database of $service stopped meanwhile, so its password was not changed; why: sudo /opt/berth/log-monitor.sh view $service"
    say "changing the password of the database of $service; until the switch what serves cannot open a new connection to it"
    # It counts as changed from here on: whether a statement came through cannot be told when the connection to it ends.
    CHANGED_PASSWORDS+=("$database")
    # shellcheck disable=SC2310 # logins checks each of its commands
    logins change "$1" "$service" "$kind" "$id" >/dev/null || fail password-not-taken "the database of $service did not take the new password; the lines above say why"
    read_lines refused logins login "$1" "$service" "$kind" "$id"
    [[ " ${refused[*]%% *} " != *PASSWORD* ]] || fail password-still-refused "the database of $service took the new password and still refuses it"
  done
}

# restore_passwords has the databases of CHANGED_PASSWORDS take those of release $2 again, after release $1 failed. Their containers
# may be of either.
restore_passwords() {
  local database service kind id
  for database in "${CHANGED_PASSWORDS[@]}"; do
    service=${database% *} kind=${database##* }
    say "changing the password of the database of $service back"
    id=$(server_of "$2" "$service")
    # shellcheck disable=SC2310 # logins checks each of its commands
    if [ -z "$id" ] || ! logins change "$2" "$service" "$kind" "$id" "$1" >/dev/null; then
      say "the database of $service did not take the password back, and $2 cannot log in to it (the lines above say why); Fix: set it in the database by hand: docs/runbook/rotate-keys.md"
    fi
  done
}
