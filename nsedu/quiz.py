"""Quizzes about what people often get wrong: shown by jupyterquiz, or printed."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from nsedu import front

_HERE = Path(__file__).parent / "quizzes"
_DRESS = Path(__file__).parent / "widgets"
_LETTERS = "abcdefgh"


def quiz(name: str, *, answers: bool = False) -> None:
    """A short quiz about what a chapter told, and what is often got wrong.

    In JupyterLab one clicks on an answer and is told why it is right or wrong. Elsewhere the
    questions are printed.

    Args:
        name: a type's, such as "uts"; or "basics", "kernel" or "cost".
        answers: print the questions with what there is to say of each answer.

    Raises:
        ValueError: there is no such quiz; the message lists them.
    """
    questions = load(name)
    if answers or not front.interactive():
        print(as_text(questions, answers))
        return
    from IPython.display import HTML, Javascript, display
    from jupyterquiz import display_quiz

    display(HTML(f"<style>{(_DRESS / 'quiz.css').read_text()}</style>"))
    display_quiz(questions, shuffle_answers=False, max_width=760)
    display(Javascript((_DRESS / "quiz.js").read_text()))


def names() -> list[str]:
    """The quizzes there are."""
    return sorted(path.stem for path in _HERE.glob("*.json"))


def load(name: str) -> list[dict[str, Any]]:
    """The questions of a quiz, in the form that jupyterquiz wants.

    Raises:
        ValueError: there is no such quiz.
    """
    if name not in names():
        raise ValueError(f"there is no quiz {name!r}; there are: {', '.join(names())}.")
    found: list[dict[str, Any]] = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


def as_text(questions: list[dict[str, Any]], answers: bool = False) -> str:
    """The questions with their answers by letters; if asked for, with what is to be said of each.

    Args:
        questions: from `load`.
        answers: whether to say which are right, and why.
    """
    lines = []
    for number, question in enumerate(questions, 1):
        lines.append(f"{number}. {_plain(question['question'])}")
        for letter, answer in zip(_LETTERS, question["answers"], strict=False):
            mark = ("✔" if answer["correct"] else "✘") + " " if answers else ""
            lines.append(f"   {mark}{letter}) {_plain(answer['answer'])}")
            if answers:
                lines.append(f"        {_plain(answer['feedback'])}")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text without the marks of jupyterquiz: links are their words, code is in backticks."""
    text = re.sub(r"\[(.*?)\]\(http.*?\)", r"\1", text)
    return html.unescape(re.sub(r"</?code>", "`", text))
