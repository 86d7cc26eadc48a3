"""nsedu: make Linux namespaces in a notebook, see them, and prove it.

    import nsedu as ns
    with ns.Sandbox("uts", hostname="mars", name="mars") as mars:
        print(mars.run("hostname").stdout)
        display(ns.tree())

Everything is imported when it is first used, so that ``import nsedu`` costs next to nothing.
"""

from __future__ import annotations

import importlib
import os
import sys
import types

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import Any

    from nsedu.draw.picture import Picture
    from nsedu.errors.namespace_error import NamespaceError
    from nsedu.kernel.namespace_types import NAMES as TYPES
    from nsedu.learning.claims import ClaimFailed, claim, expect
    from nsedu.learning.course_map import catalogue, course
    from nsedu.learning.progress_map import progress
    from nsedu.learning.progress_store import reset_progress
    from nsedu.measurement.measure import measure
    from nsedu.notebook.exercise import answer, broken, check, exercise
    from nsedu.notebook.explorer import explore
    from nsedu.notebook.guide import help
    from nsedu.notebook.prediction import predict
    from nsedu.notebook.quiz import quiz
    from nsedu.notebook.terminal import terminal
    from nsedu.notebook.unavailable import needs
    from nsedu.observe.records import Snapshot
    from nsedu.observe.snapshot import snapshot
    from nsedu.pictures import (
        cgroup_tree,
        clocks,
        compare,
        diff,
        eyes,
        hierarchy,
        idmap,
        ipc,
        matrix,
        mounts,
        ownership,
        pids,
        topology,
        tree,
        why_alive,
    )
    from nsedu.requirements import Report, doctor
    from nsedu.sandbox.agent_client import shutdown
    from nsedu.sandbox.output import OutputTooLong
    from nsedu.sandbox.process import CommandFailed, CommandTimedOut
    from nsedu.sandbox.sandbox import Sandbox
    from nsedu.sandbox.veth import cable

__version__ = "0.1.0"

__all__ = [
    "TYPES",
    "ClaimFailed",
    "CommandFailed",
    "CommandTimedOut",
    "NamespaceError",
    "OutputTooLong",
    "Picture",
    "Report",
    "Sandbox",
    "Snapshot",
    "answer",
    "broken",
    "cable",
    "catalogue",
    "cgroup_tree",
    "check",
    "claim",
    "clocks",
    "compare",
    "course",
    "diff",
    "doctor",
    "exercise",
    "expect",
    "explore",
    "eyes",
    "help",
    "hierarchy",
    "idmap",
    "ipc",
    "matrix",
    "measure",
    "mounts",
    "needs",
    "ownership",
    "pids",
    "predict",
    "progress",
    "quiz",
    "reset_progress",
    "shutdown",
    "snapshot",
    "terminal",
    "topology",
    "tree",
    "why_alive",
]

_HOME = {
    "ClaimFailed": "learning.claims",
    "CommandFailed": "sandbox.process",
    "CommandTimedOut": "sandbox.process",
    "NamespaceError": "errors.namespace_error",
    "OutputTooLong": "sandbox.output",
    "Picture": "draw.picture",
    "Report": "requirements",
    "Sandbox": "sandbox.sandbox",
    "Snapshot": "observe.records",
    "TYPES": "kernel.namespace_types",
    "answer": "notebook.exercise",
    "broken": "notebook.exercise",
    "cable": "sandbox.veth",
    "catalogue": "learning.course_map",
    "cgroup_tree": "pictures",
    "check": "notebook.exercise",
    "claim": "learning.claims",
    "clocks": "pictures",
    "compare": "pictures",
    "course": "learning.course_map",
    "diff": "pictures",
    "doctor": "requirements",
    "exercise": "notebook.exercise",
    "expect": "learning.claims",
    "explore": "notebook.explorer",
    "eyes": "pictures",
    "help": "notebook.guide",
    "hierarchy": "pictures",
    "idmap": "pictures",
    "ipc": "pictures",
    "matrix": "pictures",
    "measure": "measurement.measure",
    "mounts": "pictures",
    "needs": "notebook.unavailable",
    "ownership": "pictures",
    "pids": "pictures",
    "predict": "notebook.prediction",
    "progress": "learning.progress_map",
    "quiz": "notebook.quiz",
    "reset_progress": "learning.progress_store",
    "shutdown": "sandbox.agent_client",
    "snapshot": "observe.snapshot",
    "terminal": "notebook.terminal",
    "topology": "pictures",
    "tree": "pictures",
    "why_alive": "pictures",
}


class _Module(types.ModuleType):
    """A module of the package, which says what was meant when it is called, as in ns.sandbox()."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        from nsedu.suggestions import nearest

        close = nearest(self.__name__.rpartition(".")[2], __all__)
        asked = f"; did you mean nsedu.{close}?" if close else ""
        raise TypeError(f"{self.__name__} is a module, which cannot be called{asked}")

    def __reduce__(self) -> tuple[Any, ...]:  # so that a function sent inside may use it
        return importlib.import_module, (self.__name__,)


class _Package(_Module):
    """The package, whose modules say what was meant when they are called."""

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) is types.ModuleType:
            value.__class__ = _Module
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

if "IPython" in sys.modules:
    from nsedu.errors import short_tracebacks

    short_tracebacks.watch()

for _stream in (sys.stdout, sys.stderr):
    # On a terminal without UTF-8 a ✔ is written as \\u2714; strict, it would be an error.
    if (
        getattr(_stream, "errors", "") in ("strict", "surrogateescape")
        and "utf" not in _stream.encoding.lower()
    ):
        _stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise _no_attribute(name)
    module = importlib.import_module(f"nsedu.{_HOME[name]}")
    value = getattr(module, "NAMES" if name == "TYPES" else name)
    globals()[name] = value
    return value


def _no_attribute(name: str) -> AttributeError:
    what = f"module 'nsedu' has no attribute {name!r}"
    close = next((known for known in __all__ if known.casefold() == name.casefold()), "")
    # Programs ask for names with an underscore, and Python for a module before it loads it.
    if not close and not name.startswith("_") and not any(map(os.path.exists, _files(name))):
        from nsedu.suggestions import nearest

        close = nearest(name, __all__)
        what += "" if close else "; nsedu.help() says what there is"
    what += f"; did you mean {close!r}?" if close else ""
    return AttributeError(what, name=name, obj=None)  # else Python adds a suggestion of its own


def _files(name: str) -> list[str]:
    return [os.path.join(place, file) for place in __path__ for file in (name, f"{name}.py")]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """Register the magics; called by ``%load_ext nsedu``."""
    from nsedu.notebook.magics import register

    register(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magics back; called by ``%unload_ext nsedu``."""
    from nsedu.notebook.magics import unregister

    unregister(ipython)
