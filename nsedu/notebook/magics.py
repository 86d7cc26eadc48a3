"""The magics of ``%load_ext nsedu``: %%inside, %%byhand, %%trace, %nstree, %nsdiff."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import display

from nsedu import pictures
from nsedu.errors.arguments import text
from nsedu.errors.namespace_error import NamespaceError
from nsedu.notebook import unavailable
from nsedu.notebook.cells import byhand, interpreter, python_cell, trace
from nsedu.observe.records import Snapshot
from nsedu.observe.snapshot import snapshot
from nsedu.sandbox import output, plan, process
from nsedu.sandbox.sandbox import Sandbox
from nsedu.suggestions import nearest

_TIMEOUT = argument("-t", "--timeout", metavar="SECONDS", help="seconds until it is stopped")


class CellTimedOut(process.CommandTimedOut):
    """A cell ran longer than allowed and was stopped, with all it had started."""

    def __str__(self) -> str:
        return (
            f"the cell was still running after {self.timeout:g} s and was stopped."
            f" Give it longer: {self.cmd} -t SECONDS."
        )


@magics_class
class NamespaceMagics(Magics):
    """What a notebook can do with namespaces in a word."""

    before: Snapshot | None = None

    @magic_arguments()
    @argument("-p", "--python", action="store_true", help="the cell is Python, not bash")
    @_TIMEOUT
    @argument(
        "-o", "--output", metavar="MIB", help="how much a bash cell may print; 10 unless said"
    )
    @argument("box", help="a sandbox: a variable, or an expression without blanks")
    @cell_magic
    def inside(self, line: str, cell: str) -> None:
        """Run the cell in a sandbox.

        As bash, with `set -euo pipefail`: a command that fails ends the cell with an error.  With
        -p as Python, in an interpreter of the sandbox's own that keeps its variables from cell to
        cell; the value of a last expression is shown.  Output appears as it comes.
        """
        arguments = _arguments(self.inside, line)
        name = f"%%inside {arguments.box}"
        box, seconds = self._box(arguments.box), _seconds(arguments.timeout)
        with _stopped("%%inside"):
            if arguments.python:
                interpreter.of(box).run(cell, box.timeout if seconds is None else seconds)
                return
            message = {"op": "run", "argv": python_cell.bash(_script(cell))}
            limit = _bytes(arguments.output)
            allowed = output.Allowance(name, limit, "Print less, or allow more: -o MIB.")
            sinks: list[Any] = [output.show("stdout", allowed), output.show("stderr", allowed)]
            status = box.execute(name, message, None, sinks, seconds)
            if status:
                raise process.CommandFailed(status, name)

    @magic_arguments()
    @_TIMEOUT
    @cell_magic
    def byhand(self, line: str, cell: str) -> None:
        """Run the cell's Python in a fresh process with one thread, to make namespaces by hand.

        Ready for use are the system calls of nsedu.kernel.syscalls (unshare, setns, clone3, mount,
        sethostname, ...), the flags CLONE_NEWUSER, CLONE_NEWUTS, ..., the modules os, socket and
        errno, write(path, text), claim and expect, and uid and gid: who you are outside.  All
        processes that the cell starts are waited for.

        The process is an ordinary user's, also when the notebook is root's: it has no
        capabilities and can change nothing outside the namespaces that it makes.
        """
        seconds = _seconds(_arguments(self.byhand, line).timeout)
        with _stopped("%%byhand"):
            byhand.run(cell, seconds)

    @magic_arguments()
    @_TIMEOUT
    @argument("box", nargs="?", help="the sandbox to run it in; none: an ordinary user's process")
    @cell_magic
    def trace(self, line: str, cell: str) -> None:
        """Run the cell's bash under strace and show the calls by which it uses namespaces.

        One call to a line, with the process that made it (A, B, ... in order of appearance) and its
        program; a call that was refused shows its error.  After them comes what the cell printed.
        An id of your own in a map is shown as ID.

        Without a sandbox the cell is an ordinary user's, also when the notebook is root's.
        """
        arguments = _arguments(self.trace, line)
        box = None if arguments.box is None else self._box(arguments.box)
        with _stopped("%%trace"):
            trace.run(_script(cell), box, _seconds(arguments.timeout))

    @magic_arguments()
    @argument("--type", choices=("user", "pid"), help="show how namespaces of one type nest")
    @argument("--machine", action="store_true", help="look at the whole machine")
    @argument("box", nargs="?", help="the sandbox to look at; none: this notebook and all below")
    @line_magic
    def nstree(self, line: str) -> None:
        """Show the processes and which namespaces they share, or how namespaces nest."""
        arguments = _arguments(self.nstree, line)
        if arguments.machine and arguments.box is not None:
            raise UsageError("Name a sandbox or say --machine, not both.")
        what: Sandbox | str = "machine" if arguments.machine else "mine"
        if arguments.box is not None:
            what = self._box(arguments.box)
        display(pictures.hierarchy(arguments.type, what) if arguments.type else pictures.tree(what))

    @magic_arguments()
    @argument("start", nargs="?", choices=("start",), help="note how things are now")
    @line_cell_magic
    def nsdiff(self, line: str, cell: str | None = None) -> None:
        """Show which processes and namespaces have come and gone.

        `%nsdiff start` notes how things are, and every later `%nsdiff` shows what has changed
        since.  `%%nsdiff` on top of a cell runs that cell and shows what it changed.
        """
        start = _arguments(self.nsdiff, line).start is not None
        if cell is not None:
            if start:
                raise UsageError("%%nsdiff takes no word: it notes, runs the cell, and compares.")
            before = snapshot()
            shell = self._shell()
            python_cell.run(shell.transform_cell(cell), shell.user_ns, shell.execution_count)
            display(pictures.diff(before))
        elif start:
            self.before = snapshot()
        elif self.before is None:
            raise UsageError("There is nothing to compare with yet; run %nsdiff start before.")
        else:
            display(pictures.diff(self.before))

    def _shell(self) -> InteractiveShell:
        assert self.shell is not None
        return self.shell

    def _names(self) -> dict[str, Any]:
        return dict(self._shell().user_ns)

    def _box(self, text: str) -> Sandbox:
        """The sandbox that an expression names, if it can be used."""
        try:
            box = self._shell().ev(text)
        except NameError as error:
            boxes = [name for name, made in self._names().items() if isinstance(made, Sandbox)]
            close = nearest(error.name, boxes)
            asked = f" Did you mean {close}?" if close else ""
            raise UsageError(
                f"There is no {error.name} here; make it first: {error.name} = nsedu.Sandbox(...)."
                + asked
            ) from None
        except Exception as error:
            raise UsageError(f"{text} cannot be evaluated: {error}.") from None
        if not isinstance(box, Sandbox):
            raise UsageError(
                f"{text} is not a sandbox but a {type(box).__name__}; name one that"
                " nsedu.Sandbox(...) made."
            )
        try:
            return box.require_alive()
        except NamespaceError as error:
            raise UsageError(f"{error.cause}; {error.remedy}.") from None


def _arguments(magic: Any, line: str) -> Any:
    """The arguments of a magic; a word that it does not take is told with the one meant."""
    try:
        return parse_argstring(magic, line)
    except UsageError as error:
        close = _meant(str(error), magic.parser)
        raise UsageError(f"{error}; did you mean {close}?" if close else str(error)) from None


def _meant(said: str, parser: Any) -> str:
    """The option or word that was meant, according to what argparse said of the one given."""
    if found := re.search(r"unrecognized arguments: (-\S+)", said):
        return nearest(found[1].partition("=")[0], parser._option_string_actions)
    if found := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", said):
        return nearest(found[1], re.findall(r"[\w-]+", found[2]))
    return ""


def _script(cell: str) -> str:
    try:
        return text("The cell", cell)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return plan.seconds(float(text))
    except ValueError:
        raise UsageError(f"-t takes a number of seconds above 0, not {text!r}.") from None


def _bytes(text: str | None) -> int:
    if text is None:
        return output.PRINTED
    if not text.isdecimal() or not 0 < int(text) < 1 << 20:
        raise UsageError(f"-o takes a number of MiB above 0, not {text!r}.")
    return int(text) << 20


@contextlib.contextmanager
def _stopped(name: str) -> Iterator[None]:
    """Say how a cell gets more time, where a timeout speaks of functions."""
    try:
        yield
    except process.CommandTimedOut as error:
        raise CellTimedOut(name, error.timeout) from None


def register(shell: InteractiveShell) -> None:
    """Add the magics to a shell; done again, it changes nothing but a noted %nsdiff start.

    Args:
        shell: the running IPython.
    """
    shell.register_magics(NamespaceMagics)
    unavailable.watch(shell)


def unregister(shell: InteractiveShell) -> None:
    """Take the magics out of a shell again.

    Args:
        shell: the running IPython.
    """
    for kind, names in NamespaceMagics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    unavailable.unwatch(shell)
