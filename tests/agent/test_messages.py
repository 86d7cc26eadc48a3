"""The table of messages: what is in it arrives, and nothing else is heard."""

from __future__ import annotations

import ast
import marshal
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import check_message
from nsedu.agent import protocol, wire
from nsedu.errors import explain, namespace_error, process_facts

Pair = tuple[socket.socket, socket.socket]
NAMES = tuple(protocol.TABLE)
NSEDU = Path(protocol.__file__).resolve().parent.parent
EXAMPLES = int(os.environ.get("NSEDU_EXAMPLES", "100"))


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def value_of(field: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if len(field) == 3:
        return st.integers(*field[1:])
    return st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)


spoken = st.sampled_from(NAMES).flatmap(
    lambda name: st.tuples(
        st.just(name), st.tuples(*(value_of(field) for field in protocol.TABLE[name][0]))
    )
)


@given(spoken)
def test_a_message_is_decoded_to_what_was_encoded(message: tuple[str, tuple[Any, ...]]) -> None:
    name, values = message
    fields, fds = protocol.TABLE[name]
    data = protocol.encode(name, *values)
    assert len(data) <= protocol.LONGEST
    keys = [field[0] for field in fields]
    assert protocol.decode(data, fds, name) == (name, dict(zip(keys, values, strict=True)))


def test_the_longest_message_is_shorter_than_the_longest_that_is_read() -> None:
    for name, (fields, _) in protocol.TABLE.items():
        values = ["x" * 99_999 if len(field) == 2 else field[2] for field in fields]
        assert len(protocol.encode(name, *values)) <= protocol.LONGEST


def test_texts_are_cut_and_cleaned_of_what_separates_fields() -> None:
    data = protocol.encode("mount", "a\0b", "\ud800\udcff" + "x" * 99_999)
    _, values = protocol.decode(data, 1, "mount")
    assert values["root"] == "a?b" and len(values["target"]) < 20_000


def test_bytes_of_a_path_that_are_no_utf8_arrive_as_they_were() -> None:
    path = os.fsdecode(b"/caf\xe9")
    assert protocol.decode(protocol.encode("mount", path, path), 1, "mount")[1]["root"] == path


FAILED = protocol.encode("failed", "exec", 2, "", *process_facts.pack(process_facts.facts()))


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"", 0), (b"\0", 0), (b"nothing", 0), (b"exit", 0), (b"exit\0", 0), (b"exit\x000\0", 0),
        (b"exit\x00256", 0), (b"exit\0-65", 0), (b"exit\x001.5", 0), (b"exit\x00 1", 0),
        (b"exit\x00+1", 0), (b"exit\0--1", 0), (b"exit\0" + b"9" * 5000, 0), (b"exit\x000", 1),
        ("exit\0\N{ARABIC-INDIC DIGIT ONE}".encode(), 0), (b"exit\x001_0", 0), (b"EXIT\x000", 0),
        (b"started", 0), (b"started", 2), (b"started\0", 1), (b"ready", 1), (b"own\0net", 1),
        (b"begot\x000", 0), (b"begot\x0099999999", 0), (b"done\0-1", 0), (b"failed", 0),
        (FAILED + b"\0", 0), (FAILED[:-1].rpartition(b"\0")[0], 0), (FAILED, 1),
        (FAILED.replace(b"exec", b"x" * 41), 0), (FAILED.replace(b"exec\x002", b"exec\x000"), 0),
        (marshal.dumps({"exit": 0}), 0), (b"mount\0" + b"x" * 16_001 + b"\0", 1),
    ],
)  # fmt: skip
def test_what_is_not_in_the_table_is_wrong(data: bytes, count: int) -> None:
    with pytest.raises(protocol.Wrong):
        protocol.decode(data, count, *NAMES)


def test_a_message_that_may_not_come_now_is_wrong(ends: Pair) -> None:
    protocol.say(ends[0], "exit", 0)
    with pytest.raises(protocol.Wrong, match="where only started or failed may come"):
        protocol.hear(ends[1], "started", "failed")


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=200), st.integers(0, 3))
def test_noise_is_wrong_or_in_the_table(data: bytes, count: int) -> None:
    check_message(data, count)


parts = st.lists(st.binary(max_size=9) | st.integers().map(lambda n: b"%d" % n), max_size=18)


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(NAMES), parts, st.integers(0, 2))
def test_wrong_fields_are_wrong(name: str, fields: list[bytes], count: int) -> None:
    check_message(b"\0".join([name.encode(), *fields]), count)


number = st.integers(0, 9)


@given(st.text(max_size=40), st.integers(1, 4095), st.text(max_size=60), st.text(max_size=60),
       st.text(max_size=60), number, number)  # fmt: skip
def test_a_refusal_told_by_a_stranger_is_a_sentence_without_control_characters(
    step: str, errno: int, call: str, limits: str, masked: str, seccomp: int, threads: int
) -> None:
    for started in (
        step,
        f"unshare {step}"[:40],
        f"setns {step}"[:40],
        "unshare net",
        "mount proc",
    ):
        known = [1000, seccomp, 0, threads, 0, 1, 0, "", "1", limits, masked, masked]
        data = protocol.encode("failed", started, errno, call, *known)
        error = explain.error(explain.heard(protocol.decode(data, 0, "failed")[1]))
        assert isinstance(error, namespace_error.NamespaceError)
        assert "What to do" in str(error) and str(error).replace("\n", "").isprintable()


