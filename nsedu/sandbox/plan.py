"""The arguments of a sandbox, checked before anything is made."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable
from typing import Any

from nsedu.errors.arguments import whole_characters
from nsedu.kernel import namespace_types
from nsedu.suggestions import nearest


def new_types(types: Iterable[str], user: bool | str, joined: Container[str]) -> list[str]:
    """The types to make, in catalogue order, with the user namespace that comes along.

    Raises:
        ValueError: a type or `user` is none of the accepted values, or there is nothing to make.
    """
    if user not in (True, False, "range"):
        what = f'user must be True, False or "range", not {user!r:.80}'
        meant = nearest(user, ("range",))
        raise ValueError(f"{what}; did you mean {meant!r}?" if meant else f"{what}.")
    names = {namespace_types.get(kind).name for kind in types}
    if not names and not joined:
        raise ValueError(
            f"name at least one namespace type: {', '.join(namespace_types.NAMES)};"
            " Sandbox(*nsedu.TYPES) makes all eight."
        )
    if user and "user" not in joined:
        names.add("user")
    return [kind for kind in namespace_types.NAMES if kind in names]


def check(
    new: list[str], joined: Container[str], hostname: Any, boottime: Any, monotonic: Any,
    timeout: Any,
) -> None:  # fmt: skip
    """Check the remaining arguments of a sandbox against the types it will have.

    Raises:
        TypeError, ValueError: naming the argument and what it accepts.
    """
    if hostname is not None:
        if not isinstance(hostname, str):
            raise TypeError(f"hostname must be a string, not {hostname!r}.")
        if "uts" not in new and "uts" not in joined:
            raise ValueError('hostname needs a UTS namespace: add "uts" to the types.')
        whole_characters("hostname", hostname)
        if not 0 < len(os.fsencode(hostname)) <= 64 or "\0" in hostname:
            raise ValueError(
                f"hostname must be 1 to 64 bytes long (sethostname(2)), none NUL, not {hostname!r}."
            )
    for argument, value in (("boottime", boottime), ("monotonic", monotonic)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{argument} must be a number of seconds, not {value!r}.")
        if not abs(value) < 1 << 62:
            raise ValueError(f"{argument} must be below 2**62 seconds, not {value!r}.")
        if "time" not in new:
            raise ValueError(f'{argument} needs a new time namespace: add "time" to the types.')
    seconds(timeout)


def name(given: Any) -> str:
    """The name of a sandbox.

    Raises:
        TypeError: it is no text; any text will do.
    """
    if not isinstance(given, str):
        raise TypeError(f"name must be a string, not {given!r:.80}.")
    return given


def seconds(timeout: Any, name: str = "timeout") -> float:
    """A timeout in seconds as a float.

    Args:
        timeout: what was given.
        name: what the argument is called, for the error.

    Raises:
        TypeError, ValueError: it is no number, or not above zero.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {timeout!r:.80}.")
    if not 0 < timeout < 1e7:
        raise ValueError(f"{name} must be above zero and below 10 000 000 s, not {timeout!r:.80}.")
    return float(timeout)
