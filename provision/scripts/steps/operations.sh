#!/usr/bin/env bash
# The server's daily life: bounded logs, a health check every minute, a dump every night, security updates. Of these, a web server of
# several has its logs bounded, and its updates.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/jobs.sh
source /opt/berth/release/jobs.sh

bound_logs() {
  put /etc/systemd/journald.conf.d/berth.conf 0644 <<EOF
[Journal]
Storage=persistent
SystemMaxUse=200M
EOF
  put /etc/logrotate.d/berth 0644 <<EOF
/var/log/berth/*.log {
  size 5M
  rotate 4
  compress
  missingok
  notifempty
  copytruncate
}
EOF
  # Debian's own rule is once a day, whatever the size. nginx's logs have a file system of 384 MB (edge/spool.sh), and nginx goes
  # on without them when it is full. One that outgrew its share keeps its beginning, so that all of them fit, compressed or not.
  put /etc/logrotate.d/nginx 0644 <<EOF
/var/log/nginx/*.log {
  maxsize 15M
  daily
  rotate 5
  compress
  missingok
  notifempty
  create 0640 www-data adm
  sharedscripts
  prerotate
    find /var/log/nginx -type f -size +20M -exec truncate --size 20M {} +
  endscript
  postrotate
    systemctl kill --signal=USR1 --kill-whom=main nginx.service
  endscript
}
# What the health check has counted by then.
/var/log/nginx/minute {
  maxsize 15M
  daily
  rotate 0
  missingok
  notifempty
  copytruncate
}
EOF
  put /etc/systemd/system/logrotate.timer.d/berth.conf 0644 <<EOF
[Timer]
OnCalendar=
OnCalendar=*:0/10
RandomizedDelaySec=0
AccuracySec=1min
EOF
}

# Security updates by themselves, and the reboot that some need in a quiet hour: reboot.sh has containers stopped in their own
# time, and everything comes back without a hand. A file that a step changed stays: with a question open, the update would
# be passed over. $1 says whether it reboots: a web server is replaced instead (servers/renew.sh).
update_by_itself() {
  put /etc/apt/apt.conf.d/52berth 0644 <<EOF
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "$1";
Unattended-Upgrade::Automatic-Reboot-Time "03:30";
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
DPkg::Options { "--force-confdef"; "--force-confold"; };
EOF
  # A shutdown waits for an upgrade that is at work. Debian has a process of 17 MB stay for that; it is enough to begin it
  # with the shutdown.
  put /etc/systemd/system/unattended-upgrades.service.d/berth.conf 0644 <<EOF
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=
ExecStart=true
ExecStop=/usr/share/unattended-upgrades/unattended-upgrade-shutdown --stop-only
EOF
}

# take_effect has both do so.
take_effect() {
  local upgrading
  systemctl daemon-reload
  systemctl restart systemd-journald
  # A restart would end an upgrade that is at work, so it is done only where Debian's process is still there.
  read_text upgrading systemctl show --property MainPID --value unattended-upgrades
  [ "$upgrading" -eq 0 ] || systemctl restart unattended-upgrades
  systemctl enable --quiet --now logrotate.timer
  systemctl restart logrotate.timer
}

# SSH by key, only for the operator's user, with nothing that ssh-audit warns of.
harden_ssh() {
  put_checked /etc/ssh/sshd_config.d/10-berth.conf sshd sshd -t <<EOF
AllowUsers $SSH_USER
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthenticationMethods publickey
X11Forwarding no
AllowAgentForwarding no
HostKeyAlgorithms ssh-ed25519
KexAlgorithms mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org
Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes128-ctr
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,umac-128-etm@openssh.com
EOF
  systemctl reload ssh
}

# Where systemd keeps when a timer of Persistent=true last ran.
readonly STAMPS=/var/lib/systemd/timers

# job_service has 'deploy.sh job $1' be a unit.
job_service() {
  put "$UNITS/berth-job-$1.service" 0644 <<EOF
[Unit]
Description=Job $1 of the app
After=network-online.target docker.service berth-reboot.service
Wants=network-online.target
RequiresMountsFor=$DATA
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/opt/berth/deploy.sh job $1
SyslogIdentifier=berth-job-$1
SyslogLevelPrefix=false
# The script has the container end in its own time.
KillMode=mixed
TimeoutStopSec=90
EOF
}

# schedule_jobs has a timer for each of the jobs in /etc/berth/jobs.json, and none for any other. What a server that was off missed, it
# makes up for once; a changed schedule begins with the change.
schedule_jobs() {
  local name text timer before
  local -a names=() calendars=() changed=()
  read_json names "$BERTH_ETC/jobs.json" '.JOBS[].name'
  forget_jobs "${names[@]}"
  for name in "${names[@]}"; do
    timer=$UNITS/berth-job-$name.timer
    job_service "$name"
    # shellcheck disable=SC2016 # jq's variables
    read_json calendars "$BERTH_ETC/jobs.json" '.JOBS[] | select(.name == $n) | .calendars[] | "OnCalendar=\(.)"' --arg n "$name"
    read_text text printf '%s\n' "[Unit]" "Description=Job $name of the app" "" "[Timer]" "${calendars[@]}" AccuracySec=1s Persistent=true "" "[Install]" WantedBy=timers.target
    before=$(cat "$timer" 2>/dev/null) || before=""
    [ "$before" != "$text" ] || continue
    put "$timer" 0644 <<<"$text"
    mkdir -p "$STAMPS"
    touch "$STAMPS/stamp-berth-job-$name.timer"
    changed+=("berth-job-$name.timer")
  done
  systemctl daemon-reload
  [ "${#changed[@]}" -eq 0 ] || systemctl restart "${changed[@]}"
  for name in "${names[@]}"; do systemctl enable --quiet --now "berth-job-$name.timer"; done
}

# forget_jobs removes the timers of jobs that are not named. A run that is at work goes on to its end.
forget_jobs() {
  local file name
  for file in "$UNITS"/berth-job-*.timer; do
    name=${file##*/berth-job-} name=${name%.timer}
    if [ ! -e "$file" ] || [[ " $* " == *" $name "* ]]; then continue; fi
    say "job $name is no longer set: its timer is removed"
    systemctl disable --quiet --now "berth-job-$name.timer"
    rm -f "$file" "$UNITS/berth-job-$name.service" "$STAMPS/stamp-berth-job-$name.timer" "$JOB_RESULTS/$name.json"
  done
}

