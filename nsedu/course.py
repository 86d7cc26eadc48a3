"""The map of the course, read from the notebooks themselves, and the catalogue as a table."""

from __future__ import annotations

import json
import os
from pathlib import Path

from nsedu.nstypes import CATALOGUE
from nsedu.table import Table


def course(directory: str | os.PathLike[str] = ".") -> Table:
    """The chapters in a directory: title, minutes, and what each needs.

    Args:
        directory: where the notebooks lie; the one a notebook runs in unless given.

    Raises:
        FileNotFoundError: there is no notebook; the message says where to start JupyterLab.
    """
    rows = []
    for path in sorted(Path(directory).glob("[0-9][0-9]_*.ipynb")):
        data = json.loads(path.read_text(encoding="utf-8"))
        about = data["metadata"].get("nsedu", {})
        title = "".join(data["cells"][0]["source"]).splitlines()[0].lstrip("# ")
        minutes = str(about.get("minutes", ""))
        rows.append((path.name, title, minutes, ", ".join(about.get("needs", []))))
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
