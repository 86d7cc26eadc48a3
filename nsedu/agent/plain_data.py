"""What a function run in a sandbox returns or raises, as data: JSON that is safe to decode.

Whatever is in a sandbox may be hostile, and unpickling runs what the pickle names.  So results of
`Sandbox.call` travel as JSON.  An array is a list; an object has one key, which says what its value
stands for: ``{"t": [1, 2]}`` is a tuple.  The decoder makes the types listed here and no others,
calls nothing that the data names, and refuses what would take it long or much memory.
"""

from __future__ import annotations

import binascii
import builtins
import importlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from nsedu.agent import raised

LONGEST = 64 << 20  # bytes of a result
DEEPEST = 60  # containers, one in the other
MOST = 4_000_000  # values, separators and brackets
_MOST_ALIKE = 32  # keys with the same hash: pairs of -1 and -2 have one by chance
_DIGITS = 25  # in a row: no float and no int of 64 bits is written with so many

WORDS = (
    "None, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset,"
    " os.stat_result and the like, or an exception"
)
"""What may be returned, for errors."""

_STRUCTURES: dict[str, Any] = {
    "os.stat_result": os.stat_result,
    "os.statvfs_result": os.statvfs_result,
    "os.terminal_size": os.terminal_size,
    "os.times_result": os.times_result,
    "os.uname_result": os.uname_result,
    "time.struct_time": time.struct_time,
}
_NAMES = {cls: name for name, cls in _STRUCTURES.items()}
_RECORDS = (
    "nsedu.kernel.mountinfo.Mount",
    "nsedu.kernel.id_maps.IdRange",
    "nsedu.sandbox.Namespace",
)

_INSTEAD: tuple[tuple[type, str], ...] = (
    (tuple, "return tuple(value) instead"),
    (list, "return list(value) instead"),
    (dict, "return dict(value) instead"),
    (os.PathLike, "return str(value) instead"),
    (memoryview, "return bytes(value) instead"),
)


# Encoding, inside


