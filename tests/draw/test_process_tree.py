"""The process tree: its text to the letter, what is folded, gathered and cut."""

from __future__ import annotations

import pytest

from hand_made import SVG, Family, lines, mars_and_venus, nested, notebook, parsed, texts
from nsedu.draw.picture import Picture
from nsedu.draw.style import okabe_ito
from nsedu.draw.tree import tree
from nsedu.observe.records import Snapshot


def test_the_text_says_where_each_process_differs_from_its_parent():
    assert str(tree(mars_and_venus())) == lines(
        """
process                     mnt uts ipc pid net user cgroup time
this notebook                A   A   A   A   A   A     A     A
└─ agent                     ·   ·   ·   ·   ·   ·     ·     ·
   ├─ sandbox "mars"         ·   B   ·   ·   ·   B     ·     ·
   └─ sandbox "venus"        ·   C   ·   ·   ·   C     ·     ·
uts A uts:[4026531831]  B uts:[4026532009]  C uts:[4026532011]
user A user:[4026531835]  B user:[4026532008]  C user:[4026532010]
only A mnt:[4026531830]  ipc:[4026531832]  pid:[4026531833]  net:[4026531834]  \
cgroup:[4026531836]  time:[4026531837]
· same as the parent row
"""
    )


def test_nesting_joining_and_namespaces_for_children_are_told():
    assert str(tree(nested())) == lines(
        """
process                     mnt uts ipc pid net user cgroup time
this notebook                A   A   A   A   A   A     A     A
└─ agent                     ·   ·   ·   ·   ·   ·     ·     ·
   ├─ sandbox "web"          ·   ·   ·   B   B   B     ·     ·
   │  ├─ nginx × 2           ·   ·   ·   ·   ·   ·     ·     ·
   │  ├─ bash                ·   ·   ·   ·   ·   ·     ·     ·
   │  └─ sandbox "db"        ·   ·   ·   C   ·   C     ·     ·
   │     └─ postgres         ·   ·   ·   ·   ·   ·     ·    ·▸B
   ├─ sidecar                ·   ·   ·   ·   B   ·     ·     ·
   └─ unshare                ·   ·   ·  ·▸?  ·   ·     ·     ·
pid A pid:[4026531833]  B pid:[4026532009]  C pid:[4026532012]
net A net:[4026531834]  B net:[4026532010]
user A user:[4026531835]  B user:[4026532008]  C user:[4026532011]
time A time:[4026531837]  B time:[4026539999]
only A mnt:[4026531830]  uts:[4026531831]  ipc:[4026531832]  cgroup:[4026531836]
· same as the parent row
▸B the processes it starts from now on live in B
▸? the next process it starts will be the first in a new namespace
× so many alike, drawn once with what is below them
"""
    )


def test_a_zombie_is_called_one_and_starts_nothing():
    family, agent = notebook()
    dead = family.processes[family.add(agent, "sleep")]
    links = {link: dead.links[link] for link in ("pid", "user")}
    family.processes[dead.pid] = dead._replace(command="", zombie=True, links=links)
    picture = tree(family.snapshot())
    assert (
        "   └─ [sleep] (zombie)       ∅   ∅   ∅   ·   ∅   ·     ∅     ∅"
        in str(picture).splitlines()
    )
    assert "it starts" not in str(picture)
    note = "∅ a zombie: it has ended, so it is in none; its parent has yet to reap it"
    assert note in str(picture).splitlines()
    assert "∅" in texts(picture)


def test_a_process_that_has_lost_its_first_thread_is_not_said_to_start_what_is_not_known():
    family, agent = notebook()
    lost = family.processes[family.add(agent, "sleep")]
    links = {link: lost.links[link] for link in ("pid", "user")}
    family.processes[lost.pid] = lost._replace(links=links, threads=2)
    assert "▸" not in str(tree(family.snapshot()))


def test_a_namespace_for_children_is_drawn_too():
    assert "A▸B" in texts(tree(nested()))


def test_siblings_that_are_alike_with_all_below_them_are_drawn_once():
    family = Family()
    init = family.add(name="init")
    for _ in range(120):
        family.add(family.add(init, "bash"), "sleep")
    text = str(tree(family.snapshot()))
    assert [line.split()[1:4] for line in text.splitlines()[2:4]] == [
        ["bash", "×", "120"],
        ["sleep", "·", "·"],
    ]


def test_siblings_of_one_name_in_different_namespaces_are_not_folded():
    family = Family()
    init = family.add(name="init")
    family.add(init, "sleep", ("uts",))
    family.add(init, "sleep", ("uts",))
    assert "×" not in str(tree(family.snapshot()))


