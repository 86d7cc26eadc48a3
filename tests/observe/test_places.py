"""Where a picture looks from, and what it calls that."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from nsedu import Sandbox
from nsedu.observe.viewpoints import Place, places

pytestmark = pytest.mark.needs("userns", "uts")


def test_what_has_a_pid_will_do_and_so_will_a_pid() -> None:
    with Sandbox("uts", name="web") as web, web.popen(["sleep", "60"]) as command:
        found = places(web, command, os.getpid())
        assert found == [
            Place('sandbox "web"', web.pid),
            Place("sleep", command.pid),
            Place("this program", os.getpid()),
        ]


def test_without_a_word_it_is_this_process_and_its_sandboxes_oldest_first() -> None:
    with Sandbox("uts", name="one"), Sandbox("uts", name="two"):
        names = [place.name for place in places()]
        assert names[0] == "this program"
        assert names[-2:] == ['sandbox "one"', 'sandbox "two"']
    assert 'sandbox "two"' not in [place.name for place in places()]


@pytest.mark.parametrize("wrong", ["web", None, 1.5, True])
def test_what_is_no_place_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="name a sandbox, a process or a pid"):
        places(wrong)


def test_a_process_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no process"):
        places(sys.maxsize)
