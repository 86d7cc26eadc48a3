"""Claims a reader can check: `claim` says ✔ or what was seen; `expect` awaits a refusal."""

from __future__ import annotations

import ast
import errno as _errno
import inspect
import types
from collections.abc import Iterator
from contextlib import contextmanager

from nsedu.errors.arguments import whole_characters
from nsedu.errors.short_tracebacks import Brief


class ClaimFailed(Brief, AssertionError):
    """A claim that does not hold on this machine; says what was seen instead."""


def claim(text: str, condition: object) -> None:
    """Check a claim live: print ``✔ text`` if the condition holds.

    Args:
        text: the claim, as a statement ("the host kept its name").
        condition: anything; it holds if it is true.

    Raises:
        ClaimFailed: it does not hold; the message has the values of the names in the condition.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, the claim itself, not {text!r:.80}.")
    whole_characters("text", text, "strict")
    if condition:
        print(f"✔ {text}")
        return
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    seen = _seen(caller) if caller is not None else ""
    raise ClaimFailed(f"✘ {text}\n  seen: {seen or repr(condition)}")


def _seen(frame: types.FrameType) -> str:
    """The source of the claim's condition and the values of the plain names in it."""
    import executing

    call = executing.Source.executing(frame).node
    if not isinstance(call, ast.Call):
        return ""
    given = [k.value for k in call.keywords if k.arg == "condition"] or call.args[1:2]
    if not given:
        return ""
    # Names and attributes are looked up again; a call is not made a second time.
    called = {id(node.func) for node in ast.walk(given[0]) if isinstance(node, ast.Call)}
    values = {}
    for node in ast.walk(given[0]):
        if isinstance(node, ast.Name) and id(node) not in called:
            value = frame.f_locals.get(node.id, frame.f_globals.get(node.id, ...))
            if value is not ... and not isinstance(value, (types.ModuleType, type)):
                values[node.id] = value
    listed = ", ".join(f"{name} = {value!r:.200}" for name, value in values.items())
    return f"{ast.unparse(given[0])} is false" + (f", where {listed}" if listed else "")


@contextmanager
def expect(number: int, reason: str) -> Iterator[None]:
    """Await that the block is refused by the kernel with this errno, and say so.

    Args:
        number: the errno, for example ``errno.EINVAL``.
        reason: the rule behind it, with its source ("sethostname(2): longer than 64 bytes").

    Raises:
        ClaimFailed: nothing was refused, or with another errno.
    """
    name = _errno.errorcode.get(number) if isinstance(number, int) else None
    if name is None:
        raise ValueError(f"number must be an errno such as errno.EPERM, not {number!r:.80}.")
    whole_characters("reason", str(reason), "strict")
    try:
        yield
    except OSError as error:
        if error.errno != number:
            got = _errno.errorcode.get(error.errno or 0, error.errno)
            raise ClaimFailed(f"✘ refused with {name}\n  seen: {got}: {error}") from None
        print(f"✔ refused with {name}: {reason}")
    else:
        raise ClaimFailed(f"✘ refused with {name}\n  seen: nothing was refused")
