"""What an exercise is, and the view of the world that its check gets."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from nsedu.agent.lent_ids import is_yours
from nsedu.kernel.namespace_types import NAMES
from nsedu.observe import helper, questions
from nsedu.observe.records import Process, Snapshot
from nsedu.observe.snapshot import snapshot
from nsedu.printable import clean
from nsedu.sandbox.sandbox import Sandbox

Known = TypeVar("Known")

Finding = tuple[bool, str]
"""What a check says: whether the exercise is solved, and what was found, as a sentence."""


class Keep(Protocol):
    """Enters a context, and leaves it when the state that an attempt made has been judged."""

    def __call__(self, made: AbstractContextManager[Known], /) -> Known:
        """What the context gives; see `contextlib.ExitStack.enter_context`."""
        ...


Attempt = Callable[[Keep], object]
"""Makes some state, and hands to `keep` what must stay for it."""


@dataclass(frozen=True)
class Verdict:
    """What is said to the learner: whether an exercise is solved, and what was found."""

    id: str
    solved: bool
    found: str

    def __str__(self) -> str:
        return clean(f"{'✔' if self.solved else '…'} {self.id}: {self.found}")


_ASKED = 20  # processes of one namespace: some may end, or not let anybody in


@dataclass(frozen=True)
class World:
    """The kernel's state as a check sees it.

    Attributes:
        seen: a look at the machine.
        me: who is looking.
        yours: your processes: for a notebook all below its JupyterLab, terminals included, but not
            what other notebooks run (two chapters open side by side do not solve each other's
            exercises); from the command line, all of the same user.
        foreign: what those have started as another user, which does not count.
    """

    seen: Snapshot
    me: Process
    yours: tuple[Process, ...]
    foreign: tuple[Process, ...] = ()
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

    def own_name(self) -> str | None:
        """The host name of who is looking; None where it may not be asked for."""
        if self.me.links.get("uts") == os.stat("/proc/self/ns/uts").st_ino:
            return os.uname().nodename
        name = questions.answers([self.me.pid], "uts", "name")[0].get("value")
        return None if name is None else str(name)

    def named(self, *names: str) -> list[Process]:
        """Your processes of these names, in their order, as far as they are there."""
        by_name = {process.name: process for process in reversed(self.yours)}
        return [by_name[name] for name in names if name in by_name]

    def asks(self, type: str, question: str, subject: Any = 0) -> dict[int, Any]:
        """Inode number → the kernel's answer, for each namespace of yours other than your own.

        Nothing of what is in there is believed: the question is put to the kernel from within (see
        `nsedu.observe.questions.answers`).  The answer is None where it could not be put.
        """
        return self.once((type, question), lambda: self._ask(type, question, subject))

    def _ask(self, type: str, question: str, subject: Any) -> dict[int, Any]:
        homes = self.elsewhere(type)
        found: dict[int, Any] = dict.fromkeys(homes)
        for turn in range(_ASKED):
            todo = [ns for ns in homes if found[ns] is None and turn < len(homes[ns])]
            if todo:
                pids = [homes[ns][turn].pid for ns in todo]
                answers = questions.answers(pids, type, question, subject)
                found |= {ns: said.get("value") for ns, said in zip(todo, answers, strict=True)}
        return found


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        id: chapter and number, for example "uts-1".
        title: a few words.
        task: what to bring about, in a sentence or three.
        hints: from vague to the last step, never the whole of it.
        check: looks at the world, and says whether it is solved and what was found.
        solution: makes the state asked for.
        wrong: plausible wrong answers, by name.
        shell: a command for a terminal, solved while it runs, where `one_way` is Python; or "".
        inside: the same in the bash of ``%%inside BOX``, where BOX is a sandbox of all eight types;
            it holds as long as BOX is open; or "".
        needs: what it takes beside namespaces, in the doctor's words; it cannot be solved without.
        one_way: a way to solve it, a command or a line of Python, for who asks to see one.
        asks: whether its task asks a question, which ``ns.answer`` answers.
        broken: of a diagnosis: makes what is broken (see `diagnosis`); or None.
    """

    id: str
    title: str
    task: str
    hints: tuple[str, ...]
    check: Callable[[World], Finding]
    solution: Attempt
    wrong: dict[str, Attempt]
    shell: str = ""
    inside: str = ""
    needs: tuple[str, ...] = ()
    one_way: str = ""
    asks: bool = False
    broken: Callable[[], tuple[Sandbox, ...]] | None = None

    def __post_init__(self) -> None:
        if self.broken is not None:
            _diagnoses.add(self.id)


_diagnoses: set[str] = set()  # the ids of the exercises in which something is broken


