#!/usr/bin/env bash
# The server's daily life: bounded logs, a look at its health every minute, a dump every night, security updates.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

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
# be passed over.
update_by_itself() {
  put /etc/apt/apt.conf.d/52berth 0644 <<EOF
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "true";
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

main() {
  local upgrading
  step_settings SSH_USER OPERATIONS:object
  put "$BERTH_ETC/operations.json" 0644 <<<"$OPERATIONS"
  bound_logs
  # What the health check finds is its result, not a failure of the unit.
  put /etc/systemd/system/berth-health.service.d/result.conf 0644 <<EOF
[Service]
SuccessExitStatus=1 2
StandardOutput=null
LogLevelMax=notice
EOF
  timer berth-health "Look at the health of the site and its server" "/opt/berth/health-check.sh --push" "*" "*" 0
  timer berth-dump "Dump the databases" "/opt/berth/deploy.sh dump" 30 2 1200
  timer berth-drill "Restore the newest dumps beside the site" "/opt/berth/deploy.sh drill due" 30 4 1200
  harden_ssh
  update_by_itself
  systemctl daemon-reload
  systemctl restart systemd-journald
  # A restart would end an upgrade that is at work, so it is done only where Debian's process is still there.
  read_text upgrading systemctl show --property MainPID --value unattended-upgrades
  [ "$upgrading" -eq 0 ] || systemctl restart unattended-upgrades
  systemctl enable --quiet --now logrotate.timer
  systemctl restart logrotate.timer
  say "SSH takes keys of $SSH_USER alone, logs are bounded, health is looked at every minute, databases are dumped every night, security updates come by themselves"
}

main "$@"
