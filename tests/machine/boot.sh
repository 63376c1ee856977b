#!/usr/bin/env bash
# The machine's boot, in namespaces of its own and in the folder that is to be its root: what a kernel would have, then systemd.
set -euo pipefail

mount --make-rprivate /
mount -t proc proc proc
# Neither a setting nor a device of the computer's is changed from here.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
	touch "dev/$name"
	mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr

pivot_root . .
umount -l .
# As systemd does it where it is not told to be in a container: a service's credentials are mounted by a helper.
mount --make-rshared /
# `container`: systemd leaves alone what belongs to the kernel.
exec env -i container=nexus PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=multi-user.target --log-target=journal
