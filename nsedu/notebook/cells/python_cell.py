"""Running a cell's Python in a process other than the notebook's, with short errors.

The process runs the cell by `run` and reports what it raised by `report`, as plain data; the
notebook raises that again as a `CellFailed`, which shows the learner's own lines and no others.
"""

from __future__ import annotations

import ast
import errno
import linecache
import re
import types
from typing import Any

from nsedu.agent import plain_data

PREFIX = "<cell "
_CAP_SYS_ADMIN = 21  # <linux/capability.h>


# The failing command says so before bash ends; it stands on the cell's own first line, so that
# bash numbers the lines as the cell does.
_SAY = r'printf "line %d: exit status %d from: %s\n" "$LINENO" "$?" "$BASH_COMMAND" >&2'
_ON_ERROR = f"trap '{_SAY}' ERR; "


def bash(script: str, first: str = "") -> list[str]:
    """The command for a cell of bash, which the first failing command ends.

    Args:
        script: the cell.
        first: what to do before, in the same shell.
    """
    return ["bash", "-euo", "pipefail", "-c", first + _ON_ERROR + script]


class CellFailed(Exception):
    """A cell's Python, run in a process of its own, raised an exception or ended badly.

    Args:
        said: what it raised, in one line ("PermissionError: …").
        lines: where, the outermost first, each a line of the cell.
        why: the rule behind a refusal by the kernel and what to do, or nothing.
        lacks: what this machine lacks, in the doctor's words, or nothing (see `errors.Reason`).
    """

    def __init__(
        self, said: str, lines: list[str] | None = None, why: str = "", lacks: str = ""
    ) -> None:
        super().__init__(said)
        self.lines, self.why, self.lacks = lines or [], why, lacks

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return [*self.lines, str(self), *([self.why] if self.why else [])]


def run(source: str, names: dict[str, Any], number: int = 1) -> None:
    """Run a cell; the value of a last expression is shown, as at Python's own prompt.

    Args:
        source: the cell.
        names: the global names it sees and makes.
        number: of the cell, so that functions of earlier ones keep their lines.

    Raises:
        BaseException: whatever the cell raises.
    """
    file = f"{PREFIX}{number}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    tree = ast.parse(source, file)
    last: list[ast.stmt] = [tree.body.pop()] if _ends_in_expression(tree) else []
    exec(compile(tree, file, "exec"), names)
    if last:
        exec(compile(ast.Interactive(last), file, "single"), names)


def _ends_in_expression(tree: ast.Module) -> bool:
    return bool(tree.body) and isinstance(tree.body[-1], ast.Expr)


def failure(data: bytes | bytearray) -> CellFailed:
    """The error for what a cell's process sent: an encoded `report`, or anything at all."""
    try:
        _, told = plain_data.loads(data)
        said, lines, why, lacks = (told[key] for key in ("said", "lines", "why", "lacks"))
        fits = type(lines) is list and all(type(w) is str for w in (said, why, lacks, *lines))
    except (ValueError, TypeError, KeyError):
        fits = False
    if not fits:
        return CellFailed(
            "what the cell's process sent as its error is none, so nothing of it is shown; the cell"
            " may have written it itself."
        )
    return CellFailed(said, lines, why, lacks)


def report(error: BaseException) -> dict[str, Any]:
    """What a cell raised, as data to send: the arguments of `CellFailed`."""
    return {"said": _say(error), "lines": _lines(error), **_explain(error)}


def _say(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _lines(error: BaseException) -> list[str]:
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(PREFIX):
        return [f"line {error.lineno}: {(error.text or '').strip()}"]
    found = []
    trace: types.TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(PREFIX):
            where = "" if code.co_name == "<module>" else f", in {code.co_name}"
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            found.append(f"line {trace.tb_lineno}{where}: {text}")
        trace = trace.tb_next
    return found


_UNEXPLAINED = {"why": "", "lacks": ""}


def _explain(error: BaseException) -> dict[str, str]:
    """The rule behind a refused call, which the errno alone does not tell."""
    call = str(getattr(error, "filename", ""))
    flags = re.fullmatch(r"(?:unshare|clone3?)\((CLONE_NEW[A-Z|_]+)\)", call)
    mount = re.match(r"mount\(.*, (\w*), 0x[0-9a-f]+\)$", call)
    if not isinstance(error, OSError) or not (flags or mount):
        return _UNEXPLAINED
    from nsedu.errors import explain
    from nsedu.errors.process_facts import facts
    from nsedu.kernel import namespace_types

    lacks, known = "", facts()
    types = flags[1].split("|") if flags else []
    refused = [kind for kind in namespace_types.CATALOGUE if kind.clone_flag in types]
    may = known["cap_eff"] >> _CAP_SYS_ADMIN & 1
    if flags and "CLONE_NEWUSER" not in types and not may and error.errno == errno.EPERM:
        rule = f"a {refused[0].title} namespace needs CAP_SYS_ADMIN, which this process has not"
        remedy = "add CLONE_NEWUSER: the creator of a user namespace has every capability in it"
    elif mount:
        if not may or error.errno not in (errno.EPERM, errno.EACCES):
            return _UNEXPLAINED
        step = "mount proc" if mount[1] == "proc" else "mount private"
        rule, _, remedy, lacks = explain.explain(step, error.errno, known)
        if not lacks:  # a mistake of the cell's, of which the errno says more
            return _UNEXPLAINED
    else:
        # The kernel makes the user namespace first (user_namespaces(7)), so that one decides.
        name = "user" if "CLONE_NEWUSER" in types else refused[0].name
        rule, _, remedy, lacks = explain.explain(f"unshare {name}", error.errno or 0, known)
    return {"why": f"  Rule        {rule}.\n  What to do  {remedy}.", "lacks": lacks}
