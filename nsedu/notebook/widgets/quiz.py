"""The card of a quiz: questions of which each answer is explained, and the score."""

from __future__ import annotations

import threading
from typing import Any

import anywidget
import traitlets

from nsedu.learning.progress_store import record_quiz
from nsedu.notebook.quiz import parts, score
from nsedu.notebook.widgets.base import receive_while_cell_runs, script, style


class QuizWidget(anywidget.AnyWidget):
    """What JupyterLab shows of a quiz; one for each, however often it is shown.

    Attributes:
        label: its name.
        questions: of each "asked" and "answers", as lists of parts (`nsedu.notebook.quiz.parts`).
        tried: of each question the answers tried, by their place, in that order.
        said: of each question what there is to say of the last answer, as parts.
        right: of each question whether the last answer is right.
        score: how it went, once each question has been answered right; or "".
    """

    _esm = script("quiz")
    _css = style("quiz")
    label = traitlets.Unicode().tag(sync=True)
    questions: Any = traitlets.List().tag(sync=True)
    tried: Any = traitlets.List().tag(sync=True)
    said: Any = traitlets.List().tag(sync=True)
    right: Any = traitlets.List().tag(sync=True)
    score = traitlets.Unicode().tag(sync=True)

    def __init__(self, name: str, questions: list[dict[str, Any]]) -> None:
        self._all, self._lock = questions, threading.RLock()
        shown = [
            {
                "asked": parts(question["question"]),
                "answers": [parts(answer["answer"]) for answer in question["answers"]],
            }
            for question in questions
        ]
        super().__init__(label=name, questions=shown, **self._blank())
        receive_while_cell_runs(self)
        self.on_msg(self.receive)

    def _blank(self) -> dict[str, list[Any]]:
        count = len(self._all)
        return {"tried": [[]] * count, "said": [[]] * count, "right": [False] * count}

    def receive(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        """An answer that was clicked, or the wish to begin again."""
        with self._lock, self.hold_sync():
            if content.get("press") == "again":
                self.score = ""
                for name, value in self._blank().items():
                    setattr(self, name, value)
            elif {"question", "answer"} <= content.keys():
                self.choose(content["question"], content["answer"])

    def choose(self, number: int, place: int) -> None:
        """Answer one question, and say what there is to say of that."""
        answer = self._all[number]["answers"][place]
        self.tried = _with(self.tried, number, [*self.tried[number], place])
        self.said = _with(self.said, number, parts(answer["feedback"]))
        self.right = _with(self.right, number, bool(answer["correct"]))
        done = [self._is_right(question, tried) for question, tried in enumerate(self.tried)]
        if all(map(any, done)) and not self.score:
            first = sum(tries[0] for tries in done)
            self.score = score(first, len(done))
            record_quiz(self.label, first, len(done))

    def _is_right(self, number: int, tried: list[int]) -> list[bool]:
        return [bool(self._all[number]["answers"][place]["correct"]) for place in tried]


def _with(values: list[Any], place: int, value: Any) -> list[Any]:
    return [*values[:place], value, *values[place + 1 :]]


_cards: dict[str, QuizWidget] = {}


def card(name: str, questions: list[dict[str, Any]]) -> QuizWidget:
    """The card of a quiz in this kernel, with the answers that were given already."""
    found = _cards.get(name)
    if found is None or found.comm is None:  # none yet, or all widgets were closed
        found = _cards[name] = QuizWidget(name, questions)
    return found
