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

TYPE_CHECKING = False  # see agent.py, "Light"
if TYPE_CHECKING:
    from typing import Any

    from nsedu.cable import cable
    from nsedu.claims import ClaimFailed, claim, expect
    from nsedu.client import shutdown
    from nsedu.course import catalogue, course
    from nsedu.doctor import Report, doctor
    from nsedu.draw import Picture
    from nsedu.errors import NamespaceError
    from nsedu.exercises import answer, broken, check, exercise
    from nsedu.explore import explore
    from nsedu.guide import help
    from nsedu.look.cgroup_tree import cgroup_tree
    from nsedu.look.clocks import clocks
    from nsedu.look.eyes import eyes
    from nsedu.look.idmap import idmap
    from nsedu.look.ipc import ipc
    from nsedu.look.live import compare, diff, hierarchy, matrix, tree
    from nsedu.look.mounts import mounts
    from nsedu.look.ownership import ownership
    from nsedu.look.pids import pids
    from nsedu.look.topology import topology
    from nsedu.look.why_alive import why_alive
    from nsedu.measure import measure
    from nsedu.nstypes import NAMES as TYPES
    from nsedu.output import OutputTooLong
    from nsedu.predict import predict
    from nsedu.process import CommandFailed, CommandTimedOut
    from nsedu.progress import progress
    from nsedu.quiz import quiz
    from nsedu.records import Snapshot
    from nsedu.sandbox import Sandbox
    from nsedu.snapshot import snapshot
    from nsedu.solved import reset_progress
    from nsedu.terminal import terminal
    from nsedu.unavailable import needs

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
    "ClaimFailed": "claims",
    "CommandFailed": "process",
    "CommandTimedOut": "process",
    "NamespaceError": "errors",
    "OutputTooLong": "output",
    "Picture": "draw",
    "Report": "doctor",
    "Sandbox": "sandbox",
    "Snapshot": "records",
    "TYPES": "nstypes",
    "answer": "exercises",
    "broken": "exercises",
    "cable": "cable",
    "catalogue": "course",
    "cgroup_tree": "look.cgroup_tree",
    "check": "exercises",
    "claim": "claims",
    "clocks": "look.clocks",
    "compare": "look.live",
    "course": "course",
    "diff": "look.live",
    "doctor": "doctor",
    "exercise": "exercises",
    "expect": "claims",
    "explore": "explore",
    "eyes": "look.eyes",
    "help": "guide",
    "hierarchy": "look.live",
    "idmap": "look.idmap",
    "ipc": "look.ipc",
    "matrix": "look.live",
    "measure": "measure",
    "mounts": "look.mounts",
    "needs": "unavailable",
    "ownership": "look.ownership",
    "pids": "look.pids",
    "predict": "predict",
    "progress": "progress",
    "quiz": "quiz",
    "reset_progress": "solved",
    "shutdown": "client",
    "snapshot": "snapshot",
    "terminal": "terminal",
    "topology": "look.topology",
    "tree": "look.live",
    "why_alive": "look.why_alive",
}


class _Module(types.ModuleType):
    """A module of the package, which says what was meant when it is called, as in ns.sandbox()."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        from nsedu.meant import nearest

        close = nearest(self.__name__.rpartition(".")[2], __all__)
        asked = f"; did you mean nsedu.{close}?" if close else ""
        raise TypeError(f"{self.__name__} is a module, which cannot be called{asked}")

    def __reduce__(self) -> tuple[Any, ...]:  # so that a function sent inside may use it
        return importlib.import_module, (self.__name__,)


class _Package(_Module):
    """The package, whose functions `snapshot` and `doctor` live in modules of the same name.

    Importing such a module would put it where the function belongs, so the function is put there.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, types.ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        elif type(value) is types.ModuleType:
            value.__class__ = _Module
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

if "IPython" in sys.modules:
    from nsedu import brief

    brief.watch()

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
        from nsedu.meant import nearest

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
    from nsedu.magics import register

    register(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magics back; called by ``%unload_ext nsedu``."""
    from nsedu.magics import unregister

    unregister(ipython)
