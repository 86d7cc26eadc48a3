"""Quizzes about what people often get wrong: a card to click on, or printed; the score is kept."""

from __future__ import annotations

import functools
import html
import json
import re
from pathlib import Path
from typing import Any

from nsedu.kernel.namespace_types import ALSO
from nsedu.learning.progress_store import record_quiz
from nsedu.notebook import front_end
from nsedu.printable import clean
from nsedu.suggestions import no_such

_HERE = Path(__file__).parent.parent / "learning" / "quizzes"
_LETTERS = "abcdefgh"
_MARK = re.compile(r"<code>(?P<code>.*?)</code>|\[(?P<words>.*?)\]\((?P<link>https?://[^)\s]+)\)")


def quiz(name: str, *, answers: bool = False, guess: str | None = None) -> None:
    """A short quiz about what a chapter told, and what is often got wrong.

    In JupyterLab one clicks on an answer and is told why it is right or wrong. Elsewhere the
    questions are printed, and are answered by a letter each: ``quiz("uts", guess="cb")``. How many
    were right at the first try is kept, the best of several times; see `progress`.

    Args:
        name: a type's, such as "uts"; or "basics", "kernel" or "cost".
        answers: print the questions with what there is to say of each answer.
        guess: the letters of the answers, one for each question.

    Raises:
        ValueError: there is no such quiz, and the message lists them; or the letters of the guess
            are not those of answers.
    """
    questions = load(name)
    if guess is not None:
        _grade(name, questions, guess)
    elif answers:
        print(as_text(questions, answers))
    else:
        front_end.show(as_text(questions), functools.partial(_card, name, questions))


def names() -> list[str]:
    """The quizzes there are."""
    return sorted(path.stem for path in _HERE.glob("*.json"))


def load(name: str) -> list[dict[str, Any]]:
    """The questions of a quiz: "question" and "answers", of each "answer", "correct", "feedback".

    Texts mark code by <code> and links as Markdown does.

    Raises:
        ValueError: there is no such quiz.
    """
    if not isinstance(name, str) or name not in names():
        raise ValueError(no_such(f"there is no quiz {name!r:.80}", name, names(), ALSO))
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
        lines.append(front_end.wrapped(f"{number}. {_plain(question['question'])}", "   "))
        for letter, answer in zip(_LETTERS, question["answers"], strict=False):
            mark = ("✔" if answer["correct"] else "✘") + " " if answers else ""
            choice = f"{mark}{letter}) {_plain(answer['answer'])}"
            lines.append(front_end.wrapped(choice, " " * 6, " " * 3))
            if answers:
                lines.append(front_end.wrapped(_plain(answer["feedback"]), " " * 8, " " * 8))
    return "\n".join(lines)


def parts(text: str) -> list[dict[str, str]]:
    """A text as the card shows it: pieces of "text", of "code", and of "text" with its "link"."""
    found, done = [], 0
    for mark in _MARK.finditer(text):
        found.append({"text": html.unescape(text[done : mark.start()])})
        if mark["code"] is not None:
            found.append({"code": html.unescape(mark["code"])})
        else:
            found.append({"text": html.unescape(mark["words"]), "link": mark["link"]})
        done = mark.end()
    found.append({"text": html.unescape(text[done:])})
    return [part for part in found if part.get("text") or part.get("code")]


def _plain(text: str) -> str:
    """Text without marks: links are their words, code is in backticks."""
    return "".join(f"`{part['code']}`" if "code" in part else part["text"] for part in parts(text))


def _grade(name: str, questions: list[dict[str, Any]], guess: object) -> None:
    """Print what there is to say of the answers given, and keep the score."""
    offered = [_LETTERS[: len(question["answers"])] for question in questions]
    letters = guess.replace(" ", "").lower() if isinstance(guess, str) else ""
    if len(letters) != len(offered) or not all(map(str.__contains__, offered, letters)):
        each = ", ".join(f"{given[0]} to {given[-1]}" for given in offered)
        raise ValueError(
            f"guess must be {len(offered)} letters, one for each question ({each}),"
            f" not {guess!r:.80}."
        )
    right = 0
    for number, (question, letter) in enumerate(zip(questions, letters, strict=True), 1):
        answer = question["answers"][_LETTERS.index(letter)]
        right += answer["correct"]
        mark = "✔" if answer["correct"] else "✘"
        print(f"{mark} {number}{letter}) {_plain(answer['feedback'])}")
    print(score(right, len(questions)))
    if not front_end.unattended():
        record_quiz(name, right, len(questions))


def score(right: int, of: int) -> str:
    """A score as a sentence."""
    return f"{right} of {of} right at the first try."


def _card(name: str, questions: list[dict[str, Any]]) -> Any:
    from nsedu.notebook.widgets.quiz import card

    return card(clean(name), questions)
