"""Processes as trees: which row follows which, and how many rows it takes to say it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple

from nsedu.draw.labels import branches, call
from nsedu.draw.rows import Cell, words
from nsedu.draw.style import INK, SOFT_INK
from nsedu.draw.svg import measure
from nsedu.kernel.namespace_types import LINKS
from nsedu.observe.records import Process

NAME_SIZE = 13.0


class Node:
    """A process, or several that are alike, with what is below.

    Attributes:
        process: the first of them.
        name: what it is called.
        children: the nodes below.
        count: how many are alike.
        more: 0; otherwise this node stands for so many processes that are not drawn one by one.
    """

    __slots__ = ("children", "count", "more", "name", "process")

    def __init__(self, process: Process, name: str = "", more: int = 0) -> None:
        self.process, self.name, self.more = process, name or call(process), more
        self.children: list[Node] = []
        self.count = 1

    @property
    def label(self) -> str:
        """The name, and how many of them there are."""
        return self.name if self.count == 1 else f"{self.name} × {self.count}"


class Row(NamedTuple):
    """A line of a drawn forest.

    Attributes:
        node: what is in it.
        parent: the node above, None for a root.
        lasts: for each level from the root down, whether that is the last of its siblings.
    """

    node: Node
    parent: Node | None
    lasts: tuple[bool, ...]

    @property
    def depth(self) -> int:
        """0 for a root."""
        return len(self.lasts) - 1

    @property
    def label(self) -> str:
        """The name with the lines of the tree before it, as text."""
        return branches(self.lasts) + self.node.label


def name_cell(row: Row, gone: bool = False) -> Cell:
    """The name of a row, after the lines of the tree; struck out if it is gone."""
    node = row.node
    ink = SOFT_INK if node.more or gone else INK
    return words(row.label, NAME_SIZE, drawn=node.label, mono=True, fill=ink, struck=gone,
                 bold=bool(node.process.role) and not node.more)  # fmt: skip


def names_width(found: Iterable[Row], indent: float) -> float:
    """How many px the names take when each level of the tree is indented by so many."""
    return max((measure(row.node.label, NAME_SIZE, mono=True) + row.depth * indent
                for row in found), default=0.0)  # fmt: skip


def build_trees(processes: Mapping[int, Process]) -> list[Node]:
    """The roots of the trees that the processes form, in the order given.

    Parents change while they are being read; where two processes are each below the other, the
    first of them becomes a root.
    """
    nodes = {pid: Node(process) for pid, process in processes.items()}
    roots = []
    for pid, node in nodes.items():
        above = nodes.get(node.process.ppid)
        if above is None or node.process.ppid == pid:
            roots.append(node)
        else:
            above.children.append(node)
    planted = {id(row.node) for row in rows(roots)}
    for node in nodes.values():
        if id(node) not in planted:
            above = nodes[node.process.ppid]
            above.children.remove(node)
            roots.append(node)
            planted |= {id(row.node) for row in rows([node])}
    return roots


def rows(roots: list[Node]) -> list[Row]:
    """The nodes from top to bottom, parents before their children."""
    found = []
    todo = [Row(node, None, (node is roots[-1],)) for node in reversed(roots)]
    while todo:
        row = todo.pop()
        found.append(row)
        below = row.node.children
        todo += [Row(node, row.node, (*row.lasts, node is below[-1])) for node in reversed(below)]
    return found


def merge_identical(
    roots: list[Node], key: Callable[[Process], Hashable] = lambda process: _links(process)
) -> list[Node]:
    """Draw siblings once that are alike, with all that is below them.

    Args:
        roots: the forest; its nodes are changed.
        key: what, beside the name, two processes must have in common to be alike.
    """
    kinds: dict[Hashable, int] = {}
    kind_of: dict[int, int] = {}

    def merge(siblings: list[Node]) -> list[Node]:
        first: dict[int, Node] = {}
        for node in siblings:
            like = first.setdefault(kind_of[id(node)], node)
            if like is not node:
                like.count += 1
        return list(first.values())

    for row in reversed(rows(roots)):
        node = row.node
        node.children = merge(node.children)
        below = tuple((kind_of[id(child)], child.count) for child in node.children)
        kind_of[id(node)] = kinds.setdefault((node.name, key(node.process), below), len(kinds))
    return merge(roots)


def collapse(
    roots: list[Node],
    is_uninteresting: Callable[[Row], bool],
    phrase: str = "… {} more",
    least: int = 3,
) -> list[Node]:
    """Draw in one row, for each parent, what below it is not worth rows of its own.

    Args:
        roots: the forest; its nodes are changed.
        is_uninteresting: whether a row alone is not worth it; with all below it so, it goes.
        phrase: the name of such a row, with a place for the number of processes.
        least: how many rows it must replace.
    """
    goes: dict[int, bool] = {}
    weight: dict[int, int] = {}
    height: dict[int, int] = {}

    def reduce(siblings: list[Node]) -> list[Node]:
        idle = [node for node in siblings if goes[id(node)]]
        number = sum(weight[id(node)] for node in idle)
        if sum(height[id(node)] for node in idle) < least:
            return siblings
        rest = Node(idle[0].process, phrase.format(number), number)
        return [node for node in siblings if not goes[id(node)]] + [rest]

    order = rows(roots)
    for row in reversed(order):
        node = row.node
        height[id(node)] = 1 + sum(height[id(child)] for child in node.children)
        goes[id(node)] = is_uninteresting(row) and all(goes[id(child)] for child in node.children)
        weight[id(node)] = node.count * (1 + sum(weight[id(child)] for child in node.children))
    for row in order:
        if not goes[id(row.node)]:
            row.node.children = reduce(row.node.children)
    return reduce(roots)


def _links(process: Process) -> Hashable:
    return tuple(process.links.get(link) for link in LINKS)


def processes_in(found: list[Row]) -> int:
    """How many processes the rows stand for."""
    times: dict[int, int] = {}
    total = 0
    for row in found:
        above = times[id(row.parent)] if row.parent else 1
        number = above * (row.node.more or row.node.count)
        times[id(row.node)] = number
        total += number
    return total
