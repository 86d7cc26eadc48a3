"""Ctrl-C: put off while something is made or taken down, let in while it is awaited.

Python raises KeyboardInterrupt between any two steps: a descriptor that was just made, or a process
that was just started, would have no owner yet.  Signals are handled by the main thread alone, so in
others there is nothing to put off.
"""

from __future__ import annotations

import functools
import signal
import threading
import types
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

SENTENCE = "KeyboardInterrupt: stopped; what was running in a sandbox or beside it has been ended."


class held:
    """A block in which an interrupt waits: for its end, or for `awaiting` in it.

    Args:
        closing: whether it is not let in by `awaiting`, for half a clean-up is none.
    """

    _outermost: held | None = None
    _waiting = _pending = False

    def __init__(self, closing: bool = False) -> None:
        self._closing = closing
        self._before: Any = None
        self._closing_before = False

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        if held._outermost is None:
            self._before = signal.getsignal(signal.SIGINT)
            if callable(self._before):
                held._waiting = held._pending = False
                signal.signal(signal.SIGINT, _on_interrupt)  # may raise one that came just before
                held._outermost = self
        elif self._closing and not held._outermost._closing:
            held._outermost._closing = self._closing_before = True

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._closing_before and held._outermost is not None:
            held._outermost._closing = False
        if held._outermost is not self:
            return
        try:
            try:
                signal.signal(signal.SIGINT, self._before)  # may raise one that came just after
            finally:
                pending = held._pending
                held._outermost, held._pending = None, False
            if pending:
                self._before(signal.SIGINT, None)
        except KeyboardInterrupt as late:
            _shorten(late)
            raise late from None
        if isinstance(error, KeyboardInterrupt):
            _shorten(error)


def whole(function: Function) -> Function:
    """A function whose every call is a `held` block."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with held():
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def closing(function: Function) -> Function:
    """A function whose every call is a `held` block of `closing`."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with held(closing=True):
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


class awaiting:
    """A wait in a `held` block, which an interrupt ends at once."""

    def __enter__(self) -> None:
        outermost = held._outermost
        if outermost is None or outermost._closing:
            return
        if threading.current_thread() is threading.main_thread():
            held._waiting = True
            if held._pending:
                _on_interrupt(signal.SIGINT, None)

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            held._waiting = False


def _on_interrupt(number: int, frame: types.FrameType | None) -> None:
    # A wait may have something closed in it: by the garbage collector.
    closing = held._outermost is not None and held._outermost._closing
    if not held._waiting or closing:
        held._pending = True
        return
    held._waiting = held._pending = False
    raise KeyboardInterrupt


def _shorten(error: KeyboardInterrupt) -> None:
    """Have IPython show one sentence, where the trace would be of our own lines."""
    error._render_traceback_ = lambda: [SENTENCE]  # type: ignore[attr-defined]
