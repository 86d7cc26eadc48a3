"""Mutations of the notebooks' cells: what is broken on purpose, and the claim that must notice.

They stand in mutations/CHAPTER.toml, a table each:

    [name-of-the-mutation]
    cell = "route"                             # the id of the cell that is broken
    old = 'router.call(forward, "1")'          # what stands in it, once
    new = 'router.call(forward, "0")'
    red = "told to forward, it passes it on"   # the claim that no longer holds
    at = "route"                               # the cell with that claim, if it is another one
    whole = ["router"]                         # the only earlier cells that are run as a whole

Without `whole`, each earlier cell that does something with a name of these two is run as a whole.

For `ns.expect`, which names an errno, `red` is what it says: "refused with EINVAL".  All that runs
is in namespaces of its own, also when a mutation takes one away: what a cell would then do to the
machine is no mutation.
"""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

import refresh_notebooks as refresher
from cell_slices import needed

HERE = Path(__file__).resolve().parents[1]
NOTEBOOKS = HERE.parent / "notebooks"
REFUSED = re.compile(r"^refused with (E\w+)$")
SECONDS = 240  # for both runs; on a quiet machine they take two or three


@functools.cache
def notebook(chapter: str) -> NotebookNode:
    """A chapter."""
    return refresher.read(NOTEBOOKS / f"{chapter}.ipynb")


def code_cells(chapter: str) -> list[NotebookNode]:
    """The code cells of a chapter."""
    return [cell for cell in notebook(chapter).cells if cell.cell_type == "code"]


@dataclass(frozen=True)
class Mutation:
    """One thing that is broken in a chapter, and what must go red."""

    chapter: str
    name: str
    cell: str
    old: str
    new: str
    red: str
    at: str = ""
    whole: frozenset[str] | None = None

    @property
    def red_cell(self) -> str:
        """The id of the cell whose claim notices."""
        return self.at or self.cell

    @property
    def outdated(self) -> str:
        """Why this mutation no longer fits its chapter, or ""."""
        if not (NOTEBOOKS / f"{self.chapter}.ipynb").exists():
            return f"there is no notebook {self.chapter}"
        cells = {cell.id: cell.source for cell in code_cells(self.chapter)}
        absent = {self.cell, self.red_cell, *(self.whole or ())} - cells.keys()
        if absent:
            return f"{self.chapter} has no cell {', '.join(sorted(absent))} any more"
        if cells[self.cell].count(self.old) != 1:
            return f"the cell {self.cell} does not have {self.old!r} once"
        awaited = REFUSED.sub(r"expect(errno.\1,", self.red)
        if not any(words in cells[self.red_cell] for words in (self.red, awaited)):
            return f"the cell {self.red_cell} does not have {awaited!r}"
        return ""

    @property
    def path(self) -> list[tuple[str, str]]:
        """What to run of the chapter as it stands: ids of cells and sources."""
        cells = code_cells(self.chapter)
        return needed(cells, {self.cell, self.red_cell}, self.whole)

    @property
    def needs(self) -> list[str]:
        """What this machine must have for it, in the doctor's words."""
        ran = dict(self.path)
        cells = [cell for cell in code_cells(self.chapter) if cell.id in ran]
        told = [
            of.metadata.get("nsedu", {}).get("needs", []) for of in (notebook(self.chapter), *cells)
        ]
        return sorted({need for needs in told for need in needs})

    def run(self) -> dict[str, dict[str, str]]:
        """What came of the cells as they stand, and of the mutated ones."""
        control = self.path
        mutant = [
            (name, source.replace(self.old, self.new) if name == self.cell else source)
            for name, source in control
        ]
        runs = json.dumps({"control": control, "mutant": mutant})
        env = {**os.environ, "XDG_DATA_HOME": f"{os.environ['XDG_DATA_HOME']}/{uuid.uuid4().hex}"}
        with subprocess.Popen(
            [sys.executable, str(HERE / "support" / "run_cells.py")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=env, cwd=NOTEBOOKS, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                told, _ = process.communicate(runs, timeout=SECONDS)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        outcomes: dict[str, dict[str, str]] = json.loads(told)
        return outcomes


def of_chapter(path: Path) -> list[Mutation]:
    """The mutations in one file."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    for table in tables.values():
        if "whole" in table:
            table["whole"] = frozenset(table["whole"])
    return [Mutation(path.stem, name, **table) for name, table in tables.items()]


MUTATIONS = [
    one for path in sorted((HERE / "mutations").glob("*.toml")) for one in of_chapter(path)
]
