"""Snapshots made by hand, so that a picture of them is known to the letter."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from nsedu.draw.picture import Picture
from nsedu.kernel.namespace_types import NAMES
from nsedu.observe.records import Namespace, Process, Snapshot

FIRST = {name: 4026531830 + index for index, name in enumerate(NAMES)}
SVG = "{http://www.w3.org/2000/svg}"


class Family:
    """Processes that beget processes: each inherits the namespaces of its parent."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.namespaces = {
            (name, ns): Namespace(name, ns, None, None if name == "user" else FIRST["user"], 0)
            for name, ns in FIRST.items()
        }

    def add(
        self,
        parent: int = 0,
        name: str = "sleep",
        new: Sequence[str] = (),
        role: str = "",
        uid: int = 1000,
        **links: int,
    ) -> int:
        """A process below ``parent`` in new namespaces of some types; returns its pid.

        Other links may be set by name; 0 takes one away.
        """
        pid = len(self.processes) + 101
        above = self.processes[parent].links if parent else FIRST
        spaces = {name: above[name] for name in NAMES}
        for kind in new:
            spaces[kind] = 4026532000 + len(self.namespaces)
            self.namespaces[kind, spaces[kind]] = Namespace(
                kind,
                spaces[kind],
                above[kind] if kind in ("user", "pid") else None,
                above["user"] if kind == "user" else spaces["user"],
                uid,
            )
        spaces |= {f"{kind}_for_children": spaces[kind] for kind in ("pid", "time")} | links
        spaces = {link: ns for link, ns in spaces.items() if ns}
        self.processes[pid] = Process(
            pid, parent, name[:15], f"/usr/bin/{name} 100", 1000, (pid,), 1, spaces, role
        )
        return pid

    def snapshot(self, **fields: object) -> Snapshot:
        """What a look at the family finds."""
        return Snapshot(dict(self.processes), dict(self.namespaces), **fields)


def notebook() -> tuple[Family, int]:
    """This notebook and its agent, whose pid comes with them."""
    family = Family()
    agent = family.add(family.add(name="python3", role="this notebook"), "agent", role="agent")
    return family, agent


def mars_and_venus() -> Snapshot:
    """Two sandboxes with a host name of their own each."""
    family, agent = notebook()
    family.add(agent, "box", ("user", "uts"), role='sandbox "mars"')
    family.add(agent, "box", ("user", "uts"), role='sandbox "venus"')
    return family.snapshot()


def nested() -> Snapshot:
    """A pid namespace in a pid namespace, a process that joined, one about to move."""
    family, agent = notebook()
    web = family.add(agent, "box", ("user", "pid", "net"), role='sandbox "web"')
    for name in ("nginx", "nginx", "bash"):
        family.add(web, name)
    inner = family.add(web, "box", ("user", "pid"), role='sandbox "db"')
    family.add(inner, "postgres", time_for_children=4026539999)
    family.add(agent, "sidecar", net=family.processes[web].links["net"])
    family.add(agent, "unshare", pid_for_children=0)
    return family.snapshot()


def parsed(picture: Picture) -> ET.Element:
    """The drawing as a tree of elements."""
    return ET.fromstring(picture.svg)


def texts(picture: Picture) -> list[str]:
    """Every text that is drawn."""
    return [element.text or "" for element in parsed(picture).iter(f"{SVG}text")]


def lines(text: str) -> str:
    """An expected text twin, without the line breaks around it."""
    return text.strip("\n")
