"""What a fork of the agent becomes: a command, or a Python function's process."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence

from nsedu import syscalls, wire

TYPE_CHECKING = False  # see agent.py, "Light"
if TYPE_CHECKING:
    from typing import Any, NoReturn


def start_command(message: dict[str, Any], fds: list[int]) -> int:
    """Start a program in a session of its own; returns its pid.

    posix_spawn(3) instead of a fork: it copies no memory, which halves the time `true` takes.

    Args:
        message: the request, with "argv" and "env" (None: this process's own).
        fds: standard input, output and error.

    Raises:
        OSError: ENOENT, EACCES, … from execve(2), EAGAIN or ENOMEM from the fork in it.
    """
    env = message["env"]
    return os.posix_spawnp(
        message["argv"][0],
        message["argv"],
        os.environ if env is None else env,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(fds)],
        setsid=True,
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores these two
    )


def become_call(path: list[str], reply: socket.socket, fds: list[int]) -> NoReturn:
    """In a fresh fork: run a pickled function and end.

    Args:
        path: the notebook's sys.path.
        reply: the reply socket, kept open while this process lives.
        fds: standard input, output and error, the pickle to read, and where the result goes.
    """
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in range(1, signal.NSIG):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        close_others({reply.fileno(), *fds})
        for target, fd in enumerate(fds[:3]):
            os.dup2(fd, target)
        _call(path, *fds[3:])
    finally:
        os._exit(127)


def load_cloudpickle(path: list[str]) -> None:
    """Import cloudpickle once in the server, so that each later call finds it loaded.

    It is the one thing here from outside the standard library, found on the notebook's own path.
    """
    if "cloudpickle" in sys.modules:
        return
    before = sys.path[:]
    sys.path[:] = path
    try:
        with contextlib.suppress(ImportError):
            import traceback  # noqa: F401

            import cloudpickle  # noqa: F401
    finally:
        sys.path[:] = before


_NO_PICKLE = (
    "call() loads it from the notebook's Python, which the root file system in here does not show;"
    " use run() instead, or call() once before the root is changed"
)


def _call(path: list[str], payload: int, result: int) -> NoReturn:
    """Run a pickled function and write (True, value) or (False, exception) back."""
    sys.path[:] = path
    answer: tuple[bool, Any]
    try:
        import traceback

        import cloudpickle
    except ImportError as error:
        os.write(2, f"{error}: {_NO_PICKLE}\n".encode())
        os._exit(1)

    try:
        with open(payload, "rb") as file:
            function, args, kwargs = cloudpickle.load(file)
        answer = True, function(*args, **kwargs)
    except BaseException as error:  # the notebook raises it again, whatever it is
        error.add_note("raised inside the sandbox:\n" + "".join(traceback.format_exception(error)))
        answer = False, error
    try:
        data = cloudpickle.dumps(answer)
    except Exception as error:
        verb = "returned" if answer[0] else "raised"
        what = f"the function {verb} {answer[1]!r}, which cannot be sent back: {error}"
        data = cloudpickle.dumps((False, TypeError(what)))
    with contextlib.suppress(BrokenPipeError), open(result, "wb") as file:
        file.write(data)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def close_others(keep: set[int]) -> None:
    """Close every descriptor from 3 on but these: a fork must not hold its parent's sockets."""
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = max(low, fd + 1)
    os.closerange(low, 1 << 30)


def children_of_self() -> dict[int, str]:
    """This process's children: pid as this process sees it → its name in /proc, as that sees it.

    The two differ in a new pid namespace that has no /proc of its own.  Empty when /proc does not
    show this process at all.
    """
    try:
        mine = os.readlink("/proc/self")
    except FileNotFoundError:
        return {}
    try:
        with open("/proc/thread-self/children") as file:
            names = file.read().split()
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        names = [name for name in os.listdir("/proc") if name.isdigit() and _parent(name) == mine]
    if mine == str(os.getpid()):
        return {int(name): name for name in names}
    level = len(_pids(mine)) - 1
    return {pids[level]: name for name in names if len(pids := _pids(name)) > level}


def _parent(name: str) -> str:
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[1].decode()
    except (OSError, IndexError):
        return ""


def _pids(name: str) -> list[int]:
    """A process's pids, from the namespace of this /proc inwards (proc_pid_status(5), NSpid)."""
    try:
        with open(f"/proc/{name}/status") as file:
            words = next((line.split() for line in file if line.startswith("NSpid:")), [])
    except OSError:
        return []
    return [int(word) for word in words[1:]]


def elsewhere(name: str) -> bool:
    """Whether the process of this name in /proc is in another namespace than this one."""
    try:
        return any(
            os.readlink(f"/proc/{name}/ns/{link}") != os.readlink(f"/proc/self/ns/{link}")
            for link in os.listdir("/proc/self/ns")
        )
    except OSError:
        return False


def tell_members(life: socket.socket, types: Sequence[str]) -> None:
    """Let the maker know, by descriptors, which namespaces are this sandbox's own.

    A first process in a pid namespace that it shares leaves its orphans to that namespace's own
    first process when it is killed, so its maker could not tell them from others' otherwise.
    """
    with contextlib.suppress(OSError):
        fds = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in types]
        wire.send(life, {"own": list(types)}, fds)


def end_members(own: list[tuple[str, int]]) -> None:
    """Kill who is still in these namespaces, wait for their end, and close the descriptors.

    Args:
        own: type and descriptor of each; while that is open the inode number is nobody else's.
    """
    for kind, fd in own:
        inode = os.fstat(fd).st_ino
        for _ in range(10):  # who is just being born is found the next time
            if not any([_end_member(name, kind, inode) for name in os.listdir("/proc")]):
                break
        os.close(fd)
    own.clear()


def _end_member(name: str, kind: str, inode: int) -> bool:
    try:
        if not name.isdigit() or os.stat(f"/proc/{name}/ns/{kind}").st_ino != inode:
            return False
        pidfd = os.pidfd_open(_pids(name)[len(_pids("self")) - 1])
    except (OSError, IndexError):
        return False
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        select.select([pidfd], [], [], 1)
    os.close(pidfd)
    return True
