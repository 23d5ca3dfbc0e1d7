#!/usr/bin/env bash
# Installs Docker, Compose, nginx, certbot and what restarts them after updates from Debian's signed archive, in one transaction.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

readonly PACKAGES=(docker.io docker-cli docker-compose docker-buildx nginx-light certbot nftables git jq openssl curl iproute2 procps bsdextrautils logrotate unattended-upgrades needrestart apparmor)

installed() {
  local states state
  # It fails where it does not know one of them.
  states=$(dpkg-query --show --showformat '${db:Status-Abbrev}\n' "${PACKAGES[@]}" 2>/dev/null) && [ -n "$states" ] || return 1
  while read -r state; do
    [[ $state == ii* ]] || return 1
  done <<<"$states"
}

# Docker keeps everything on the volume and its logs bounded from the first container on. It is configured before it
# is installed, so that it never starts anywhere else. Its control group is that of builds, to which Compose cannot give one;
# containers of the site name their own.
configure_docker() {
  mkdir -p "$DATA/docker"
  put /etc/docker/daemon.json 0644 <<EOF
{
  "data-root": "$DATA/docker",
  "cgroup-parent": "builds.slice",
  "live-restore": true,
  "userland-proxy": false,
  "log-driver": "json-file",
  "log-opts": { "max-size": "10m", "max-file": "3" }
}
EOF
  put /etc/systemd/system/docker.service.d/berth.conf 0644 <<EOF
[Unit]
RequiresMountsFor=$DATA
EOF
  systemctl daemon-reload
}

# stop_in_time has containers stopped in their own time when the server shuts down, and started again when it is back:
# reboot.sh says how. Ordered after Docker, the unit stops before it, with the network, containerd and the volume still there.
# It comes and goes with Docker, so that it is active whenever there is something to stop.
stop_in_time() {
  put /etc/systemd/system/berth-reboot.service 0644 <<EOF
[Unit]
Description=Stop the containers in their own time when the server shuts down
Requires=docker.service
After=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
# A unit that failed would not be asked to stop them at the next shutdown.
ExecStart=-/opt/berth/reboot.sh start
ExecStop=/opt/berth/reboot.sh stop
TimeoutStartSec=15min
# EC2 cuts the power four minutes after it asked for a reboot.
TimeoutStopSec=220

[Install]
WantedBy=docker.service
EOF
  systemctl daemon-reload
  systemctl enable --quiet --now berth-reboot.service
}

# restart_updated has needrestart, which apt runs at its end, restart what still runs with a library of before an update:
# without it nginx and sshd would keep the old libssl until the next reboot. Docker and containerd are left until then: the
# site would be away while they restart, and nothing of theirs is reached from outside. nginx is replaced while it runs: a
# restart would close its ports for as long as a WebSocket is open.
restart_updated() {
  put /etc/needrestart/conf.d/berth.conf 0644 <<'EOF'
$nrconf{restart} = 'a';
$nrconf{kernelhints} = 0;
$nrconf{ucodehints} = 0;
$nrconf{sendnotify} = 0;
$nrconf{override_rc}->{qr(^(docker|containerd|berth-.*)\.service$)} = 0;
EOF
  put /etc/needrestart/restart.d/nginx.service 0755 </opt/berth/edge/replace-nginx.sh
}

# Builds share the server with the site: their slice gets three fifths of its memory, and the processor and the disk only when the
# site leaves them. systemd would take a name with a dash for a slice within another.
limit_builds() {
  put /etc/systemd/system/builds.slice 0644 <<EOF
[Unit]
Description=Image builds of releases

[Slice]
MemoryMax=60%
CPUWeight=20
IOWeight=20

[Install]
WantedBy=multi-user.target
EOF
  systemctl daemon-reload
  systemctl enable --quiet --now builds.slice
}

# A build may need more for a moment than a small server has.
add_swap() {
  [ ! -e /swapfile ] || return 0
  say "making 2 GiB of swap"
  (umask 077 && fallocate -l 2G /swapfile.new && mkswap --quiet /swapfile.new)
  mv /swapfile.new /swapfile
  put /etc/systemd/system/swapfile.swap 0644 <<EOF
[Unit]
Description=Swap for builds

[Swap]
What=/swapfile

[Install]
WantedBy=swap.target
EOF
  put /etc/sysctl.d/60-berth.conf 0644 <<<"vm.swappiness = 10"
  systemctl daemon-reload
  systemctl enable --quiet --now swapfile.swap
  sysctl --quiet --system
}

# Certificates survive the server: a replaced one must not ask the authority for another.
keep_certificates() {
  install -d -m 0700 "$DATA/letsencrypt"
  if [ ! -L /etc/letsencrypt ]; then
    rm -rf /etc/letsencrypt
    ln -s "$DATA/letsencrypt" /etc/letsencrypt
  fi
}

# shellcheck disable=SC2310 # await runs one command each
install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  local now
  TZ=UTC printf -v now '%(%FT%TZ)T' -1
  say "installing ${PACKAGES[*]}"
  # An interrupted run leaves packages half configured; a server's own updates, just after boot, hold the locks.
  await 300 dpkg --configure -a || fail dpkg-not-finished "dpkg does not finish what was begun (the lines above say why); look with: sudo dpkg --configure -a"
  # Without the mode apt is content with lists that it could not fetch, and knows no package of theirs.
  await 120 apt-get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update ||
    fail debian-archive-not-answering "Debian's archive does not answer, or this server's clock ($now) is wrong (the lines above say which); look with: sudo apt-get update"
  apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 --no-install-recommends install "${PACKAGES[@]}" ||
    fail packages-not-installed "the packages do not install (the lines above say why); look with: sudo apt-get install ${PACKAGES[0]}"
}

main() {
  configure_docker
  keep_certificates
  restart_updated
  # shellcheck disable=SC2310 # installed checks each of its commands
  installed || install_packages
  # ssl-manager.sh renews, with its own timer: two would compete.
  systemctl disable --quiet --now certbot.timer
  systemctl mask --quiet certbot.timer
  systemctl enable --quiet --now docker.service nginx.service
  stop_in_time
  limit_builds
  add_swap
  local root docker compose nginx certbot
  read_text root docker info --format '{{.DockerRootDir}}'
  [ "$root" = "$DATA/docker" ] || systemctl restart docker.service
  read_text docker docker version --format '{{.Server.Version}}'
  read_text compose docker compose version --short
  nginx=$(nginx -v 2>&1)
  read_text certbot certbot --version
  say "Docker $docker, Compose $compose, ${nginx#*: }, $certbot"
}

main "$@"
