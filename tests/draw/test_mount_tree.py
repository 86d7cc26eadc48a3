"""Mount trees: which mounts, in what tree, and between which of them mounts pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from hand_made import lines, parsed, texts
from nsedu.draw.mounts import mounts
from nsedu.draw.picture import Picture
from nsedu.draw.svg import measure
from nsedu.kernel.mountinfo import Mount
from nsedu.observe.mounts import MountTable


class Table:
    """A mount table made by hand: a root and what is mounted below it."""

    def __init__(self, name: str, ns: int, **root: object) -> None:
        self.name, self.ns = name, ns
        self.mounts = [Mount(ns * 1000, 1, "8:1", "/", "/", ("rw",), (), "ext4", "/dev/a", ("rw",))]
        self.mounts[0] = self.mounts[0]._replace(**root)

    def add(self, target: str, on: str = "/", *propagation: str, **fields: object) -> Table:
        """Mount a tmpfs; its device follows from its source, so that tables can share it."""
        parent = [m.id for m in self.mounts if m.target == on][-1]
        source = str(fields.get("source", "tmpfs"))
        mount = Mount(
            self.mounts[0].id + len(self.mounts), parent, f"0:{sum(map(ord, source))}", "/",
            target, ("rw",), propagation, "tmpfs", "tmpfs", ("rw",),
        )  # fmt: skip
        self.mounts.append(mount._replace(**fields))
        return self

    def table(self) -> MountTable:
        return MountTable((self.name,), 4026532000 + self.ns, tuple(self.mounts))


def drawn(*tables: Table, below: str | None = None, everything: bool = False) -> Picture:
    return mounts([table.table() for table in tables], below, everything)


def pair(one: str, two: str) -> tuple[Table, Table]:
    """Two copies of a table with a pool that has this propagation in the one and the other."""
    home = Table('sandbox "home"', 1).add("/mnt", "/", *one.split(), source="pool")
    copy = Table('sandbox "copy"', 2).add("/mnt", "/", *two.split(), source="pool")
    return home, copy


def test_peers_and_what_passes_between_them():
    home, copy = pair("shared:7", "shared:7")
    home.add("/mnt/a", "/mnt", "shared:9")
    copy.add("/mnt/a", "/mnt", "shared:9")
    assert str(drawn(home, copy)) == lines(
        """
sandbox "home" · mnt:[4026532001]
  /mnt          tmpfs pool  ↔ shared A
  └─ /mnt/a     tmpfs       ↔ shared B
sandbox "copy" · mnt:[4026532002]
  /mnt          tmpfs pool  ↔ shared A
  └─ /mnt/a     tmpfs       ↔ shared B
