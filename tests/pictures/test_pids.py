"""`nsedu.pids`: look, then draw the ladder."""

from __future__ import annotations

import os

import pytest

import nsedu as ns
from awaiting import eventually

pytestmark = pytest.mark.needs("userns", "pid")


def rows(picture: ns.Picture) -> list[list[str]]:
    return [line.split() for line in str(picture).splitlines()[1:]]


def test_a_sandbox_is_drawn_with_what_is_below_it() -> None:
    with ns.Sandbox("pid", name="web") as web, web.popen(["sleep", "60"]):
        below = ["└─", "sleep", "A", "p2", "B", "2"]
        assert eventually(lambda: rows(ns.pids(web))[1] == below)  # once it has become sleep
        assert rows(ns.pids(web))[0] == ["sandbox", '"web"', "A", "p1", "B", "1"]


def test_several_are_drawn_in_the_order_given_and_each_once() -> None:
    with (
        ns.Sandbox("pid", name="one") as one,
        ns.Sandbox("pid", name="two") as two,
        one.sandbox("pid", name="in") as inner,
    ):
        found = rows(ns.pids(two, one, inner.pid))
    assert [row[:-4][-1] for row in found[:2]] == ['"two"', '"one"']
    assert found[2] == ["└─", "sandbox", '"in"', "A", "p3", "C", "2", "D", "1"]
    assert not any('"in"' in row for row in found[3:])


def test_nobody_named_means_this_program_and_all_below() -> None:
    with ns.Sandbox("pid", name="web"):
        text = str(ns.pids())
    assert text.splitlines()[1].startswith("this program")
    assert 'sandbox "web"' in text


@pytest.mark.parametrize("what", ["web", None, True, 1.5])
def test_what_is_no_process_is_a_type_error(what: object) -> None:
    with pytest.raises(TypeError, match="name a sandbox, a process or a pid"):
        ns.pids(what)


def test_a_pid_that_nobody_has_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no process 4194305"):
        ns.pids(os.getpid(), 4194305)
