#!/bin/sh
# One container: a read-only file system of its own with the machine's /usr, the program at /portcullis and the pod's volumes;
# then the program, as the user that the pod names, without a capability. Run in a mount namespace of its own.
#
#   container.sh ROOT PROGRAM MOUNTS UID GID NAME=VALUE... -- ARGUMENT...    MOUNTS: a file, `source<TAB>target<TAB>ro|rw` a line
set -eu
root=$1 program=$2 mounts=$3 uid=$4 gid=$5
shift 5
mount -t tmpfs -o mode=755,size=16m tmpfs "$root"
mkdir "$root/usr" "$root/proc" "$root/dev" "$root/etc" "$root/tmp" "$root/var" "$root/var/run"
for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
mount --rbind /usr "$root/usr"
mount --bind /proc "$root/proc"
for device in null zero random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
: > "$root/portcullis"
mount --bind "$program" "$root/portcullis"
tab=$(printf '\t')
while IFS="$tab" read -r source target mode; do
  if [ -d "$source" ]; then
    mkdir -p "$root$target"
  else
    mkdir -p "$root${target%/*}"
    : > "$root$target"
  fi
  mount --bind "$source" "$root$target"
  if [ "$mode" = ro ]; then mount -o remount,bind,ro "$root$target"; fi
done < "$mounts"
mount -o remount,ro "$root"
exec env -i /usr/sbin/chroot "$root" /usr/bin/setpriv "--reuid=$uid" "--regid=$gid" "--groups=$gid" --no-new-privs --bounding-set=-all --inh-caps=-all --pdeathsig KILL \
  /usr/bin/env "$@"
