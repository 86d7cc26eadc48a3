"""What changed: links that moved, what came and what went."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hand_made import Family, lines, mars_and_venus, nested, notebook, texts
from nsedu.draw.diff import diff, verdict
from nsedu.observe.records import Snapshot


def moved(family: Family, pid: int, **links: int) -> None:
    old = family.processes[pid]
    kept = {link: ns for link, ns in {**old.links, **links}.items() if ns}
    family.processes[pid] = old._replace(links=kept)


def test_a_child_that_unshares_one_type_changes_one_link():
    family, _ = notebook()
    child = family.add(101, "child")
    before = family.snapshot()
    moved(family, child, uts=4026532900)
    picture = diff(before, family.snapshot())
    assert str(picture) == lines(
        """
  process                   what changed
  this notebook
  ├─ agent
  └─ child                  uts A → B   9 links equal, 1 differs: uts
uts A uts:[4026531831]  +B uts:[4026532900]
processes: 0 new, 0 gone, 1 moved, 2 unchanged
namespaces: 1 new, 0 gone, 8 as before
"""
    )
    assert "A→B" in texts(picture)


def test_a_process_that_became_a_zombie_has_not_moved_but_ended():
    family, _ = notebook()
    child = family.add(101, "child")
    before = family.snapshot()
    dead = family.processes[child]
    links = {link: dead.links[link] for link in ("pid", "user")}
    family.processes[child] = dead._replace(links=links, zombie=True)
    text = str(diff(before, family.snapshot()))
    assert "has ended, but its parent has yet to reap it: a zombie" in text
    assert "a new one" not in text


def test_what_came_and_what_went_is_marked():
    family, agent = notebook()
    gone = family.add(agent, "box", ("net",), role='sandbox "old"')
    before = family.snapshot()
    new = family.add(agent, "box", ("uts",), role='sandbox "new"')
    family.add(new, "sleep")
    net = family.processes.pop(gone).links["net"]
    del family.namespaces["net", net]
    assert str(diff(before, family.snapshot())) == lines(
        """
  process                   what changed
  this notebook
  └─ agent
+    ├─ sandbox "new"       new, in uts B; else as its parent
+    │  └─ sleep            new, in the namespaces of its parent
−    └─ sandbox "old"       gone
uts A uts:[4026531831]  +B uts:[4026532009]
net A net:[4026531834]  −B net:[4026532008]
processes: 2 new, 1 gone, 0 moved, 2 unchanged
namespaces: 1 new, 1 gone, 8 as before
"""
    )


def test_new_processes_that_are_alike_are_drawn_once():
    family, agent = notebook()
    before = family.snapshot()
    for _ in range(120):
        family.add(agent, "sleep")
    assert "+    └─ sleep × 120" in str(diff(before, family.snapshot()))


def test_what_did_not_change_is_gathered_with_its_number():
    family, agent = notebook()
    for index in range(50):
        family.add(agent, f"daemon-{index}")
    before = family.snapshot()
    family.add(101, "late")
    text = str(diff(before, family.snapshot()))
    assert "… 51 unchanged" in text
    assert "daemon" not in text


def test_when_nothing_changed_it_says_so():
    assert str(diff(nested(), nested())) == lines(
        """
  process                   what changed
  … 10 unchanged
processes: 0 new, 0 gone, 0 moved, 10 unchanged
namespaces: 0 new, 0 gone, 14 as before
"""
    )


def test_a_pid_namespace_set_aside_for_children_is_told_in_words():
    family, agent = notebook()
    before = family.snapshot()
    moved(family, agent, pid_for_children=0)
    assert "pid_for_children A → a new one" in str(diff(before, family.snapshot()))


def test_links_that_can_be_read_no_longer_are_not_called_moved_one_by_one():
    before = mars_and_venus()
    unreadable = before.processes[104]._replace(links={})
    after = Snapshot(before.processes | {104: unreadable}, before.namespaces)
    assert "its links could no longer be read" in str(diff(before, after))


def test_something_else_than_a_snapshot_is_refused():
    with pytest.raises(TypeError, match="after must be a Snapshot, not dict"):
        diff(nested(), {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("equal", "differing", "words"),
    [
        (10, [], "10 links equal, none differs"),
        (9, ["uts"], "9 links equal, 1 differs: uts"),
        (1, ["uts", "net"], "1 link equal, 2 differ: uts, net"),
    ],
)
def test_the_verdict_is_a_sentence(equal: int, differing: list[str], words: str):
    assert verdict(equal, differing) == words


def test_a_number_that_another_namespace_has_now_is_told_as_two():
    family, _ = notebook()
    child = family.add(101, "child", ["uts"])
    number = family.processes[child].links["uts"]
    before = family.snapshot()
    before.namespaces["uts", number] = replace(before.namespaces["uts", number], id=11)
    after = family.snapshot()
    after.namespaces["uts", number] = replace(after.namespaces["uts", number], id=12)
    picture = diff(before, after)
    assert str(picture) == lines(
        f"""
  process                   what changed
  this notebook
  ├─ agent
  └─ child                  uts B → C   9 links equal, 1 differs: uts
uts A uts:[4026531831]  −B uts:[{number}]  +C uts:[{number}]
processes: 0 new, 0 gone, 1 moved, 2 unchanged
namespaces: 1 new, 1 gone, 8 as before
"""
    )
