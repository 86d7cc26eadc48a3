"""The sharing matrix: how many of the eight, which not, and who stands in one row."""

from __future__ import annotations

from hand_made import Family, lines, mars_and_venus, notebook, parsed, texts
from nsedu.draw.matrix import matrix
from nsedu.observe.records import Snapshot

MARKS = "of 8 namespaces; letters: not shared: m mnt, u uts, i ipc, p pid, n net, U user, "


def test_each_cell_says_how_many_are_shared_and_which_not():
    assert str(matrix(mars_and_venus())) == lines(
        f"""
shares how many with        1     2     3
1 this notebook, agent      8     6 uU  6 uU
2 sandbox "mars"            6 uU  8     6 uU
3 sandbox "venus"           6 uU  6 uU  8
{MARKS}C cgroup, T time
"""
    )


def test_a_namespace_shared_by_joining_counts():
    family, agent = notebook()
    web = family.add(agent, "web", ("net", "uts"))
    family.add(agent, "sidecar", net=family.processes[web].links["net"])
    rows = str(matrix(family.snapshot())).splitlines()
    assert rows[2].split() == ["2", "web", "6", "un", "8", "7", "u"]


def test_processes_of_one_name_each_in_namespaces_of_its_own_stand_in_one_row():
    family = Family()
    init = family.add(name="init")
    for _ in range(100):
        family.add(init, "box", ("user", "uts"))
    assert str(matrix(family.snapshot())).splitlines()[1:3] == [
        "1 init                      8     6 uU",
        "2 box × 100                 6 uU  6 uU",
    ]


def test_with_many_rows_the_letters_stand_beside_the_matrix():
    family, agent = notebook()
    for index in range(15):
        family.add(agent, f"box-{index}", ("uts",))
    picture = matrix(family.snapshot())
    rows = str(picture).splitlines()
    assert rows[0].endswith("15 16 not shared with 1")
    assert rows[16].endswith("7  8  u")
    assert float(parsed(picture).get("width", "0")) <= 830


def test_groups_that_are_cut_are_counted():
    family, agent = notebook()
    for index in range(50):
        family.add(agent, f"box-{index}", ("uts",))
    picture = matrix(family.snapshot())
    note = "… 27 more groups with 27 processes, not drawn"
    assert note in str(picture).splitlines()
    assert note in texts(picture)


def test_a_long_row_of_names_ends_in_a_number():
    family, agent = notebook()
    for index in range(20):
        family.add(agent, f"daemon-{index}")
    assert "1 this notebook, agent, daemon-0, … 19 more" in str(matrix(family.snapshot()))


def test_an_unreadable_process_is_counted_not_compared():
    snapshot = mars_and_venus()
    stranger = snapshot.processes[104]._replace(links={})
    text = str(matrix(Snapshot(snapshot.processes | {104: stranger}, {})))
    assert "venus" not in text
    assert text.endswith("not compared, for their links could not be read: 1")


def test_a_zombie_is_counted_as_one_not_as_unreadable():
    snapshot = mars_and_venus()
    dead = snapshot.processes[104]._replace(links={}, zombie=True)
    text = str(matrix(Snapshot(snapshot.processes | {104: dead}, {})))
    assert text.endswith("not compared, for they have ended and are in few namespaces: 1")


def test_an_older_kernel_has_fewer_to_share():
    family = Family()
    family.add(name="init", time=0, time_for_children=0)
    rows = str(matrix(family.snapshot())).splitlines()
    assert rows[1].split() == ["1", "init", "7"]
    assert rows[2].startswith("of 7 namespaces")


def test_nothing_to_compare_is_said():
    picture = matrix(Snapshot({}, {}))
    assert str(picture).endswith("no process in this snapshot whose links can be read")
    parsed(picture)
