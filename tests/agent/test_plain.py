"""Results as data: what comes back, what is refused, and that hostile bytes do nothing else."""

from __future__ import annotations

import collections
import enum
import json
import math
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import check_result
from nsedu.agent import plain_data, raised
from nsedu.kernel import mountinfo
from nsedu.kernel.id_maps import IdRange

EXAMPLES = int(os.environ.get("NSEDU_EXAMPLES", "200"))

P = (1 << 61) - 1  # ints that differ by it have the same hash


def back(value: Any) -> Any:
    worked, found = plain_data.loads(plain_data.dumps(True, value))
    assert worked
    return found


def raised_back(error: BaseException) -> Any:
    worked, found = plain_data.loads(plain_data.dumps(False, error))
    assert not worked
    return found


def refused(value: Any) -> str:
    with pytest.raises(TypeError) as caught:
        plain_data.dumps(True, value)
    return str(caught.value)


def tree(value: Any) -> bytes:
    return json.dumps([True, value]).encode()


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def in_short(value: Any) -> str:
    return f"{type(value).__name__} {sys.getsizeof(value)}"


# What comes back

texts = st.text(st.characters(exclude_categories=()))  # lone surrogates, too
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
    | st.binary() | st.complex_numbers(allow_nan=False) | st.binary().map(bytearray)
)  # fmt: skip
keys = st.recursive(
    st.none() | st.integers() | texts | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner)
        | st.sets(keys) | st.frozensets(keys)
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(values)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    found = back(value)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "value",
    [10**5000, -(1 << 63), 1 << 63, "\ud83d\ude00", "\U0001f600\udc80", '"\\"', "", -0.0, math.inf],
    ids=in_short,
)
def test_a_value_at_the_edge_comes_back_as_it_was(value: Any) -> None:
    assert back(value) == value
    assert math.copysign(1, back(-0.0)) == -1


def test_what_is_not_a_number_stays_so() -> None:
    assert math.isnan(back(math.nan))
    assert len(back({math.nan, float("nan")})) == 2


def test_the_status_of_a_file_keeps_its_hidden_fields() -> None:
    status = os.stat("/")
    found = back(status)
    assert type(found) is os.stat_result and found == status
    assert (found.st_rdev, found.st_mtime_ns) == (status.st_rdev, status.st_mtime_ns)


def test_the_names_of_a_system_and_a_broken_down_time_come_back() -> None:
    assert back(os.uname()) == os.uname() and back(os.uname()).nodename == os.uname().nodename
    now = time.localtime()
    assert back(now) == now and back(now).tm_zone == now.tm_zone


def test_records_of_the_package_come_back() -> None:
    table = mountinfo.parse_mountinfo(Path("/proc/self/mountinfo").read_bytes())
    for record in [*table, IdRange(0, 1000, 1)]:
        assert back(record) == record and type(back(record)) is type(record)


class Colour(enum.IntEnum):
    RED = 3


class Name(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def test_a_subclass_of_a_number_or_a_string_comes_back_as_that() -> None:
    found = back([Colour.RED, Name("a"), True, enum.IntFlag("F", ["A"]).A])  # type: ignore[attr-defined]
    assert found == [3, "a", True, 1]
    assert [type(item) for item in found] == [int, str, bool, int]


# What is refused on the way out


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (types, "it is of type module; return the parts of it that you need"),
        ([print], "it holds a value of type builtin_function_or_method"),
        (Path("/"), "return str(value) instead"),
        (memoryview(b""), "return bytes(value) instead"),
        (collections.OrderedDict(), "return dict(value) instead"),
        (collections.namedtuple("Point", "x y")(1, 2), "return tuple(value) instead"),
        (object, "it is of type type"),
    ],
)
def test_another_type_is_refused_with_advice(value: Any, words: str) -> None:
    assert words in refused(value)


def test_a_structure_too_deep_or_in_a_circle_is_refused() -> None:
    assert back(nested(plain_data.DEEPEST)) == nested(plain_data.DEEPEST)
    assert "nested more than 60 deep" in refused(nested(plain_data.DEEPEST + 1))
    circle: list[Any] = []
    circle += [circle, circle]
    assert "nested more than 60 deep" in refused(circle)


def test_a_small_structure_that_unfolds_to_a_huge_one_is_refused() -> None:
    value: list[Any] = []
    for _ in range(40):
        value = [value, value]
    assert "it holds more than" in refused(value)


def test_the_deepest_of_every_kind_is_decoded() -> None:
    value: Any = 0
    for _ in range(plain_data.DEEPEST):
        value = {0: value}
    assert back(value) == value


