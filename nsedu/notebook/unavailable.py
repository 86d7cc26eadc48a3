"""What this machine lacks for a cell: the cell says so in one sentence, and the notebook goes on.

An exception that shows such a lack (a program that is not installed, no delegated control group)
does not end a *Run All*: `%load_ext nsedu` sees to it that the cell ends well after its sentence.
A later cell that uses a name which such a cell would have made ends in the same way, instead of in
a NameError.  Every other exception stays what it is.
"""

from __future__ import annotations

import ast
import errno
import functools
import os
import re
import subprocess
import weakref
from collections.abc import Iterator
from typing import Any

from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.display import display

from nsedu import programs
from nsedu.errors import short_tracebacks
from nsedu.errors.namespace_error import NamespaceError
from nsedu.errors.short_tracebacks import Brief
from nsedu.notebook.cells.python_cell import CellFailed


class Unavailable(Brief, Exception):
    """This machine lacks something without which the cell cannot go on.

    Attributes:
        lacks: what: a program, or a need in the doctor's words.
    """

    def __init__(self, lacks: str, sentence: str) -> None:
        super().__init__(sentence)
        self.lacks = lacks


def needs(*names: str) -> None:
    """Let a cell go on only where this machine has what it needs, which is found out by trying.

    In a notebook with ``%load_ext nsedu`` the cell otherwise ends after one sentence, without an
    error.

    Args:
        names: in the doctor's words: "ping", "nft", "cgroup-write", ...

    Raises:
        Unavailable: something is missing; the message says what, and what to do.
        TypeError: a name is no string.
        ValueError: there is no such need; the message lists them.
    """
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"names must be words of the doctor's, not {name!r:.80}.")
        reason = why_missing(name)
        if reason is not None:
            raise Unavailable(name, _no_program(name) if programs.lacks(name) else _no(reason))


@functools.cache
def why_missing(name: str) -> str | None:
    """Why something that a cell needs is not here, in the doctor's words; None if it is."""
    from nsedu.requirements import missing

    return missing([name]).get(name)


def _no(reason: str) -> str:
    return f"This machine cannot run this cell: {reason.rstrip('.')}."


def _no_program(name: str) -> str:
    remedy = programs.remedy(name)
    return f"{name} is not on this machine, so this cell is skipped. To have it: {remedy}."


def explain(error: BaseException, source: str = "") -> tuple[str, str] | None:
    """What this machine lacks, if that is why `error` was raised.

    Args:
        error: what a cell raised; what it was raised from counts, too.
        source: the cell, to find the program in that a shell did not find.

    Returns:
        What is lacking (a program, or a need in the doctor's words) and the sentence that says so;
        None when the error is another one.
    """
    for one in _chain(error):
        lacks = getattr(one, "lacks", "") or _program(one, source)
        if lacks:
            return lacks, _no_program(lacks) if programs.lacks(lacks) else _said(one)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(error: BaseException) -> str:
    if isinstance(error, NamespaceError):
        return _no(f"{error.reason.rule}; {error.reason.remedy}")
    if isinstance(error, CellFailed):
        return _no(" ".join([str(error), *error.why.split()]))
    return str(error)


_NOT_FOUND = (126, 127)  # bash(1), EXIT STATUS: it cannot be executed, it is not found
_REFUSED = ("FileNotFoundError", "PermissionError")
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")


def _program(error: BaseException, source: str) -> str:
    """The program that an exception is about, if this machine lacks it, or ""."""
    if isinstance(error, NamespaceError):
        return _first_lacking(error.call) if error.step == "exec" else ""
    if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.EACCES):
        # That of execvp(3) names no file.
        return _first_lacking(os.path.basename(str(error.filename)) if error.filename else source)
    if isinstance(error, CellFailed) and str(error).startswith(_REFUSED):
        return _first_lacking(" ".join([str(error), *error.lines[-1:]]))
    if isinstance(error, subprocess.CalledProcessError) and error.returncode in _NOT_FOUND:
        return _first_lacking(f"{error.stderr or ''} {error.cmd} {source}")
    return ""


def _first_lacking(text: str) -> str:
    return next((word for word in _WORD.findall(text) if programs.lacks(word)), "")


class Skipped:
    """The sentence that a cell ends with, as a front end shows it."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def __repr__(self) -> str:
        return self.sentence


class _Watcher:
    """Turns the exceptions of a shell's cells that show a lack into their sentence."""

    def __init__(self) -> None:
        self.unmade: dict[str, str] = {}  # name → what was lacking where it would have been made
        self.said: set[str] = set()
        self.caught: BaseException | None = None

    def on_error(
        self, shell: InteractiveShell, kind: type[BaseException], error: BaseException, trace: Any,
        tb_offset: int | None = None,
    ) -> None:  # fmt: skip
        """Show the sentence, or else the traceback."""
        source = _running(shell)
        found = self._of_unmade(error) or explain(error, source)
        if found is None:
            short_tracebacks.on_error(shell, kind, error, trace, tb_offset)
            return
        lacks, sentence = found
        if lacks in self.said and not programs.lacks(lacks):
            sentence = f"This cell needs {lacks}, too: see above."
        self.said.add(lacks)
        self.unmade |= dict.fromkeys(_made_by(source), lacks)
        self.caught = error
        display(Skipped(sentence), metadata={"nsedu": {"lacks": lacks}})

    def _of_unmade(self, error: BaseException) -> tuple[str, str] | None:
        for one in _chain(error):
            if isinstance(one, NameError) and one.name in self.unmade:
                lacks = self.unmade[one.name]
                return lacks, f"This cell is skipped: {one.name} would have been made with {lacks}."
        return None

    def after(self, result: ExecutionResult) -> None:
        """Let the cell count as one that ended well, so that the next one runs."""
        if result is not None and self.caught is not None and result.error_in_exec is self.caught:
            result.error_in_exec = None
        self.caught = None


_watchers: weakref.WeakKeyDictionary[InteractiveShell, _Watcher] = weakref.WeakKeyDictionary()


def watch(shell: InteractiveShell) -> None:
    """Watch the cells of a shell; done again, it changes nothing."""
    if shell not in _watchers:
        _watchers[shell] = _Watcher()
        shell.set_custom_exc((Exception,), _watchers[shell].on_error)
        shell.events.register("post_run_cell", _watchers[shell].after)


def unwatch(shell: InteractiveShell) -> None:
    """Leave the cells of a shell alone again."""
    watcher = _watchers.pop(shell, None)
    if watcher is not None:
        shell.set_custom_exc((), None)
        short_tracebacks.watch(shell)
        shell.events.unregister("post_run_cell", watcher.after)


def _running(shell: InteractiveShell) -> str:
    """The source of the cell that runs."""
    result = shell.displayhook.exec_result
    return "" if result is None or result.info is None else str(result.info.raw_cell)


def _made_by(source: str) -> set[str]:
    """The names that a cell of Python gives a value, outside its functions."""
    try:
        return set(_bound(ast.parse(source)))
    except SyntaxError:  # a magic: it makes no name
        return set()


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)
