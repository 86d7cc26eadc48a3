"""nsedu: make Linux namespaces in a notebook, see them, and prove it.

    import nsedu as ns
    with ns.Sandbox("uts", hostname="mars", name="mars") as mars:
        print(mars.run("hostname").stdout)
        display(ns.tree())

Everything is imported when it is first used, so that ``import nsedu`` costs next to nothing.
"""

from __future__ import annotations

import importlib
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
    from nsedu.exercises import check, exercise
    from nsedu.explore import explore
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
    from nsedu.predict import predict
    from nsedu.process import CommandFailed, CommandTimedOut
    from nsedu.progress import progress
    from nsedu.quiz import quiz
    from nsedu.records import Snapshot
    from nsedu.sandbox import Sandbox
    from nsedu.snapshot import snapshot
    from nsedu.solved import reset_progress
    from nsedu.terminal import terminal

__version__ = "0.1.0"

__all__ = [
    "TYPES",
    "ClaimFailed",
    "CommandFailed",
    "CommandTimedOut",
    "NamespaceError",
    "Picture",
    "Report",
    "Sandbox",
    "Snapshot",
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
    "hierarchy",
    "idmap",
    "ipc",
    "matrix",
    "measure",
    "mounts",
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
    "Picture": "draw",
    "Report": "doctor",
    "Sandbox": "sandbox",
    "Snapshot": "records",
    "TYPES": "nstypes",
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
    "hierarchy": "look.live",
    "idmap": "look.idmap",
    "ipc": "look.ipc",
    "matrix": "look.live",
    "measure": "measure",
    "mounts": "look.mounts",
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


class _Package(types.ModuleType):
    """The package, whose functions `snapshot` and `doctor` live in modules of the same name.

    Importing such a module would put it where the function belongs, so the function is put there.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, types.ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, (
            self.__name__,
        )  # so that a function sent inside may use it


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nsedu' has no attribute {name!r}")
    module = importlib.import_module(f"nsedu.{_HOME[name]}")
    value = getattr(module, "NAMES" if name == "TYPES" else name)
    globals()[name] = value
    return value


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
