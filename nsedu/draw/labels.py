"""What things are called in a picture: letters for namespaces, names for processes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from rich.cells import cell_len

from nsedu.agent.lent_ids import is_yours
from nsedu.kernel.namespace_types import BY_NAME, LINKS, TYPE_OF_LINK
from nsedu.observe.records import Process, Snapshot
from nsedu.printable import clean

Item = TypeVar("Item")
LONGEST = 40
"""Characters after which the name of a process is cut."""


def columns(text: str) -> int:
    """How many columns the text takes in a terminal."""
    return len(text) if text.isascii() else cell_len(text)


def pad(text: str, width: int) -> str:
    """The text, with blanks at its right up to ``width`` columns."""
    return text + " " * (width - columns(text))


def centre(text: str, width: int) -> str:
    """The text amid blanks, ``width`` columns in all; an odd blank goes to the right."""
    left = (width - columns(text)) // 2
    return pad(" " * left + text, width)


def shorten(text: str, width: int) -> str:
    """The text, cut to ``width`` columns with an ellipsis if it is longer."""
    if columns(text) <= width:
        return text
    text = text[: 4 * width]  # a command line may be megabytes
    while columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def at_most(words: list[str], most: int) -> list[str]:
    """The first words, at most so many of them, and how many more there are."""
    rest = len(words) - most
    return words if rest <= 0 else [*words[:most], f"… {rest} more"]


def grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    """The items with the same key together, in the order in which the keys are met."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def made_by(uid: int, reader: int | None) -> str:
    """Whose work something is: by name if the reader's, so that a picture is the same for all."""
    return "made by you" if is_yours(uid, reader) else f"made by uid {uid}"


def with_alike(name: str, alike: int) -> str:
    """The name of the first of several that are drawn once, and how many others there are."""
    return f"{name} and {alike} alike" if alike else name


def branches(lasts: Sequence[bool]) -> str:
    """The lines of a tree before a name, as text.

    Args:
        lasts: for each level from the root down, whether that is the last of its siblings.
    """
    if len(lasts) < 2:
        return ""
    bars = "".join("   " if last else "│  " for last in lasts[1:-1])
    return bars + ("└─ " if lasts[-1] else "├─ ")


def call(process: Process) -> str:
    """What a process is called: its role, else its program, else (as ps has it) ``[name]``."""
    words = process.command.split()
    if process.role:
        name = process.role
    elif words:  # a login shell is "-bash", a daemon that sets its title "nginx: worker"
        name = words[0].rsplit("/", 1)[-1].removeprefix("-").rstrip(":") or process.name
    else:
        name = f"[{process.name}]"
    return shorten(clean(name), LONGEST) + (" (zombie)" if process.zombie else "")


def letter(index: int) -> str:
    """The letter of the namespace with this index in its type: A … Z, then AA and so on."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


class Letters:
    """A letter for each namespace, by type, in the order in which they are met."""

    def __init__(self) -> None:
        self._met: dict[str, dict[int, str]] = {name: {} for name in BY_NAME}

    def meet(self, type: str, ns: int) -> None:
        """Give the namespace the next letter of its type, unless it has one."""
        met = self._met[type]
        if ns not in met:
            met[ns] = letter(len(met))

    def meet_all(self, snapshot: Snapshot, processes: Iterable[Process]) -> None:
        """Meet the namespaces of the processes in their order, then those without a process."""
        for process in processes:
            for link in LINKS:
                if link in process.links:
                    self.meet(TYPE_OF_LINK[link], process.links[link])
        for type, ns in snapshot.namespaces:
            if type in self._met:
                self.meet(type, ns)

    def of(self, type: str, ns: int | None) -> str:
        """The letter of a namespace met before; ``?`` for None, which stands for an unread link."""
        return "?" if ns is None else self._met[type][ns]

    def of_type(self, type: str) -> dict[int, str]:
        """All that were met of a type: inode number → letter, in alphabetic order."""
        return self._met[type]


def identity(type: str, ns: int) -> str:
    """A namespace as the kernel writes it in /proc/PID/ns: ``uts:[4026531838]``.

    A picture that has two to one number, one after the other, calls the first by minus that number.
    """
    return f"{type}:[{abs(ns)}]"


def known(snapshot: Snapshot) -> set[tuple[str, int]]:
    """(type, inode number) of every namespace that the snapshot knows of."""
    found = {
        (TYPE_OF_LINK[link], ns)
        for process in snapshot.processes.values()
        for link, ns in process.links.items()
        if link in TYPE_OF_LINK
    }
    return found | set(snapshot.namespaces)


def unread(snapshot: Snapshot) -> list[str]:
    """What the look could not read, a sentence each."""
    return [
        f"could not read {clean(reason)}" + (f": {number}" if number else "")
        for reason, number in snapshot.unread.items()
    ]
