#!/usr/bin/env bash
# The logs of the site and the space they and everything else take: log-monitor.sh view | sizes | rotate | clean
#   view [SERVICE…] [--follow] [--since 10m] [--grep TEXT] [--server ID]
#            what the app's services (all, or those named) and nginx say; certbot, where it is named; with several servers,
#            on web server ID
#   sizes    what takes space on the server's disks
#   rotate   begin new log files now
#   clean    take away what nothing needs: old logs, build cache, images of no kept release, packages' downloads; never
#            data, dumps or releases that can be returned to
# Container logs, the journal and nginx's logs are bounded from the start; see steps/operations.sh.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/lock.sh
source /opt/berth/release/lock.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/containers.sh
source /opt/berth/release/containers.sh
# shellcheck source=provision/scripts/release/data.sh
source /opt/berth/release/data.sh
# shellcheck source=provision/scripts/release/database.sh
source /opt/berth/release/database.sh
# shellcheck source=provision/scripts/release/jobs.sh
source /opt/berth/release/jobs.sh
# shellcheck source=provision/scripts/release/prune.sh
source /opt/berth/release/prune.sh
# shellcheck source=provision/scripts/servers/images.sh
source /opt/berth/servers/images.sh
# shellcheck source=provision/scripts/servers/members.sh
source /opt/berth/servers/members.sh

usage() { fail arguments-invalid "usage: log-monitor.sh view [SERVICE…] [--follow] [--since 10m] [--grep TEXT] [--server ID] | sizes | rotate | clean"; }

view() {
  local follow="" since=1h text="" server="" id release name unread=""
  local -a services=() logs=() ids=() more=() readers=()
  while [ $# -gt 0 ]; do
    case $1 in
      --follow | -f) follow=--follow ;;
      --since | --grep | --server)
        [ $# -gt 1 ] || usage
        case $1 in
          --since) since=$2 ;;
          --grep) text=$2 ;;
          *) server=$2 ;;
        esac
        shift
        ;;
      -*) usage ;;
      *) services+=("$1") ;;
    esac
    shift
  done
  if [ -n "$server" ]; then
    view_there "$server" "${services[@]}" ${follow:+"$follow"} --since "$since" --grep "$text"
    return
  fi
  release=$(current)
  [ -z "$release" ] || read_lines ids containers "release-$release"
  read_lines more containers "$DATA_PROJECT"
  for id in "${ids[@]}" "${more[@]}"; do
    read_text name docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}}' "$id"
    logs+=("$id $name")
  done
  # shellcheck disable=SC2310 # wanted is a loop of tests
  {
    for id in "${logs[@]}"; do
      wanted "${id#* }" "${services[@]}" || continue
      (docker logs --timestamps $follow --since "$since" "${id%% *}" 2>&1 | plain "${id#* } | ") &
      readers+=($!)
    done
    if wanted nginx "${services[@]}"; then
      (log_file "$follow" /var/log/nginx/error.log | plain "nginx | ") &
      readers+=($!)
    fi
    if [ "${#services[@]}" -gt 0 ] && wanted certbot "${services[@]}"; then
      (log_file "$follow" /var/log/letsencrypt/letsencrypt.log | plain "certbot | ") &
      readers+=($!)
    fi
    for id in "${readers[@]}"; do wait "$id" || unread=yes; done
    [ -z "$unread" ] || fail logs-not-read "not every log could be read; look with: sudo docker ps --all"
  } | if [ -n "$text" ]; then grep --line-buffered --fixed-strings --ignore-case -- "$text" || [ $? -eq 1 ]; else cat; fi
}

# view_there has web server $1 show its logs; the rest are view's arguments. What comes from there is plain text here, whatever it is.
view_there() {
  local quoted
  # shellcheck disable=SC2310 # it is one test
  several || fail one-server "this is the only server; several are set with: pulumi config set berth:servers 3"
  need_server "$1"
  printf -v quoted ' %q' "${@:2}"
  (by_hand "$1" "sudo -n /opt/berth/log-monitor.sh view$quoted" </dev/null 2>&1) | plain
}

# wanted says whether service $1 is among the others, or none is named.
wanted() {
  local name service=$1
  shift
  [ $# -gt 0 ] || return 0
  for name in "$@"; do [ "$name" != "$service" ] || return 0; done
  return 1
}

log_file() {
  if [ -n "$1" ]; then tail --follow=name --retry --lines 50 "$2"; else tail --lines 50 "$2"; fi
}

# size prints what a path takes, and its name.
size() {
  local text
  [ -e "$1" ] || return 0
  # A file that goes away meanwhile is no failure.
  text=$(du --summarize --human-readable --one-file-system "$1" 2>/dev/null) || true
  [ -n "$text" ] || fail command-failed "du does not tell what $1 takes; look with: sudo du --summarize $1"
  printf '%10s  %s\n' "${text%%$'\t'*}" "$2"
}

sizes() {
  local table
  read_text table df --human-readable --output=target,size,used,avail,pcent "$DATA" /
  printf '%s\n\n' "$table"
  size "$DATA/docker/containers" "logs of containers (at most 30 MB each)"
  size /var/log/journal "the journal (at most 200 MB)"
  size /var/log/nginx "nginx's logs (at most 384 MB, in a file of their own)"
  size /var/log/berth "the logs of Berth's steps"
  size "$DATA/docker/volumes" "volumes: the app's data"
  size "$DATA/binds" "files that services keep beside the compose file"
  size "$DATA/dumps" "dumps of the databases"
  size "$DATA/releases" "releases: checkouts and settings"
  size /var/cache/apt "downloads of packages"
  read_text table docker system df
  printf '\n%s\n' "$table"
}

rotate() {
  logrotate --force /etc/logrotate.d/berth /etc/logrotate.d/nginx
  journalctl --quiet --rotate
  say "new log files were begun"
}

free_kib() {
  local table sum=0 free
  read_text table df --output=avail "$DATA" /
  for free in ${table#*$'\n'}; do sum=$((sum + free)); done
  echo "$sum"
}

# clean takes the lock of releases: what a release is about to need is not there yet for anybody to see.
clean() {
  local before freed free
  exec 8>>"$LOCK"
  flock --nonblock 8 || fail release-lock-held "$(<"$LOCK") is at work; try again when it is done"
  sign_lock "log-monitor.sh clean"
  read_text before free_kib
  # First what takes no room to be taken away: there may be none.
  apt-get -q clean
  journalctl --quiet --vacuum-size=50M
  find /var/log/nginx /var/log/berth -name '*.gz' -delete
  load_settings release KEEP:number
  prune
  docker builder prune --all --force >/dev/null
  rotate >/dev/null 3>&1
  find /var/log/nginx /var/log/berth -name '*.gz' -delete
  journalctl --quiet --vacuum-size=50M
  read_text free free_kib
  freed=$(((free - before) / 1024))
  [ "$freed" -ge 0 ] || freed=0
  read_text free free_mib
  say "freed $freed MiB; $free MiB are free on $DATA"
}

main() {
  local command=${1:-}
  case $command in
    view | sizes | rotate | clean) ;;
    *) usage ;;
  esac
  need_root
  "$command" "${@:2}"
}

main "$@"
