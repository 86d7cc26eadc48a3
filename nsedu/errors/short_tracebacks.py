"""How IPython shows an error of ours: its sentence is the answer, without a traceback.

An error is ours if it is of a class of ours, or if a ``raise`` of this package made it for an
argument (TypeError, ValueError and their like).  `%tb` shows all of the traceback, and plain Python
always does.  The exception itself stays as it is, so that a test, nbval or papermill see its class
and its message.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Iterable
from typing import Any

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_RAISED = (AttributeError, LookupError, OSError, TypeError, ValueError)


class Brief:
    """An exception of which IPython shows only the sentence; asked once more, by %tb, all."""

    def _render_traceback_(self) -> list[str]:
        assert isinstance(self, BaseException)
        return rendered(self)


def rendered(error: BaseException) -> list[str]:
    """What IPython shows of an error of ours: the sentence the first time, then all."""
    first = not error.__dict__.get("_nsedu_shown", False)
    error.__dict__["_nsedu_shown"] = True
    shell = _shell()
    if first or shell is None:
        return [f"{type(error).__name__}: {error}"]
    kind, trace = type(error), error.__traceback__
    whole: list[str] = shell.InteractiveTB.structured_traceback(kind, error, trace)
    return whole


def shorten(error: BaseException) -> None:
    """Have IPython show an error as a `Brief` if it was raised here for a wrong argument."""
    if isinstance(error, _RAISED) and not hasattr(error, "_render_traceback_") and _ours(error):
        error.__dict__["_render_traceback_"] = functools.partial(rendered, error)


def _ours(error: BaseException) -> bool:
    """Whether a raise statement of this package's made it, or a call of one of its functions.

    Not so what a function in a sandbox raised, which has a note of where; and not what an operation
    raised in here, for that is a fault of ours whose place must be seen.
    """
    frame, at = _last(error)
    if frame is None or getattr(error, "__notes__", None):
        return False
    code = frame.f_code
    if not os.path.abspath(code.co_filename).startswith(_HERE):
        return False
    import dis

    return code.co_code[at] == dis.opmap["RAISE_VARARGS"] or _called_wrongly(error, frame)


def _last(error: BaseException) -> tuple[Any, int]:
    """The frame in which it was raised, and the place in its code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (None, 0) if trace is None else (trace.tb_frame, trace.tb_lasti)


def _called_wrongly(error: BaseException, frame: Any) -> bool:
    """Whether Python refused the arguments of a function of ours, which `interrupts` calls."""
    return frame.f_code.co_name == "wrapped" and bool(_ARGUMENTS.match(str(error)))


_ARGUMENTS = re.compile(r"([\w.]+)\(\) (?:got|takes|missing) ")
_KEYWORD = re.compile(r"([\w.]+)\(\) got an unexpected keyword argument '(\w+)'$")
_NO_MAGIC = re.compile(r"(%%?)(\w+)` not found")
_MAGICS = ("inside", "byhand", "trace", "nstree", "nsdiff")


def suggest(error: BaseException) -> None:
    """Have Python's or IPython's error for a name of ours say which was meant, if that is clear.

    Names of ours are the attributes of our objects, the arguments of our functions, our magics.
    """
    if len(error.args) != 1 or not isinstance(error.args[0], str):
        return
    said, asked = error.args[0], ""
    if isinstance(error, AttributeError) and type(error.obj).__module__.startswith("nsedu."):
        asked = _meant(error.name, [name for name in dir(error.obj) if not name.startswith("_")])
    elif isinstance(error, TypeError) and (found := _KEYWORD.match(said)):
        asked = _meant(found[2], _parameters(found[1], _last(error)[0]))
    elif type(error).__name__ == "UsageError" and (found := _NO_MAGIC.search(said)):
        if found[2] in _MAGICS:
            asked = "run %load_ext nsedu first"
        else:
            asked = _meant(found[2], _MAGICS, found[1])
    if asked:
        error.args = (f"{said.rstrip('.')}; {asked}",)


def _meant(given: str | None, names: Iterable[str], mark: str = "") -> str:
    from nsedu.suggestions import nearest

    close = nearest(given, names)
    return f"did you mean {mark}{close}?" if close else ""


def _parameters(name: str, frame: Any) -> Iterable[str]:
    """The names of the parameters of a function of ours; none of another's."""
    import nsedu

    function: Any = getattr(nsedu, name, None) if name in nsedu.__all__ else None
    if frame is not None and frame.f_code.co_name == "wrapped":
        function = frame.f_locals.get("function")
    if not getattr(function, "__module__", "").startswith("nsedu."):
        return ()
    import inspect

    return [name for name in inspect.signature(function).parameters if name[0] != "_"]


def on_error(
    shell: Any, kind: type[BaseException], error: BaseException, trace: Any,
    tb_offset: int | None = None,
) -> None:  # fmt: skip
    """What a shell does with an error of a cell: see `InteractiveShell.set_custom_exc`."""
    shorten(error)
    suggest(error)
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def watch(shell: Any = None) -> None:
    """Have a shell, the running IPython unless given, show our errors so; it keeps a handler."""
    shell = shell or _shell()
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((Exception,), on_error)


def _shell() -> Any:
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None
