"""Run a shell command under strace(1) and show the calls by which it uses namespaces."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from typing import Any

from nsedu import programs
from nsedu.agent import lent_ids
from nsedu.errors import explain, process_facts
from nsedu.errors.namespace_error import NamespaceError
from nsedu.kernel.namespace_types import CATALOGUE
from nsedu.notebook.cells import python_cell, strace_output, unprivileged
from nsedu.sandbox import output
from nsedu.sandbox.process import CommandFailed
from nsedu.sandbox.sandbox import Sandbox


class TraceRefused(Exception):
    """strace is not installed, or may not trace; the message says what to do."""

    lacks = "strace"

    def _render_traceback_(self) -> list[str]:
        return [f"TraceRefused: {self}"]


# In order: follow forks, name what descriptors refer to, no words about processes and signals.
# The trace goes to descriptor 3 by way of cat, because a pipe of another user's cannot be opened.
_STRACE = [
    "strace", "-f", "-y", "-qq", "-s", "256", "-e", "signal=none",
    "-e", "trace=" + ",".join(f"?{name}" for name in strace_output.NEEDED), "-o", "|cat >&3",
]  # fmt: skip


def run(
    script: str, box: Sandbox | None = None, timeout: float | None = None, name: str = "%%trace"
) -> None:
    """Run a bash script under strace; print the calls, then what the script printed.

    Args:
        script: for ``bash -euo pipefail``.
        box: the sandbox to run it in; None for an ordinary user's process beside the notebook.
        timeout: seconds until it is killed; None for the sandbox's own, or 30.
        name: what to call it in errors.

    Raises:
        TraceRefused: strace is missing or may not trace.
        CommandFailed: the script ended with a status other than 0.
        CommandTimedOut: it ran too long.
        OutputTooLong: it printed too much.
        NamespaceError: it could not be started, or the sandbox is closed or dead; or a filter on
            system calls refused it a namespace.
    """
    if shutil.which("strace") is None:
        raise TraceRefused(
            f"strace is not installed; {programs.remedy('strace')}, and run this cell again."
        )
    argv = [*_STRACE, *python_cell.bash(script, "exec 3>&-; ")]
    out, err, trace = bytearray(), bytearray(), bytearray()
    allowed = output.Allowance(name, output.PRINTED, output.IN_A_CELL)
    calls = output.Allowance(name, output.KEPT, "Trace a shorter command.")
    sinks: list[Any] = [*map(allowed.sink, (out.extend, err.extend)), calls.sink(trace.extend)]
    status = 0
    try:
        if box is None:
            request = {"argv": argv}
            status = unprivileged.UnprivilegedRunner().run_function(
                "notebook.cells.trace:main", request, sinks, timeout, name
            )
        else:
            status = box.execute(name, {"op": "run", "argv": argv}, None, sinks, timeout)
    finally:
        text = trace.decode(errors="replace")
        if text:
            _print(text, out.decode(errors="replace"), err.decode(errors="replace"))
    if not text:
        raise TraceRefused(_refusal(err.decode(errors="replace")))
    if status:
        raise _refused(text) or CommandFailed(status, name)


_SECCOMP_FILTER = 2  # the line Seccomp of proc_pid_status(5)
_REFUSED = re.compile(r"\b(unshare|clone)\(.*?((?:CLONE_NEW[A-Z]+\|?)+).*\) += -1 EPERM")


def _refused(trace: str) -> NamespaceError | None:
    """Why a new namespace was refused to the script, if a filter on this process did that."""
    found, known = _REFUSED.search(trace), process_facts.facts()
    if found is None or known["seccomp"] != _SECCOMP_FILTER:
        return None
    flags = found[2].strip("|").split("|")
    refused = [kind.name for kind in CATALOGUE if kind.clone_flag in flags]
    step = "unshare user" if "user" in refused else f"unshare {refused[0]}"
    call = f"{found[1]}({'|'.join(flags)})"
    return explain.error({"failed": step, "errno": errno.EPERM, "call": call, "facts": known})


def main(request: dict[str, Any]) -> None:
    """In the process made for it: become strace."""
    os.execvp(request["argv"][0], request["argv"])


def _print(trace: str, out: str, err: str) -> None:
    lines = strace_output.decode(trace, _OwnIds())
    print("\n".join(lines) if lines else "No call had to do with namespaces.")
    if out:
        print(f"\n{out}", end="")
    sys.stdout.flush()
    print(err, end="", file=sys.stderr, flush=True)


class _OwnIds:
    """The ids of whoever runs a cell: the user's own, unless that is 0, and those lent to it."""

    def __init__(self) -> None:
        self._own = {os.getuid(), os.getgid()} - {0}
        self._lent = lent_ids.to_lend() or lent_ids.NOTHING

    def __contains__(self, number: object) -> bool:
        return number in self._own or number in self._lent


def _refusal(said: str) -> str:
    words = " ".join(said.split()) or "it said nothing"
    if os.strerror(errno.EAGAIN) in words:
        return f"strace could start no process ({words}); end some of this user's (RLIMIT_NPROC)."
    return (
        f"strace could not trace the command ({words}). ptrace(2) is refused here, by a seccomp"
        " filter, as in a container, or by kernel.yama.ptrace_scope; start the container with"
        " --cap-add SYS_PTRACE, or use a virtual machine."
    )
