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
import select
import signal
import socket
import struct
from collections import namedtuple

from nsedu.kernel import bounded_waits, id_maps, namespace_types, syscalls
from nsedu.kernel.namespace_types import BY_NAME

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE = 10.0
"""Seconds for what a child or a program of the system has to do here."""

IFF_UP = 0x1
SIOCSIFFLAGS = 0x8914


class Plan(
    namedtuple(
        "Plan",
        "id name types join joined wide as_root hostname boottime monotonic limits"
        " uid gid lent server",
        defaults=("", "", (), (), (), False, False, None, None, None, {}, 0, 0, 0, 0),
    )
):
    """What a sandbox is to be: the request "make" brings it, and the server adds the last four.

    Attributes:
        id: the identity of the sandbox, by which requests name it; also of its control group.
        name: what its first process is called.
        types: the types of its new namespaces, in catalogue order.
        join: the types to join, for each of the processes whose pidfds come with the request.
        joined: all of these types.
        wide: whether its user namespace gets the ids granted to the user, too.
        as_root: whether it may join a user namespace that maps root's id.
        hostname: its host name; None to leave it.
        boottime: the offset of this clock in seconds; None to leave it.
        monotonic: the same of the other.
        limits: those of its control group, as `cgroups.check_limits` returns them.
        uid: the user id that root inside has outside.
        gid: its group id.
        lent: how many ids from there on are lent to it; 0 for none.
        server: the pid of the server that makes it.
    """

    __slots__ = ()
    id: str
    name: str
    types: Sequence[str]
    join: Sequence[list[str]]
    joined: Sequence[str]
    wide: bool
    as_root: bool
    hostname: str | None
    boottime: float | None
    monotonic: float | None
    limits: Mapping[str, int | float]
    uid: int
    gid: int
    lent: int
    server: int


class StepFailed(Exception):
    """A step of `build` that the kernel refused: which, with what errno, in what call."""

    def __init__(self, step: str, number: int, call: str) -> None:
        super().__init__(step, number, call)
        self.step, self.errno, self.call = step, number, call


def clone(plan: Plan, flags: int = 0) -> int:
    """Fork the sandbox's first process right into its new namespaces, the user namespace first.

    One clone(2) with all the flags instead of a fork and an unshare(2) for each: a second fork,
    which a pid namespace would need, doubles the time a sandbox takes.  The time namespace is left
    to `prepare`, for its clocks could not be set any more, and so is the cgroup namespace when
    there is a control group to enter first.

    Args:
        plan: of the sandbox.
        flags: further CLONE_* flags.

    Returns:
        0 in the child, its pid in the caller.

    Raises:
        StepFailed: naming the type refused, which a child finds out by trying each in turn.
        OSError: no child could be made at all.
    """
    now = [t for t in plan.types if t != "time" and not (t == "cgroup" and plan.limits)]
    try:
        return syscalls.clone(namespace_types.flags(now) | flags, alone=True)
    except OSError as error:
        refused = error
    named = _try_each(now)
    if named is not None:
        raise named
    # What stood in the way has gone, as a limit when another namespace was freed just now.
    if refused.errno == errno.ENOSPC:
        return syscalls.clone(namespace_types.flags(now) | flags, alone=True)
    raise refused


