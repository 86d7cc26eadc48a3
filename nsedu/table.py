"""A small table that a notebook shows as HTML and everything else as aligned text."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

from nsedu.printable import clean


class Table:
    """Rows of words under headings.

    Args:
        columns: the headings.
        rows: as many words in each, which may come from the machine as they are.
        widest: characters after which the text form wraps a cell.
    """

    def __init__(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], widest: int = 60
    ) -> None:
        self.columns, self.widest = list(columns), widest
        self.rows = [list(map(clean, row)) for row in rows]

    def without_empty_columns(self) -> Table:
        """The same table without the columns in which no row has a word."""
        kept = [i for i in self._indices if any(row[i] for row in self.rows)]
        rows = [[row[i] for i in kept] for row in self.rows]
        return Table([self.columns[i] for i in kept], rows, self.widest)

    def __repr__(self) -> str:
        lines = [self.columns, *self.rows]
        wrapped = [[textwrap.wrap(cell, self.widest) or [""] for cell in line] for line in lines]
        widths = [max(len(part) for line in wrapped for part in line[i]) for i in self._indices]
        out = []
        for line in wrapped:
            for depth in range(max(len(cell) for cell in line)):
                parts = [cell[depth] if depth < len(cell) else "" for cell in line]
                padded = [part.ljust(width) for part, width in zip(parts, widths, strict=True)]
                out.append("  ".join(padded).rstrip())
        return "\n".join(out)

    @property
    def _indices(self) -> range:
        return range(len(self.columns))

    def _repr_html_(self) -> str:
        left = "style='text-align:left; vertical-align:top'"
        head = "".join(f"<th {left}>{html.escape(word)}</th>" for word in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td {left}>{html.escape(c)}</td>" for c in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
