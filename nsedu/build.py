"""Make the first process of a sandbox: born in its new namespaces, then prepared from within.

The order of the steps is the whole point: the user namespace comes first, because it gives the
capabilities that every other step needs; the id map second, because until it is written everyone
inside is nobody; the clock offsets before anyone is in the time namespace, because then they are
fixed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from typing import Any, NoReturn

from nsedu import cgroups, idmap, nstypes, syscalls
from nsedu.nstypes import BY_NAME

IFF_UP = 0x1
SIOCSIFFLAGS = 0x8914


class StepFailed(Exception):
    """A step of `build` that the kernel refused: which, with what errno, in what call."""

    def __init__(self, step: str, number: int, call: str) -> None:
        super().__init__(step, number, call)
        self.step, self.errno, self.call = step, number, call


def clone(plan: dict[str, Any], flags: int = 0) -> int:
    """Fork the sandbox's first process right into its new namespaces, the user namespace first.

    One clone(2) with all the flags instead of a fork and an unshare(2) for each: a second fork,
    which a pid namespace would need, doubles the time a sandbox takes.  The time namespace is left
    to `prepare`, for its clocks could not be set any more, and so is the cgroup namespace when
    there is a control group to enter first.

    Args:
        plan: "types" (new ones, in catalogue order), "cgroups" (directories to enter).
        flags: further CLONE_* flags.

    Returns:
        0 in the child, its pid in the caller.

    Raises:
        StepFailed: naming the type refused, which a child finds out by trying each in turn.
        OSError: no child could be made at all.
    """
    now = [t for t in plan["types"] if t != "time" and not (t == "cgroup" and plan["cgroups"])]
    try:
        return syscalls.clone(nstypes.flags(now) | flags)
    except OSError as error:
        refused = error
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        step, number, call = "fork", refused.errno, str(refused.filename)
        try:
            for name in sorted(now, key=lambda name: name != "user"):
                step = f"unshare {name}"
                syscalls.unshare(BY_NAME[name].flag)
            step = "fork"
        except OSError as error:
            number, call = error.errno, str(error.filename)
        os.write(write, f"{step}\0{number}\0{call}".encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 4096).decode().split("\0")
    os.close(read)
    os.waitpid(pid, 0)
    raise StepFailed(said[0], int(said[1]), said[2])


def join(names: list[str], pidfd: int) -> None:
    """Enter namespaces of another process, by its pidfd.

    Raises:
        StepFailed: naming the type.
    """
    # The user namespace first: entering it gives the capabilities for the others.
    for name in sorted(names, key=lambda name: name != "user"):
        try:
            syscalls.setns(pidfd, BY_NAME[name].flag)
        except OSError as error:
            raise StepFailed(f"setns {name}", error.errno or errno.EIO, error.filename) from None


def prepare(plan: dict[str, Any], maps: socket.socket | None) -> None:
    """In the new first process: finish what clone(2) began.

    Args:
        plan: "types", "joined" (types), "hostname", "boottime", "monotonic" (seconds or None),
            "uid", "gid" (whose they were outside), "cgroups".
        maps: where a `write_wide_maps` outside reports, or None to map one id by ourselves.

    Raises:
        StepFailed: naming the step.
    """
    types: list[str] = plan["types"]
    step = "start"
    try:
        if "user" in types:
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # or /proc/PID of ours would belong to root
            if maps is not None:
                _await_wide_maps(maps)
            else:  # one id needs no privilege, if setgroups(2) is given up first
                step = "setgroups"
                _write("/proc/self/setgroups", "deny")
                step = "uid_map"
                _write("/proc/self/uid_map", f"0 {plan['uid']} 1")
                step = "gid_map"
                _write("/proc/self/gid_map", f"0 {plan['gid']} 1")
        if plan["cgroups"]:
            step = "cgroup"
            cgroups.enter(plan["cgroups"])
            if "cgroup" in types:
                step = "unshare cgroup"
                syscalls.unshare(BY_NAME["cgroup"].flag)
        if "time" in types:
            step = "unshare time"
            syscalls.unshare(BY_NAME["time"].flag)
            step = "timens_offsets"
            for clock in ("monotonic", "boottime"):
                if plan[clock] is not None:
                    _write("/proc/self/timens_offsets", _offset(clock, plan[clock]))
            step = "setns time"  # unshare(CLONE_NEWTIME) moves only children: step in ourselves
            fd = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
            syscalls.setns(fd, BY_NAME["time"].flag)
            os.close(fd)
        if "mnt" in types:
            step = "mount private"  # nothing mounted here may show anywhere else, nor back
            syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
            if "pid" in types or "pid" in plan["joined"]:
                step = "mount proc"
                syscalls.mount("proc", "/proc", "proc", _NO_SURPRISES)
            if "net" in types:
                step = "mount sysfs"
                _mount_sysfs()
        if "net" in types:
            step = "lo up"
            _lo_up()
        if plan["hostname"] is not None:
            step = "sethostname"
            socket.sethostname(plan["hostname"])
    except OSError as error:
        raise StepFailed(step, error.errno or errno.EIO, str(error.filename or step)) from None


def _await_wide_maps(maps: socket.socket) -> None:
    said = maps.recv(4096)
    maps.close()
    if not said:
        raise StepFailed("uid_map", errno.ESRCH, "the process that writes the maps")
    step, number, call = said.decode().split("\0")
    if step:
        raise StepFailed(step, int(number), call)


def _offset(clock: str, seconds: float) -> str:
    whole = int(seconds // 1)
    return f"{clock} {whole} {int((seconds - whole) * 1_000_000_000)}"


def write_wide_maps(pid: int, uid: int, gid: int, report: socket.socket) -> NoReturn:
    """In a fork that stays outside: give the user namespace of `pid` wide maps, and report.

    Root may write them; anybody else asks the setuid programs newuidmap(1) and newgidmap(1).
    """
    answer: tuple[str, int, str] = ("", 0, "")
    try:
        for kind, own in (("uid", uid), ("gid", gid)):
            ranges = idmap.wide_map(kind, own)
            if os.geteuid() == 0:
                _write(f"/proc/{pid}/{kind}_map", idmap.render(ranges))
            elif refused := _new_id_map(f"new{kind}map", f"/etc/sub{kind}", pid, ranges):
                answer = refused
                break
    except OSError as error:
        answer = ("uid_map", error.errno or errno.EIO, str(error.filename))
    finally:
        report.send("\0".join(map(str, answer)).encode())
        os._exit(0)


def _new_id_map(
    program: str, grants: str, pid: int, ranges: list[idmap.IdRange]
) -> tuple[str, int, str] | None:
    if len(ranges) == 1:
        return (program, errno.ENOENT, grants)
    argv = [program, str(pid), *(word for entry in ranges for word in str(entry).split())]
    null = os.open(os.devnull, os.O_RDWR)
    quiet = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    try:
        child = os.posix_spawnp(program, argv, os.environ, file_actions=quiet)
    except FileNotFoundError:
        return (program, errno.ENOENT, program)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return (program, errno.EPERM, " ".join(argv)) if status else None


_NO_SURPRISES = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC


def _mount_sysfs() -> None:
    # /sys/class/net shows the network namespace that sysfs was mounted in, so it needs a new one;
    # the cgroup tree below the old one is carried over by a bind through its descriptor.
    flags = _NO_SURPRISES
    groups = -1  # a machine without cgroups
    with contextlib.suppress(OSError):
        groups = os.open("/sys/fs/cgroup", os.O_PATH | os.O_CLOEXEC)
    try:
        syscalls.mount("sysfs", "/sys", "sysfs", flags)
    except PermissionError:  # a read-only /sys, as in a container, may not become writable
        syscalls.mount("sysfs", "/sys", "sysfs", flags | syscalls.MS_RDONLY)
    if groups >= 0:
        bind = syscalls.MS_BIND | syscalls.MS_REC
        syscalls.mount(f"/proc/self/fd/{groups}", "/sys/fs/cgroup", None, bind)
        os.close(groups)


def _lo_up() -> None:
    sock = socket.SocketType(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(sock.fileno(), SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
    sock.close()


def name_process(name: str) -> None:
    """Give this process the short name that ps(1) shows; the kernel cuts it to 15 bytes."""
    with contextlib.suppress(OSError):
        _write("/proc/self/comm", name)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode(errors="replace"))
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"write {text!r} to {path}") from None
    finally:
        os.close(fd)
