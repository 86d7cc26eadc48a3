"""What an exercise is, and the view of the world that its check gets."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nsedu.errors import NamespaceError
from nsedu.process import CommandFailed
from nsedu.records import Process, Snapshot
from nsedu.sandbox import Sandbox
from nsedu.snapshot import looking, snapshot

Known = TypeVar("Known")

Attempt = Callable[[], Iterator[None]]
"""A generator function: makes some state, yields while it stands, and undoes it."""


@dataclass(frozen=True)
class Verdict:
    """What a check says: whether the exercise is solved, and what was found, as a sentence."""

    id: str
    solved: bool
    found: str

    def __str__(self) -> str:
        return f"{'✔' if self.solved else '…'} {self.id}: {self.found}"


_VISITOR = "nsedu look"


class _Visitor(Sandbox):
    """A guest for a moment, whom no picture mentions, and no check that happens to run beside."""

    def _introduce(self) -> None:
        pass


@dataclass(frozen=True)
class World:
    """The kernel's state as a check sees it.

    Attributes:
        seen: a look at the machine.
        me: who is looking.
        yours: your processes: for a notebook all below its JupyterLab, terminals included, but not
            what other notebooks run (two chapters open side by side do not solve each other's
            exercises); from the command line, all of the same user.
    """

    seen: Snapshot
    me: Process
    yours: tuple[Process, ...]
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, question: Hashable, answer: Callable[[], Known]) -> Known:
        """The answer to a question that several checks ask of the same world: it is given once."""
        if question not in self._known:
            self._known[question] = answer()
        known: Known = self._known[question]
        return known

    def elsewhere(self, type: str) -> dict[int, list[Process]]:
        """Inode number → your processes in it, for namespaces of a type other than your own."""
        found: dict[int, list[Process]] = {}
        for process in self.yours:
            ns = process.links.get(type)
            if ns is not None and ns != self.me.links.get(type):
                found.setdefault(ns, []).append(process)
        return found

    def says(self, process: Process, command: list[str]) -> str:
        """What a command prints when run in all the namespaces of a process, "" if it cannot be."""
        return self.once((process.pid, *command), lambda: self._ask(process, command))

    def _ask(self, process: Process, command: list[str]) -> str:
        try:
            with looking, _Visitor(name=_VISITOR, join=process.pid, timeout=10) as guest:
                return guest.run(command).stdout.strip()
        except (NamespaceError, CommandFailed, OSError):
            return ""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        id: chapter and number, for example "uts-1".
        title: a few words.
        task: what to bring about, in a sentence or three.
        hints: from vague to exact.
        check: looks at the world and gives a verdict.
        solution: makes the state asked for.
        wrong: plausible wrong answers, by name.
        shell: the same solution by hand: a command for a terminal, solved while it runs; or "".
        inside: the same in the bash of ``%%inside BOX``, where BOX is a sandbox of all eight types;
            it holds as long as BOX is open; or "".
        needs: what it takes beside namespaces, in the doctor's words; it cannot be solved without.
    """

    id: str
    title: str
    task: str
    hints: tuple[str, ...]
    check: Callable[[World], Verdict]
    solution: Attempt
    wrong: dict[str, Attempt]
    shell: str = ""
    inside: str = ""
    needs: tuple[str, ...] = ()


def world(root: int | None = None) -> World:
    """The state of the kernel now.

    Args:
        root: a pid, to count only that process and what is below it; found out unless given.
    """
    if root is None:  # what starts a kernel tells it its own pid in this variable
        root = int(os.environ.get("JPY_PARENT_PID", "1"))
    seen = snapshot("machine" if root == 1 or not os.path.exists(f"/proc/{root}") else root)
    me = snapshot("mine").processes[int(os.readlink("/proc/self"))]
    others: set[int] = set()  # other notebooks and, since parents come first, all below them
    for pid, process in seen.processes.items():
        notebook = "ipykernel" in process.command and pid != me.pid
        if process.ppid in others or notebook or process.name == _VISITOR:
            others.add(pid)
    yours = (p for pid, p in seen.processes.items() if pid not in others and p.uid == me.uid)
    return World(seen, me, tuple(yours))