def many(strangers: int) -> Snapshot:
    """A crowd that does nothing with namespaces, and one sandbox among it."""
    family, agent = notebook()
    for index in range(strangers):
        family.add(101, f"daemon-{index}")
    family.add(family.add(agent, "box", ("uts",), role='sandbox "web"'), "nginx")
    return family.snapshot()


def test_of_a_crowd_what_says_nothing_new_is_gathered_in_one_row_with_its_number():
    text = str(tree(many(200)))
    assert "└─ … 200 more" in text
    assert "daemon" not in text
    assert "… more: other processes, all in the namespaces of the parent row" in text


def test_of_a_crowd_what_differs_keeps_its_row():
    text = str(tree(many(200)))
    assert 'sandbox "web"' in text
    assert "nginx" in text


def test_in_a_small_picture_nothing_is_gathered():
    assert "more" not in str(tree(many(20)))


def test_rows_that_are_cut_are_counted():
    family = Family()
    init = family.add(name="init")
    for _ in range(200):
        family.add(init, "box", ("uts",))
    picture = tree(family.snapshot())
    note = "… 41 more processes below, which are not drawn"
    assert note in str(picture).splitlines()
    assert note in texts(picture)


def test_unreadable_links_and_what_was_not_read_are_said():
    snapshot = mars_and_venus()
    stranger = snapshot.processes[103]._replace(links={})
    text = str(tree(Snapshot(snapshot.processes | {103: stranger}, {}, unread={"its links": 1})))
    assert '├─ sandbox "mars"         ?   ?   ?   ?   ?   ?     ?     ?' in text
    assert text.splitlines()[-2:] == ["? not readable", "could not read its links: 1"]


def test_a_type_that_the_kernel_lacks_is_not_called_unreadable():
    family = Family()
    family.add(name="init", time=0, time_for_children=0)
    text = str(tree(family.snapshot()))
    assert "?" not in text
    assert "– this kernel has no namespaces of the type" in text


def test_the_text_does_not_depend_on_the_digits_of_inode_numbers():
    def masked(shift: int) -> str:
        snapshot = nested()
        return "\n".join(
            line
            for line in str(
                tree(
                    Snapshot(
                        {
                            pid: p._replace(links={k: n // shift for k, n in p.links.items()})
                            for pid, p in snapshot.processes.items()
                        },
                        {},
                    )
                )
            ).splitlines()
            if "[" not in line
        )

    assert masked(1) == masked(10)


def test_no_pid_is_in_the_text():
    assert not any(str(pid) in str(tree(nested())) for pid in nested().processes)


def test_processes_each_below_the_other_are_drawn_all_the_same():
    family = Family()
    family.add(family.add(name="first"), "second")
    family.processes[101] = family.processes[101]._replace(ppid=102)
    assert [line.split()[0] for line in str(tree(family.snapshot())).splitlines()[1:3]] == [
        "first",
        "└─",
    ]


def test_nothing_to_draw_is_said():
    picture = tree(Snapshot({}, {}))
    assert str(picture).splitlines()[-1] == "no process in this snapshot"
    parsed(picture)


@pytest.mark.parametrize("size", [3, 60, 300])
def test_no_picture_is_wider_than_a_notebook(size: int):
    family = Family()
    pid = family.add(name="init")
    for index in range(size):
        pid = family.add(pid if index < 60 else 101, "x" * 60, ("pid", "user"))
    assert float(parsed(tree(family.snapshot())).get("width", "0")) <= 830


def fills(picture: Picture, colour: str) -> int:
    """How many rectangles of the colour the grid has beside the bar in its heading."""
    rects = parsed(picture).iter(f"{SVG}rect")
    return sum(rect.get("fill") == colour for rect in rects) - 1


def test_a_namespace_has_its_full_colour_where_it_is_first_met_and_only_there():
    family, agent = notebook()
    family.add(family.add(agent, "box", ("uts",)), "sleep")
    picture = tree(family.snapshot())
    assert fills(picture, okabe_ito["uts"]) == 1
    assert fills(picture, okabe_ito["mnt"]) == 0


def test_a_namespace_that_was_joined_is_outlined_in_ink():
    family, agent = notebook()
    web = family.add(agent, "box", ("uts",))
    family.add(agent, "sidecar", uts=family.processes[web].links["uts"])
    picture = tree(family.snapshot())
    assert "not the parent row's, but met above" in texts(picture)
    assert fills(picture, okabe_ito["uts"]) == 1


def test_however_deep_the_tree_the_names_stay_left_of_the_columns():
    family = Family()
    pid = family.add(name="init")
    for _ in range(45):
        pid = family.add(pid, "bash")
    drawn = list(parsed(tree(family.snapshot())).iter(f"{SVG}text"))
    first = next(float(text.get("x", "")) for text in drawn if text.text == "mnt")
    places = [float(text.get("x", "")) for text in drawn if text.text == "bash"]
    assert len(places) == 45
    assert max(places) < first - 50
