#!/bin/bash
# A machine of its own on this one: namespaces, control groups, folders and an engine without images; its only network is
# loopback and the engine's bridge. Ends with its script, and everything in it too.
#   bare-machine.sh FOLDER SCRIPT [ARGUMENT...]
set -eu
folder=$1
shift

# A control group of its own in every hierarchy, for the namespace to begin at.
enter() {
  local root=$1 name
  name=hyperup-bare-$$
  for sub in "$name" "$name/in"; do
    mkdir -p "$root/$sub"
    for file in cpuset.cpus cpuset.mems; do
      if [ -e "$root/$sub/$file" ] && [ -z "$(cat "$root/$sub/$file")" ]; then
        cat "$root/$(dirname "$sub")/$file" > "$root/$sub/$file" 2> /dev/null || true
      fi
    done
  done
  echo $$ > "$root/$name/in/cgroup.procs"
  echo "$root/$name" >> "$folder/cgroups"
}

if [ "${BARE_MACHINE:-}" = '' ]; then
  : > "$folder/cgroups"
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$root/cgroup.procs" ] && enter "$root"
    [ "$root" = /sys/fs/cgroup ] && [ -e "$root/cgroup.controllers" ] && break
  done
  BARE_MACHINE=1 exec unshare -m -n -p -i -C --fork --kill-child --mount-proc --propagation private \
    "$0" "$folder" "$@"
fi

ip link set lo up
hierarchies=$(awk '$3 ~ /^cgroup/ && !seen[$2]++ { print $2, $3, $4 }' /proc/self/mounts)
mount -t sysfs sysfs /sys
if echo "$hierarchies" | grep -q '^/sys/fs/cgroup cgroup2'; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  echo "$hierarchies" | while read -r path kind options; do
    case $path in /sys/fs/cgroup/*) ;; *) continue ;; esac
    mkdir -p "$path"
    if [ "$kind" = cgroup2 ]; then
      mount -t cgroup2 cgroup2 "$path"
    else
      kept=$(echo "$options" | tr , '\n' | grep -vE '^(rw|ro|nosuid|nodev|noexec|relatime|release_agent=.*|xattr|clone_children)$' | paste -sd, -)
      mount -t cgroup -o "$kept" cgroup "$path"
    fi
  done
fi
# What is mounted below the folders that are about to be replaced belongs to the machine outside.
awk '{ print $2 }' /proc/self/mounts | grep -E '^/(run|var/lib|etc)/' | tac | while read -r mount; do
  umount -l "$mount" 2> /dev/null || true
done
mkdir -p "$folder"/{etc,lib,bin}
tar -C /etc --exclude=./kubernetes -cf - . | tar -C "$folder/etc" -xf -
for name in /usr/local/bin/*; do [ "$(basename "$name")" = kubectl ] || cp -a "$name" "$folder/bin/"; done
mount --bind "$folder/etc" /etc
mount --bind "$folder/lib" /var/lib
mount --bind "$folder/bin" /usr/local/bin
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/lock
dockerd > "$folder/dockerd.log" 2>&1 &
engine=$!
for _ in $(seq 300); do
  docker version > /dev/null 2>&1 && break
  sleep 0.1
done
code=0
"$@" || code=$?
kill "$engine"
wait "$engine" || true
exit "$code"
