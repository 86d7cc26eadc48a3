"""The records: JSON both ways, differences, and the rows of `nsedu ls`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsedu.kernel.namespace_types import LINKS, NAMES
from nsedu.observe.records import PIN_KINDS, Change, Namespace, Pin, Process, Snapshot, rows

pids = st.integers(1, 30)
inodes = st.integers(0xF0000000, 0xF0000008)
# Whatever bytes a command line holds: those that are no UTF-8 arrive as lone surrogates.
texts = st.text() | st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))

processes = st.builds(
    Process,
    pid=pids,
    ppid=st.integers(0, 30),
    name=texts,
    command=texts,
    uid=st.integers(0, 2**32 - 1),
    nspid=st.lists(pids, min_size=1, max_size=3).map(tuple),
    threads=st.integers(1, 300),
    links=st.dictionaries(st.sampled_from(LINKS), inodes),
    role=st.sampled_from(["", "agent", 'sandbox "web"']),
    zombie=st.booleans(),
)
pins = st.builds(Pin, st.sampled_from(PIN_KINDS), st.none() | pids, texts)
namespaces = st.builds(
    Namespace,
    type=st.sampled_from(NAMES),
    ns=inodes,
    parent=st.none() | inodes,
    owner=st.none() | inodes,
    uid=st.none() | st.integers(0, 2**32 - 1),
    members=st.just(()),
    pins=st.lists(pins, max_size=3).map(tuple),
)
snapshots = st.builds(
    Snapshot,
    processes=st.lists(processes, max_size=6).map(lambda some: {p.pid: p for p in some}),
    namespaces=st.lists(namespaces, max_size=6).map(lambda some: {(n.type, n.ns): n for n in some}),
    scope=st.sampled_from(["mine", "machine", "42"]),
    deep=st.booleans(),
    unread=st.dictionaries(texts, st.integers(1, 1000)),
)


def namespace(kind: str, ns: int, *pins: Pin, members: tuple[int, ...] = ()) -> Namespace:
    return Namespace(kind, ns, members=members, pins=pins)


def one_process(**changes: object) -> Snapshot:
    process = Process(7, 1, "sleep", "sleep 9", links={"uts": 100, "net": 200})._replace(**changes)
    return Snapshot({process.pid: process}, {("uts", 100): namespace("uts", 100)})


@given(snapshots)
def test_a_snapshot_comes_back_from_json_equal(snapshot: Snapshot) -> None:
    back = Snapshot.from_json(snapshot.to_json())
    assert back == snapshot
    assert list(back.processes) == list(snapshot.processes)
    assert list(back.namespaces) == list(snapshot.namespaces)


@given(snapshots)
def test_the_json_can_be_written_to_any_file(snapshot: Snapshot) -> None:
    assert snapshot.to_json().isascii()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["processes", "namespaces", "scope"]), json_values))
def test_json_of_something_else_is_refused_with_a_sentence(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a snapshot saved by to_json"):
        Snapshot.from_json(json.dumps(data))


SAVED = Snapshot(
    {7: Process(7, 1, "sh", links={"uts": 9})}, {("uts", 9): Namespace("uts", 9, members=(7,))}
).to_json()


def test_what_the_next_test_damages_is_whole() -> None:
    assert list(Snapshot.from_json(SAVED).processes) == [7]


@pytest.mark.parametrize(
    ("whole", "damaged"),
    [
        ('"pid": 7', '"pid": "7"'),
        ('"name": "sh"', '"name": 7'),
        ('"nspid": []', '"nspid": [null]'),
        ('{"uts": 9}', '{"uts": "nine"}'),
        ('"type": "uts"', '"type": "disk"'),
        ('"members": [7]', '"members": ["7"]'),
        ('"owner": null', '"owner": []'),
        ('"scope": "mine"', '"scope": 1'),
        ('"unread": {}', '"unread": []'),
    ],
)
def test_a_value_of_another_kind_is_refused(whole: str, damaged: str) -> None:
    assert whole in SAVED
    with pytest.raises(ValueError, match="not a snapshot saved by to_json"):
        Snapshot.from_json(SAVED.replace(whole, damaged))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", '{"processes": [1]}', "{", '{"processes": {"a": 1}}', "[" * 100_000],
    ids=lambda text: text[:12],
)
def test_a_damaged_file_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="not a snapshot saved by to_json"):
        Snapshot.from_json(text)


@given(snapshots)
def test_nothing_changed_between_a_snapshot_and_itself(snapshot: Snapshot) -> None:
    assert snapshot.diff(snapshot) == []


@given(snapshots, snapshots)
def test_a_difference_comes_in_the_same_order_however_often_it_is_taken(
    before: Snapshot, after: Snapshot
) -> None:
    copies = [Snapshot.from_json(one.to_json()) for one in (before, after)]
    assert before.diff(after) == copies[0].diff(copies[1])


@given(snapshots, snapshots)
def test_what_is_new_forwards_is_gone_backwards(before: Snapshot, after: Snapshot) -> None:
    def named(changes: list[Change], what: str) -> list[tuple[object, ...]]:
        return sorted(
            (c.kind, c.type, c.process.pid if c.process else c.before or c.after)
            for c in changes
            if c.what == what
        )

    assert named(before.diff(after), "new") == named(after.diff(before), "gone")


def test_a_process_that_moved_is_told_with_both_numbers() -> None:
    after = one_process(links={"uts": 101, "net": 200})
    moved = after.processes[7]
    assert one_process().diff(after) == [Change("link", "moved", moved, "uts", 100, 101)]


def test_processes_come_before_namespaces_and_what_went_before_what_came() -> None:
    before = one_process()
    after = Snapshot(
        {8: Process(8, 1, "new")},
        {("net", 201): namespace("net", 201), ("ipc", 202): namespace("ipc", 202)},
    )
    changes = before.diff(after)
    assert [(c.kind, c.what, c.type) for c in changes] == [
        ("process", "gone", ""), ("process", "new", ""), ("namespace", "gone", "uts"),
        ("namespace", "new", "net"), ("namespace", "new", "ipc"),
    ]  # fmt: skip


def test_a_difference_to_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="other must be a Snapshot, not 'later'"):
        one_process().diff("later")  # type: ignore[arg-type]


def test_children_are_given_by_pid() -> None:
    some = [Process(3, 1, "c"), Process(9, 3, "y"), Process(5, 3, "x"), Process(6, 5, "z")]
    snapshot = Snapshot({p.pid: p for p in some}, {})
    assert [p.pid for p in snapshot.children(3)] == [5, 9]


def test_namespaces_of_one_type_keep_their_order() -> None:
    both = [namespace("uts", 5), namespace("net", 4), namespace("uts", 3)]
    snapshot = Snapshot({}, {(n.type, n.ns): n for n in both})
    assert [n.ns for n in snapshot.of_type("uts")] == [5, 3]


def test_a_row_names_the_lowest_member_and_each_pin_once() -> None:
    pinned = [Pin("fd", 4, "3"), Pin("process", 4, ""), Pin("process", 6, ""), Pin("fd", 6, "8")]
    some = {4: Process(4, 1, "sh", "sh -c x"), 6: Process(6, 4, "sleep", "sleep 1")}
    snapshot = Snapshot(some, {("uts", 5): namespace("uts", 5, *pinned, members=(4, 6))})
    assert rows(snapshot) == [
        {"ns": 5, "type": "uts", "nprocs": 2, "pid": 4, "command": "sh -c x", "uid": None,
         "parent": None, "owner": None, "netnsid": None, "pins": ["process", "fd"]}
    ]  # fmt: skip


def test_a_kernel_thread_is_listed_by_its_name() -> None:
    snapshot = Snapshot(
        {2: Process(2, 0, "kthreadd")}, {("uts", 5): namespace("uts", 5, members=(2,))}
    )
    assert rows(snapshot)[0]["command"] == "kthreadd"


def test_a_zombie_is_listed_as_one() -> None:
    dead = Process(7, 1, "sleep", zombie=True)
    found = Snapshot({7: dead}, {("pid", 1): Namespace("pid", 1, members=(7,))})
    assert rows(found)[0]["command"] == "sleep (zombie)"


def test_a_snapshot_saved_before_zombies_were_told_is_still_read() -> None:
    saved = json.loads(Snapshot({7: Process(7, 1, "sleep")}, {}).to_json())
    del saved["processes"][0]["zombie"]
    assert not Snapshot.from_json(json.dumps(saved)).processes[7].zombie


def test_rows_of_one_type_only() -> None:
    both = [namespace("uts", 5), namespace("net", 4)]
    snapshot = Snapshot({}, {(n.type, n.ns): n for n in both})
    assert [row["ns"] for row in rows(snapshot, "net")] == [4]


def test_rows_of_an_unknown_type_are_refused_with_the_eight() -> None:
    with pytest.raises(ValueError, match="use one of: mnt, uts, ipc"):
        rows(Snapshot({}, {}), "network")


def test_every_row_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(rows(one_process()))) == rows(one_process())


# A number that belongs to another namespace now


def with_id(id: int | None) -> Snapshot:
    process = Process(7, 1, "sleep", links={"uts": 100})
    return Snapshot({7: process}, {("uts", 100): Namespace("uts", 100, members=(7,), id=id)})


def test_another_namespace_with_the_same_number_is_one_gone_and_one_new() -> None:
    assert with_id(1).diff(with_id(2)) == [
        Change("link", "moved", with_id(2).processes[7], "uts", 100, 100),
        Change("namespace", "gone", None, "uts", 100, None),
        Change("namespace", "new", None, "uts", None, 100),
    ]


@pytest.mark.parametrize("before", [1, None])
@pytest.mark.parametrize("after", [1, None])
def test_without_two_different_ids_the_same_number_is_the_same_namespace(
    before: int | None, after: int | None
) -> None:
    assert with_id(before).diff(with_id(after)) == []


def test_a_snapshot_saved_before_there_were_ids_is_still_read() -> None:
    saved = json.loads(with_id(1).to_json())
    del saved["namespaces"][0]["id"]
    assert Snapshot.from_json(json.dumps(saved)) == with_id(None)
