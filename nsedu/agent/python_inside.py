"""The notebook's Python for sandboxes that may not go where it lies.

Root's Python is often below a directory that only root may enter (a pyenv in /root).  A sandbox of
root's runs as an id that is nobody's, so the agent opens such a directory for all of them: as a
copy of its mount, detached and read-only, from which ``..`` leads nowhere.  It is found under
/proc/PID/fd, where PID is any process of ours that has it open.
"""

from __future__ import annotations

import fcntl
import os
import sys

from nsedu.kernel import mount_api

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Iterable

opened: dict[str, int] = {}
"""Directory → its descriptor, the same number in the agent and in what it forks."""

_LOWEST = 10  # out of the way of the standard streams, and of a shell's redirections


def is_closed(directory: str) -> bool:
    """Whether some users may not list a directory, or not pass one above it."""
    path = os.path.realpath(directory)
    try:
        if not os.stat(path).st_mode & 0o004:
            return True
        while os.stat(path).st_mode & 0o001:
            if path == "/":
                return False
            path = os.path.dirname(path)
    except OSError:  # it is not there
        return False
    return True


def open_closed(directories: Iterable[str]) -> None:
    """In the agent: open those of its Python's directories that others may not enter."""
    for directory in directories:
        covered = any(directory == top or directory.startswith(f"{top}/") for top in opened)
        if covered or not os.path.isdir(directory) or not is_closed(directory):
            continue
        try:
            fd = _detached_copy(os.path.realpath(directory))
        except OSError:  # EPERM without CAP_SYS_ADMIN, ENOSYS before Linux 5.12: it stays closed
            continue
        opened[directory] = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
        os.close(fd)
    if not opened:
        return
    sys.path[:] = map(reachable, sys.path)
    for module in list(sys.modules.values()):  # a package looks for its modules where it lay
        if isinstance(path := getattr(module, "__path__", None), list):
            path[:] = map(reachable, path)
    sys.path_importer_cache.clear()


def _detached_copy(directory: str) -> int:
    # The directory alone, without a copy of its mount, would do to read, but its ".." leads on.
    fd = mount_api.open_tree(directory, mount_api.OPEN_TREE_CLONE | mount_api.AT_RECURSIVE)
    attributes = mount_api.MOUNT_ATTR_RDONLY | mount_api.MOUNT_ATTR_NOSUID
    try:
        mount_api.mount_setattr(fd, attributes, recursive=True)
    except OSError:
        os.close(fd)
        raise
    return fd


def reachable(path: str, process: str = "self") -> str:
    """A path below an opened directory by way of its descriptor; any other as it is.

    Args:
        path: as the notebook knows it.
        process: whose descriptor, as /proc calls it: "self" for this process and its forks.
    """
    for directory, fd in opened.items():
        if path == directory or path.startswith(f"{directory}/"):
            return f"/proc/{process}/fd/{fd}{path[len(directory) :]}"
    return path


def interpreter(python: str, path: Iterable[str]) -> tuple[str, dict[str, str]]:
    """In a server: how a program starts the notebook's own Python where its directory is closed.

    Args:
        python: the interpreter, with its links resolved.
        path: the notebook's sys.path.

    Returns:
        The interpreter by a name that works here, and the variables that it needs to find its
        library and its packages.

    Raises:
        OSError: ENOENT, no /proc is mounted here.
    """
    if not opened:
        return python, {}
    process = os.readlink("/proc/self")  # not "self": what is started has the descriptor no more
    python = reachable(python, process)
    library = f"{os.path.dirname(os.path.dirname(python))}/lib"
    packages = os.pathsep.join(reachable(entry, process) for entry in path if entry)
    return python, {"LD_LIBRARY_PATH": library, "PYTHONPATH": packages}
