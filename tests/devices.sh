# Gives a mount namespace devices of its own in the folder $1: a change of their owner or mode is not the computer's, nor is what
# lies in /dev/shm. To be sourced.
mount -t tmpfs -o mode=755 tmpfs "$1"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 "$1/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$1/tty" c 5 0
mkdir "$1/pts" "$1/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$1/pts"
mount -t tmpfs -o mode=1777 tmpfs "$1/shm"
ln -s pts/ptmx "$1/ptmx"
ln -s /proc/self/fd "$1/fd"
ln -s fd/0 "$1/stdin"
ln -s fd/1 "$1/stdout"
ln -s fd/2 "$1/stderr"
