#!/usr/bin/env bash
# Makes the machine ready: machine.sh rehearse | test | pictures. On Debian as root it installs and starts what is missing,
# with a line that says so; elsewhere it says exactly what to install.
set -euo pipefail

say() { printf 'machine: %s\n' "$*"; }

# missing lists the packages whose commands are not there: for a rehearsal, and for the tests ($1 is test) what they
# look at things with.
missing() {
  local command package
  while read -r command package; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || printf '%s\n' "$package"
  done < <(
    # A daemon that answers, wherever it came from, is enough.
    docker_answers || printf 'dockerd docker.io\ndocker docker.io\n'
    printf 'git git\nssh openssh-client\n'
    # Where a registry answers, no image has to be bootstrapped; only root could.
    [ "$(id -u)" -ne 0 ] || printf 'debootstrap debootstrap\n'
    [ "$1" != pictures ] || printf 'termtosvg termtosvg\nscript bsdutils\n'
    [ "$1" != test ] || printf 'shellcheck shellcheck\njq jq\naws awscli\nnft nftables\nchromium chromium\ncertutil libnss3-tools\nmkfs.ext4 e2fsprogs\nmkfs.xfs xfsprogs\nsfdisk fdisk\nstrace strace\n'
  )
}

install_missing() {
  local packages
  mapfile -t packages < <(missing "$1" | sort -u)
  [ "${#packages[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
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

start_docker() {
  ! docker_answers || return 0
  if [ "$(id -u)" -ne 0 ]; then
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
  if [ "$(uname -s)" != Linux ]; then
    say "this needs Linux: elsewhere Docker runs in a virtual machine, where container addresses are out of reach; run it inside a Linux machine that has Docker, for example: limactl start template://docker" >&2
    return 1
  fi
  install_missing "${1:-rehearse}"
  start_docker
}

main "$@"
