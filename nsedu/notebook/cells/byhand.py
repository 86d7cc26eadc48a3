"""A cell that makes namespaces with bare system calls, in a fresh process with one thread.

The notebook's kernel has a dozen threads, and a process with threads may not make a user namespace
(unshare(2), EINVAL).  The process is an ordinary user's, whoever runs the notebook: see
`nsedu.notebook.cells.unprivileged`.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import fcntl
import os
import resource
import signal
import socket
import sys
from typing import Any, NoReturn

from nsedu.agent import plain_data
from nsedu.kernel import namespace_types, syscalls
from nsedu.learning import claims
from nsedu.notebook.cells import python_cell, unprivileged
from nsedu.sandbox import output

_REPORT_FD = 200  # out of the way of the descriptors that the cell will open


def run(source: str, timeout: float | None = None, name: str = "%%byhand") -> None:
    """Run a cell's Python by hand; its output appears in the notebook as it comes.

    All that it starts is waited for, so a child whose parent has ended is heard, too.

    Args:
        source: the cell.
        timeout: seconds until all of it is killed; None for 30.
        name: what to call it in errors.

    Raises:
        CellFailed: it, or a child that it forked, raised an exception or ended badly.
        CommandTimedOut: it ran too long.
        OutputTooLong: it printed too much.
        NamespaceError: no process could be started.
    """
    said = bytearray()
    allowed = output.Allowance(name, output.PRINTED, output.IN_A_CELL)
    sinks = [
        *(output.show(s, allowed) for s in ("stdout", "stderr")),
        plain_data.collect(said, name),
    ]
    request = {"source": source, "imports": _imports(source)}
    status = unprivileged.UnprivilegedRunner().run_function(
        "notebook.cells.byhand:main", request, sinks, timeout, name
    )
    if said:
        raise python_cell.failure(said.partition(b"\n")[0])
    if status:
        raise python_cell.CellFailed(ended(status))


def ended(status: int) -> str:
    """How a process ended, in words: an exit status, or a signal when it is negative."""
    if status < 0:
        return f"the cell's process was killed by {signal.Signals(-status).name}"
    return f"the cell's process ended with exit status {status}"


def _imports(source: str) -> list[tuple[str, list[str]]]:
    """What a cell imports: pairs of a module and the names wanted from it."""
    # What `claim` needs only when it fails.
    found: list[tuple[str, list[str]]] = [("executing", [])] if "claim(" in source else []
    with contextlib.suppress(SyntaxError, ValueError):  # it will be said when the cell is run
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found += [(alias.name, []) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.append((node.module, [alias.name for alias in node.names]))
    return found


def write(path: str, text: str) -> None:
    """Write a text into a file of the kernel, such as /proc/self/uid_map, in one write(2).

    Args:
        path: the file, which must exist.
        text: what to write.

    Raises:
        OSError: open(2) or write(2) was refused.
    """
    try:
        fd = os.open(path, os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f'write("{path}", "{text}")') from None


def names() -> dict[str, Any]:
    """The global names that a cell by hand begins with.

    Those of `nsedu.kernel.syscalls`, the CLONE_NEW* flags, `write`, `claim`, `expect`, the modules
    os, socket and errno, and `uid` and `gid`, which in a new user namespace could not be asked for.
    """
    calls = {name: value for name, value in vars(syscalls).items() if not name.startswith("_")}
    flags = {kind.clone_flag: kind.flag for kind in namespace_types.CATALOGUE}
    helpers = {"write": write, "claim": claims.claim, "expect": claims.expect}
    modules = {"os": os, "socket": socket, "errno": errno}
    ids = {"uid": os.getuid(), "gid": os.getgid()}
    return {"__name__": "__main__", **calls, **flags, **helpers, **modules, **ids}


def main(request: dict[str, Any]) -> NoReturn:
    """In the fresh process: run the cell, report what it raises, and end."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    report = fcntl.fcntl(3, fcntl.F_DUPFD_CLOEXEC, min(_REPORT_FD, most // 2))
    os.close(3)
    status = 0
    try:
        python_cell.run(request["source"], names())
    except SystemExit as error:
        status = _exit_status(error)
    except BaseException as error:  # it goes to the notebook, whatever it is
        status = 1
        with contextlib.suppress(OSError):
            os.write(report, plain_data.dumps(True, python_cell.report(error)) + b"\n")
    os._exit(status)


def _exit_status(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1
