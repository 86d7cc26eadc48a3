"""What a system call takes outside and inside, and where the inside does make a difference.

Outside and inside are two processes that share every page of memory that neither has written to,
have as many forefathers, and run on the same processor; the one inside is in new namespaces of all
eight types, its clocks a day ahead.  Each makes the call 200 times over in a loop of machine code
(`repeated`), and what is given is the time of one.  The null operation is the same loop around a
function that does nothing.

Both open the same files, so that the kernel finds the same entries in its tables for both.  The
files lie in a tmpfs that is mounted in a mount namespace around both, so that nothing is left of
them.  Paths are relative: there is no mount on the way but where the name says so.

Further rows show what namespaces are used for: a file system in layers, a mount at every component
of a path, an id map of many lines.  What a container adds is there, too: a seccomp
filter of many comparisons, by number alone, or with a look at an argument.  By number alone the
kernel works out once what the filter says of each call, and runs it no more for those that are
allowed (since Linux 5.11, `seccomp_cache_prepare` in kernel/seccomp.c).  And one process, outside,
reads /proc/PID/status of two others: where the numbers of a process stand there is one for every
PID namespace around it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from functools import partial

from nsedu.agent import first_process
from nsedu.kernel import id_maps, namespace_types, syscalls
from nsedu.kernel.id_maps import IdRange
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.measurement.questions.fork import down
from nsedu.measurement.sampler import private_tmpfs
from nsedu.measurement.sampler.call_loop import MACHINE, Loop
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    Refused,
    Unmet,
    continue_in_child,
    die_with_parent,
    ensure_can_unshare,
    in_child,
    libc,
)
from nsedu.measurement.sampler.private_tmpfs import PLACE, step

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsedu.measurement.sampler.operations import Sample

TITLE = "What a system call takes, outside and inside"
ROUNDS = 300

DEEP = 16
"""Components of the longer path."""
DEPTH = 30
"""PID namespaces around the process whose status is read; 32 are allowed."""
LINES = 200
"""Of the long id map.  The kernel takes 340, but in no more than 4095 bytes."""
DAY = 86_400
COMPARISONS = 300
"""Of a call's number with others, before a filter comes to what it says of getpid(2): about as many
as there are system calls."""

# By number, so that no library does anything of its own: <asm/unistd.h>.
_X86_64 = {"getpid": 39, "stat": 262, "fstat": 5, "openat": 257, "clock_gettime": 228, "pread": 17}
_ARM64 = {"getpid": 172, "stat": 79, "fstat": 80, "openat": 56, "clock_gettime": 113, "pread": 67}
NUMBERS = {"x86_64": _X86_64, "aarch64": _ARM64}.get(MACHINE, {})  # stat is newfstatat there
_AT_FDCWD = -100
_MONOTONIC = 1

_memory = ctypes.create_string_buffer(4096)
_INTO = ctypes.addressof(_memory)
"""Where the kernel writes what it is asked for."""


def operations(stack: contextlib.ExitStack) -> list[Operation | Unmet]:
    """A series for each call: outside, inside, and where it takes longer."""
    try:
        loop = Loop()
    except NotImplementedError as unable:
        return [Unmet("every call", str(unable))]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the first has most interrupts
    # Before the next steps, for newuidmap(1) works outside.
    by_id_map = compare_id_maps(stack, loop)
    in_child(enter_tree)  # where it is told what was refused
    enter_tree()
    return [
        *compare_places(stack, loop), *_by_filter(stack, loop), *by_id_map, *_by_depth(stack, loop),
    ]  # fmt: skip


def enter_tree() -> None:
    """Move to where the files are; what is outside and what is inside forks from here."""
    ensure_can_unshare()
    private_tmpfs.enter()
    with step("files"):
        for top in ("upper", "work", "layers", "mounted", "plain"):
            os.mkdir(top)
        for top in ("mounted", "plain"):
            os.chdir(f"{PLACE}/{top}")
            os.makedirs(os.path.dirname(path_of(DEEP)))
            for components in (1, DEEP):
                os.close(os.open(path_of(components), os.O_CREAT))


def path_of(components: int) -> bytes:
    """A path to the same file with this number of components."""
    return b"d/" * (components - 1) + b"f"


def compare_places(stack: contextlib.ExitStack, loop: Loop) -> list[Operation | Unmet]:
    """Each call outside, and in new namespaces of all types."""
    near, deep = "openat 1", f"openat {DEEP}"
    calls = {
        "getpid": _call(loop, "getpid"),
        "clock by vDSO": loop.sampler(libc.clock_gettime, _MONOTONIC, _INTO),
        "clock by system call": _call(loop, "clock_gettime", _MONOTONIC, _INTO),
        "stat": _call(loop, "stat", _AT_FDCWD, path_of(1), _INTO, 0, times=100),
        near: _opening(loop, path_of(1)),
        deep: _opening(loop, path_of(DEEP)),
    }
    places: dict[str, Callable[[], None]] = {
        "outside": continue_in_child,
        "inside": fork_inside,
        "on overlayfs": partial(fork_inside, work_in_layers),
        f"through {DEEP} mounts": partial(fork_inside, work_in_mounts),
    }
    only = {"on overlayfs": near, f"through {DEEP} mounts": deep}
    prepared = {place: _stand(stack, go, *calls.values()) for place, go in places.items()}
    found: list[Operation | Unmet] = [
        _row(stand, which, f"{call} {place}", call)
        for which, call in enumerate(calls)
        for place, stand in prepared.items()
        if only.get(place, call) == call and isinstance(stand, PreparedProcess)
    ]
    for place, stand in prepared.items():
        if isinstance(stand, Refused):
            found.append(Unmet(f"{only.get(place, 'every call')} {place}", stand.message))
    return found


def _call(loop: Loop, name: str, *arguments: int | bytes, times: int = 200) -> Callable[[], Sample]:
    return loop.sampler(libc.syscall, NUMBERS[name], *arguments, times=times)


def _opening(loop: Loop, path: bytes) -> Callable[[], Sample]:
    arguments = NUMBERS["openat"], _AT_FDCWD, path, os.O_RDONLY
    return loop.sampler(libc.syscall, *arguments, then=libc.close, times=50)


def _stand(
    stack: contextlib.ExitStack, go: Callable[[], None], *functions: Callable[[], Any]
) -> PreparedProcess | Refused:
    try:
        return stack.enter_context(PreparedProcess(go, *functions))
    except Refused as refused:
        return refused


def _row(stand: PreparedProcess | Refused, which: int, name: str, series: str) -> Operation | Unmet:
    if isinstance(stand, Refused):
        return Unmet(name, stand.message)
    return Operation(name, partial(stand.call, which), series, unit="ns")


def fork_inside(then: Callable[[], None] | None = None) -> None:
    """Fork, and return in the child, which is in new namespaces of all types, its clocks ahead."""
    plan = first_process.Plan(types=namespace_types.NAMES, uid=os.geteuid(), gid=os.getegid())
    _mapped(partial(first_process.clone, plan), partial(first_process.write_maps, plan=plan))
    first_process.prepare(first_process.Plan(types=["time"], monotonic=DAY, boottime=DAY))
    if then:
        then()


def work_in_layers() -> None:
    """Work in an overlay file system of two layers; the files are in the lower one."""
    layers = f"lowerdir={PLACE}/plain,upperdir={PLACE}/upper,workdir={PLACE}/work,userxattr"
    with step("mount overlay"):
        syscalls.mount("overlay", f"{PLACE}/layers", "overlay", 0, layers)
        os.chdir(f"{PLACE}/layers")


def work_in_mounts() -> None:
    """Work where every component of the longer path is a mount point.

    These are other directories: one that is a mount point anywhere is looked up more slowly by all.
    """
    os.chdir(f"{PLACE}/mounted")
    with step("mount bind"):
        for number in range(DEEP):
            place = os.fsdecode(b"d/" * number + (b"f" if number == DEEP - 1 else b"d"))
            syscalls.mount(place, place, None, syscalls.MS_BIND)


def _by_filter(stack: contextlib.ExitStack, loop: Loop) -> list[Operation | Unmet]:
    sampler = _call(loop, "getpid")
    ways: dict[str, Callable[[], None]] = {
        "no filter": continue_in_child,
        f"a filter of {COMPARISONS} numbers": partial(fork_filtered, argument=False),
        "one that asks for an argument": partial(fork_filtered, argument=True),
    }
    return [
        _row(_stand(stack, go, sampler), 0, f"seccomp, {way}", "seccomp")
        for way, go in ways.items()
    ]


_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06  # <linux/bpf_common.h>: of a word, with a constant
_NUMBER, _ARGUMENT = 0, 16  # where they are in struct seccomp_data
_ALLOW, _KILL = 0x7FFF0000, 0x80000000  # <linux/seccomp.h>
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def fork_filtered(argument: bool) -> None:
    """Fork, and return in the child, under a filter that allows all but calls there are not.

    Args:
        argument: whether it loads an argument, whatever it is: what it says of a call may then
            depend on that, as far as the kernel can tell.
    """
    continue_in_child()
    look = [(_LOAD, 0, 0, _ARGUMENT)] if argument else []
    numbers = range(10_000, 10_000 + COMPARISONS)
    tests = [(_JUMP_EQUAL, 0, 1, n) for n in numbers]
    program = [*look, (_LOAD, 0, 0, _NUMBER)]
    for test in tests:
        program += [test, (_RETURN, 0, 0, _KILL)]
    program.append((_RETURN, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))  # struct sock_fprog
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0):
        raise first_process.StepFailed("seccomp filter", ctypes.get_errno(), "prctl(2)")


def compare_id_maps(stack: contextlib.ExitStack, loop: Loop) -> list[Operation | Unmet]:
    """A call that asks for an owner, with a short id map and with the longest."""
    file = os.memfd_create("file")
    stack.callback(os.close, file)
    sampler = _call(loop, "fstat", file, _INTO, times=100)
    long = f"fstat, id map of {LINES} lines"
    return [
        _row(_stand(stack, partial(with_map, lines), sampler), 0, name, "fstat")
        for lines, name in ((1, "fstat, id map of 1 line"), (LINES, long))
    ]


def _mapped(born: Callable[[], int], write_maps: Callable[[int], None]) -> None:
    """Fork, and return in the child when its id maps have been written."""
    read, write = os.pipe()
    pid = born()
    if pid:
        write_maps(pid)
        os.write(write, b"!")
        die_with_parent()
        os.waitpid(pid, 0)
        os._exit(0)
    os.close(write)
    if not os.read(read, 1):
        os._exit(1)


def with_map(lines: int) -> None:
    """Move to a user namespace whose maps have this number of lines."""
    with step("unshare user"):
        _mapped(partial(syscalls.clone, CloneFlag.NEWUSER), partial(_write_maps, lines))


def _write_maps(lines: int, pid: int) -> None:
    """An id to a line; an ordinary user has its own, and takes the others from those granted."""
    own = {"uid": os.geteuid(), "gid": os.getegid()}
    if lines == 1:
        return first_process.write_maps(pid, first_process.Plan(**own))
    for kind, first in own.items():
        if os.geteuid() == 0:
            with step(f"{kind}_map"), open(f"/proc/{pid}/{kind}_map", "w") as file:
                file.write(id_maps.render(IdRange(n, n, 1) for n in range(lines)))
            continue
        granted = id_maps.grants(f"/etc/sub{kind}", os.geteuid())
        others = [entry.outside for entry in granted if entry.count >= lines - 1][:1]
        ranges = [IdRange(n, base + n - 1, 1) for base in others for n in range(1, lines)]
        program = f"new{kind}map"
        try:
            first_process.ask_for_map(
                program, pid, [IdRange(0, first, 1), *ranges], f"/etc/sub{kind}"
            )
        except OSError as error:  # whose text has all the lines
            raise first_process.StepFailed(program, error.errno or 0, program) from None


def _by_depth(stack: contextlib.ExitStack, loop: Loop) -> list[Operation | Unmet]:
    read, unmet = {}, []
    for flag, where in (
        (0, "in no PID namespace"),
        (CloneFlag.NEWPID, f"in {DEPTH} PID namespaces"),
    ):
        name = f"status of a process {where}"
        stand = _stand(stack, partial(down, DEPTH, flag), _number)
        if isinstance(stand, Refused):
            unmet.append(Unmet(name, stand.message))
            continue
        file = os.open(f"/proc/{stand.call()}/status", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, file)
        read[name] = _call(loop, "pread", file, _INTO, len(_memory), 0, times=20)
    reader = _stand(stack, continue_in_child, *read.values())
    return [_row(reader, which, name, "status") for which, name in enumerate(read)] + unmet


def _number() -> int:
    """The number of this process where /proc was mounted, which is outside."""
    return int(os.readlink("/proc/self"))
