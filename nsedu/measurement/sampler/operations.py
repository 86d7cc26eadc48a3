"""What is timed, and the two kinds of processes it is timed in: a fresh child, or a standing one.

Everything here runs in the small single-threaded process that `worker` is, never in a notebook's
kernel: namespaces cannot be made there, and its dozen threads would be measured along.  It stays
light, as the agent does and for the same reason: what a process carries, its forks pay for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import namedtuple

from nsedu.agent import first_process
from nsedu.errors import process_facts
from nsedu.kernel import bounded_waits, namespace_types, syscalls
from nsedu.measurement.sampler.packets import packed, unpacked

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Sample = tuple[float, float]


class Operation(namedtuple("Operation", "name sample series x unit", defaults=("", None, "us"))):
    """One thing that is measured over and over.

    Attributes:
        name: what it is called in the answer; unique in its question.
        sample: takes one sample: what was measured, and the same for the null operation beside it.
        series: the curve or panel it belongs to, "" where there is but one.
        x: where on the curve, None for what is no curve.
        unit: of both figures of the sample: "us" (µs), "ns", "KiB" or "Gbit/s".
    """

    __slots__ = ()


class Unmet(namedtuple("Unmet", "name reason")):
    """An operation that cannot be measured here: its name, and one sentence on what is missing."""

    __slots__ = ()


class Refused(Exception):
    """What a child was refused; `message` is that of `facts.failure`."""

    def __init__(self, message: dict[str, Any]) -> None:
        super().__init__(message)
        self.message = message


WARM = 10
PATIENCE = 60.0  # seconds until a process that is measured is killed; a sample takes a few at most

libc = ctypes.PyDLL(None, use_errno=True)
"""The bare calls: between the clock and the kernel there is as little Python as can be.  Python's
lock stays held (see `nsedu.kernel.syscalls`), which is one thing less to time."""


def timed(
    call: Callable[..., int], *arguments: Any, nothing: tuple[Any, ...] = (0,), name: str = "",
    warm: int = WARM,
) -> Sample:  # fmt: skip
    """Time a call that can be made but once, with a null operation beside it, in µs.

    After a fork the first use of anything costs page faults: they would count as the namespace's.
    So the null operation takes the very same road ten times before; its last time is its sample.

    Args:
        call: a function of `libc`.
        arguments: what it is called with.
        nothing: the same for the null operation; unless given that of unshare(2) of nothing.
        name: what is being done, should the kernel refuse it, as `build` names its steps.
        warm: how often the null operation is made before; 0 for not at all, and a null of 0.

    Raises:
        StepFailed: the kernel refused it.
    """
    clock = time.perf_counter_ns
    taken = before = status = 0
    for these in [tuple(map(ctypes.c_int, nothing))] * warm + [tuple(map(ctypes.c_int, arguments))]:
        before, start = taken, clock()
        status = call(*these)
        taken = clock() - start
    if status == -1:
        number = ctypes.get_errno()
        raise first_process.StepFailed(name, number, f"{call.__name__}(2)")
    return taken / 1000, before / 1000


_STACK = ctypes.create_string_buffer(1 << 16)
_STACK_TOP = ctypes.c_void_p((ctypes.addressof(_STACK) + len(_STACK)) & ~15)
_VFORK = ctypes.c_int(0x100 | 0x4000 | 17)  # CLONE_VM | CLONE_VFORK | SIGCHLD


def vfork(function: Any, argument: int = 0) -> None:
    """Have a child call a function of `libc` and end; it shares this process's memory meanwhile.

    Such a child copies nothing, as one of vfork(2) or posix_spawn(3), and so costs very little.
    """
    called = ctypes.cast(function, ctypes.c_void_p)
    pid = libc.clone(called, _STACK_TOP, _VFORK, ctypes.c_void_p(argument))
    if pid > 0:
        os.waitpid(pid, 0)


def warm_caches(flags: int) -> None:
    """Have unshare(2) called once by a child that copies nothing, and ends at once.

    A fork of an interpreter, and its first steps, drive the kernel's own code and data out of the
    processor's caches; a program in C hardly does.  After the rehearsal they are back, and what is
    timed is the kernel's work, not how large an interpreter is.  The caches are those of one
    processor, so the calling process stays on it from now on.
    """
    os.sched_setaffinity(0, {libc.sched_getcpu()})
    vfork(libc.unshare, flags)


def ensure_can_unshare() -> None:
    """Make the calling process able to make namespaces; root is already.

    Raises:
        StepFailed: a step was refused.
    """
    if os.geteuid() != 0:
        own_user_namespace()


def own_user_namespace() -> None:
    """Move the calling process into a user namespace of its own, root in it, with a map.

    Who has no id in a user namespace may not make another.

    Raises:
        StepFailed: a step was refused.
    """
    plan = first_process.Plan(uid=os.geteuid(), gid=os.getegid())
    try:
        syscalls.unshare(namespace_types.get("user").flag)
    except OSError as error:
        raise first_process.StepFailed(
            "unshare user", error.errno or 0, str(error.filename)
        ) from None
    # Its own number may be another where /proc was mounted.
    first_process.write_maps(int(os.readlink("/proc/self")), plan)


def fork() -> int:
    """A fork without the interpreter's hooks, which have nothing to do in a process of one thread.

    A quarter fewer pages are written to and so copied, before anything has been done in the child.
    In a process with threads, such as one that runs tests, it is that of os.fork.
    """
    return syscalls.clone(0, alone=True) if syscalls.threads() == 1 else os.fork()


def die_with_parent() -> None:
    """Have the calling process killed when its parent ends, even in the middle of a call.

    To be called again after any change of ids or user namespace, which undoes it (prctl(2)).
    """
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def continue_in_child() -> None:
    """Fork, and return in the child; the caller waits for it and ends."""
    pid = fork()
    die_with_parent()
    if pid:
        os.waitpid(pid, 0)
        os._exit(0)


def alternating(one: Callable[[], float], nothing: Callable[[], float]) -> Callable[[], Sample]:
    """A sample of two measurements, each going first every other time."""
    first = False

    def sample() -> Sample:
        nonlocal first
        first = not first
        if first:
            taken = one()
            return taken, nothing()
        beside = nothing()
        return one(), beside

    return sample


class Died(RuntimeError):
    """A process that was measured was killed, or has given no answer."""


def _answer(act: Callable[[], Any]) -> bytes:
    """What a child reports: the value, what was refused, or what went wrong."""
    try:
        return packed({"value": act()})
    except first_process.StepFailed as refused:
        return packed(process_facts.failure(refused.step, refused.errno, refused.call))
    except OSError as error:
        call = str(error.filename or error.strerror)
        return packed(process_facts.failure("fork", error.errno or 0, call))
    except Exception as error:
        return packed({"died": repr(error)})


def _value(answer: dict[str, Any] | None) -> Any:
    if answer is None:
        raise Died("the process that was measured has died without a word.")
    if "failed" in answer:
        raise Refused(answer)
    if "died" in answer:
        raise RuntimeError(f"the process that was measured has died: {answer['died']}")
    return answer["value"]


def in_child(act: Callable[[], Any]) -> Any:
    """Run a function in a fresh child, and return its value (numbers, lists, words).

    Raises:
        Refused: the kernel refused something.
        Died: the child was killed.
        RuntimeError: it died of something else.
    """
    read, write = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            os.write(write, _answer(act))
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        answer = unpacked(pipe) if bounded_waits.readable(read, PATIENCE) else None
    bounded_waits.reap(pid, 0 if answer is None else bounded_waits.KILLED)
    return _value(answer)


class PreparedProcess:
    """A process that is brought into a state once, and then calls functions there when told to.

    It ends when it is closed, or with the process that made it.

    Args:
        prepare: called in the new process.  It may fork and return in a descendant: that one then
            serves, and the processes between only wait for it.
        functions: what can be called; each returns numbers, lists or words.

    Raises:
        Refused: the kernel refused something on the way.
        Died: the process was killed, or gave no answer.
        RuntimeError: it died of something else.
    """

    def __init__(self, prepare: Callable[[], object], *functions: Callable[[], Any]) -> None:
        down, self.orders = os.pipe()
        answers, up = os.pipe()
        self._answers = open(answers, "rb")  # noqa: SIM115
        self.pid = fork()
        if self.pid == 0:
            try:
                _leave_others(self.orders, answers)
                die_with_parent()
                os.write(up, _answer(lambda: prepare() and None))
                die_with_parent()
                while which := os.read(down, 1):
                    os.write(up, _answer(functions[which[0]]))
            finally:
                os._exit(0)
        os.close(down)
        os.close(up)
        orders.add(self.orders)
        try:
            self._hear()
        except BaseException:
            self.close()
            raise

    def call(self, which: int = 0) -> Any:
        """Have it call one of its functions; returns the value.

        Raises:
            Refused, Died, RuntimeError: as for making one.
        """
        try:
            os.write(self.orders, bytes([which]))
        except BrokenPipeError:
            raise Died("the process that was measured has died without a word.") from None
        return self._hear()

    def _hear(self) -> Any:
        if not bounded_waits.readable(self._answers.fileno(), PATIENCE):
            os.kill(self.pid, signal.SIGKILL)
            raise Died(f"the process that was measured gave no answer in {PATIENCE:g} s.")
        return _value(unpacked(self._answers))

    def close(self) -> None:
        """End it and wait until it has ended."""
        orders.discard(self.orders)
        os.close(self.orders)
        self._answers.close()
        bounded_waits.reap(self.pid, bounded_waits.KILLED)

    def __enter__(self) -> PreparedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


orders: set[int] = set()
"""The pipes by which this process keeps its prepared processes alive: none may hold another's."""


def _leave_others(*own: int) -> None:
    for fd in (*orders, *own):
        os.close(fd)
