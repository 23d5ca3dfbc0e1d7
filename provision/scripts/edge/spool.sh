#!/usr/bin/env bash
# Gives what visitors have nginx write file systems of their own, each of a fixed size, so that none of it can fill the disk:
# what they send, what the app answers faster than they read, and the logs. Run by berth-spool.service, before nginx.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh

readonly FILES=/var/lib/berth/spool
readonly OPTIONS=loop,noatime,nodev,nosuid,noexec,discard

# mounted_on says whether a file system is mounted on $1; all but yes and no ends the script.
mounted_on() {
  local code=0
  mountpoint -q "$1" || code=$?
  case $code in
    0) return 0 ;;
    # Source: mountpoint(1), "EXIT STATUS".
    32) return 1 ;;
    *) fail mount-state-unknown "mountpoint does not tell whether something is mounted on $1 (the lines above say why)" ;;
  esac
}

# make makes file system $1 of $2 MiB. Its file takes on the disk what is in it, and never more than its size.
make() {
  rm -f "$1"
  (umask 077 && truncate --size "$2M" "$1.new" && mkfs.ext4 -q -F -m 0 "$1.new" && mv "$1.new" "$1") ||
    fail spool-not-made "cannot make the file system $1 of $2 MiB (the lines above say why); nginx does not start without it; make room: sudo /opt/berth/log-monitor.sh clean; then run: sudo systemctl restart berth-spool nginx"
}

# provide mounts file system $1 of $3 MiB on folder $2, which belongs to $4 with mode $5. It is made again whenever the server
# starts, so that nothing of a visitor's is left there, but for one to be kept ($6).
# shellcheck disable=SC2310 # mounted_on checks its command
provide() {
  local file=$FILES/$1.img
  install -d "$2"
  if mounted_on "$2"; then return; fi
  if [ -z "$6" ] || [ ! -e "$file" ]; then make "$file" "$3"; fi
  if ! mount -o "$OPTIONS" "$file" "$2"; then
    if [ -n "$6" ]; then
      mv -f "$file" "$file.before"
      say "$file does not mount, so it is made again; what was in it is in $file.before, look with: sudo e2fsck -n $file.before"
    else
      say "$file does not mount, so it is made again"
    fi
    make "$file" "$3"
    mount -o "$OPTIONS" "$file" "$2" || true
  fi
  mounted_on "$2" || fail spool-not-mounted "$file does not mount on $2 (the lines above say why), and nginx does not start without it; look with: sudo dmesg"
  chown "$4" "$2"
  chmod "$5" "$2"
}

main() {
  local log
  need_root
  (umask 077 && mkdir -p "$FILES")
  # provision/nginx.go has the first size, too.
  provide bodies /var/lib/nginx/body 1024 www-data: 0700 ""
  provide answers /var/lib/nginx/proxy 256 www-data: 0700 ""
  provide logs /var/log/nginx 384 root:adm 0755 keep
  # nginx itself would make them readable for everyone.
  for log in access.log error.log minute; do
    (umask 027 && : >>"/var/log/nginx/$log")
    chown www-data:adm "/var/log/nginx/$log"
  done
}

main "$@"
