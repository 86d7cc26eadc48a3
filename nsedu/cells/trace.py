"""Run a shell command under strace(1) and show the calls by which it uses namespaces."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

from nsedu.cells import cell, ordinary, strace
from nsedu.process import CommandFailed
from nsedu.sandbox import Sandbox


class TraceRefused(Exception):
    """strace is not installed, or may not trace; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"TraceRefused: {self}"]


# In order: follow forks, name what descriptors refer to, no words about processes and signals.
# The trace goes to descriptor 3 by way of cat, because a pipe of another user's cannot be opened.
_STRACE = [
    "strace", "-f", "-y", "-qq", "-s", "256", "-e", "signal=none",
    "-e", "trace=" + ",".join(f"?{name}" for name in strace.NEEDED), "-o", "|cat >&3",
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
        NamespaceError: it could not be started, or the sandbox is closed or dead.
    """
    if shutil.which("strace") is None:
        raise TraceRefused(
            "strace is not installed; install it (apt install strace) and run this cell again."
        )
    argv = [*_STRACE, *cell.bash(script, "exec 3>&-; ")]
    out, err, trace = bytearray(), bytearray(), bytearray()
    sinks: list[Any] = [out.extend, err.extend, trace.extend]
    status = 0
    try:
        if box is None:
            request = {"argv": argv}
            status = ordinary.Beside().execute("cells.trace:main", request, sinks, timeout, name)
        else:
            status = box._execute(name, {"op": "run", "argv": argv}, None, sinks, timeout)
    finally:
        text = trace.decode(errors="replace")
        if text:
            _print(text, out.decode(errors="replace"), err.decode(errors="replace"))
    if not text:
        raise TraceRefused(_refusal(err.decode(errors="replace")))
    if status:
        raise CommandFailed(status, name)


def main(request: dict[str, Any]) -> None:
    """In the process made for it: become strace."""
    os.execvp(request["argv"][0], request["argv"])


def _print(trace: str, out: str, err: str) -> None:
    ids = {os.getuid(), os.getgid(), ordinary.ORDINARY_ID}
    lines = strace.decode(trace, ids)
    print("\n".join(lines) if lines else "No call had to do with namespaces.")
    if out:
        print(f"\n{out}", end="")
    sys.stdout.flush()
    print(err, end="", file=sys.stderr, flush=True)


def _refusal(said: str) -> str:
    words = " ".join(said.split()) or "it said nothing"
    return (
        f"strace could not trace the command ({words}). ptrace(2) is refused here, by a seccomp"
        " filter, as in a container, or by kernel.yama.ptrace_scope; start the container with"
        " --cap-add SYS_PTRACE, or use a virtual machine."
    )
