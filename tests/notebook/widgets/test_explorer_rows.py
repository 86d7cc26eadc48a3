"""What the explorer's browser side is told of look after look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nsedu.kernel.namespace_types import LINKS
from nsedu.notebook.widgets.explorer.changes import Rows
from nsedu.observe.records import Namespace, Process, Snapshot


def person(pid: int, ppid: int = 0, name: str = "sh", **links: int) -> Process:
    return Process(pid, ppid, name, name, links=links)


def look(*people: Process) -> Snapshot:
    spaces: dict[tuple[str, int], Namespace] = {}
    for process in people:
        for link, ns in process.links.items():
            before = spaces.get((link, ns))
            members = (*(before.members if before else ()), process.pid)
            spaces[link, ns] = Namespace(link, ns, members=members)
    return Snapshot({process.pid: process for process in people}, spaces)


def born(*pids: int, at: bytes = b"1") -> dict[int, bytes]:
    return dict.fromkeys(pids, at)


def letters(message: dict[str, Any]) -> dict[str, str]:
    return {f"{type}:{ns}": letter for type, ns, letter, *_ in message["spaces"]}


def test_a_new_view_is_told_everything() -> None:
    told = Rows().all(look(person(1, uts=10), person(2, 1, uts=11)), born(1, 2))
    assert [row[:3] for row in told["rows"]] == [[1, 0, "sh"], [2, 1, "sh"]]
    assert letters(told) == {"uts:10": "A", "uts:11": "B"}
    group = told["groups"][0]
    assert group[1 + LINKS.index("uts")] == 10
    assert told["rows"][0][3] == group[0]


def test_of_the_same_look_nothing_is_told() -> None:
    rows, seen = Rows(), look(person(1, uts=10))
    rows.all(seen, born(1))
    assert rows.changes(seen, born(1)) == {}
    assert rows.changes(look(person(1, uts=10)), born(1)) == {}


def test_only_what_changed_is_told() -> None:
    rows = Rows()
    rows.all(look(person(1, uts=10), person(2, 1, uts=10)), born(1, 2))
    told = rows.changes(look(person(1, uts=10), person(2, 1, "cat", uts=10)), born(1, 2))
    assert [row[:3] for row in told["rows"]] == [[2, 1, "cat"]]
    assert told.keys() == {"rows"}


def test_who_goes_is_told_by_pid_and_its_namespace_as_lost() -> None:
    rows = Rows()
    rows.all(look(person(1, uts=10), person(2, 1, uts=11)), born(1, 2))
    assert rows.changes(look(person(1, uts=10)), born(1)) == {"gone": [2], "lost": ["uts:11"]}


def test_a_letter_is_not_given_twice() -> None:
    rows = Rows()
    rows.all(look(person(1, uts=10), person(2, 1, uts=11)), born(1, 2))
    rows.changes(look(person(1, uts=10)), born(1))
    told = rows.changes(look(person(1, uts=10), person(3, 1, uts=11)), born(1, 3))
    assert letters(told) == {"uts:11": "C"}
    rows.changes(look(person(1, uts=10)), born(1))
    told = rows.changes(look(person(1, uts=10), person(4, 1, uts=12)), born(1, 4))
    assert letters(told) == {"uts:12": "D"}


def test_a_pid_used_again_has_gone_and_is_new() -> None:
    rows, seen = Rows(), look(person(1, uts=10), person(2, 1, uts=10))
    rows.all(seen, born(1, 2))
    again = look(person(1, uts=10), person(2, 1, uts=10))
    told = rows.changes(again, born(1) | born(2, at=b"9"))
    assert told["gone"] == [2]
    assert [row[0] for row in told["rows"]] == [2]


def test_a_number_used_again_at_once_is_another_namespace() -> None:
    rows = Rows()
    rows.all(look(person(1, uts=10), person(2, 1, uts=11)), born(1, 2))
    told = rows.changes(look(person(1, uts=10), person(3, 1, uts=11)), born(1, 3))
    assert told["lost"] == ["uts:11"]
    assert letters(told) == {"uts:11": "C"}


def test_a_namespace_that_a_member_stays_in_is_the_same() -> None:
    rows = Rows()
    rows.all(look(person(1, uts=10), person(2, 1, uts=10)), born(1, 2))
    assert "lost" not in rows.changes(look(person(1, uts=10), person(3, 1, uts=10)), born(1, 3))


def test_a_name_that_would_break_a_page_is_cleaned() -> None:
    told = Rows().all(look(person(1, name="a\nb\udcff\u202e")), born(1))
    assert told["rows"][0][2] == "a"  # the program's name ends at the newline
    assert told["rows"][0][5] == r"a\nb\xff\u202e"


def test_a_link_that_could_not_be_read_is_zero() -> None:
    told = Rows().all(look(person(1)), born(1))
    assert told["groups"][0][1:] == [0] * len(LINKS)


def test_ids_tell_whether_a_number_is_anothers_now() -> None:
    def seen(*ids: int) -> list[str]:
        rows = Rows()
        for pid, id in enumerate(ids, start=1):
            told = look(person(pid, uts=9))
            told.namespaces["uts", 9] = replace(told.namespaces["uts", 9], id=id)
            rows.changes(told, born(pid))
        return [rows.letter("uts", 9)]

    assert (seen(1, 1), seen(1, 2)) == (["A"], ["B"])
