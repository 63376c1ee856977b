#!/usr/bin/env bash
# Keeps the files of a machine, in the namespaces of this process: a change of the root file system that is kept in memory alone.
# Each line on standard input boots it. At the end of the input this process ends, and with it, as the first of its
# namespace, all that runs in the machine.
set -euo pipefail
folder=$1 forge=$2 packages=$3 postgres=$4 group=$5

mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 machine "$folder"
mkdir "$folder"/{changes,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$folder/changes,workdir=$folder/work" machine "$folder/root"
cd "$folder/root"

# What the computer starts by itself, and what a service of ours has left on it, is not the machine's.
rm -rf etc/systemd/system/*.wants etc/rc?.d/S* etc/init.d/* etc/systemd/system/nexus* etc/nexus opt/nexus usr/local/bin/nexus \
	var/lib/nexus var/lib/private/nexus etc/postgresql etc/machine-id var/log/journal root/.ssh root/.local root/.config/nexus
mkdir -p etc/systemd/system mnt/forge mnt/packages var/log/journal
for unit in getty.target sys-kernel-debug.mount sys-kernel-tracing.mount systemd-{modules-load,networkd,resolved,timesyncd,udevd}.service; do
	ln -sf /dev/null "etc/systemd/system/$unit"
done
: >etc/fstab
systemd-id128 new >etc/machine-id
# As the pages call it.
echo host2 >etc/hostname
echo "127.0.0.1 localhost host2" >etc/hosts
# What dpkg would bring up to date after each package is of no use here.
rm -f var/lib/man-db/auto-update
mount --bind "$forge" mnt/forge
mount --bind "$packages" mnt/packages
mount -o remount,bind,ro mnt/forge
mount -o remount,bind,ro mnt/packages
ln -s "packages/$postgres" mnt/postgres

# From within the namespace of process ids: its systemd is to be alone in its control group. In a group with processes of its own
# no controller can be enabled.
boot='echo 0 >"$1/cgroup.procs" && exec unshare --cgroup bash "$2/tests/machine/boot.sh" "$2/tests/devices.sh"'
while read -r _; do
	{
		unshare --fork --kill-child --pid --mount --uts --ipc --net bash -c "$boot" bash "$group" "$forge" || true
		echo ended
	} </dev/null &
done
