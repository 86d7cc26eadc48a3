"""Which earlier cells of a notebook a cell needs to be run: found by the names that they share."""

from __future__ import annotations

import ast
import builtins
import functools
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

MAGIC = re.compile(r"%%(\w+) *(.*)\n")
CHANGES = {"cable", "shutdown"}  # what else stands alone in a line, ns.tree() and so on, only shows


@dataclass(frozen=True)
class Names:
    """What a cell does with the global names: gives them a value, or uses what they have.

    Attributes:
        bound: those that it gives a value.
        fixed: of those, the ones that nothing changes later: functions, modules, CONSTANTS.
        used: those whose value it uses, be it in a function of its own.
    """

    bound: frozenset[str]
    fixed: frozenset[str]
    used: frozenset[str]


def python_of(source: str) -> str:
    """The Python that a cell runs in the notebook: of a cell magic, its argument alone."""
    if found := MAGIC.match(source):
        name, argument = found.groups()
        return argument if name in ("inside", "trace") else ""
    return "\n".join(line for line in source.splitlines() if not line.startswith("%"))


@functools.cache
def names_of(source: str) -> Names:
    """The global names of a cell, those in the bodies of its functions among them."""
    python = python_of(source)
    top = symtable.symtable(python, "<cell>", "exec")
    made = {one.get_name() for one in top.get_symbols() if one.is_imported() or one.is_namespace()}
    given = {one.get_name() for one in top.get_symbols() if one.is_assigned()}
    used = {one.get_name() for table in _tables(top) for one in table.get_symbols()
            if one.is_referenced() and (table is top or one.is_global())}  # fmt: skip
    fixed = {name for name in given if name.isupper()} | _aliases(python)
    return Names(
        frozenset(given | made), frozenset(made | fixed), frozenset(used - vars(builtins).keys())
    )


def _aliases(python: str) -> set[str]:
    """The names that are given to a constant, or to what has another name."""
    return {
        target.id
        for node in ast.parse(python).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, (ast.Constant, ast.JoinedStr, ast.Attribute, ast.Lambda))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def only_shows(source: str) -> bool:
    """Whether a cell changes nothing: a picture, an exercise, a quiz, a line of claims."""
    if MAGIC.match(source):
        return source.startswith("%%trace")
    return all(map(_is_look, ast.parse(python_of(source)).body))


def _is_look(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("ns"), name))):
            return name not in CHANGES
        case ast.Assign(value=ast.Call(ast.Attribute(ast.Name("ns"), "check"))):
            return True
    return False


def needed(
    cells: list[NotebookNode], targets: set[str], whole: frozenset[str] | None = None
) -> list[tuple[str, str]]:
    """What to run of a notebook, in order, up to the last of the targets: ids and sources.

    A cell is needed if it does something with a name that a target itself uses: it may have changed
    what is there.  Of a cell that only gives other names their value, those statements are needed.

    Args:
        cells: the code cells of a notebook.
        targets: the ids of those that are to be run.
        whole: the ids of the only others of which more is needed than the names that they make.
    """
    found = {cell.id: names_of(cell.source) for cell in cells}
    fixed = {name for names in found.values() for name in names.fixed}
    last = max(index for index, cell in enumerate(cells) if cell.id in targets)
    wanted: set[str] = set()  # names that a later one uses, and that have yet to be made
    states: set[str] = set()  # those that a target itself uses
    chosen: list[tuple[str, str]] = []
    for cell in reversed(cells[: last + 1]):
        names = found[cell.id]
        wished = cell.id in targets | (whole or frozenset()) or "%load_ext" in cell.source
        touches = states & (names.used | names.bound) and not only_shows(cell.source)
        changes = touches and whole is None
        if wished or changes:
            chosen.append((cell.id, cell.source))
            wanted = (wanted | names.used) - names.bound
            states = (states | (names.used - fixed if cell.id in targets else set())) - names.bound
        elif names.bound & wanted:
            source, wanted = _made(cell.source, wanted)
            chosen.append((cell.id, source))
    return chosen[::-1]


def _made(source: str, wanted: set[str]) -> tuple[str, set[str]]:
    """The statements of a cell that make what is wanted, and what is wanted before them."""
    python = python_of(source)
    kept: list[str] = []
    for node in reversed(ast.parse(python).body):
        statement = ast.get_source_segment(python, node) or ""
        names = names_of(statement)
        if names.bound & wanted:
            kept.append(statement)
            wanted = (wanted | names.used) - names.bound
    return "\n".join(reversed(kept)), wanted
