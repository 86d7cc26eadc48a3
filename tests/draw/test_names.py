"""Letters for namespaces, names for processes, and text of a known width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsedu.draw.labels import Letters, call, centre, columns, letter, pad, shorten
from nsedu.observe.records import Namespace, Process, Snapshot
from nsedu.printable import clean


@pytest.mark.parametrize(
    ("index", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (702, "AAA")]
)
def test_letters_go_on_after_z(index: int, name: str):
    assert letter(index) == name


@given(st.lists(st.integers(0, 2000), unique=True))
def test_no_two_namespaces_have_one_letter(indices: list[int]):
    assert len({letter(index) for index in indices}) == len(indices)


def test_letters_come_in_order_of_appearance_and_by_type():
    letters = Letters()
    for type, ns in (("uts", 9), ("uts", 3), ("net", 3), ("uts", 9)):
        letters.meet(type, ns)
    assert (letters.of("uts", 9), letters.of("uts", 3), letters.of("net", 3)) == ("A", "B", "A")


def test_namespaces_without_a_process_come_last():
    process = Process(1, 0, "init", links={"pid": 7, "pid_for_children": 8})
    snapshot = Snapshot({1: process}, {("pid", n): Namespace("pid", n) for n in (5, 7, 8)})
    letters = Letters()
    letters.meet_all(snapshot, snapshot.processes.values())
    assert letters.of_type("pid") == {7: "A", 8: "B", 5: "C"}


@pytest.mark.parametrize(
    ("process", "name"),
    [
        (Process(1, 0, "python3", "/usr/bin/python3 -m x", role="this notebook"), "this notebook"),
        (Process(1, 0, "python3", "/usr/bin/python3 -I agent.py"), "python3"),
        (Process(1, 0, "bash", "-bash"), "bash"),
        (Process(1, 0, "nginx", "nginx: worker process"), "nginx"),
        (Process(1, 0, "odd", "/"), "odd"),
        (Process(1, 0, "kthreadd"), "[kthreadd]"),
        (Process(1, 0, "x", "a" * 5000), "a" * 39 + "…"),
        (Process(1, 0, "x", "\x1b[2J\udc80"), r"\x1b[2J\x80"),
    ],
    ids=["role", "program", "login shell", "titled", "no program", "kernel", "long", "hostile"],
)
def test_a_process_is_called_by_its_role_or_its_program(process: Process, name: str):
    assert call(process) == name


@given(st.text().map(clean), st.integers(1, 50))
def test_shortened_text_fits(text: str, width: int):
    assert columns(shorten(text, width)) <= width


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1)])
def test_wide_and_combining_characters_are_measured(text: str, width: int):
    assert columns(text) == width
    assert columns(pad(text, 9)) == columns(centre(text, 9)) == 9