def world(root: int | None = None, me: int | None = None) -> World:
    """The state of the kernel now.

    Args:
        root: a pid, to count only that process and what is below it; found out unless given.
        me: the pid of the process whose namespaces are "your own", as a grader asks that looks at
            a learner's kernel from outside; this process unless given.

    Raises:
        ValueError: there is no process `me`, or it cannot be looked at from here.
    """
    if root is None:  # what starts a kernel tells it its own pid in this variable
        root = int(os.environ.get("JPY_PARENT_PID", "1"))
    seen = snapshot("machine" if root == 1 or not os.path.exists(f"/proc/{root}") else root)
    learner = _process(me)
    others: set[int] = set()  # other notebooks and, since parents come first, all below them
    for pid, process in seen.processes.items():
        notebook = "ipykernel" in process.command and pid != learner.pid
        if process.ppid in others or notebook or process.name == helper.NAME:
            others.add(pid)
    sight = [process for pid, process in seen.processes.items() if pid not in others]
    counted = {p.pid: p for p in sight if is_yours(p.uid, learner.uid)}
    foreign: dict[int, Process] = {}  # what yours have started, and what that has, as by sudo
    for process in sight:
        if process.pid not in counted and (process.ppid in counted or process.ppid in foreign):
            foreign[process.pid] = process
    return World(seen, learner, tuple(counted.values()), tuple(foreign.values()))


def _process(pid: int | None) -> Process:
    """One process as a snapshot has it; this one unless a pid is given."""
    if pid is None:
        return snapshot("mine").processes[int(os.readlink("/proc/self"))]
    try:
        found = snapshot(pid).processes.get(pid)
    except (ProcessLookupError, ValueError):
        found = None
    if found is None or not found.links:
        raise ValueError(f"me must be the pid of a process that can be looked at, not {pid!r}.")
    return found


def _without_broken(here: World, id: str) -> World:
    """The same world without what `ns.broken` made for other exercises: it solves nothing.

    Nor does what is below it, or in its namespaces.
    """
    others = _diagnoses - {id}
    made = [p for p in here.yours if others & {p.name, "-".join(p.name.split("-")[:2])}]
    if not made:
        return here
    links = {link for process in made for link in process.links.items()}
    links -= set(here.me.links.items())
    left = {process.pid for process in made}
    for process in here.yours:  # parents come first
        if process.ppid in left or not links.isdisjoint(process.links.items()):
            left.add(process.pid)
    return replace(here, yours=tuple(p for p in here.yours if p.pid not in left), _known={})


_TRIED = 20  # processes that are tried one by one to find the one that does not count


def judge(exercise: Exercise, here: World, everywhere: bool = False) -> Verdict:
    """What the check of an exercise says, and who has what it asks for but does not count.

    Args:
        exercise: to be checked.
        here: the world.
        everywhere: whether to look also for what has left `here`, which takes a further snapshot.
    """
    here = _without_broken(here, exercise.id)
    solved, found = exercise.check(here)
    if not solved:
        why = _foreign(exercise, here) or (_stray(exercise, here) if everywhere else "")
        found = f"{found.removesuffix('.')}; {why}" if why else found
    return Verdict(exercise.id, solved, found)


def _foreign(exercise: Exercise, here: World) -> str:
    """That another user's process has what is asked for, or may have it."""
    closed = [process for process in here.foreign if not process.links and process.command]
    for process in closed[-1:] or _solving(exercise, here, here.foreign):
        whose = "root" if process.uid == 0 else f"user {process.uid}"
        has = "cannot be looked at, and does not count" if closed else "has it, but does not count"
        return f"{process.name} ({process.pid}), {whose}'s, {has}: do it as yourself, without sudo."
    return ""


def _stray(exercise: Exercise, here: World) -> str:
    """That a process which left what is looked at, as a daemon does, has it; or ""."""
    if here.seen.scope == "machine":
        return ""
    wide = world(1)
    adopters, pid = set(), int(here.seen.scope)  # a process further up adopts orphans (prctl(2))
    while pid in wide.seen.processes:
        pid = wide.seen.processes[pid].ppid
        adopters.add(pid)
    strays: dict[int, Process] = {}
    for process in wide.yours:  # parents come first
        left = process.pid not in here.seen.processes and process.pid not in adopters
        if left and (process.ppid in adopters or process.ppid in strays):
            strays[process.pid] = process
    away = [
        process
        for process in strays.values()
        if any(process.links.get(type) != here.me.links.get(type) for type in NAMES)
    ]
    wide = replace(wide, yours=here.yours)
    if not away or not _solves(exercise, wide, *away):
        return ""
    found = next(_solving(exercise, wide, away), None)
    name = "a process of yours" if found is None else f"{found.name} ({found.pid})"
    return (
        f"{name} has it, but is no child of this notebook or its terminals any more, as a daemon:"
        " start it anew, and leave it in its terminal or cell."
    )


def _solving(exercise: Exercise, here: World, others: Sequence[Process]) -> Iterator[Process]:
    """Which of other processes would solve it if it counted."""
    for process in others[:_TRIED]:
        if _solves(exercise, here, process):
            yield process


def _solves(exercise: Exercise, here: World, *others: Process) -> bool:
    """Whether it would be solved if other processes counted, too."""
    return exercise.check(replace(here, yours=(*here.yours, *others), _known={}))[0]
