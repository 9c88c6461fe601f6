#!/bin/busybox sh
# The first process of the virtual machine: makes it a small host, runs the test, powers off.
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /root
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp RUST_BACKTRACE=1
# Links are made only where there is no program of that name: iproute2's come before busybox'.
/bin/busybox --install -s /bin
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
mount -t tmpfs none /dev/shm
mount -t tmpfs none /tmp
mount -t tmpfs none /run
mount -t bpf none /sys/fs/bpf
mount -t cgroup2 none /sys/fs/cgroup
mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
mkdir -p /run/netns
chmod 1777 /tmp
ip link set lo up
for module in $(cat /modules/order); do
    insmod "/modules/$module.ko" || echo "xtask-vm: module $module did not load"
done
cd /tmp
export TAPLINE_BIN=/usr/local/bin/tapline TAPLINE_LEFT_OUT=/tmp/left-out
: >"$TAPLINE_LEFT_OUT"
echo "xtask-vm: start"
/usr/local/bin/vm --test-threads=1 @FLAGS@ </dev/null 2>&1
code=$?
while read -r line; do echo "xtask-vm: left out $line"; done <"$TAPLINE_LEFT_OUT"
echo "xtask-vm: exit code $code"
poweroff -f
