#!/bin/sh
# Play the bare machine: run a command where the programs that a machine may lack are not installed.
# Usage: sh tools/bare.sh [-u USER] COMMAND...      (as root)
# Nothing changes for anybody but the command and what it starts: whiteouts in a layer over each
# directory of programs, in a mount namespace of its own. What every Linux has, stays.
set -eu

HIDDEN="bridge brctl bwrap busybox cc chromium chromium-browser conntrack crun ctr curl dockerd docker
firejail gcc getcap google-chrome hostname hyperfine ifconfig ip iperf3 ipcmk ipcs iptables lsns lsof
lxc-execute man nc netstat newgidmap newuidmap nft pasta perf pgrep ping pkill podman ps pstree
qemu-system-x86_64 runc setcap slirp4netns socat ss strace sysctl systemd-nspawn tc tcpdump tini top"

if [ "${BARE_PID:-}" != "$$" ]; then
    BARE_PID=$$ exec unshare --mount --propagation private sh "$0" "$@"
fi
unset BARE_PID

layers=$(mktemp -d)
mount -t tmpfs -o mode=755 bare "$layers"
number=0
for directory in $(printf '%s\n' "$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" |
    tr : '\n' | xargs -n 1 readlink -f | sort -u); do
    number=$((number + 1))
    layer=$layers/$number
    mkdir "$layer" "$layer/upper" "$layer/work"
    for program in $HIDDEN; do
        if [ -e "$directory/$program" ] || [ -L "$directory/$program" ]; then
            mknod "$layer/upper/$program" c 0 0
        fi
    done
    if [ -n "$(ls "$layer/upper")" ]; then
        mount -t overlay -o "lowerdir=$directory,upperdir=$layer/upper,workdir=$layer/work" bare "$directory"
    fi
done
umount -l "$layers"
rmdir "$layers"

if [ "${1:-}" = -u ]; then
    user=$2
    shift 2
    home=$(getent passwd "$user" | cut -d: -f6)
    exec runuser -u "$user" -- env -u TMPDIR -u XDG_RUNTIME_DIR -u XDG_CACHE_HOME -u XDG_CONFIG_HOME \
        HOME="$home" USER="$user" LOGNAME="$user" PATH=/usr/local/bin:/usr/bin:/bin "$@"
fi
exec "$@"
