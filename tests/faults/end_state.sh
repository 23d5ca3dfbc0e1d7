# shellcheck shell=bash
# What a server has come to, as text that two servers of the same release have in common. Ids, dates and sizes are not in it.
set -euo pipefail

# A timer may have begun something just now, which is over soon.
timeout 120 bash -c 'while pgrep --full "[b]ash /opt/berth" >/dev/null; do sleep 0.2; done'

common() { sed -E 's/(vol|i|eipalloc)-[0-9a-f]+/\1-ID/g; s/[0-9a-f]{64}/SHA/g'; }

systemctl --failed --no-legend --plain | awk '{print "failed", $1}'
systemctl list-unit-files --state=enabled --no-legend --plain | awk '{print "enabled", $1}'
systemctl list-timers --all --no-legend | grep -o 'berth-[a-z]*.timer' | sort | sed 's/^/timer /'
findmnt --noheadings --real --output TARGET,FSTYPE | grep /data | sed 's/^/mount /'
docker ps --all --format '{{.Label "com.docker.compose.service"}} {{.State}} {{.Label "com.docker.compose.project"}}' | sed 's/^/container /' | sort
docker network ls --format 'network {{.Name}}' | sort
docker volume ls --format 'volume {{.Name}}' | sort | common
docker image ls --format 'image {{.Repository}}:{{.Tag}}' | sort | common
find /opt/berth/ -type f -exec sha256sum {} + | sort -k 2
find /etc/berth /etc/nginx /etc/docker /etc/systemd/system /etc/cron.d /etc/logrotate.d /etc/sysctl.d /etc/modules-load.d /etc/apt /etc/ssh/sshd_config.d \
  ! -type d -printf '%M %U %G %p %l\n' | common | sort -k 4
find /data -maxdepth 3 ! -type d ! -path '/data/docker/*' ! -path '/data/letsencrypt/*' ! -path '/data/dumps/*' -printf '%M %U %G %p\n' | common | sort -k 4
find /data/releases -maxdepth 1 -printf '%y %p\n' | sort
echo "processes of ours: $(pgrep --full --count "[b]ash /opt/berth" || true)"
