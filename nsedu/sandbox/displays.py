"""What a sandbox, a running command or the result of one says as the last line of a cell.

Each has a text form that is the same in every run but for the pid, which `tests/sanitize.cfg` knows
by the words behind it.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nsedu.kernel import namespace_types, procfs
from nsedu.printable import clean
from nsedu.table import Table

if TYPE_CHECKING:
    from nsedu.sandbox.process import Process
    from nsedu.sandbox.sandbox import Sandbox

_MOST = 100_000  # characters of an output


def of_sandbox(box: Sandbox, state: str) -> dict[str, str]:
    """A sandbox as a small table, as text and as HTML.

    Args:
        box: the sandbox.
        state: "running", or what has become of it.
    """
    rows = [("state", state)]
    made, joined = box._new, box._joined
    if state == "running":
        rows.append(("pid", _pid(box.pid)))
    rows += [("new", _listed(made)), ("joined", _listed(joined))]
    others, outer = set(namespace_types.NAMES) - set(made) - set(joined), box._outer
    theirs: set[str] = set()
    while outer is not None:
        theirs |= set(outer._new) | set(outer._joined)
        outer = outer._outer
    if box._outer is not None:
        rows += [("made in", repr(box._outer)), ("as there", _listed(others & theirs))]
    rows.append(("as here", _listed(others - theirs)))
    if state == "running":
        rows.append(("host name", _host_name(box.pid)))
    return _bundle(Table(("sandbox", clean(box.name)), [row for row in rows if row[1]]))


def of_process(command: Process) -> dict[str, str]:
    """A command that was started by popen(), as a small table."""
    with contextlib.suppress(OSError):
        command.poll()
    ended = command.returncode
    rows = [
        ("state", "running" if ended is None else f"ended with {ended}"),
        ("pid", _pid(command.pid) if ended is None else ""),
        ("in", repr(command._box)),
    ]
    return _bundle(Table(("command", clean(_words(command.args))), [row for row in rows if row[1]]))


def of_result(result: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What a command wrote, its errors last; and how it ended, unless well and with some output."""
    lines = [clean(line.expandtabs()) for line in _lines(result.stdout) + _lines(result.stderr)]
    if result.returncode or not lines:
        lines.append(f"({'' if lines else 'no output, '}exit status {result.returncode})")
    return {"text/plain": "\n".join(lines)}


def _lines(text: str | None) -> list[str]:
    lines = (text or "")[:_MOST].split("\n")
    if len(text or "") > _MOST:
        lines.append(f"… {len(text or '') - _MOST} more characters, which stand in the result")
    return lines[:-1] if lines[-1] == "" else lines


def _bundle(table: Table) -> dict[str, str]:
    return {"text/plain": repr(table), "text/html": table._repr_html_()}


def _listed(types: Any) -> str:
    return ", ".join(name for name in namespace_types.NAMES if name in types)


def _words(args: str | Sequence[str]) -> str:
    return args if isinstance(args, str) else shlex.join(map(str, args))


def _pid(pid: int) -> str:
    """A pid, and where it may be another one inside, that too."""
    inside = ""
    with contextlib.suppress(OSError):
        numbers = procfs.parse_nspid(procfs.read(f"/proc/{pid}/status"))
        inside = f", {numbers[-1]} inside" if len(numbers) > 1 else ""
    return f"{pid} in this notebook{inside}"


def _host_name(pid: int) -> str:
    """The host name that a process has, as the kernel says in its UTS namespace."""
    from nsedu.observe import questions

    try:
        name = questions.answers([pid], "uts", "name")[0].get("value")
    except OSError:
        return ""
    if not isinstance(name, str):
        return ""
    return "as here" if name == socket.gethostname() else name
