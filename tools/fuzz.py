"""Fuzz what decodes bytes that come from inside a sandbox.

    .venv/bin/python tools/fuzz.py results 600    # seconds; or: trees, messages, errors

needs atheris, which is no dependency of the course: ``.venv/bin/python -m pip install atheris``.
It ends with libFuzzer's own count of runs; a finding ends it at once, with the bytes in a file.
The same checks run in the tests, on what hypothesis thinks of; NSEDU_EXAMPLES=100000 in the
environment makes it think longer.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nsedu.agent import plain_data, raised
from nsedu.agent import protocol as table
from nsedu.errors import explain, namespace_error, rules
from nsedu.kernel import mountinfo
from nsedu.kernel.id_maps import IdRange
from nsedu.notebook.cells import python_cell
from nsedu.sandbox.sandbox import Namespace

HARMLESS: tuple[type, ...] = (
    bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, type(None),
    os.stat_result, os.statvfs_result, os.terminal_size, os.times_result, os.uname_result,
    time.struct_time, mountinfo.Mount, IdRange, Namespace,
)  # fmt: skip
_MODULES = ("builtins", "__main__", "nsedu.agent.raised")  # of exceptions


def check_result(data: bytes) -> None:
    """A result is plain data or a ValueError, whatever the bytes are.

    Raises:
        AssertionError: it is something else.
    """
    try:
        worked, found = plain_data.loads(data)
    except ValueError:
        return
    assert worked or isinstance(found, Exception)
    todo = [found]
    for value in todo:
        if isinstance(value, Exception):
            assert type(value).__module__ in _MODULES, type(value)
            todo += value.args
        else:
            assert type(value) in HARMLESS, type(value)
        if type(value) is dict:
            todo += [*value, *value.values()]
        elif isinstance(value, (list, tuple, set, frozenset)):
            todo += value
    str(found)
    repr(found)


def check_message(data: bytes, descriptors: int = 0) -> None:
    """A message has the fields that the table gives it, or it is wrong, whatever the bytes are.

    Raises:
        AssertionError: it is something else.
    """
    try:
        name, fields = table.decode(data, descriptors, *table.TABLE)
    except table.Wrong:
        return
    assert list(fields) == [field[0] for field in table.TABLE[name][0]]
    assert all(type(value) in (int, str) for value in fields.values())
    if name == "failed":
        error = explain.error(explain.heard(fields))
        assert isinstance(error, namespace_error.NamespaceError)
        assert str(error).replace("\n", "").isprintable()


def check_error(data: bytes) -> None:
    """The error of a cell is a CellFailed with texts in it, whatever the bytes are.

    Raises:
        AssertionError: it is something else.
    """
    error = python_cell.failure(data)
    assert all(type(text) is str for text in error._render_traceback_())


_TAGS = ["t", "d", "s", "f", "b", "ba", "c", "i", "r", "x", "q"]
_WORDS = ["ValueError", "OSError", "UnicodeDecodeError", "SyntaxError", "SystemExit", "eval",
          "ExceptionGroup", "os.stat_result", "nsedu.kernel.id_maps.IdRange",
          "AAAA", "0x5"]  # fmt: skip


def _tree(source: Any, depth: int = 0) -> Any:
    """A value of JSON that looks more like a result than noise does."""
    kind = source.ConsumeIntInRange(0, 9 if depth < 8 else 4)
    if kind < 2:
        return source.ConsumeIntInRange(-(1 << 62), 1 << 62) >> source.ConsumeIntInRange(0, 62)
    if kind == 2:
        return source.ConsumeRegularFloat()
    if kind == 3:
        return source.PickValueInList([*_WORDS, None, True, False])
    if kind == 4:
        return source.ConsumeUnicode(9)
    items = [_tree(source, depth + 1) for _ in range(source.ConsumeIntInRange(0, 12 - depth))]
    if kind == 5:
        return items
    if kind == 6:
        words = [source.PickValueInList(_WORDS) for _ in range(3)]
        return {"x": [words[0], words[1], items, words[2], []]}
    if kind == 7:
        return {"r": [source.PickValueInList(_WORDS), items, {"d": []}]}
    return {source.PickValueInList(_TAGS): items}


def _one(target: str, data: bytes) -> None:
    import atheris

    if target == "trees":
        source = atheris.FuzzedDataProvider(data)
        check_result(json.dumps([source.ConsumeBool(), _tree(source)]).encode())
    elif target == "messages":
        check_message(data[1:], data[0] % 3 if data else 0)
    else:
        {"results": check_result, "errors": check_error}[target](data)


def _seeds(target: str) -> list[bytes]:
    values = [None, [1, (2.5, {"a": {3}})], {b"k": frozenset({1j})}, os.stat("/"), os.uname()]
    worked = [plain_data.dumps(True, value) for value in values]
    raised = [
        plain_data.dumps(False, e) for e in (ValueError(1), OSError(2, "no", "/a"), SystemExit(3))
    ]
    told = [plain_data.dumps(True, {"said": "a", "lines": ["b"], "why": "c"})]
    failed = table.encode("failed", "exec", 2, "x", 1, 2, 0, 1, 0, 1, 0, "", "", "mnt=1", "", "/a")
    said = [b"\0" + data for data in (failed, table.READY, table.encode("exit", -9))]
    return {"messages": said, "errors": told}.get(target, [*worked, *raised])


def main() -> None:
    """Fuzz one target for so many seconds."""
    target, seconds = (*sys.argv[1:3], "60")[:2] if len(sys.argv) > 1 else ("", "")
    if target not in ("results", "trees", "messages", "errors"):
        sys.exit(f"Say what to fuzz, and for how many seconds:\n{__doc__}")
    try:
        import atheris
    except ImportError:
        sys.exit("This needs atheris: .venv/bin/python -m pip install atheris")
    for module in (plain_data, raised, table, python_cell, explain, rules):
        for name, value in vars(module).items():
            if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
                setattr(module, name, atheris.instrument_func(value))
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(_seeds(target)):
            Path(corpus, str(number)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10"]
        atheris.Setup([sys.argv[0], corpus, *options], lambda data: _one(target, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