def _try_each(types: list[str]) -> StepFailed | None:
    """Find out in a child which of the types is refused, None if none of them is."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        step = ""
        try:
            for name in sorted(types, key=lambda name: name != "user"):
                step = f"unshare {name}"
                syscalls.unshare(BY_NAME[name].flag)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.write(write, f"{step}\0{error.errno}\0{error.filename}".encode())
        finally:
            os._exit(0)
    os.close(write)
    bounded_waits.reap(pid, PATIENCE)
    said = os.read(read, 4096).decode()  # it stands there, or the pipe is at its end
    os.close(read)
    if not said:
        return None
    step, number, call = said.split("\0")
    return StepFailed(step, int(number), call)


def join(names: list[str], pidfd: int) -> None:
    """Enter namespaces of another process, by its pidfd.

    All in one setns(2), which Linux 5.8 can: the right to enter is then that of who we were, and
    a process may live in namespaces that a user namespace further out owns than its own.

    Raises:
        StepFailed: naming the type.
    """
    try:
        syscalls.setns(pidfd, namespace_types.flags(names))
        return
    except OSError as error:
        refused = error
    # Which of them? The user namespace first: entering it gives capabilities for the others.
    for name in sorted(names, key=lambda name: name != "user"):
        try:
            syscalls.setns(pidfd, BY_NAME[name].flag)
        except OSError as error:
            number, call = error.errno or errno.EIO, refused.filename
            raise StepFailed(f"setns {name}", number, call) from None


def prepare(plan: Plan, proc: int | None = None) -> None:
    """In the new first process: finish what clone(2) began.

    All of this takes capabilities, which the process has from birth, but no id map: that is written
    from outside at the same time (`write_maps`).

    Args:
        plan: of the sandbox; where it has limits the process is in their control group by now.
        proc: an open /proc; None for the one that is mounted here.

    Raises:
        StepFailed: naming the step.
    """
    types = plan.types
    own = "/proc/self" if proc is None else "self"
    step = "start"
    try:
        if plan.limits and "cgroup" in types:
            step = "unshare cgroup"
            syscalls.unshare(BY_NAME["cgroup"].flag)
        if "time" in types:
            step = "unshare time"
            syscalls.unshare(BY_NAME["time"].flag)
            step = "timens_offsets"
            for clock, offset in (("monotonic", plan.monotonic), ("boottime", plan.boottime)):
                if offset is not None:
                    _write(f"{own}/timens_offsets", _offset(clock, offset), proc)
            step = "setns time"  # unshare(CLONE_NEWTIME) moves only children: step in ourselves
            path = f"{own}/ns/time_for_children"
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
            syscalls.setns(fd, BY_NAME["time"].flag)
            os.close(fd)
        if "mnt" in types:
            step = "mount private"  # nothing mounted here may show anywhere else, nor back
            syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
            # Who owns a pid namespace may mount a /proc of it; a joined one is another's here if
            # there is a new user namespace.
            if "pid" in types or ("pid" in plan.joined and "user" not in types):
                step = "mount proc"
                syscalls.mount("proc", "/proc", "proc", _NO_SURPRISES)
            if "net" in types:
                step = "mount sysfs"
                _mount_sysfs()
        if "net" in types:
            step = "lo up"
            lo_up()
        if plan.hostname is not None:
            step = "sethostname"
            socket.sethostname(plan.hostname)
    except OSError as error:
        raise StepFailed(step, error.errno or errno.EIO, str(error.filename or step)) from None


def _offset(clock: str, seconds: float) -> str:
    whole, rest = divmod(round(seconds * 1_000_000_000), 1_000_000_000)
    return f"{clock} {whole} {rest}"


def become_root(uid: int = 0, gid: int = 0, maker: int = -1) -> None:
    """Become root of the user namespace that this process is in, whoever that is outside.

    With the id goes whatever the process could do as the user who made it; the capabilities in the
    user namespace stay.  Nobody may look at it from then on, until it allows that (proc(5)).

    Args:
        uid: the user id inside, 0 unless that is not mapped there.
        gid: the group id inside.
        maker: a socket to who writes the id map; its end is the end of waiting for the map.

    Raises:
        OSError: EINVAL, the id is not mapped; ESRCH, the maker has ended.
    """
    while True:
        try:
            os.setresgid(gid, gid, gid)  # the group map is the last to be written
            break
        except OSError as error:
            if error.errno != errno.EINVAL or maker < 0:
                raise
        if select.select([maker], [], [], 0.00005)[0]:
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH), "setresgid(0, 0, 0)")
    os.setresuid(uid, uid, uid)
    syscalls.join_session_keyring()


def write_maps(pid: int, plan: Plan, proc: int | None = None) -> None:
    """From outside: give the new user namespace of a process its id maps.

    One id needs no privilege, if setgroups(2) is given up first.  Other ids, and ranges of them,
    root may write; anybody else asks the setuid programs newuidmap(1) and newgidmap(1).

    Args:
        pid: the process, as /proc calls it.
        plan: of the sandbox, of which only the ids count.
        proc: an open /proc; None for the one that is mounted here, which in others' mounts may be
            of their making.

    Raises:
        StepFailed: naming the step.
    """
    step = "setgroups"
    directory = f"/proc/{pid}" if proc is None else str(pid)
    try:
        if not plan.wide:
            _write(f"{directory}/{step}", "deny", proc)
        for kind, own in (("uid", plan.uid), ("gid", plan.gid)):
            step = f"{kind}_map"
            if plan.lent or not plan.wide:
                _write(f"{directory}/{step}", f"0 {own} {plan.lent or 1}", proc)
            elif os.geteuid() == 0:
                wide = id_maps.render(id_maps.wide_map(kind, 0))
                _write(f"{directory}/{step}", wide, proc)
            else:
                step = f"new{kind}map"
                ask_for_map(step, pid, id_maps.wide_map(kind, own), f"/etc/sub{kind}")
    except OSError as error:
        raise StepFailed(step, error.errno or errno.EIO, str(error.filename)) from None


def ask_for_map(program: str, pid: int, ranges: list[id_maps.IdRange], grants: str) -> None:
    """Have the setuid program newuidmap(1) or newgidmap(1) write a map.

    Args:
        program: which of them.
        pid: the process in the new user namespace.
        ranges: the lines of the map: the own id, and then those granted.
        grants: the file with the grants.

    Raises:
        OSError: the program is not there, nothing is granted, or it refused.
    """
    if len(ranges) == 1:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), grants)
    argv = [program, str(pid), *(word for entry in ranges for word in str(entry).split())]
    null = os.open(os.devnull, os.O_RDWR)
    quiet = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    child = os.posix_spawnp(program, argv, os.environ, file_actions=quiet)
    os.close(null)
    status = bounded_waits.reap(child, PATIENCE)
    if status == signal.SIGKILL:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), " ".join(argv))
    if status:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), " ".join(argv))


_NO_SURPRISES = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC


def _mount_sysfs() -> None:
    # /sys/class/net shows the network namespace that sysfs was mounted in, so it needs a new one;
    # the cgroup tree below the old one is carried over by a bind through its descriptor.
    flags = _NO_SURPRISES
    try:
        groups = os.open("/sys/fs/cgroup", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        groups = -1  # a machine without cgroups
    try:
        syscalls.mount("sysfs", "/sys", "sysfs", flags)
    except PermissionError:  # a read-only /sys, as in a container, may not become writable
        syscalls.mount("sysfs", "/sys", "sysfs", flags | syscalls.MS_RDONLY)
    if groups >= 0:
        bind = syscalls.MS_BIND | syscalls.MS_REC
        syscalls.mount(f"/proc/self/fd/{groups}", "/sys/fs/cgroup", None, bind)
        os.close(groups)


_LO_UP = struct.pack("16sh22x", b"lo", IFF_UP)  # struct ifreq of netdevice(7)


def lo_up() -> None:
    """Switch on the loopback of the network namespace that this process is in."""
    sock = socket.SocketType(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(sock.fileno(), SIOCSIFFLAGS, _LO_UP)
    sock.close()


def name_process(name: str) -> None:
    """Give this process the short name that ps(1) shows; the kernel cuts it to 15 bytes."""
    syscalls.set_name(name.encode(errors="replace"))


def _write(path: str, text: str, directory: int | None = None) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"open {path}") from None
    try:
        os.write(fd, text.encode(errors="replace"))
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"write {text!r} to {path}") from None
    finally:
        os.close(fd)
