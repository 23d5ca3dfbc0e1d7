#!/usr/bin/env bash
# Runs the volume step on a server that consists of this machine's programs and a folder: step.sh ROOT DEVICE STANDINS SCRIPTS LOCAL…,
# with the step's settings on standard input. ROOT becomes the server's /, in a mount namespace that ends with this process, so
# that nothing that the step mounts or writes reaches the machine. DEVICE is volume vol-0123, "" for a server to which it is not
# attached; STANDINS is its PATH, and each LOCAL is a disk of the server itself, as an m6id or a c5d has them.
set -euo pipefail

make_root() {
  local root=$1 name disk
  mkdir -p "$root"/{usr,proc,sys,dev,tmp,run,data,opt/berth,etc/systemd/system,standins}
  mount --bind /usr "$root/usr"
  for name in bin sbin lib lib64; do
    if [ -L "/$name" ]; then
      ln -sfn "usr/$name" "$root/$name"
    elif [ -d "/$name" ]; then
      mkdir -p "$root/$name"
      mount --bind "/$name" "$root/$name"
    fi
  done
  for name in mke2fs.conf ld.so.cache passwd group alternatives; do
    [ ! -e "/etc/$name" ] || cp --archive "/etc/$name" "$root/etc/"
  done
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --bind "$3" "$root/standins"
  mount --bind "$4" "$root/opt/berth"
  mount -t tmpfs tmpfs "$root/dev"
  mknod -m 0666 "$root/dev/null" c 1 3
  mknod -m 0666 "$root/dev/zero" c 1 5
  mknod -m 0666 "$root/dev/urandom" c 1 9
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s /proc/self/fd/0 "$root/dev/stdin"
  mkdir -p "$root/dev/disk/by-id"
  if [ -n "$2" ]; then
    cp --archive "$2" "$root/dev/"
    ln -s "/dev/${2##*/}" "$root/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123"
  fi
  # Source of the name: udev's 60-persistent-storage.rules, with the model and the serial number that EC2 gives these disks.
  for disk in "${@:5}"; do
    cp --archive "$disk" "$root/dev/"
    ln -s "/dev/${disk##*/}" "$root/dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_AWS0${disk##*/}"
  done
}

main() {
  make_root "$@"
  cd /
  # As step.sh does it, but that what the step says and what its commands print come in one.
  umask 077
  PATH=/usr/sbin:/usr/bin exec chroot "$1" /usr/bin/env PATH=/standins ATTACHED_WITHIN=0 SIZED_WITHIN=0 /bin/bash /opt/berth/steps/volume.sh
}

main "$@"