peer group A: sandbox "home" /mnt ↔ sandbox "copy" /mnt
peer group B: sandbox "home" /mnt/a ↔ sandbox "copy" /mnt/a
↔ shared: mounts made on it appear at its peers, and theirs here
left out: what all of these have, where nothing passes between them
"""
    )


def test_a_slave_names_its_master_and_may_be_shared_itself():
    text = str(drawn(*pair("shared:7", "shared:8 master:7")))
    assert "←↔ slave of A, shared B" in text
    assert 'peer group A: sandbox "home" /mnt → sandbox "copy" /mnt' in text
    assert "without a second mount in this picture: peer group B" in text


def test_a_master_out_of_sight_has_a_letter_all_the_same():
    text = str(drawn(Table("one", 1).add("/mnt", "/", "master:5", "propagate_from:3")))
    assert "← slave of A" in text
    assert "peer group A: mounts out of sight → one /mnt" in text


def test_what_all_have_is_left_out_and_what_differs_is_drawn():
    home, copy = pair("", "")
    copy.add("/srv")
    text = str(drawn(home, copy))
    assert "/mnt" not in text
    assert text.splitlines()[1] == "  nothing that the others do not have"
    assert "/srv" in text


@pytest.mark.parametrize("two", ["", "unbindable"])
def test_the_same_mount_with_another_propagation_type_differs(two: str):
    text = str(drawn(*pair("shared:1", two)))
    assert text.count("/mnt   ") == 2


def test_where_most_mounts_are_shared_here_and_private_there_they_are_left_out():
    host, box = Table("host", 1), Table("box", 2)
    for number in range(9):
        host.add(f"/{number}", "/", "shared:1")  # among themselves mounts may pass
        box.add(f"/{number}", "/")
    box.add("/mnt")
    rows = str(drawn(host, box)).splitlines()
    assert rows[1] == "  nothing that the others do not have"
    assert [row.split()[0] for row in rows[3:4]] == ["/mnt"]


def test_everything_is_everything():
    home, copy = pair("", "")
    text = str(drawn(home, copy, everything=True))
    assert text.count("└─ /mnt") == 2
    assert "left out" not in text


def test_below_limits_to_a_subtree():
    table = Table("one", 1).add("/mnt").add("/mnt/a", "/mnt").add("/mntx")
    text = str(drawn(table, below="/mnt"))
    assert "/mnt/a" in text
    assert "/mntx" not in text
    assert "nothing is mounted there" in str(drawn(table, below="/opt"))


def test_what_no_path_leads_to_is_covered():
    table = Table("one", 1).add("/a/b").add("/a").add("/c").add("/c", "/c").add("/c/d", "/c")
    table.mounts[-1] = table.mounts[-1]._replace(parent=table.mounts[3].id)  # on the lower /c
    rows = {row.mount.id - 1000: row.notes for row in _rows(table)}
    assert [number for number, notes in rows.items() if "covered" in notes] == [1, 3, 5]


def _rows(table: Table) -> list:
    from nsedu.draw.mounts import sheets

    return sheets([table.table()], None, True)[0][0].rows


def test_a_read_only_bind_mount_says_so_and_of_what():
    table = Table("one", 1).add("/view", "/", options=("ro",), root="/books", source="shelf")
    text = str(drawn(table))
    assert "tmpfs shelf[/books]  · private, read-only" in text
    assert "tmpfs[/books]" in str(drawn(Table("one", 1).add("/view", root="/books")))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"options": ("ro", "nosuid", "relatime")}, "· private, read-only, nosuid"),
        ({"options": ("rw", "nodev", "noexec")}, "· private, nodev, noexec"),
        ({"super_options": ("ro",)}, "· private, read-only file system"),
        ({"options": ("ro",), "super_options": ("ro",)}, "· private, read-only"),
        ({"root": "/books//deleted"}, "tmpfs[/books] · private, of what was deleted"),
        ({"options": ("rw", "idmapped")}, "· private, idmapped"),
        ({"source": "-"}, "tmpfs - · private"),
        ({"source": ""}, "/view tmpfs · private"),
    ],
)
def test_what_tells_a_mount_from_others_is_said(fields: dict[str, object], words: str):
    picture = drawn(Table("one", 1).add("/view", "/", **fields), below="/view")
    assert " ".join(str(picture).splitlines()[1].split()).endswith(" ".join(words.split()))
    for word in words.split("· ")[1].split(", ")[1:]:
        assert any(word in text for text in texts(picture))


def test_a_blank_at_the_end_of_a_path_is_seen():
    assert '"/a "' in str(drawn(Table("one", 1).add("/a ")))


def test_the_map_of_an_idmapped_mount_is_reported():
    table = Table("one", 1).add("/view", "/", options=("rw", "idmapped")).table()
    id = table.mounts[-1].id

    def text(users: tuple[str, ...], groups: tuple[str, ...]) -> str:
        return str(mounts([table._replace(idmaps={id: (users, groups)})]))

    both = ("0 100000 65536",)
    same = "as you see them: users and groups 0–65535 → 100000–165535"
    assert same in text(both, both)
    assert "see them: users 5 → 0, 7 → 1; groups 9 → 0\n" in text(("5 0 1", "7 1 1"), ("9 0 1",))
    assert "see them: groups 9 → 0\n" in text((), ("9 0 1",))


def test_that_a_place_sees_what_is_below_its_root_directory_alone_is_said():
    table = Table("one", 1).table()._replace(root="/srv/\x1bjail")
    assert "mnt:[4026532001] · below its root directory /srv/\\x1bjail" in str(mounts([table]))


def test_a_mount_hangs_on_the_nearest_that_is_drawn_and_siblings_are_in_order():
    table = Table("one", 1).add("/b").add("/a").add("/a/x", "/a")
    shown = [row.path for row in _rows(table)]
    assert shown == ["/", "/a", "/a/x", "/b"]


def test_mounts_that_may_not_be_read_are_said():
    picture = mounts([MountTable(("systemd",), 0, (), refused=True)])
    assert str(picture).splitlines() == [
        "systemd · not readable by you",
        "  its mounts may be read by its own user and by root",
    ]


def test_of_many_that_are_alike_one_is_drawn_and_the_rest_counted():
    table = Table("one", 1).add("/mnt")
    for number in range(200):
        table.add(f"/mnt/{number:03}", "/mnt", f"shared:{number + 1}")
    picture = drawn(table)
    assert "/mnt/000  " in str(picture)
    assert "… 199 more tmpfs" in str(picture)
    assert "… 199 more tmpfs" in texts(picture)
    assert "peer group A" in str(picture)
    assert "peer group B" not in str(picture)
    assert len(str(drawn(table, everything=True)).splitlines()) > 200


def test_of_many_that_are_unlike_the_rest_is_counted():
    table = Table("one", 1)
    for number in range(200):
        table.add(f"/{number:03}", "/", fstype=f"fs{number}")
    picture = drawn(table)
    assert "… 101 more mounts, not drawn" in str(picture)
    assert "… 101 more mounts, not drawn" in texts(picture)


def test_of_many_peer_groups_the_rest_is_counted():
    home, copy = Table("home", 1), Table("copy", 2)
    for number in range(30):
        for table in (home, copy):
            table.add(f"/{number:02}", "/", f"shared:{number + 1}", fstype=f"fs{number}")
    assert "… 14 more peer groups that connect mounts" in str(drawn(home, copy))


def test_mounts_in_a_circle_are_drawn_all_the_same():
    table = Table("one", 1).add("/a").add("/b")
    ids = [mount.id for mount in table.mounts]
    table.mounts[1] = table.mounts[1]._replace(parent=ids[2])
    table.mounts[2] = table.mounts[2]._replace(parent=ids[1])
    assert {row.path for row in _rows(table)} == {"/", "/a", "/b"}


def test_a_control_character_in_a_path_stays_in_its_line():
    picture = drawn(Table("one", 1).add("/a\nb\x1b"))
    assert "/a\\nb\\x1b" in str(picture)
    parsed(picture)


@pytest.mark.parametrize("length", [1, 60, 4000])
def test_it_fits_into_a_notebook_and_the_end_of_a_path_stays(length: int):
    home, copy = pair("shared:1", "shared:1")
    for table in (home, copy):
        table.add("/mnt/" + "d" * length + "/end", "/mnt", "shared:2", source="s" * length)
    picture = drawn(home, copy)
    assert float(parsed(picture).get("width", "0")) <= 830
    assert any(text.endswith("/end") for text in texts(picture))
    assert max(measure(text, 11) for text in texts(picture)) <= 830


def siblings(table: Table, count: int) -> None:
    for number in range(count):
        table.add(f"/{number:04}", "/", f"shared:{number + 1}", source=f"s{number}")


def stacked(table: Table, count: int) -> None:
    for _ in range(count):
        table.add("/mnt", "/mnt" if len(table.mounts) > 1 else "/")


def peers(table: Table, count: int) -> None:
    for number in range(count):
        table.add(f"/{number:04}", "/", "shared:1")


def beneath(table: Table, count: int) -> None:
    """One that covers all the others."""
    for number in range(count):
        table.add(f"/mnt/{number:04}")
    table.add("/mnt")


def instructions(function: Callable[[], object]) -> int:
    """How many bytecode instructions are executed."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("shape", [siblings, stacked, peers, beneath])
def test_twice_the_mounts_are_twice_the_work(shape: Callable[[Table, int], None], everything: bool):
    def work(count: int) -> int:
        one, other = Table("one", 1), Table("other", 2)
        shape(one, count)
        shape(other, count)
        one.add("/only here")
        return instructions(lambda: drawn(one, other, everything=everything))

    work(10)  # what is imported, is imported
    assert work(400) < 2.5 * work(200)


def test_a_tall_stack_of_mounts_is_drawn_with_a_bound_to_its_depth():
    table = Table("one", 1)
    stacked(table, 3000)
    picture = drawn(table, everything=True)
    rows = [line for line in str(picture).splitlines() if "/mnt" in line]
    assert len(rows) == 3000
    assert max(line.index("/mnt") for line in rows) < 100
    assert float(parsed(picture).get("width", "0")) <= 830


def test_of_a_large_peer_group_some_are_named_and_the_rest_is_counted():
    table = Table("one", 1)
    peers(table, 100)
    assert "↔ one /0007 ↔ … 92 more" in str(drawn(table))