main() {
  if [ -e "$BERTH_ETC/role" ]; then
    bound_logs
    update_by_itself false
    take_effect
    say "logs are bounded, security updates are installed automatically"
    return
  fi
  step_settings SSH_USER OPERATIONS:object JOBS:array
  put "$BERTH_ETC/operations.json" 0644 <<<"$OPERATIONS"
  put "$BERTH_ETC/jobs.json" 0600 < <(printf '{"JOBS":%s}' "$JOBS")
  bound_logs
  # What the health check finds is its result, not a failure of the unit.
  put /etc/systemd/system/berth-health.service.d/result.conf 0644 <<EOF
[Service]
SuccessExitStatus=1 2
StandardOutput=null
LogLevelMax=notice
EOF
  timer berth-health "Check the health of the site and its server" "/opt/berth/health-check.sh --push" "*" "*" 0
  timer berth-dump "Dump the databases" "/opt/berth/deploy.sh dump" 30 2 1200
  timer berth-drill "Restore the newest dumps beside the site" "/opt/berth/deploy.sh drill due" 30 4 1200
  schedule_jobs
  harden_ssh
  update_by_itself true
  take_effect
  say "SSH takes keys of $SSH_USER alone, logs are bounded, health is checked every minute, databases are dumped every night, security updates are installed automatically"
}

main "$@"
