"""What a fork of the agent becomes: a command, or a Python function's process."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable

from nsedu.agent import protocol, python_inside, wire
from nsedu.kernel import syscalls
from nsedu.kernel.procfs import parse_nspid, parse_stat, parse_status, pid_of, read

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import Any, NoReturn


def start_command(message: dict[str, Any], fds: list[int]) -> int:
    """Start a program in a session of its own; returns its pid.

    posix_spawn(3) instead of a fork: it copies no memory, which halves the time `true` takes.

    Args:
        message: the request, with "argv" and "env" (None: this process's own); also "python", the
            notebook's sys.path, if the program is the notebook's own interpreter.
        fds: standard input, output and error.

    Raises:
        OSError: ENOENT, EACCES, … from execve(2), EAGAIN or ENOMEM from the fork in it.
    """
    argv = message["argv"]
    env = os.environ if message["env"] is None else message["env"]
    if message.get("python"):
        program, needed = python_inside.interpreter(argv[0], message["python"])
        argv, env = [program, *argv[1:]], {**env, **needed}
    return os.posix_spawnp(
        argv[0],
        argv,
        env,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(fds)],
        setsid=True,
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores these two
    )


def exec_function(path: list[str], python: str, reply: socket.socket, fds: list[int]) -> NoReturn:
    """In a fresh fork: run a pickled function and end.

    Args:
        path: the notebook's sys.path.
        python: its interpreter, with its links resolved.
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
        _call(path, python, *fds[3:])
    finally:
        os._exit(127)


def load_cloudpickle(path: list[str]) -> None:
    """Import cloudpickle once in the server, so that each later call finds it loaded.

    It is the one thing here from outside the standard library, found on the notebook's own path.
    """
    if "cloudpickle" in sys.modules:
        return
    before = sys.path[:]
    sys.path[:] = map(python_inside.reachable, path)
    try:
        with contextlib.suppress(ImportError):
            import traceback  # noqa: F401

            import cloudpickle  # noqa: F401

            from nsedu.agent import plain_data  # noqa: F401
    finally:
        sys.path[:] = before


_NO_PICKLE = (
    "call() loads it from the notebook's Python, which the root file system in here does not show,"
    " or which lies where only root may go (and to open it for a sandbox takes CAP_SYS_ADMIN);"
    " use run() instead, call() once before the root is changed, or a Python that anybody may read"
)


def _call(path: list[str], python: str, payload: int, result: int) -> NoReturn:
    """Run a pickled function; write back what it returned or raised (`nsedu.agent.plain_data`)."""
    sys.path[:] = map(python_inside.reachable, path)
    me, worked = os.getpid(), False
    answer: Any = None
    try:
        import traceback

        import cloudpickle

        from nsedu.agent import plain_data
    except ImportError as error:
        os.write(2, f"{error}: {_NO_PICKLE}\n".encode())
        os._exit(1)

    try:
        if python_inside.opened:
            sys.executable, needed = python_inside.interpreter(python, path)
            os.environ.update(needed)
        with open(payload, "rb") as file:
            function, args, kwargs = cloudpickle.load(file)
        answer = function(*args, **kwargs)
        worked = True
    except BaseException as error:  # the notebook raises it again, whatever it is
        answer = error
    try:
        if not worked:
            where = "".join(traceback.format_exception(answer))
            answer.add_note(f"raised inside the sandbox:\n{where}")
        data = plain_data.dumps(worked, answer)
    except BaseException as refused:
        data = plain_data.dumps(False, plain_data.refusal(worked, answer, refused))
    if os.getpid() == me:  # and not a child that the function forked and that ran on to its end
        with contextlib.suppress(BrokenPipeError), open(result, "wb") as file:
            file.write(data)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def close_others(keep: set[int]) -> None:
    """Close every descriptor from 3 on but these: a fork must not hold its parent's sockets.

    What has been opened for sandboxes to find their Python is theirs to keep.
    """
    low = 3
    for fd in sorted(keep.union(python_inside.opened.values())):
        os.closerange(low, fd)
        low = max(low, fd + 1)
    os.closerange(low, 1 << 30)


def children_of_self() -> dict[int, str]:
    """This process's children: pid as this process sees it → its name in /proc, as that sees it.

    The two differ in a new pid namespace that has no /proc of its own.  Empty when /proc does not
    show this process at all.  In others' mounts /proc may be of their making, so the kernel is
    asked whether they are our children.
    """
    return {pid: name for pid, name in _children_by_proc().items() if _is_ours(pid)}


def _is_ours(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return True


def _children_by_proc() -> dict[int, str]:
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
        return str(parse_stat(read(f"/proc/{name}/stat"))[1])
    except (OSError, ValueError, IndexError):  # it has ended, or this /proc is of others' making
        return ""


def _pids(name: str) -> tuple[int, ...]:
    """A process's pids, from the namespace of this /proc inwards."""
    try:
        return parse_nspid(read(f"/proc/{name}/status"))
    except (OSError, ValueError):
        return ()


def guests() -> list[str]:
    """Who is in this pid namespace, but was born outside of it, by their names in /proc."""
    with contextlib.suppress(OSError):
        own = os.readlink("/proc/self/ns/pid")
        inside = {name for name in os.listdir("/proc") if name.isdigit() and _pid_link(name) == own}
        me = os.readlink("/proc/self")
        return [name for name in inside if name != me and _parent(name) not in inside]
    return []


def _pid_link(name: str) -> str:
    try:
        return os.readlink(f"/proc/{name}/ns/pid")
    except OSError:
        return ""


def in_other_namespace(name: str) -> bool:
    """Whether the process of this name in /proc is in another namespace than this one."""
    try:
        return any(
            os.readlink(f"/proc/{name}/ns/{link}") != os.readlink(f"/proc/self/ns/{link}")
            for link in os.listdir("/proc/self/ns")
        )
    except OSError:
        return False


def ends_its_own(name: str) -> bool:
    """Whether SIGTERM has a process end all it has started: `nsedu.notebook.cells.unprivileged`.

    Args:
        name: what /proc calls it.
    """
    try:
        if b"nsedu.notebook.cells.unprivileged" not in read(f"/proc/{name}/cmdline"):
            return False
        caught = parse_status(read(f"/proc/{name}/status")).get("SigCgt", "0")
    except OSError:
        return False
    return bool(int(caught, 16) & 1 << signal.SIGTERM - 1) and not in_other_namespace(name)


def settle_in(life: socket.socket) -> None:
    """In a first process: let the maker see which namespaces it is in, and wait until it has."""
    with contextlib.suppress(OSError):
        protocol.say(life, "settled")
        wire.receive(life)


def namespaces_of(pid: int, types: Iterable[str]) -> list[tuple[str, int]]:
    """Type and descriptor of the namespaces of a child of this process that are not its own.

    A first process in a pid namespace that it shares leaves its orphans to that namespace's own
    first process when it is killed, so its maker could not tell them from others' otherwise.  It is
    not asked, for it might name others' namespaces, and everybody in them would be killed.
    """
    found: list[tuple[str, int]] = []
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(pid)
        try:
            name = pid_of(pidfd)
        finally:
            os.close(pidfd)
        for kind in types:
            fd = os.open(f"/proc/{name}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
            found.append((kind, fd))
            if os.fstat(fd).st_ino == os.stat(f"/proc/self/ns/{kind}").st_ino:
                os.close(found.pop()[1])
    return found


def kill_members(own: list[tuple[str, int]]) -> None:
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
