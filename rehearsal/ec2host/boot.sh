#!/usr/bin/env bash
# The host's power button: makes the control groups that the container runtime mounted read-only writable for
# systemd (they are the container's own, in a namespace of their own), forgets what the kernel had before, then becomes init.
set -euo pipefail

for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*/; do
  mountpoint -q "$hierarchy" && mount -o remount,bind,rw "$hierarchy"
done

# A kernel of its own makes these, by which the host mounts a file as a file system.
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
for number in {0..63}; do
  [ -e "/dev/loop$number" ] || mknod -m 0660 "/dev/loop$number" b 7 "$number"
done

# A kernel that boots has no rules and no bridges. This one's network is the interface's, which stays while the host is off.
# The security group is AWS's, not the host's.
nft list tables | awk '$3 != "security_group" { print "delete", $0 }' | nft --file -
for bridge in $(ip -oneline link show type bridge | awk -F ': ' '{ print $2 }'); do ip link delete "$bridge"; done

# The rehearsal's CloudWatch and S3 are trusted as AWS's are, by what the host trusts anyway.
[ -e /etc/ssl/certs/rehearsal-aws.pem ] || update-ca-certificates >/dev/null

# systemd 257 still runs on control groups version 1, if it is configured to.
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  export SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
  exec /sbin/init systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
fi
exec /sbin/init
