"""The explorer as a text and as an object, without a browser."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import nsedu as ns
from awaiting import eventually
from nsedu.observe.records import Process, Snapshot
from waiting import child


def one(pid: int, ppid: int = 0, **links: int) -> Process:
    return Process(pid, ppid, "sh", "sh", links=links)


SAVED = Snapshot({1: one(1, uts=10, net=20), 2: one(2, 1, uts=11, net=20)}, {}, "machine")


def test_without_a_front_end_it_is_the_tree_and_a_line_for_each_type() -> None:
    text = repr(ns.explore(SAVED))
    assert text.startswith(repr(ns.tree(SAVED)))
    lines = text.splitlines()
    assert "uts     A 1  B 1" in lines
    assert "net     A 2" in lines
    assert "mnt     none in sight" in lines


def test_many_namespaces_of_a_type_are_counted() -> None:
    people = {pid: one(pid, uts=100 + pid) for pid in range(1, 21)}
    text = repr(ns.explore(Snapshot(people, {})))
    assert "P 1  … 4 more" in text


def test_a_cell_gets_the_text_where_nobody_can_click() -> None:
    explorer = ns.explore(SAVED)
    assert explorer._repr_mimebundle_() == {"text/plain": repr(explorer)}


def test_without_a_front_end_no_widget_is_loaded() -> None:
    code = "import nsedu, sys; print(repr(nsedu.explore())); print('anywidget' in sys.modules)"
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.endswith("False\n")
    assert "this program" in said


@pytest.mark.parametrize("what", [None, 1.5, True, ["mine"]])
def test_another_kind_of_thing_is_a_type_error(what: Any) -> None:
    with pytest.raises(TypeError, match='what must be "mine", "machine", a pid'):
        ns.explore(what)


def test_another_word_is_refused_with_what_is_accepted() -> None:
    with pytest.raises(ValueError, match=r'must be "mine", "machine" or the pid'):
        ns.explore("all")


def test_a_pid_that_nobody_has_is_a_lookup_error() -> None:
    with pytest.raises(ProcessLookupError, match="no process 4194305"):
        ns.explore(4194305)


@pytest.mark.needs("userns")
def test_a_sandbox_is_that_and_all_below_it() -> None:
    with ns.Sandbox("uts", name="web") as box:
        assert ns.explore(box).snapshot.processes[box.pid].role == 'sandbox "web"'
        assert list(ns.explore(box.pid).snapshot.processes) == [box.pid]


def test_it_looks_anew_unless_it_is_paused() -> None:
    explorer = ns.explore()
    with child() as pid:
        assert pid not in explorer.snapshot.processes
        assert pid in explorer.look().processes
        explorer.pause()
    assert pid in explorer.look().processes
    explorer.resume()
    assert pid not in explorer.look().processes


def test_a_saved_snapshot_stays_as_it_is_until_it_looks_elsewhere() -> None:
    explorer = ns.explore(SAVED)
    assert explorer.still
    assert explorer.look() is SAVED
    explorer.look_at("mine")
    assert not explorer.still
    assert "this program" in repr(explorer)
    explorer.show(SAVED)
    assert explorer.look() is SAVED


def test_what_came_went_and_moved_since_a_mark_is_told() -> None:
    explorer = ns.explore()
    assert explorer.changes() == []
    with child() as first:
        explorer.look()
        explorer.mark()
        assert explorer.changes() == []
        with child() as second:
            explorer.look()
            told = [(c.what, c.process.pid) for c in explorer.changes() if c.process]
            assert told == [("new", second)]
    assert eventually(lambda: first not in explorer.look().processes)
    assert [(c.what, c.process.pid) for c in explorer.changes() if c.process] == [("gone", first)]


def test_a_pid_that_was_used_again_since_the_mark_went_and_came() -> None:
    explorer = ns.explore()
    with child() as pid:
        explorer.look()
        explorer.mark()
        explorer.started[pid] = b"1"  # as if another process had it by now
        told = [(c.what, c.process.pid) for c in explorer.changes() if c.process]
    assert told == [("gone", pid), ("new", pid)]


def test_closed_it_looks_no_more() -> None:
    explorer = ns.explore()
    explorer.close()
    with child() as pid:
        assert pid not in explorer.look().processes
