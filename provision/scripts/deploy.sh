#!/usr/bin/env bash
# Releases the app: deploy.sh (the commit that 'pulumi up' chose) | deploy.sh status
# Settings: /etc/berth/release.env, written by 'pulumi up': REPOSITORY, COMMIT, COMPOSE_FILE, ROUTES (lines of
# "path service port"), DOMAIN. The app's variables: /etc/berth/app.env, readable by root alone.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

readonly RELEASES=$DATA/releases MIRROR=$DATA/app.git PROJECT=app
# The loopback ports of the routes, counted from here in the order of the routes.
readonly FIRST_PORT=20000
# Seconds until the services have to be healthy, and then until the site has to answer.
readonly HEALTHY_WITHIN=300 ANSWERS_WITHIN=15

git_mirror() {
  local ssh="ssh -o BatchMode=yes"
  [ ! -s "$BERTH_ETC/deploy_key" ] || ssh+=" -i $BERTH_ETC/deploy_key -o IdentitiesOnly=yes -o UserKnownHostsFile=$BERTH_ETC/known_hosts -o StrictHostKeyChecking=yes"
  GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND=$ssh git --git-dir "$MIRROR" "$@"
}

fetch() {
  [ -d "$MIRROR" ] || git init --quiet --bare "$MIRROR"
  if ! git_mirror cat-file -e "$COMMIT^{commit}" 2>/dev/null; then
    say "fetching $REPOSITORY"
    git_mirror fetch --quiet --force --prune "$REPOSITORY" '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' ||
      fail "cannot fetch $REPOSITORY from the server; the lines above say why; a private repository needs a deploy key: cat key | pulumi config set --secret berth:deployKey"
  fi
  git_mirror cat-file -e "$COMMIT^{commit}" 2>/dev/null ||
    fail "$REPOSITORY has no branch or tag that holds commit $COMMIT; push it, or choose another: pulumi config set berth:ref main"
}

# check_out lays the commit's files into the release's folder, whole or not at all. Their modes are git's, since they
# are copied into images; the folder above is closed to all but root.
check_out() {
  local folder=$1 new=$1.new
  [ ! -d "$folder" ] || return 0
  rm -rf "$new"
  (
    umask 022
    export GIT_INDEX_FILE=$new.index
    mkdir -p "$new"
    git --git-dir "$MIRROR" --work-tree "$new" read-tree "$COMMIT"
    git --git-dir "$MIRROR" --work-tree "$new" checkout-index --all
  )
  rm -f "$new.index"
  mv -T "$new" "$folder"
}

