"""The pid-translation ladder: who has which number where."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest

from hand_made import Family, lines, nested, notebook, parsed, texts
from nsedu.draw.pids import pids
from nsedu.draw.tree import tree
from nsedu.observe.records import Namespace, Snapshot

SENSE = "a row is one process; its own number is the last, the others are used outside"
OUTSIDE = "p1, p2, …: the numbers of level 0, which are other ones each time"


def numbered(snapshot: Snapshot) -> Snapshot:
    """The same, with each process numbered 1, 2, 3, … in every pid namespace that sees it."""
    following: dict[int, itertools.count[int]] = defaultdict(lambda: itertools.count(1))
    processes = {}
    for pid, process in snapshot.processes.items():
        numbers, ns = [], process.links.get("pid")
        while ns is not None and (found := snapshot.namespaces["pid", ns]).parent is not None:
            numbers.append(next(following[ns]))
            ns = found.parent
        processes[pid] = process._replace(nspid=(pid, *reversed(numbers)))
    return Snapshot(processes, snapshot.namespaces, snapshot.scope, unread=snapshot.unread)


def deep(levels: int, name: str = "box") -> Snapshot:
    family, pid = notebook()
    for _ in range(levels):
        pid = family.add(pid, name, ("pid",))
    return numbered(family.snapshot())


def test_a_process_three_levels_deep_has_three_numbers() -> None:
    assert str(pids(numbered(nested()))) == lines(
        f"""
process                     level 0   level 1   level 2
this notebook               A p1
└─ agent                    A p2
   ├─ sandbox "web"         A p3      B 1
   │  ├─ nginx              A p4      B 2
   │  ├─ nginx              A p5      B 3
   │  ├─ bash               A p6      B 4
   │  └─ sandbox "db"       A p7      B 5       C 1
   │     └─ postgres        A p8      B 6       C 2
   ├─ sidecar               A p9
   └─ unshare               A p10
pid A pid:[4026531833]  B pid:[4026532009]  C pid:[4026532012]
{SENSE}
{OUTSIDE}
"""
    )


def test_the_drawing_has_the_numbers_outside_too() -> None:
    picture = pids(numbered(nested()))
    assert "107" in texts(picture)
    assert "p7" not in texts(picture)


def test_the_twin_is_the_same_whatever_the_numbers_outside() -> None:
    one = deep(32)
    moved = {
        pid + 4000000: p._replace(
            pid=pid + 4000000,
            ppid=p.ppid + 4000000 if p.ppid else 0,
            nspid=(pid + 4000000, *p.nspid[1:]),
        )
        for pid, p in one.processes.items()
    }
    assert str(pids(Snapshot(moved, one.namespaces))) == str(pids(one))


def test_letters_are_those_of_the_tree_and_the_boxes() -> None:
    snapshot = numbered(nested())
    listed = "pid A pid:[4026531833]  B pid:[4026532009]  C pid:[4026532012]"
    assert listed in str(pids(snapshot))
    assert listed in str(tree(snapshot))


def test_the_outermost_namespace_is_a_though_its_processes_are_not_shown() -> None:
    snapshot = numbered(nested())
    inner = {pid: p for pid, p in snapshot.processes.items() if p.name == "postgres"}
    text = str(pids(Snapshot(inner, snapshot.namespaces)))
    assert text.splitlines()[1].split() == ["postgres", "A", "p1", "B", "6", "C", "2"]


def test_a_namespace_out_of_sight_is_said() -> None:
    snapshot = numbered(nested())
    orphaned = {key: Namespace(ns.type, ns.ns) for key, ns in snapshot.namespaces.items()}
    text = str(pids(Snapshot(snapshot.processes, orphaned)))
    db = next(line for line in text.splitlines() if "postgres" in line)
    assert db.split()[-6:] == ["?", "p8", "?", "6", "C", "2"]
    assert "? a pid namespace that cannot be seen from here" in text


def test_of_many_levels_those_at_both_ends_are_drawn_and_the_others_counted() -> None:
    head, *body = str(pids(deep(32))).splitlines()
    columns = "process, level 0, level 1, level 2, … 28 more, level 31, level 32"
    assert head.split() == columns.replace(",", "").split()
    assert body[33].split()[-9:] == ["B", "32", "C", "31", "…", "AF", "2", "AG", "1"]
    assert body[15].split()[-4:] == ["C", "13", "O", "1"]


@pytest.mark.parametrize("levels", [0, 1, 3, 8, 12, 33])
@pytest.mark.parametrize("name", ["box", "a-rather-long-name-for-a-process"])
def test_it_fits_into_a_notebook(levels: int, name: str) -> None:
    svg = parsed(pids(deep(levels, name)))
    assert 640 <= float(svg.get("width", "0")) <= 830


def test_many_that_are_alike_are_drawn_once_with_the_number_of_the_first() -> None:
    family, agent = notebook()
    web = family.add(agent, "box", ("pid",), role='sandbox "web"')
    for _ in range(60):
        family.add(web, "sleep")
    text = str(pids(numbered(family.snapshot())))
    assert "└─ sleep × 60 A p4… B 2…" in " ".join(text.split())
    assert "× so many alike, drawn once with the numbers of the first, as in 5…" in text


def test_two_hundred_worlds_that_are_alike_take_one_row() -> None:
    family, agent = notebook()
    for _ in range(200):
        family.add(agent, "box", ("pid",))
    text = str(pids(numbered(family.snapshot())))
    assert "└─ box × 200 A p3… B 1…" in " ".join(text.split())
    assert len(text.splitlines()) < 10


def test_many_that_differ_by_name_alone_are_gathered() -> None:
    family, agent = notebook()
    web = family.add(agent, "box", ("pid",), role='sandbox "web"')
    for index in range(200):
        family.add(web, f"daemon-{index}")
    text = str(pids(numbered(family.snapshot())))
    assert "└─ … 200 more A … B …" in " ".join(text.split())
    assert "… more: other processes, all in the pid namespace of the parent row" in text


def test_rows_that_are_cut_are_counted() -> None:
    family, agent = notebook()
    for index in range(200):
        family.add(agent, f"box-{index}", ("pid",))
    picture = pids(numbered(family.snapshot()))
    assert "… 42 more processes below, which are not drawn" in str(picture)
    assert "… 42 more processes below, which are not drawn" in texts(picture)


def test_what_could_not_be_read_is_said() -> None:
    family, _ = notebook()
    assert "could not read links: 2" in str(pids(family.snapshot(unread={"links": 2})))


def test_nothing_at_all_is_said() -> None:
    picture = pids(Snapshot({}, {}))
    assert "no process in this snapshot" in str(picture)
    parsed(picture)


def test_a_process_may_call_itself_anything() -> None:
    family = Family()
    family.add(name='<&\x1b\u202e\ud800">')
    parsed(pids(numbered(family.snapshot())))
