#!/usr/bin/env bash
# The git host: sshd that lets the deploy key, and nothing else, read the app's repository.
set -euo pipefail

useradd --create-home --shell /usr/bin/git-shell git
# The repository belongs to whoever runs the rehearsal, not to this user.
git config --system safe.directory '*'
install -d -m 0700 -o git -g git /home/git/.ssh
install -m 0600 -o git -g git /etc/git-server/deploy_key.pub /home/git/.ssh/authorized_keys
install -m 0600 /etc/git-server/host_key /etc/ssh/ssh_host_ed25519_key
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -o PasswordAuthentication=no -o HostKey=/etc/ssh/ssh_host_ed25519_key