class HostileText(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class Hostile:
    def __reduce__(self) -> Any:
        return os.abort, ()

    def __repr__(self) -> str:
        raise KeyboardInterrupt


def test_texts_that_raise_do_not_matter() -> None:
    found = raised_back(HostileText(Hostile()))
    assert str(found) == "<HostileText, whose text raises SystemExit>"
    assert found.args == ("<Hostile, whose text raises KeyboardInterrupt>",)
    words = str(plain_data.refusal(True, Hostile(), TypeError("it is odd")))
    assert "<Hostile, whose text raises KeyboardInterrupt>" in words and "it is odd" in words


# Exceptions


def test_a_system_call_s_error_comes_back_with_its_number_and_names() -> None:
    for error in (
        FileNotFoundError(2, "No such file", "/a"),
        OSError(18, "Cross-device", "/a", None, "/b"),
        OSError("only words"),
        PermissionError(1, "no"),
    ):
        found = raised_back(error)
        assert type(found) is type(error) and str(found) == str(error)
        assert (found.errno, found.filename, found.filename2) == (
            error.errno, error.filename, error.filename2,
        )  # fmt: skip


class Lost(LookupError):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class Denied(PermissionError):
    pass


def test_a_class_of_one_s_own_comes_back_as_one_of_the_same_name() -> None:
    error = Lost("a", "b")
    error.add_note("a note")
    found = raised_back(error)
    assert type(found).__name__ == "Lost" and type(found) is not Lost
    assert isinstance(found, LookupError) and str(found) == "a and b"
    assert found.__notes__ == ["a note"]
    assert type(raised_back(error)) is type(found)


def test_a_system_call_s_error_of_one_s_own_class_keeps_its_number() -> None:
    found = raised_back(Denied(1, "no", "/a"))
    assert isinstance(found, PermissionError) and found.errno == 1 and found.filename == "/a"
    assert str(found) == "[Errno 1] no: '/a'"


class OwnExit(SystemExit):
    pass


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, OwnExit])
def test_what_would_end_the_notebook_comes_back_as_words(kind: type[BaseException]) -> None:
    found = raised_back(kind(3))
    assert type(found) is raised.RaisedInside and str(found) == f"{kind.__name__}: 3"


def test_a_unicode_error_comes_back_when_its_places_are_in_its_text() -> None:
    for text, codec in ((b"a\xff", "utf-8"), ("a\udc80", "utf-8")):
        try:
            text.decode(codec) if isinstance(text, bytes) else text.encode(codec)
        except UnicodeError as error:
            assert type(raised_back(error)) is type(error) and str(raised_back(error)) == str(error)


def test_a_syntax_error_comes_back_without_the_file_that_it_names() -> None:
    error = SyntaxError("bad", ("/dev/zero", 1, 1, "x", 1, 10**12))
    found = raised_back(error)
    assert type(found) is SyntaxError and found.filename is None and found.end_offset is None


def test_a_group_of_exceptions_comes_back() -> None:
    found = raised_back(ExceptionGroup("two", [ValueError(1), KeyError("a")]))
    assert [repr(one) for one in found.exceptions] == ["ValueError(1)", "KeyError('a')"]


# Hostile bytes


def exception(
    base: Any = "ValueError",
    name: Any = "ValueError",
    args: Any = (),
    text: Any = "",
    notes: Any = (),
) -> bytes:
    return json.dumps([False, {"x": [base, name, args, text, notes]}]).encode()


def record(*parts: Any) -> bytes:
    return tree({"r": [*parts, {"d": []}]})


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"\xff\xfe", b"[true]", b"[1,2]", b"[true,1,2]", b"[false,1]",
        b"[true,1] [true,1]", b"[true,1}", b"[" * 1_000_000, b'[true,{"t":[],"t":[]}]',
        b"[true," + b"[" * 900 + b"]" * 900 + b"]", b'[true,"' + rb"\"" * 1_000_000,
        b"[true," + b"9" * 100_000 + b"]", b"[true,0." + b"1" * 99 + b"]",
        tree({"z": 1}), tree({}), tree({"t": 1}), tree({"t": {"s": []}}), tree({"s": [[1]]}),
        tree({"s": [1, 1]}), tree({"d": [[1, 2], [1, 3]]}), tree({"d": [[1]]}), tree({"d": [1]}),
        tree({"d": [[[], 1]]}), tree({"b": 1}), tree({"b": "!"}), tree({"b": "é"}),
        tree({"c": [1, 2]}), tree({"c": [1.0]}), tree({"i": 3}), tree({"i": "z"}), tree({"i": ""}),
        tree({"type": ["ValueError"], "name": "a", "args": [], "text": "", "notes": []}),
        record("os.stat_result", [1, 2]), record("os.system", ["true"]), record("os.stat_result"),
        record("os.stat_result", [[]] * 10), record(["os.stat_result"], []), record("os.open", []),
        record("nsedu.kernel.mountinfo.Mount", [1]), tree({"r": ["os.stat_result", [1] * 10, 1]}),
        exception("eval"), exception("int"), exception(["a"]), exception("nope"),
        exception("__import__"), exception(name="a b"), exception(name=1), exception(text=1),
        exception(args={"d": []}), exception(notes=[1]), exception(notes="abc"),
    ],
    ids=lambda data: data[:40].decode("latin-1"),
)  # fmt: skip
def test_bytes_that_are_no_result_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        plain_data.loads(data)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="longer than 64 MiB"):
        plain_data.loads(b" " * (plain_data.LONGEST + 1))


