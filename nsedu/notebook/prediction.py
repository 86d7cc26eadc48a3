"""Answer before the kernel does: a prediction, and its grading by what the kernel then says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from nsedu.errors import arguments
from nsedu.errors.namespace_error import own_pid
from nsedu.kernel.namespace_types import ALSO, LINKS
from nsedu.notebook import front_end
from nsedu.sandbox.sandbox import Sandbox
from nsedu.suggestions import no_such

_LINKS_QUESTION = "Which of the ten links of /proc/self/ns will differ?"
_KEPT = "\N{NO-BREAK SPACE}"  # where no line may end
_YES_OR_NO = ("yes", "no")


_guesses: dict[tuple[str, tuple[str, ...], bool], list[str]] = {}
"""Question → what was ticked or typed last, so that Run All does not lose it."""


class Prediction:
    """A question, the learner's guess, and later what the kernel said.

    Attributes:
        question: what is asked.
        choices: what can be ticked; empty if the answer is typed.
        several: whether several of them can be right.
        right: whether the guess was right; None before it is graded and without a guess.
    """

    def __init__(
        self, question: str, choices: Sequence[str], several: bool, guess: Iterable[str]
    ) -> None:
        self.question, self.choices, self.several = question, tuple(choices), several
        self.right: bool | None = None
        self._guess = list(guess)
        self._before = _links(own_pid()) if self.choices == LINKS else {}
        self._widget: Any = None

    @property
    def guess(self) -> list[str]:
        """What the learner ticked or typed, up to now."""
        return list(self._guess if self._widget is None else self._widget.guess)

    def grade(self, told: Any, within: float | None = None) -> None:
        """Compare the guess with what the kernel says, and say how it went.

        A wrong guess is no error: that is what guesses are for. To grade once more is fine, too.

        Args:
            told: for links a sandbox, or the host-side pid of a process: its links are compared
                with those that this notebook had when it asked. Otherwise the answer itself, as
                found out just now: one choice, several, or what was to be typed; where the
                choices are "yes" and "no", also True and False.
            within: for a measured number: the factor by which a guess may be off.

        Raises:
            ValueError: the answer is none of the choices, or there is no such process; or
                ``within`` is below 1.
            TypeError: for links, it is neither a sandbox nor a pid.
        """
        if within is not None:
            if isinstance(within, bool) or not isinstance(within, int | float):
                raise TypeError(f"within must be a number, not {within!r:.80}.")
            if not within >= 1:
                raise ValueError(f"within is a factor of at least 1, not {within!r}.")
        answer = self._answer(told)
        guess = self.guess
        self.right, sentence = self._compare(guess, answer, within)
        mark = {True: "✔", False: "…", None: "·"}[self.right]
        print(front_end.wrapped(f"{mark} {self.question}", "  "))
        print(front_end.wrapped(f"{sentence[0].upper()}{sentence[1:]}", "  ", "  "))
        if self._widget is not None:
            marks = {c: "missed" for c in answer} | {c: "wrong" for c in guess}
            marks |= dict.fromkeys(set(guess) & set(answer), "hit")
            with self._widget.hold_sync():
                self._widget.marks, self._widget.right = marks, bool(self.right)
                self._widget.said = f"{mark} {sentence}"

    def _answer(self, told: Any) -> list[str]:
        if self._before:
            return _changed(self._before, told)
        if isinstance(told, bool) and self.choices == _YES_OR_NO:
            told = _YES_OR_NO[not told]
        several = self.several and not isinstance(told, str)
        answer = _words("told", told) if several else _words("told", [told])
        for one in answer:
            if self.choices and one not in self.choices:
                raise ValueError(_none_of(one, self.choices))
        return [c for c in self.choices if c in answer] or answer

    def _compare(
        self, guess: list[str], answer: list[str], within: float | None
    ) -> tuple[bool | None, str]:
        about = "" if within is None else "≈ "  # another number each time
        what = "the kernel changed" if self._before else "the answer is:"
        truth = f"{what} {about}{_and(answer)}"
        if not guess:
            return None, f"you made no guess; {truth}"
        right = _same(guess, answer, within)
        if right and guess == answer:
            return True, f"you said {_and(guess)}, and so it is"
        return right, f"you said {_and(guess)}; {truth}"

    def _show(self) -> None:
        front_end.show(str(self), self._make_widget)

    def _make_widget(self) -> Any:
        from nsedu.notebook.widgets.prediction import PredictionWidget

        kind = "many" if self.several else "one" if self.choices else "typed"
        asked = self.question, self.choices, self.several
        self._guess = self._guess or _guesses.get(asked, [])
        self._widget = PredictionWidget(
            question=self.question, kind=kind, choices=list(self.choices), guess=self._guess
        )
        self._widget.observe(lambda change: _guesses.update({asked: change.new}), "guess")
        return self._widget

    def _ipython_display_(self) -> None:
        """Nothing: at the end of a cell it has been shown already."""

    def __str__(self) -> str:
        left, right = "[]" if self.several else "()"
        lines = [front_end.wrapped(f"? {self.question}", "  ")]
        boxes = [f"{left}{'x' if c in self.guess else ' '}{right} {c}" for c in self.choices]
        if boxes:
            joined = "   ".join(box.replace(" ", _KEPT) for box in boxes)
            lines.append(front_end.wrapped(joined, "  ", "  ").replace(_KEPT, " "))
        elif self.guess:
            lines.append(f"  {self.guess[0]}")
        return "\n".join(lines)


def predict(
    question: str = "",
    choices: Iterable[Any] = (),
    *,
    links: bool | Iterable[str] = False,
    several: bool = False,
    guess: Any = None,
) -> Prediction:
    """Ask the learner for a guess, which ``.grade(...)`` compares with what the kernel says later.

    In JupyterLab the question is shown with boxes to tick or a line to type in. Elsewhere it is
    printed, and whoever wants to answer gives the guess here: ``predict(links=["uts"])``,
    ``predict("Does it die?", ["yes", "no"], guess="no")``.

    Args:
        question: what is asked; for links there is one ready.
        choices: the answers to choose from; none: the answer is typed.
        links: True to ask which of the ten links of /proc/PID/ns will differ (namespaces(7)); names
            of links to answer that at once.
        several: whether several choices can hold.
        guess: the answer, given at once: one choice, several, or what would be typed.

    Raises:
        ValueError: there is no question, or the guess names none of the choices.
        TypeError: ``links`` comes with choices, or the choices are no list.
    """
    if isinstance(choices, str):
        raise TypeError(f'choices must be a list such as ["yes", "no"], not {choices!r}.')
    if links:
        if choices:
            raise TypeError("links brings its own choices; leave out one of the two.")
        choices, several = LINKS, True
        guess = guess if links is True else links
    if not question and not links:
        raise ValueError('ask something: predict("Does it die?", ["yes", "no"]).')
    arguments.whole_characters("question", str(question), "strict")
    names = _words("choices", choices)
    one = isinstance(guess, str) or not several
    what = "links" if links else "guess"
    guesses = [] if guess is None else _words(what, [guess] if one else guess)
    for name in guesses:
        if names and name not in names:
            raise ValueError(_none_of(name, names))
    guesses = [name for name in names if name in guesses] or guesses
    made = Prediction(question or _LINKS_QUESTION, names, several, guesses)
    made._show()
    return made


def _none_of(word: str, choices: Sequence[str]) -> str:
    others = ALSO if tuple(choices) == LINKS else {}
    return no_such(f"{word!r:.80} is none of the choices", word, choices, others, "")


def _words(name: str, given: Any) -> list[str]:
    """A list of answers, each as the text that it is shown as."""
    if isinstance(given, bool) or not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a list of answers, not {given!r:.80}.")
    return [arguments.whole_characters(name, str(one), "strict") for one in given]


def _links(pid: int | str) -> dict[str, str]:
    """The texts of the links of /proc/PID/ns that exist."""
    found = {}
    for link in LINKS:
        try:
            found[link] = os.readlink(f"/proc/{pid}/ns/{link}")
        except FileNotFoundError:
            if not os.path.exists(f"/proc/{pid}"):
                raise ValueError(
                    f"there is no process {pid}; it has ended, or never was."
                ) from None
        except PermissionError:
            raise ValueError(
                f"the links of process {pid} may not be read: it is somebody else's"
                " (namespaces(7), PTRACE_MODE_READ_FSCREDS); name one of yours."
            ) from None
    return found


def _changed(before: dict[str, str], told: Any) -> list[str]:
    pid = told.pid if isinstance(told, Sandbox) else told
    if isinstance(pid, bool) or not isinstance(pid, int):
        raise TypeError(f"told must be a sandbox or a pid, not {told!r:.80}.")
    now = _links(pid)
    return [link for link in LINKS if now.get(link) != before.get(link)]


def _same(guess: list[str], answer: list[str], within: float | None) -> bool:
    if within is None or len(guess) != 1 or len(answer) != 1:
        return [g.casefold() for g in guess] == [a.casefold() for a in answer]
    try:
        one, other = float(guess[0]), float(answer[0])
    except ValueError:
        return False
    return one > 0 and other > 0 and max(one / other, other / one) <= within


def _and(words: Sequence[str]) -> str:
    if not words:
        return "none of them"
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
