#!/usr/bin/env bash
# Makes the machine ready for the rehearsal and the tests: on Debian as root it installs and starts what is missing,
# with a line that says so; elsewhere it says exactly what to install.
set -euo pipefail

say() { printf 'machine: %s\n' "$*"; }

# needed lists "command package" for what is missing.
missing() {
  local command package
  while read -r command package; do
    command -v "$command" >/dev/null || printf '%s\n' "$package"
  done <<'EOF'
dockerd docker.io
docker docker.io
debootstrap debootstrap
git git
ssh openssh-client
shellcheck shellcheck
nft nftables
chromium chromium
certutil libnss3-tools
EOF
}

install_missing() {
  local packages
  mapfile -t packages < <(missing | sort -u)
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
  install_missing
  start_docker
}

main "$@"
