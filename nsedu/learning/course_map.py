"""The map of the course, read from the notebooks themselves, and the catalogue as a table."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nsedu.errors import arguments
from nsedu.kernel.namespace_types import CATALOGUE
from nsedu.table import Table

COMING = {
    12: "Build a container",
    13: "Runtimes dissected",
    14: "Pods and networks",
    15: "Use cases",
    16: "Security",
    17: "Observability",
    18: "History",
}
"""The chapters that are planned; one that is there counts by its notebook."""
_ASKED = re.compile(r'ns\.exercise\("([a-z]+-\d+)"(?!.*\bdemo=True)')
_QUIZ = re.compile(r'ns\.quiz\("([a-z]+)"')


class Chapter(NamedTuple):
    """One chapter of the course.

    Attributes:
        notebook: the file's name.
        title: its first heading.
        minutes: what it takes.
        needs: what the machine must offer, in the doctor's words.
        exercises: the ids of those it asks for, in order.
        quizzes: their names, in order.
    """

    notebook: str
    title: str
    minutes: str
    needs: Sequence[str]
    exercises: Sequence[str]
    quizzes: Sequence[str] = ()


def chapters(directory: str | os.PathLike[str] = ".") -> list[Chapter]:
    """The chapters in a directory, in order; none if there are none.

    Args:
        directory: where the notebooks lie.
    """
    found = []
    where = arguments.path("directory", directory)
    for path in sorted(Path(where).glob("[0-9][0-9]_*.ipynb") if os.path.isdir(where) else ()):
        data = json.loads(path.read_text(encoding="utf-8"))
        about = data["metadata"].get("nsedu", {})
        sources = ["".join(cell["source"]) for cell in data["cells"]]
        title = sources[0].splitlines()[0].lstrip("# ")
        asked = list(dict.fromkeys(_ASKED.findall("\n".join(sources))))
        quizzes = list(dict.fromkeys(_QUIZ.findall("\n".join(sources))))
        minutes = str(about.get("minutes", ""))
        found.append(Chapter(path.name, title, minutes, about.get("needs", []), asked, quizzes))
    return found


def course(directory: str | os.PathLike[str] = ".") -> Table:
    """The chapters in a directory: title, minutes, and what each needs.

    Args:
        directory: where the notebooks lie; the one a notebook runs in unless given.

    Raises:
        FileNotFoundError: there is no notebook; the message says where to start JupyterLab.
    """
    rows = [(c.notebook, c.title, c.minutes, ", ".join(c.needs)) for c in chapters(directory)]
    if not rows:
        raise FileNotFoundError(
            f"there are no chapters in {Path(directory).resolve()}; start JupyterLab in notebooks/,"
            " or give course() their directory."
        )
    return Table(("notebook", "chapter", "minutes", "needs"), rows)


def catalogue() -> Table:
    """The eight namespace types: flag, what each isolates, first kernel, man page."""
    return Table(
        ("type", "clone flag", "isolates", "since Linux", "man page"),
        [(t.name, t.clone_flag, t.isolates, t.kernel, t.man) for t in CATALOGUE],
    )
