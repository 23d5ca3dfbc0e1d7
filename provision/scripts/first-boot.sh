# shellcheck shell=sh
# Waits until cloud-init has finished the first boot. Runs as the login user, before anything else is on the server.
set -eu
echo "first-boot: waiting for cloud-init, at most 5 minutes"
code=0
# 2 means "done, with warnings that were recovered from".
timeout 300 cloud-init status --wait >/dev/null || code=$?
case $code in
  0 | 2) echo "first-boot: done" ;;
  124)
    echo "first-boot: cloud-init did not finish within 5 minutes [first-boot-not-finished]; look with: sudo cloud-init status --long; the whole log: /var/log/cloud-init-output.log" >&2
    exit 1
    ;;
  *)
    sudo tail -n 20 /var/log/cloud-init.log >&2
    echo "first-boot: cloud-init failed [first-boot-failed]; the whole log: /var/log/cloud-init.log" >&2
    exit 1
    ;;
esac
