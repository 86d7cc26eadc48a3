"""What a function raised in a sandbox, as an exception that is safe to raise in the notebook.

Only Python's own exception classes are made, and of these only `Exception` and below: SystemExit
would end the notebook.  A class of a learner's comes back as one of the same name, derived from the
nearest of Python's own, without any code of its own.
"""

from __future__ import annotations

import builtins
from typing import Any

LONGEST_TEXT = 20_000  # characters of the text, and of each note
_MOST_NOTES = 100
_MOST_CLASSES = 1000  # that are ever made: each takes time and stays


class RaisedInside(Exception):
    """What a function raised in a sandbox and cannot be raised here as itself; says what it was."""


def rebuild(base: str, name: str, args: list[Any], text: str, notes: list[str]) -> Exception:
    """An exception from its parts, which may be anything.

    Args:
        base: the nearest of its classes that is Python's own.
        name: its class.
        args: its arguments, plain values.
        text: what str() makes of it.
        notes: what was added by add_note().

    Raises:
        ValueError: there is no such class, or its name is none.
    """
    cls = getattr(builtins, base, None)
    if not (isinstance(cls, type) and issubclass(cls, BaseException) and name.isidentifier()):
        raise ValueError("what was raised is not an exception")
    error = _make(cls, name[:100], args, text[:LONGEST_TEXT])
    for note in notes[:_MOST_NOTES]:
        error.add_note(note[:LONGEST_TEXT])
    return error


def _make(base: Any, name: str, args: list[Any], text: str) -> Exception:
    as_text = RaisedInside(f"{name}: {text}")
    if not issubclass(base, Exception) or (issubclass(base, UnicodeError) and not _in_range(args)):
        return as_text
    if issubclass(base, SyntaxError):  # whoever shows one opens the file that it names
        args = [text]
    try:
        error: Exception = (base if name == base.__name__ else _class(name, base))(*args)
    except Exception:  # arguments that this class does not take, or no further class
        return as_text
    if name != base.__name__:
        error.__dict__["_text"] = text
    return error


def _in_range(args: list[Any]) -> bool:
    """Whether the places that a UnicodeError names are in its text; it does not check them."""
    if len(args) < 4:
        return True
    whole = args[1] if type(args[1]) in (bytes, str) else args[0]
    start, end = args[-3], args[-2]
    if not (type(whole) in (bytes, str) and type(start) is int and type(end) is int):
        return False
    return 0 <= start < end <= len(whole)


classes: dict[tuple[str, type], type] = {}


def _class(name: str, base: type) -> type:
    if (name, base) not in classes:
        if len(classes) >= _MOST_CLASSES:
            raise ValueError("too many classes")
        made = {"__str__": lambda error: error._text, "__module__": "__main__"}
        classes[name, base] = type(name, (base,), made)
    return classes[name, base]
