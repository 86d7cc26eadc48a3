"""Checks of arguments that several functions share, made before anything is created."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any


def command(cmd: str | Sequence[str]) -> list[str]:
    """A command as an argument list: a string is bash's, a list is executed as it is.

    A string is for ``bash -euo pipefail``, as a cell of ``%%inside`` is: in ``a; b; c``, what fails
    ends it, and its status is the status of the whole.

    Raises:
        TypeError, ValueError: it is neither, or empty.
    """
    if isinstance(cmd, str):
        return ["bash", "-euo", "pipefail", "-c", text("cmd", cmd)]
    if not isinstance(cmd, (list, tuple)) or not all(
        isinstance(w, (str, os.PathLike)) for w in cmd
    ):
        raise TypeError(f"cmd must be a string for bash or a list of strings, not {cmd!r:.80}.")
    words = [text(f"cmd[{i}]", os.fspath(word)) for i, word in enumerate(cmd)]
    if not words or not words[0]:
        raise ValueError("cmd is empty: name the program to run.")
    return words


def check_input(input: Any) -> None:
    """What a command is to read on its standard input: a text or None.

    Raises:
        TypeError, ValueError: it is neither.
    """
    if input is not None and not isinstance(input, str):
        raise TypeError(f"input must be a string or None, not {input!r:.80}.")
    whole_characters("input", input or "", "strict")


def text(name: str, value: Any) -> str:
    """A string that a program can be given: no NUL, no half characters.

    Args:
        name: what the argument is called, for the error.
        value: what was given.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r:.80}.")
    if "\0" in value:
        raise ValueError(f"{name} must not contain a NUL character.")
    return whole_characters(name, value)


def path(name: str, value: Any) -> str:
    """A path of the file system, as a string.

    Args:
        name: what the argument is called, for the error.
        value: what was given.

    Raises:
        TypeError, ValueError: it is none.
    """
    given = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(given, str):
        raise TypeError(f'{name} must be a path such as "/mnt", not {value!r:.80}.')
    return text(name, given)


def whole_characters(name: str, value: str, errors: str = "surrogateescape") -> str:
    """A string without lone surrogates, but for those by which Python spells bytes of a file name.

    Args:
        name: what the argument is called, for the error.
        value: what was given.
        errors: "strict" where a file name is not meant.

    Raises:
        ValueError: it has one.
    """
    try:
        value.encode("utf-8", errors)
    except UnicodeEncodeError as error:
        half = ascii(value[error.start])
        raise ValueError(
            f"{name} must be whole characters: {half} at {error.start} is a lone surrogate."
        ) from None
    return value


def count(name: str, value: Any) -> int:
    """A number of bytes and the like: a whole number above zero.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r:.80}.")
    if not 0 < value < 1 << 62:
        raise ValueError(f"{name} must be above zero and below 2**62, not {value!r:.80}.")
    return value


def signal_number(value: Any) -> int:
    """The number of a signal; 0 sends none (kill(2)).

    Raises:
        TypeError, ValueError: there is no such signal.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"number must be a signal's, as signal.SIGTERM, not {value!r:.80}.")
    if not 0 <= value < signal.NSIG:
        raise ValueError(f"number must be a signal's, 1 to {signal.NSIG - 1}, not {value!r:.80}.")
    return int(value)
