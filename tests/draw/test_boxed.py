"""Namespaces as boxes: what lies in what, who is in there, and what keeps the empty ones."""

from __future__ import annotations

import pytest

from hand_made import FIRST, Family, lines, mars_and_venus, nested, notebook, parsed, texts
from nsedu.draw.hierarchy import hierarchy
from nsedu.draw.tree import tree
from nsedu.kernel.namespace_types import NAMES
from nsedu.observe.records import Namespace, Pin, Snapshot


def test_user_namespaces_lie_in_their_parents():
    assert str(hierarchy(nested(), "user")) == lines(
        """
user A user:[4026531835] · this notebook, agent, sidecar, unshare
└─ user B user:[4026532008] · made by you · sandbox "web", nginx × 2, bash
   └─ user C user:[4026532011] · made by you · sandbox "db", postgres
each lies in its parent, and belongs to the user who made it
"""
    )


def test_pid_namespaces_lie_in_their_parents_and_name_their_owner():
    assert str(hierarchy(nested(), "pid")) == lines(
        """
pid A pid:[4026531833] · owner user A · this notebook, agent, sidecar, unshare
└─ pid B pid:[4026532009] · owner user B · sandbox "web", nginx × 2, bash
   └─ pid C pid:[4026532012] · owner user C · sandbox "db", postgres
each lies in its parent, from where its processes can be seen too
"""
    )


def test_others_lie_in_the_user_namespaces_that_own_them():
    assert str(hierarchy(mars_and_venus(), "uts")) == lines(
        """
user A user:[4026531835]
├─ uts A uts:[4026531831] · this notebook, agent
├─ user B user:[4026532008]
│  └─ uts B uts:[4026532009] · sandbox "mars"
└─ user C user:[4026532010]
   └─ uts C uts:[4026532011] · sandbox "venus"
each uts namespace lies in the user namespace that owns it
"""
    )


def test_the_uid_of_another_maker_is_said():
    family, agent = notebook()
    family.add(agent, "box", ("user",), uid=0)
    assert "made by uid 0" in str(hierarchy(family.snapshot(), "user"))


def with_empty(scope: str, *pins: Pin, **fields: object) -> str:
    family, _ = notebook()
    empty = Namespace("user", 4026537000, FIRST["user"], FIRST["user"], 1000, (), pins)
    family.namespaces["user", empty.ns] = empty
    return str(hierarchy(family.snapshot(scope=scope, **fields), "user"))


def test_a_namespace_without_processes_is_drawn_with_what_keeps_it():
    kept = "no process, kept by an open descriptor and a child namespace"
    assert kept in with_empty("machine", Pin("fd", 5, "3"), Pin("child", None, "7"))


@pytest.mark.parametrize(("scope", "unread"), [("mine", {}), ("machine", {"links": 1})])
def test_where_not_all_was_seen_no_process_is_not_claimed(scope: str, unread: dict[str, int]):
    assert "no process in sight" in with_empty(scope, unread=unread)


def test_an_owner_out_of_sight_is_said():
    family, _ = notebook()
    family.namespaces["uts", FIRST["uts"]] = Namespace("uts", FIRST["uts"])
    text = str(hierarchy(family.snapshot(), "uts"))
    assert text.splitlines()[:2] == [
        "owner not in sight",
        "└─ uts A uts:[4026531831] · this notebook, agent",
    ]


def test_many_namespaces_that_are_alike_are_drawn_once_with_their_number():
    family, agent = notebook()
    for _ in range(60):
        family.add(agent, "sleep", ("user",))
    text = str(hierarchy(family.snapshot(), "user"))
    assert "└─ user B and 59 alike user:[4026532008] · made by you · sleep" in text


def test_boxes_that_are_cut_are_counted():
    family, agent = notebook()
    for index in range(200):
        family.add(agent, f"box-{index}", ("user",))
    picture = hierarchy(family.snapshot(), "user")
    assert "… 41 more boxes, not drawn" in str(picture)
    assert "… 41 more boxes, not drawn" in texts(picture)


def test_in_a_crowded_box_the_rest_is_counted_and_the_sandboxes_stay():
    family, agent = notebook()
    for index in range(100):
        family.add(agent, f"daemon-{index}")
    family.add(agent, "box", role='sandbox "last"')
    first = str(hierarchy(family.snapshot(), "user")).splitlines()[0]
    assert 'sandbox "last"' in first
    assert first.endswith("… 79 more")


def test_letters_are_those_of_the_tree():
    family, agent = notebook()
    inner = family.add(agent, "box", ("user",))
    snapshot = family.snapshot()
    only = Snapshot({inner: snapshot.processes[inner]}, snapshot.namespaces)
    assert "user A user:[4026532008]" in str(hierarchy(only, "user"))
    assert "user A user:[4026532008]" in str(tree(only))


def test_parents_in_a_circle_are_drawn_side_by_side():
    circle = {("pid", n): Namespace("pid", n, parent=3 - n) for n in (1, 2)}
    text = str(hierarchy(Snapshot({}, circle), "pid"))
    assert [line[:5] for line in text.splitlines()[:2]] == ["pid A", "pid B"]


@pytest.mark.parametrize("type", ["hostname", "", None])
def test_another_type_is_refused_with_the_names_of_the_eight(type: str):
    with pytest.raises(ValueError, match=", ".join(NAMES)):
        hierarchy(nested(), type)


@pytest.mark.parametrize("depth", [1, 12, 33])
def test_boxes_in_boxes_fit_into_a_notebook(depth: int):
    family = Family()
    pid = family.add(name="init")
    for _ in range(depth):
        pid = family.add(pid, "a-rather-long-name-for-a-process", ("user", "pid"))
    picture = hierarchy(family.snapshot(), "user")
    assert float(parsed(picture).get("width", "0")) <= 830