# compose_path is the compose file of a release, which must lie inside it even when it is a symbolic link.
compose_path() {
  local path
  path=$(realpath --canonicalize-existing "$1/$COMPOSE_FILE" 2>/dev/null) ||
    fail "commit $COMMIT has no $COMPOSE_FILE; name the file: pulumi config set berth:composeFile compose.yaml"
  case $path in
    "$(realpath "$1")"/*) printf '%s\n' "$path" ;;
    *) fail "$COMPOSE_FILE leads out of the repository, to $path; commit the file itself" ;;
  esac
}

compose() {
  docker compose --project-name "$PROJECT" --env-file "$APP_ENV" --file "$COMPOSE" "$@"
}

# override writes what the edge needs beside the app's own file: routed services listen on loopback, and nothing
# else is published, whatever the app's file says.
override() {
  compose config --format json >"$RELEASE.model.json" || fail "Compose refuses $COMPOSE_FILE of commit $COMMIT; the lines above say where"
  local path service port index=0 services
  services=$(jq -r '.services | keys | join(", ")' "$RELEASE.model.json")
  printf 'services:\n' >"$RELEASE.override.yaml"
  while read -r path service port; do
    jq -e --arg s "$service" '.services | has($s)' "$RELEASE.model.json" >/dev/null ||
      fail "route $path leads to service $service, which $COMPOSE_FILE does not have; it has: $services; mend it: pulumi config set --path 'berth:routes[$index].service' NAME"
    index=$((index + 1))
  done <<<"$ROUTES"
  for service in $(jq -r '.services | keys[]' "$RELEASE.model.json"); do
    printf '  %s:\n    ports: !override\n' "$service" >>"$RELEASE.override.yaml"
    local count=0 own
    index=0
    while read -r path own port; do
      if [ "$own" = "$service" ]; then
        printf '      - "127.0.0.1:%d:%d"\n' "$((FIRST_PORT + index))" "$port" >>"$RELEASE.override.yaml"
        count=$((count + 1))
      fi
      index=$((index + 1))
    done <<<"$ROUTES"
    [ "$count" -gt 0 ] || sed -i '$ s/!override$/!reset []/' "$RELEASE.override.yaml"
  done
  # The model holds the values of the app's secrets.
  rm -f "$RELEASE.model.json"
}

# unready lists the services that are not (yet) what the compose file wants: running, healthy where there is a health
# check, finished with 0 where they run once.
unready() {
  compose --file "$RELEASE.override.yaml" ps --all --format json | jq -r '
    select((.State == "running" and (.Health == "" or .Health == "healthy")) or (.State == "exited" and .ExitCode == 0) | not)
    | "\(.Service) is \(if .Health == "" then .State else .Health end)\(if .State == "exited" then " with \(.ExitCode)" else "" end)"'
}

all_ready() { [ -z "$(unready)" ]; }

start() {
  say "building and pulling images"
  compose --file "$RELEASE.override.yaml" --progress plain build --pull=false || fail "an image does not build; the lines above say why"
  say "starting the services, healthy within $HEALTHY_WITHIN seconds"
  timeout "$HEALTHY_WITHIN" docker compose --project-name "$PROJECT" --env-file "$APP_ENV" --file "$COMPOSE" --file "$RELEASE.override.yaml" \
    --progress plain up --detach --remove-orphans || show_failure
  await "$HEALTHY_WITHIN" all_ready || show_failure
}

# show_failure ends the release with the last lines of the services that did not come up.
show_failure() {
  local states service
  states=$(unready)
  while read -r service; do
    compose --ansi never --file "$RELEASE.override.yaml" logs --no-color --tail 15 "$service" || true
  done < <(cut -d ' ' -f 1 <<<"$states" | sort -u)
  fail "the release did not become healthy: $(paste -sd ';' <<<"${states:-Compose gave up, the lines above say why}")"
}

# route points nginx at the loopback ports.
route() {
  local path service port index=0
  put /etc/nginx/berth/proxy.conf 0644 </opt/berth/edge/proxy.conf
  while read -r path service port; do
    cat <<EOF
location $path {
  proxy_pass http://127.0.0.1:$((FIRST_PORT + index));
  include /etc/nginx/berth/proxy.conf;
}
EOF
    index=$((index + 1))
  done <<<"$ROUTES" | put_nginx /etc/nginx/berth/routes.conf
}

# page asks for the site as a visitor would, by its public name, on this server, and leaves the answer's status code.
page() {
  PAGE=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 --insecure --resolve "$DOMAIN:443:127.0.0.1" "https://$DOMAIN/") || true
  case $PAGE in
    2?? | 3?? | 401 | 403) return 0 ;;
    *) return 1 ;;
  esac
}

# verify gives the reload, which nginx does in its own time, and the app a moment.
verify() {
  await "$ANSWERS_WITHIN" page ||
    fail "https://$DOMAIN/ answers $PAGE, not a page, for $ANSWERS_WITHIN seconds; the services run, so look at the app: sudo docker compose --project-name $PROJECT logs"
  say "https://$DOMAIN/ answers $PAGE"
}

# audit keeps one line of JSON for every release.
audit() {
  jq -cn --arg time "$(date --utc +%FT%TZ)" --arg commit "$COMMIT" --arg result "$1" --argjson seconds "$SECONDS" \
    '{time: $time, commit: $commit, result: $result, seconds: $seconds}' >>"$DATA/releases.jsonl"
}

deploy() {
  RELEASE=$RELEASES/$COMMIT
  APP_ENV=$BERTH_ETC/app.env
  mkdir -p "$RELEASES"
  trap '[ $? -eq 0 ] || audit failed' EXIT
  fetch
  check_out "$RELEASE"
  COMPOSE=$(compose_path "$RELEASE")
  # Where the app's own file names it (env_file), and where a person looks for it.
  put "$(dirname "$COMPOSE")/.env.production" 0600 <"$APP_ENV"
  override
  start
  route
  verify
  ln -sfn "$RELEASE" "$RELEASES/current"
  audit released
  say "released ${COMMIT:0:12} in $SECONDS seconds"
}

status() {
  say "commit $(basename "$(readlink "$RELEASES/current")")"
  docker compose --project-name "$PROJECT" ps --all
}

main() {
  need_root
  umask 077
  load_settings release
  case ${1:-deploy} in
    deploy)
      # The lock dies with its holder: it is the kernel's, on an open file.
      exec 8>/run/berth-release.lock
      flock --wait 600 8 || fail "another release has been at work for 10 minutes; look with: sudo fuser -v /run/berth-release.lock"
      deploy
      ;;
    status) status ;;
    *) fail "usage: deploy.sh [deploy | status]" ;;
  esac
}

main "$@"
