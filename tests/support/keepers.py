"""Programs that keep a namespace alive in one particular way, and no other.

``python keepers.py NAME`` prints what it keeps, as JSON, and then waits for the end of its input.
``python keepers.py look NAME`` starts that and prints what nsedu says of it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
CLONE_FILES, NEWTIME = 0x400, 0x80
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, MNT_DETACH = 1, 2
libc = ctypes.CDLL(None, use_errno=True)


def check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def unshare(flags: int) -> None:
    check(libc.unshare(flags))


def mount(source: str, target: str, kind: str | None, flags: int = 0) -> None:
    encoded = kind.encode() if kind else None
    check(libc.mount(source.encode(), target.encode(), encoded, ctypes.c_ulong(flags), None))


def become_root_of_a_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    unshare(NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def new_mount_namespace() -> None:
    """A private one, with an empty file system on /tmp."""
    unshare(NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", "/tmp", "tmpfs")


def number(path: str) -> int:
    return os.stat(path).st_ino


class Lodger:
    """A child that prepares something and then stays until it is told to go."""

    def __init__(self, prepare: Callable[[], Any]) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                prepare()
                os.write(writer, b"!")
                signal.pause()
            finally:
                os._exit(1)
        os.close(writer)
        if os.read(reader, 1) != b"!":
            sys.exit("a child could not prepare what it was to keep")
        os.close(reader)

    def path(self, kind: str) -> str:
        return f"/proc/{self.pid}/ns/{kind}"

    def leave(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def kept(kind: str, ns: int, pin: str, pid: int | None, detail: object) -> dict[str, Any]:
    owner = number("/proc/self/ns/user")
    return {"type": kind, "ns": ns, "pins": [[pin, pid, str(detail)]], "owner": owner}


def descriptor() -> dict[str, Any]:
    """A network namespace that an open descriptor keeps."""
    lodger = Lodger(lambda: unshare(NEWNET))
    fd = os.open(lodger.path("net"), os.O_RDONLY)
    lodger.leave()
    return kept("net", os.fstat(fd).st_ino, "fd", os.getpid(), fd)


def descriptor_opened_by_a_mount() -> dict[str, Any]:
    """A network namespace that a mount keeps, and a descriptor that was opened by its path."""
    lodger = Lodger(lambda: unshare(NEWNET))
    new_mount_namespace()
    Path("/tmp/web").touch()
    mount(lodger.path("net"), "/tmp/web", None, MS_BIND)
    lodger.leave()
    fd = os.open("/tmp/web", os.O_RDONLY)
    answer = kept("net", os.fstat(fd).st_ino, "fd", os.getpid(), fd)
    return answer | {"pins": [*answer["pins"], ["bind", os.getpid(), "/tmp/web"]]}


def descriptor_whose_mount_has_gone() -> dict[str, Any]:
    """The same after the unmount; it is open for nothing but its path (O_PATH), which is enough."""
    lodger = Lodger(lambda: unshare(NEWNET))
    new_mount_namespace()
    Path("/tmp/web").touch()
    mount(lodger.path("net"), "/tmp/web", None, MS_BIND)
    lodger.leave()
    fd = os.open("/tmp/web", os.O_PATH)
    check(libc.umount2(b"/tmp/web", MNT_DETACH))
    return kept("net", os.fstat(fd).st_ino, "fd", os.getpid(), fd)


def _serve_without_attributes(device: int) -> None:
    """Answer a file system's requests (<linux/fuse.h>), but never the one for attributes."""
    attributes = struct.pack("=6Q10I", 2, *(0,) * 8, 0o100644, 1, *(0,) * 5)
    answers = {
        1: struct.pack("=4Q2I", 2, 0, 0, 0, 0, 0) + attributes,  # FUSE_LOOKUP
        14: bytes(16),  # FUSE_OPEN
        26: struct.pack("=4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 4096, *(0,) * 11),  # FUSE_INIT
    }
    while True:
        _, request, unique = struct.unpack_from("=IIQ", os.read(device, 1 << 17))
        if request in (2, 3):  # FUSE_FORGET wants no answer, FUSE_GETATTR gets none
            continue
        body = answers.get(request, b"")
        error = 0 if request in answers else -errno.ENOSYS
        os.write(device, struct.pack("=IiQ", 16 + len(body), error, unique) + body)


def descriptor_beside_a_file_that_waits() -> dict[str, Any]:
    """The same, of a process that has a file open whose file system does not answer any more."""
    new_mount_namespace()
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    Path("/tmp/silent").mkdir()
    check(libc.mount(b"none", b"/tmp/silent", b"fuse", ctypes.c_ulong(0), options))
    threading.Thread(target=_serve_without_attributes, args=[device], daemon=True).start()
    os.open("/tmp/silent/file", os.O_RDONLY)
    return descriptor_whose_mount_has_gone()


def bind_mount() -> dict[str, Any]:
    """A UTS namespace that a bind mount keeps, at a path with a blank, a newline and brackets."""
    lodger = Lodger(lambda: unshare(NEWUTS))
    ns = number(lodger.path("uts"))
    new_mount_namespace()
    target = "/tmp/a b\n[c]"
    Path(target).touch()
    mount(lodger.path("uts"), target, None, MS_BIND)
    lodger.leave()
    return kept("uts", ns, "bind", os.getpid(), target)


def bind_mount_in_a_changed_root() -> dict[str, Any]:
    """The same, below the root directory that the only process has changed to."""
    lodger = Lodger(lambda: unshare(NEWUTS))
    ns = number(lodger.path("uts"))
    new_mount_namespace()
    Path("/tmp/root").mkdir()
    mount("/tmp/root", "/tmp/root", None, MS_BIND)
    Path("/tmp/root/kept").touch()
    mount(lodger.path("uts"), "/tmp/root/kept", None, MS_BIND)
    lodger.leave()
    answer = kept("uts", ns, "bind", os.getpid(), "/kept")
    os.chroot("/tmp/root")
    return answer


def bind_mount_that_only_a_child_sees() -> dict[str, Any]:
    """The same, out of reach of the first process, whose root directory has changed."""
    lodger = Lodger(lambda: unshare(NEWUTS))
    ns = number(lodger.path("uts"))
    new_mount_namespace()
    Path("/tmp/root").mkdir()
    Path("/tmp/kept").touch()
    mount(lodger.path("uts"), "/tmp/kept", None, MS_BIND)
    lodger.leave()
    answer = kept("uts", ns, "bind", Lodger(lambda: None).pid, "/tmp/kept")
    os.chroot("/tmp/root")
    return answer


def socket_alone() -> dict[str, Any]:
    """A network namespace that a socket keeps after its maker has moved to another."""
    unshare(NEWNET)
    ns = number("/proc/self/ns/net")
    sock = socket.socket()
    unshare(NEWNET)
    return kept("net", ns, "socket", os.getpid(), sock.detach())


def thread() -> dict[str, Any]:
    """A UTS namespace that one thread has moved to."""
    answers: list[dict[str, Any]] = []
    ready = threading.Event()

    def live() -> None:
        unshare(NEWUTS)
        ns = number("/proc/thread-self/ns/uts")
        answers.append(kept("uts", ns, "thread", os.getpid(), threading.get_native_id()))
        ready.set()
        threading.Event().wait()

    threading.Thread(target=live, daemon=True).start()
    ready.wait()
    return answers[0]


def thread_without_its_first() -> dict[str, Any] | None:
    """A UTS namespace of a process whose first thread has ended."""

    def live() -> None:
        unshare(NEWUTS)
        first = Path(f"/proc/self/task/{os.getpid()}/stat")
        while ") Z " not in first.read_text():
            os.sched_yield()
        ns = number("/proc/thread-self/ns/uts")
        report(kept("uts", ns, "thread", os.getpid(), threading.get_native_id()))

    threading.Thread(target=live).start()
    libc.syscall({"x86_64": 60}.get(platform.machine(), 93), 0)  # exit(2) of this thread alone
    return None


def descriptor_of_a_thread() -> dict[str, Any]:
    """A network namespace in the descriptor table that a thread has for itself."""
    lodger = Lodger(lambda: unshare(NEWNET))
    answers: list[dict[str, Any]] = []
    ready = threading.Event()

    def live() -> None:
        unshare(CLONE_FILES)
        fd = os.open(lodger.path("net"), os.O_RDONLY)
        answers.append(kept("net", os.fstat(fd).st_ino, "fd", os.getpid(), fd))
        ready.set()
        threading.Event().wait()

    threading.Thread(target=live, daemon=True).start()
    ready.wait()
    lodger.leave()
    return answers[0]


def namespace_for_children() -> dict[str, Any]:
    """A pid namespace whose first process has ended: only the link for children is left."""
    unshare(NEWPID)
    Lodger(lambda: None).leave()
    ns = number("/proc/self/ns/pid_for_children")
    answer = kept("pid", ns, "process", os.getpid(), "pid_for_children")
    return answer | {"parent": number("/proc/self/ns/pid")}


def clocks_for_children() -> dict[str, Any]:
    """A time namespace that no child has entered yet."""
    unshare(NEWTIME)
    ns = number("/proc/self/ns/time_for_children")
    return kept("time", ns, "process", os.getpid(), "time_for_children")


def mount_namespace_without_a_process() -> dict[str, Any]:
    """A network namespace mounted in a mount namespace that only a descriptor keeps."""
    _, answer = _empty_mount_namespace()
    return answer


def mount_namespace_nobody_can_see() -> dict[str, Any]:
    """The same, with the descriptor under way in a socket: only the kernel's list shows it."""
    fd, answer = _empty_mount_namespace()
    ours, theirs = socket.socketpair()
    socket.send_fds(ours, [b"!"], [fd])
    os.close(fd)
    ours.detach(), theirs.detach()
    return answer


def _empty_mount_namespace() -> tuple[int, dict[str, Any]]:
    lodger = Lodger(lambda: unshare(NEWNET))
    ns = number(lodger.path("net"))

    def prepare() -> None:
        new_mount_namespace()
        Path("/tmp/kept").touch()
        mount(lodger.path("net"), "/tmp/kept", None, MS_BIND)

    host = Lodger(prepare)
    fd = os.open(host.path("mnt"), os.O_RDONLY)
    host.leave()
    lodger.leave()
    where = f"mnt:[{os.fstat(fd).st_ino}]/tmp/kept"
    return fd, kept("net", ns, "bind", None, where)


def mount_namespace_within_another() -> dict[str, Any]:
    """A mount namespace without a process, mounted in another one without a process."""
    # One may be mounted only in an older one (its number says), and each CPU has its own numbers.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lodger = Lodger(lambda: unshare(NEWNET))
    ns = number(lodger.path("net"))

    def make_outer() -> None:
        new_mount_namespace()
        Path("/tmp/inner").touch()

    def make_inner() -> None:
        new_mount_namespace()
        Path("/tmp/kept").touch()
        mount(lodger.path("net"), "/tmp/kept", None, MS_BIND)

    outer, inner = Lodger(make_outer), Lodger(make_inner)
    fd = os.open(outer.path("mnt"), os.O_RDONLY)
    where = f"mnt:[{number(inner.path('mnt'))}]/tmp/kept"

    def put_the_inner_into_the_outer() -> None:
        check(libc.setns(fd, NEWNS))
        mount(inner.path("mnt"), "/tmp/inner", None, MS_BIND)

    for one in (Lodger(put_the_inner_into_the_outer), inner, outer, lodger):
        one.leave()
    return kept("net", ns, "bind", None, where)


def covered_bind_mount() -> dict[str, Any]:
    """A UTS namespace at a mount point that another mount covers: there, but out of reach."""
    answer = bind_mount()
    mount("tmpfs", "/tmp", "tmpfs")
    return answer | {"owner": None}


KEEPERS: dict[str, Callable[[], dict[str, Any] | None]] = {
    keeper.__name__: keeper
    for keeper in (
        descriptor, descriptor_opened_by_a_mount, descriptor_whose_mount_has_gone,
        bind_mount, bind_mount_in_a_changed_root,
        bind_mount_that_only_a_child_sees, socket_alone, thread,
        thread_without_its_first, descriptor_of_a_thread, namespace_for_children,
        clocks_for_children, mount_namespace_without_a_process, mount_namespace_nobody_can_see,
        mount_namespace_within_another, covered_bind_mount,
    )
}  # fmt: skip


OF_ROOT = {"descriptor_beside_a_file_that_waits": descriptor_beside_a_file_that_waits}


def report(answer: dict[str, Any]) -> None:
    print(json.dumps({"parent": None} | answer), flush=True)
    sys.stdin.read()
    os._exit(0)


def look(name: str) -> None:
    from nsedu.observe.snapshot import snapshot

    keeper = subprocess.Popen(
        [sys.executable, __file__, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert keeper.stdin is not None and keeper.stdout is not None
    expected = json.loads(keeper.stdout.readline())
    everywhere = name == mount_namespace_nobody_can_see.__name__
    found = snapshot("machine" if everywhere else keeper.pid, deep=True)
    keeper.stdin.close()
    keeper.wait()
    record = found.namespaces.get((expected["type"], expected["ns"]))
    seen = record and {
        "type": record.type,
        "ns": record.ns,
        "pins": [list(pin) for pin in record.pins],
        "owner": record.owner,
        "parent": record.parent,
    }
    print(json.dumps({"expected": expected, "seen": seen, "unread": found.unread}))


if __name__ == "__main__":
    if sys.argv[1] == "look":
        look(sys.argv[2])
    else:
        become_root_of_a_user_namespace()
        answer = (KEEPERS | OF_ROOT)[sys.argv[1]]()
        if answer is not None:
            report(answer)
