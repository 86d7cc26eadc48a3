"""Ownership: what each user namespace owns, and where its root has a say."""

from __future__ import annotations

import pytest

from hand_made import FIRST, Family, lines, notebook, parsed, texts
from nsedu.draw.ownership import ownership
from nsedu.observe.records import Namespace, Snapshot


def poor_and_rich() -> Family:
    family, agent = notebook()
    family.add(agent, "box", ("user",), role='sandbox "poor"')
    rich = family.add(agent, "box", ("user", "net", "uts"), role='sandbox "rich"')
    family.add(rich, "box", ("user",), role='sandbox "guest"')
    return family


def table(picture: object) -> list[str]:
    text = str(picture).splitlines()
    return text[text.index("") + 1 :]


def test_the_owners_and_who_may_do_what_where():
    assert str(ownership(poor_and_rich().snapshot())) == lines(
        """
user A user:[4026531835] · mnt A, uts A, ipc A, pid A, net A, cgroup A, time A
├─ user B user:[4026532008] · made by you · owns nothing
└─ user C user:[4026532009] · made by you · uts B, net B
   └─ user D user:[4026532012] · made by you · owns nothing
each user namespace with what it owns; root in it may act on all of that, and on all in the boxes within

who lives where       root of mnt     uts     ipc     pid     net     cgroup  time
this notebook, agent  user A  A ✓     A ✓     A ✓     A ✓     A ✓     A ✓     A ✓
sandbox "poor"        user B  A ✗     A ✗     A ✗     A ✗     A ✗     A ✗     A ✗
sandbox "rich"        user C  A ✗     B ✓     A ✗     A ✗     B ✓     A ✗     A ✗
sandbox "guest"       user D  A ✗     B ✗     A ✗     A ✗     B ✗     A ✗     A ✗
✓ root there may act on it   ✗ it may not: the owner lies further out or beside
"""  # noqa: E501 - the text twin to the letter
    )


def test_all_that_is_said_is_drawn():
    drawn = texts(ownership(poor_and_rich().snapshot()))
    for word in ("user C", "uts B", "net B", 'sandbox "guest"', "B ✓", "B ✗", "user D"):
        assert word in drawn


def test_root_further_out_reaches_what_lies_within():
    family, agent = notebook()
    inner = family.add(agent, "box", ("user", "net"), role='sandbox "inner"')
    net = family.processes[inner].links["net"]
    family.add(agent, "reader", net=net)
    assert "net" in str(ownership(family.snapshot()))
    row = next(line for line in table(ownership(family.snapshot())) if "reader" in line)
    assert row.split()[1:3] == ["user", "A"]
    assert "B ✓" in row


def test_a_namespace_of_a_neighbour_is_out_of_reach():
    family, agent = notebook()
    one = family.add(agent, "box", ("user", "net"), role='sandbox "one"')
    family.add(agent, "guest", ("user",), net=family.processes[one].links["net"])
    row = next(line for line in table(ownership(family.snapshot())) if "guest" in line)
    assert "B ✗" in row


def test_an_owner_out_of_sight_is_said_and_nothing_claimed():
    family, _ = notebook()
    family.namespaces["uts", FIRST["uts"]] = Namespace("uts", FIRST["uts"])
    text = str(ownership(family.snapshot()))
    assert "owner not in sight · uts A" in text
    assert "A ?" in text


def test_a_link_that_cannot_be_read_is_a_question_mark():
    family, agent = notebook()
    family.add(agent, "shy", time=0)
    row = next(line for line in table(ownership(family.snapshot())) if "shy" in line)
    assert row.endswith("? ?")


def test_nothing_there_is_said():
    assert "no user namespace in this snapshot" in str(ownership(Snapshot({}, {})))


def test_many_that_are_alike_are_drawn_once_with_their_number():
    family, agent = notebook()
    for index in range(200):
        family.add(agent, "box", ("user", "net"), role=f'sandbox "w{index}"')
    text = str(ownership(family.snapshot()))
    assert "user B and 199 alike user:[4026532008] · made by you · net B" in text
    assert 'sandbox "w0" and 199 alike' in text
    assert len(text.splitlines()) == 8


def test_what_is_cut_is_counted():
    family, pid = notebook()
    for index in range(200):
        pid = family.add(pid, f"p{index}", ("user", "net") if index % 3 else ("user",))
    picture = ownership(family.snapshot())
    assert "… 141 more user namespaces, not drawn" in str(picture)
    assert "… 141 more user namespaces, not drawn" in texts(picture)


def test_of_many_owned_by_one_the_rest_is_counted():
    family, agent = notebook()
    for index in range(30):
        family.add(agent, f"p{index}", ("net",))
    first = str(ownership(family.snapshot())).splitlines()[0]
    assert "net A B C D … 27 more" in first


def test_parents_in_a_circle_are_drawn_side_by_side():
    circle = {("user", n): Namespace("user", n, parent=3 - n) for n in (1, 2)}
    first, second = str(ownership(Snapshot({}, circle))).splitlines()[:2]
    assert first.startswith("user A") and second.startswith("user B")


@pytest.mark.parametrize("depth", [1, 12, 33])
def test_it_fits_into_a_notebook(depth: int):
    family = Family()
    pid = family.add(name="init")
    for _ in range(depth):
        pid = family.add(pid, "a-rather-long-name-for-a-process", ("user", "net"))
    assert float(parsed(ownership(family.snapshot())).get("width", "0")) <= 830