def dumps(worked: bool, value: Any) -> bytes:
    """A result, encoded.

    Args:
        worked: whether the function returned; otherwise it raised.
        value: what it returned, or the exception.

    Raises:
        TypeError: the value holds what may not be returned; the message says what.
    """
    text = json.dumps([worked, _Encoder().encode(value)], separators=(",", ":"), ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > LONGEST:
        raise TypeError(f"it takes {len(data) >> 20} MiB, and {LONGEST >> 20} MiB is the most")
    return data


class _Encoder:
    def __init__(self) -> None:
        self.room = MOST // 4  # a value takes up to four separators and brackets

    def encode(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind is str or kind is float or kind is bool or value is None:
            return value
        if kind is int:
            return value if -(1 << 63) <= value < 1 << 63 else {"i": hex(value)}
        if kind is list:
            return self.each(value, depth)
        if kind is tuple:
            return {"t": self.each(value, depth)}
        if kind is dict:
            return {"d": self.each(value.items(), depth, self.pair)}
        if kind is bytes or kind is bytearray:
            text = binascii.b2a_base64(value, newline=False).decode()
            return {"b" if kind is bytes else "ba": text}
        if kind is set or kind is frozenset:
            return {"s" if kind is set else "f": self.each(value, depth)}
        if kind is complex:
            return {"c": [value.real, value.imag]}
        return self.rest(value, kind, depth)

    def rest(self, value: Any, kind: type, depth: int) -> Any:
        if kind in _NAMES:
            _, (fields, hidden) = value.__reduce__()
            return {"r": [_NAMES[kind], list(fields), self.encode(hidden, depth + 1)]}
        if issubclass(kind, BaseException):
            return {"x": self.exception(value, kind, depth)}
        if issubclass(kind, int):  # an enum's member, say
            return self.encode(int.__int__(value), depth)
        if issubclass(kind, float):
            return float.__float__(value)
        if issubclass(kind, str):
            return str.__str__(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in _RECORDS and issubclass(kind, tuple):
            return {"r": [name, self.each(value, depth), {"d": []}]}
        advice = next((words for cls, words in _INSTEAD if issubclass(kind, cls)), "")
        raise TypeError(
            f"it {'holds a value' if depth else 'is'} of type {name.removeprefix('builtins.')};"
            f" {advice or 'return the parts of it that you need'}"
        )

    def each(
        self, values: Iterable[Any], depth: int, encode: Callable[[Any, int], Any] | None = None
    ) -> list[Any]:
        if depth >= DEEPEST:
            raise TypeError(f"it is nested more than {DEEPEST} deep")
        encode = encode or self.encode
        found = [encode(value, depth + 1) for value in values]
        self.room -= len(found)
        if self.room < 0:
            raise TypeError(f"it holds more than {MOST // 4} values")
        return found

    def pair(self, pair: tuple[Any, Any], depth: int) -> list[Any]:
        return [self.encode(pair[0], depth), self.encode(pair[1], depth)]

    def exception(self, error: BaseException, kind: type, depth: int) -> list[Any]:
        base = next(cls for cls in kind.__mro__ if getattr(builtins, cls.__name__, None) is cls)
        args = list(error.args)
        if isinstance(error, OSError) and len(args) == 2 and error.filename is not None:
            args += [error.filename, None, error.filename2]
        notes = [_text(note) for note in getattr(error, "__notes__", ())]
        sent = self.each(args, depth, self.argument)
        return [base.__name__, kind.__name__, sent, _text(error), notes]

    def argument(self, value: Any, depth: int) -> Any:
        try:
            return self.encode(value, depth)
        except TypeError:  # it is only to be read
            return _text(value, repr)


def _text(value: object, convert: Callable[[object], str] = str) -> str:
    """What a value says of itself; saying it may fail."""
    try:
        return str.__str__(convert(value))[: raised.LONGEST_TEXT]
    except BaseException as error:
        return f"<{type(value).__name__}, whose text raises {type(error).__name__}>"


def refusal(worked: bool, value: object, refused: BaseException) -> TypeError:
    """The error for what cannot be sent back, to be raised in its stead."""
    text = _text(value, repr)
    short = text if len(text) <= 100 else f"{text[:99]}…"
    verb = "returned" if worked else "raised"
    return TypeError(
        f"the function {verb} {short}, which cannot leave the sandbox: {_text(refused)}."
        f" What can is {WORDS}."
    )


# Decoding, in the notebook


def loads(data: bytes | bytearray) -> tuple[bool, Any]:
    """Decode a result: whether the function returned, and the value or the exception.

    Raises:
        ValueError: these bytes are no result; the message says why.
    """
    try:
        _check_shape(data)
        answer = _DECODER.decode(data.decode("utf-8", "surrogatepass"))
    except Exception as error:  # whatever part of it first found it wrong
        raise ValueError(str(error)[:200]) from None
    _require(type(answer) is list and len(answer) == 2, "it is not a pair")
    worked, value = answer
    _require(type(worked) is bool, "it does not say whether it worked")
    _require(worked or isinstance(value, Exception), "what was raised is not an exception")
    return worked, value


def collect(data: bytearray, what: str) -> Callable[[bytes], None]:
    """A sink that gathers a result as it comes.

    Args:
        data: where to.
        what: whose result it is, for the error.

    Raises:
        TypeError: (the sink) it is longer than a result may be.
    """

    def sink(more: bytes) -> None:
        data.extend(more)
        if len(data) > LONGEST:
            raise TypeError(
                f"{what} sent more than {LONGEST >> 20} MiB as its result, so it was ended; return"
                " less, or write it into a file inside."
            )

    return sink


def _require(condition: bool, what: str = "a value is not what its tag says") -> None:
    if not condition:
        raise ValueError(what)


_SHAPE = bytes.maketrans(b"{}123456789", b"[]000000000")
_NO_BRACKETS = bytes(set(range(256)) - {*b"[]"})


def _check_shape(data: bytes | bytearray) -> None:
    """Refuse beforehand what is too long, too much or too deep, or holds an endless number."""
    _require(len(data) <= LONGEST, f"it is longer than {LONGEST >> 20} MiB")
    unescaped = data.replace(rb"\\", b"").replace(rb"\"", b"")
    _require(unescaped.count(b'"') <= 2 * MOST, "it holds too many values")
    outside = b"".join(unescaped.split(b'"')[::2]).translate(_SHAPE)  # of strings
    _require(outside.count(b",") + outside.count(b"[") <= MOST, "it holds too many values")
    _require(b"0" * _DIGITS not in outside, "a number is too long")
    brackets = outside.translate(None, _NO_BRACKETS)
    steps = map(ord("\\").__sub__, brackets)  # which is between the two: 1 for "[", -1 for "]"
    _require(max(accumulate(steps), default=0) <= 3 * DEEPEST + 4, "it is nested too deep")


def _object(pairs: list[tuple[str, Any]]) -> Any:
    _require(len(pairs) == 1 and pairs[0][0] in _TAGS, "a tag is unknown")
    return _TAGS[pairs[0][0]](pairs[0][1])


def _list(value: Any, length: int | None = None) -> list[Any]:
    _require(type(value) is list and length in (None, len(value)))
    found: list[Any] = value
    return found


def _keys(keys: list[Any]) -> list[Any]:
    """Refuse keys chosen to share a hash: the time to store them grows with their square."""
    hashes = list(map(hash, keys))
    if len(set(hashes)) < len(hashes):
        _require(max(Counter(hashes).values()) <= _MOST_ALIKE, "keys collide")
    return keys


def _set(value: Any) -> set[Any]:
    found = set(_keys(_list(value)))
    _require(len(found) == len(value), "a key is there twice")
    return found


def _dict(value: Any) -> dict[Any, Any]:
    pairs = [_list(pair, 2) for pair in _list(value)]
    found = dict(zip(_keys([key for key, _ in pairs]), (v for _, v in pairs), strict=True))
    _require(len(found) == len(pairs), "a key is there twice")
    return found


def _bytes(value: Any) -> bytes:
    _require(type(value) is str)
    return binascii.a2b_base64(value, strict_mode=True)


def _complex(value: Any) -> complex:
    real, imaginary = _list(value, 2)
    _require(type(real) is float and type(imaginary) is float)
    return complex(real, imaginary)


def _int(value: Any) -> int:
    _require(type(value) is str)
    return int(value, 16)


_SCALARS = (int, float, str, type(None))


def _record(value: Any) -> Any:
    name, fields, hidden = _list(value, 3)
    _require(type(name) is str and type(fields) is list and type(hidden) is dict)
    if name in _STRUCTURES:
        _require(all(type(item) in _SCALARS for item in (*fields, *hidden.values())))
        return _STRUCTURES[name](fields, hidden)
    _require(name in _RECORDS)
    module, _, short = name.rpartition(".")
    cls = getattr(importlib.import_module(module), short)
    _require(len(fields) == len(cls._fields))
    return tuple.__new__(cls, fields)


def _exception(value: Any) -> Exception:
    base, name, args, text, notes = _list(value, 5)
    _require(all(type(word) is str for word in (base, name, text, *_list(notes))))
    return raised.rebuild(base, name, _list(args), text, notes)


_TAGS: dict[str, Callable[[Any], Any]] = {
    "b": _bytes, "ba": lambda value: bytearray(_bytes(value)), "c": _complex, "d": _dict,
    "f": lambda value: frozenset(_set(value)), "i": _int, "r": _record, "s": _set,
    "t": lambda value: tuple(_list(value)), "x": _exception,
}  # fmt: skip
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=float)  # a NaN is no other
