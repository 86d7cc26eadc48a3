"""How far a learner has come: the chapters with their exercises, solved or not."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nsedu.learning.course_map import chapters
from nsedu.learning.exercises import EXERCISES
from nsedu.learning.progress_store import Answered, all_answered, all_solved
from nsedu.table import Table

SOLVED, OPEN = "✔", "○"
# JupyterLab's green has too little contrast in its dark theme; more of the ink helps in both.
_GREEN = "color-mix(in srgb, var(--jp-success-color0, #1b5e20) 65%, currentColor)"


class Line(NamedTuple):
    """One line of the map.

    Attributes:
        notebook: its path from here; "" if the chapter's notebook is not at hand.
        title: the chapter's heading.
        exercises: their ids, in order.
        quizzes: their names, in order.
    """

    notebook: str
    title: str
    exercises: Sequence[str]
    quizzes: Sequence[str] = ()


class Progress(Table):
    """The map of the course: a table whose HTML has links, and colours besides the shapes.

    Args:
        lines: the chapters.
        solved: the ids of the exercises that are solved.
        scores: quiz → its score, for those that are answered.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        solved: set[str],
        scores: Mapping[str, Answered] | None = None,
    ) -> None:
        self._lines, self._solved, self._scores = lines, solved, scores or {}
        self._asks = any(line.quizzes for line in lines)
        rows = [
            (
                line.title,
                self._count(line),
                "  ".join(map(self._marked, line.exercises)),
                *self._score(line),
            )
            for line in lines
        ]
        heads = ["chapter", "solved", f"exercises: {SOLVED} solved, {OPEN} not yet"]
        super().__init__(heads + ["quiz: right at once"] * self._asks, rows)

    def _marked(self, id: str) -> str:
        return f"{SOLVED if id in self._solved else OPEN} {id}"

    def _count(self, line: Line) -> str:
        done = sum(id in self._solved for id in line.exercises)
        return f"{done} of {len(line.exercises)}" if line.exercises else ""

    def _score(self, line: Line) -> list[str]:
        """What there is to say of its quizzes, if any line has some."""
        told = [self._scores.get(name) for name in line.quizzes]
        words = ["not yet" if one is None else f"{one.right} of {one.of}" for one in told]
        return [", ".join(words)] * self._asks

    def _repr_html_(self) -> str:
        left = "style='text-align:left; vertical-align:top'"
        body = ""
        for line in self._lines:
            title = html.escape(line.title)
            if line.notebook:
                title = f"<a href='{html.escape(line.notebook)}'>{title}</a>"
            marks = " ".join(map(self._chip, line.exercises))
            cells = (title, self._count(line), marks, *map(html.escape, self._score(line)))
            body += "<tr>" + "".join(f"<td {left}>{cell}</td>" for cell in cells) + "</tr>"
        head = "".join(f"<th {left}>{word}</th>" for word in self.columns)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _chip(self, id: str) -> str:
        done = id in self._solved
        colour = _GREEN if done else "inherit"
        weight = "bold" if done else "normal"
        title = html.escape(EXERCISES[id].title, quote=True) if id in EXERCISES else ""
        return (
            f"<span style='color:{colour}; font-weight:{weight}; white-space:nowrap;"
            f" margin-right:1em' title='{title}: {'solved' if done else 'not yet'}'>"
            f"{self._marked(id)}</span>"
        )


def progress(directory: str | os.PathLike[str] = ".") -> Progress:
    """Which exercises are solved and how the quizzes went, chapter by chapter.

    They are remembered for you, not for a notebook: see `progress_store`.  Forget them with
    `reset_progress`.

    Args:
        directory: where the notebooks lie; the one a notebook runs in unless given.  Without any
            there, the exercises are listed all the same, by what they are about.
    """
    scores = all_answered()
    return Progress(_lines(directory, scores), set(all_solved()), scores)


def _lines(directory: str | os.PathLike[str], scores: Mapping[str, Answered]) -> list[Line]:
    found = chapters(directory)
    # Chapter 0 shows an exercise of chapter 2: it belongs to the last to ask for it.
    home = {id: chapter.notebook for chapter in found for id in chapter.exercises}
    if home:
        return [
            Line(
                os.path.relpath(os.path.join(directory, chapter.notebook)),
                chapter.title,
                [id for id in chapter.exercises if home[id] == chapter.notebook],
                chapter.quizzes,
            )
            for chapter in found
        ]
    kinds = dict.fromkeys([*map(_kind, EXERCISES), *scores])
    return [
        Line("", kind, [id for id in EXERCISES if _kind(id) == kind], [kind] * (kind in scores))
        for kind in kinds
    ]


def _kind(id: str) -> str:
    return id.partition("-")[0]