def test_too_many_values_are_refused() -> None:
    with pytest.raises(ValueError, match="too many values"):
        plain_data.loads(b"[true,[" + b"[]," * 3_000_000 + b"1]]")
    with pytest.raises(ValueError, match="too many values"):
        plain_data.loads(b"[true" + b',""' * 9_000_000 + b"]")


@pytest.mark.parametrize(
    "key",
    [
        lambda k: {"i": hex(P * (k + 1))},
        lambda k: {"t": [{"i": hex(P * (k + 1))}]},
        lambda k: {"f": [{"i": hex(P * (k + 1))}]},
        lambda k: {"c": [-1000003.0 * k, float(k)]},
    ],
)
def test_keys_chosen_to_collide_do_not_take_their_square(key: Any) -> None:
    """Twenty thousand of them took four seconds; what is refused took none."""
    data = tree({"d": [[key(k), 0] for k in range(20_000)]})
    with pytest.raises(ValueError, match="collide"):
        plain_data.loads(data)


def test_keys_that_collide_by_chance_are_taken() -> None:
    grid = {(x, y, z) for x in range(-9, 9) for y in range(-9, 9) for z in range(-9, 9)}
    assert back(grid) == grid


def test_numbers_are_read_though_python_s_own_limit_is_off() -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(ValueError, match="number is too long"):
            plain_data.loads(b"[true," + b"9" * 3_000_000 + b"]")  # half a minute otherwise
    finally:
        sys.set_int_max_str_digits(limit)


@pytest.mark.parametrize(
    "places", [(-(10**12), 10**12), (0, 0), (0, 3), (2, 1), ("a", 1), (1.0, 2), ([], [])]
)
def test_a_unicode_error_with_places_outside_its_text_comes_as_words(places: Any) -> None:
    for base, whole in (("UnicodeDecodeError", {"b": "AAA="}), ("UnicodeEncodeError", "ab")):
        _, found = plain_data.loads(exception(base, base, ["utf-8", whole, *places, "r"], "text"))
        assert type(found) is raised.RaisedInside and str(found) == f"{base}: text"


def test_an_exception_whose_arguments_do_not_fit_comes_as_words() -> None:
    _, found = plain_data.loads(exception("ExceptionGroup", "ExceptionGroup", [1], "text"))
    assert type(found) is raised.RaisedInside and str(found) == "ExceptionGroup: text"


def test_a_thousand_classes_are_made_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raised, "classes", {})
    errors = [json.loads(exception(name=f"E{k}"))[1] for k in range(1200)]
    _, found = plain_data.loads(tree(errors))
    assert type(found[0]).__name__ == "E0" and str(found[1199]) == "E1199: "
    assert len({type(error) for error in found}) == 1001


def test_long_texts_and_many_notes_are_cut() -> None:
    _, found = plain_data.loads(
        exception(name="A" * 9999, text="x" * 99_999, notes=["y" * 99_999] * 101)
    )
    assert len(type(found).__name__) == 100 and len(str(found)) == raised.LONGEST_TEXT
    assert len(found.__notes__) == 100 and len(found.__notes__[0]) == raised.LONGEST_TEXT


tags = st.sampled_from(["t", "d", "s", "f", "b", "ba", "c", "i", "r", "x", "q", "type"])
words = st.text(max_size=8) | st.sampled_from(
    ["os.stat_result", "os.uname_result", "ValueError", "OSError", "UnicodeDecodeError", "eval",
     "SyntaxError", "SystemExit", "ExceptionGroup", "AAAA", "0x5", "nsedu.kernel.id_maps.IdRange"]
)  # fmt: skip
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(tags, inner, min_size=1, max_size=1)
        | st.dictionaries(tags, inner, max_size=3)
        | st.builds(lambda *parts: {"x": [*parts]},
                    words, words, st.lists(inner), words, st.lists(words))
        | st.builds(lambda name, fields, more: {"r": [name, fields, {"d": more}]},
                    words, st.lists(inner, max_size=12), st.lists(st.tuples(words, inner)))
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(st.booleans(), trees)
def test_hostile_trees_do_no_harm(worked: bool, value: Any) -> None:
    check_result(json.dumps([worked, value]).encode())


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=300))
def test_noise_does_no_harm(data: bytes) -> None:
    check_result(data)


@settings(max_examples=EXAMPLES)
@given(values, st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(32, 126)), max_size=4))
def test_a_changed_result_does_no_harm(value: Any, changes: list[tuple[int, int]]) -> None:
    data = bytearray(plain_data.dumps(True, value))
    for place, byte in changes:
        data[place % len(data)] = byte
    check_result(bytes(data))