def test_the_facts_of_a_refusal_arrive_as_they_were_gathered() -> None:
    known = process_facts.facts()
    data = protocol.encode("failed", "exec", 2, "true", *process_facts.pack(known))
    told = explain.heard(protocol.decode(data, 0, "failed")[1])
    assert told == {"failed": "exec", "errno": 2, "call": "true", "facts": known}


# What the kernel hands over


def test_descriptors_that_may_not_come_are_closed(ends: Pair) -> None:
    before = open_descriptors()
    null = os.open(os.devnull, os.O_RDONLY)
    for data, count in ((b"ready", 1), (b"born", 30), (b"exit\x000", 200), (b"noise", 3)):
        wire.send_bytes(ends[0], data, [null] * count)
        with pytest.raises(protocol.Wrong):
            protocol.hear(ends[1], "born", "ready", "exit")
    os.close(null)
    assert open_descriptors() == before


def test_a_message_longer_than_any_is_wrong_and_leaves_no_descriptor(ends: Pair) -> None:
    before = open_descriptors()
    wire.send_bytes(ends[0], b"ready" * 10_000, [ends[0].fileno()])
    with pytest.raises(protocol.Wrong, match="more than"):
        protocol.hear(ends[1], "ready")
    assert open_descriptors() == before


def test_a_memfd_from_inside_is_not_read(ends: Pair) -> None:
    """A message in a memfd may come only from outside: from inside it might be a FIFO."""
    read, write = os.pipe()
    wire.send_bytes(ends[0], marshal.dumps({}), [read])
    with pytest.raises(protocol.Wrong):
        protocol.hear(ends[1], "ready", "born")
    os.close(read)
    os.close(write)


def test_an_empty_message_is_not_taken_for_the_end(ends: Pair) -> None:
    wire.send_bytes(ends[0], b"")
    with pytest.raises(protocol.Wrong, match="an empty message"):
        protocol.hear(ends[1], "ready")


def test_the_kernel_tells_who_spoke(ends: Pair) -> None:
    wire.ask_for_senders(ends[1])
    protocol.say(ends[0], "ready")
    assert protocol.hear(ends[1], "ready", senders={"ready": os.getpid()}) == ("ready", {}, [])
    child = os.fork()
    if child == 0:
        protocol.say(ends[0], "ready")
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(protocol.Wrong, match=f"from process {child}"):
        protocol.hear(ends[1], "ready", senders={"ready": os.getpid()})


def test_peeking_leaves_the_message_there(ends: Pair) -> None:
    protocol.say(ends[0], "exit", 3)
    for flags in (socket.MSG_PEEK, 0):
        assert protocol.hear(ends[1], "exit", flags=flags) == ("exit", {"exit": 3}, [])


def test_the_end_of_the_other_party_is_none(ends: Pair) -> None:
    wire.send(ends[1], {"unread": True})
    protocol.say(ends[0], "ready")
    ends[0].close()
    assert protocol.hear(ends[1], "ready") == ("ready", {}, [])
    assert protocol.hear(ends[1], "ready") is None


@given(st.binary(max_size=100), st.integers(0, 40))
def test_whatever_comes_leaves_no_descriptor_open(ends: Pair, data: bytes, count: int) -> None:
    before = open_descriptors()
    wire.send_bytes(ends[0], data, [ends[0].fileno()] * count)
    try:
        heard = protocol.hear(ends[1], *NAMES)
    except protocol.Wrong:
        heard = None
    for fd in heard[2] if heard else []:
        os.close(fd)
    assert open_descriptors() == before


def requests_in_the_source() -> list[tuple[str, str, set[str]]]:
    """Where a request is written down, its name, and the fields that it has there."""
    found = []
    for path in sorted(NSEDU.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                keys = [ast.literal_eval(key) for key in node.keys if isinstance(key, ast.Constant)]
                values = dict(zip((k for k in node.keys if k), node.values, strict=False))
                names = [v.value for k, v in values.items()
                         if isinstance(k, ast.Constant) and k.value == "op"
                         and isinstance(v, ast.Constant)]  # fmt: skip
                found += [(f"{path.name}:{node.lineno}", name, {*keys} - {"op"}) for name in names]
    return found


def test_each_request_is_in_the_table_with_its_fields() -> None:
    written = requests_in_the_source()
    for where, name, fields in written:
        if name == "go on":  # said on a socket that stands already
            continue
        assert name in protocol.REQUESTS, where
        assert fields <= set(protocol.REQUESTS[name][0].split()), where
    assert {name for _, name, _ in written} - {"go on"} == protocol.REQUESTS.keys()


def test_each_answer_of_the_requests_is_in_the_table() -> None:
    for _, _, answers in protocol.REQUESTS.values():
        words = re.findall(r"\w+", answers)
        assert set(words) & protocol.TABLE.keys() or answers == "the end of the socket"


def test_the_page_about_a_sandboxs_life_names_what_there_is() -> None:
    page = (NSEDU.parent / "docs" / "sandbox_life.md").read_text()
    for file, function in re.findall(r"`(\w+/\w+\.py): ([\w.]+)`", page):
        source = (NSEDU / file).read_text()
        for part in function.split("."):
            assert re.search(rf"^ *(def|class) {part}\b", source, re.MULTILINE), (file, function)
    for file in re.findall(r"`(\w+/\w+\.py)`", page):
        assert (NSEDU / file).exists(), file
    for word in (
        "make",
        "run",
        "end",
        "limit",
        "born",
        "ready",
        "failed",
        "exit",
        "ended",
        "begot",
    ):
        assert f"`{word}`" in page
        assert word in protocol.REQUESTS or word in protocol.TABLE
