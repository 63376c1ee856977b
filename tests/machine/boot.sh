#!/usr/bin/env bash
# The machine's boot, in namespaces of its own and in the folder that is to be its root: what a kernel would have, then systemd.
# $1: what makes its devices.
set -euo pipefail

mount --make-rprivate /
mount -t proc proc proc
# What can be written there and is the computer's: its settings, and a file that restarts it.
for name in acpi bus fs irq mtrr scsi sys sysrq-trigger; do
	if [ ! -e "proc/$name" ]; then continue; fi
	mount --bind "proc/$name" "proc/$name"
	mount -o remount,bind,ro "proc/$name"
done
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
source "$1" dev

pivot_root . .
umount -l .
# As systemd does it where it is not told to be in a container: a service's credentials are mounted by a helper.
mount --make-rshared /
# `container`: systemd leaves alone what belongs to the kernel.
exec env -i container=nexus PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=multi-user.target --log-target=journal
