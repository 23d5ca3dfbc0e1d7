#!/usr/bin/env bash
# Makes the machine ready: machine.sh rehearse | test | pictures. On Debian as root it installs and starts what is missing,
# with a line that says so; elsewhere it says exactly what to install.
set -euo pipefail

say() { printf 'machine: %s\n' "$*"; }

# missing lists the packages whose commands are not there: for a rehearsal, and for the tests ($1 is test) what they
# inspect things with.
missing() {
  local command package wanted='git git
ssh openssh-client
'
  # A daemon that answers, wherever it came from, is enough.
  # shellcheck disable=SC2310 # docker_answers is one command
  docker_answers || wanted+=$'dockerd docker.io\ndocker docker.io\n'
  # Where a registry answers, no image has to be bootstrapped; only root could.
  [ "$EUID" -ne 0 ] || wanted+=$'debootstrap debootstrap\n'
  case $1 in
    pictures) wanted+=$'termtosvg termtosvg\nscript bsdutils\n' ;;
    test) wanted+=$'shellcheck shellcheck\njq jq\nnginx nginx-light\naws awscli\nnft nftables\nchromium chromium\ncertutil libnss3-tools\nmkfs.ext4 e2fsprogs\nmkfs.xfs xfsprogs\nsfdisk fdisk\nstrace strace\nbwrap bubblewrap\npg_ctlcluster postgresql\nmariadbd mariadb-server\nredis-server redis-server\npython3 python3\nkubectl kubernetes-client\n' ;;
  esac
  # MongoDB's shell is an npm package; make test-all uses it.
  [ -z "${BERTH_ALL:-}" ] || wanted+=$'npm npm\n'
  while read -r command package; do
    [ -z "$command" ] || PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || printf '%s\n' "$package"
  done <<<"$wanted"
}

install_missing() {
  local list packages
  list=$(missing "$1" | sort -u)
  [ -n "$list" ] || return 0
  mapfile -t packages <<<"$list"
  if [ "$EUID" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say "missing: ${packages[*]}; install them (Debian: sudo apt-get install ${packages[*]}), then run this again" >&2
    return 1
  fi
  say "installing from Debian: ${packages[*]}"
  local log
  log=$(mktemp)
  if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "apt-get failed; the whole log: $log" >&2
    return 1
  fi
  rm -f "$log"
}

docker_answers() { docker version >/dev/null 2>&1; }

# shellcheck disable=SC2310 # docker_answers is one command
start_docker() {
  ! docker_answers || return 0
  if [ "$EUID" -ne 0 ]; then
    say "the Docker daemon does not answer; start it (sudo systemctl start docker), and be in the group docker" >&2
    return 1
  fi
  if [ -d /run/systemd/system ]; then
    say "starting Docker: systemctl start docker"
    systemctl start docker
  else
    say "starting Docker: dockerd (there is no systemd here); its log: /var/log/dockerd.log"
    setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null &
  fi
  local deadline=$((SECONDS + 60))
  until docker_answers; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 20 /var/log/dockerd.log >&2 || true
      say "Docker did not start within 60 seconds" >&2
      return 1
    fi
    sleep 0.2
  done
}

main() {
  if [[ $OSTYPE != linux* ]]; then
    say "this needs Linux: elsewhere Docker runs in a virtual machine, where container addresses are out of reach; run it inside a Linux machine that has Docker, for example: limactl start template://docker" >&2
    return 1
  fi
  install_missing "${1:-rehearse}"
  start_docker
}

main "$@"
