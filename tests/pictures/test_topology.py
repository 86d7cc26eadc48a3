"""The picture of networks, asked for in one call."""

from __future__ import annotations

import os

import pytest

import nsedu
from nsedu import Sandbox


@pytest.mark.needs("userns", "net", "nested", "veth")
def test_all_sandboxes_are_shown_and_ones_own_namespace_is_not() -> None:
    with (
        Sandbox("net", name="lab") as lab,
        lab.sandbox("net", name="room") as room,
        Sandbox("uts", name="at home"),
    ):
        nsedu.cable((lab, "port"), (room, "eth0"))
        text = str(nsedu.topology())
    assert 'sandbox "lab"' in text
    assert "veth to port of net A" in text
    assert "at home" not in text
    assert "2 network namespaces, 1 cable between them" in text


@pytest.mark.needs("userns", "net")
def test_ones_own_namespace_tells_nothing_of_the_machine() -> None:
    with Sandbox("uts", name="at home") as box:
        text = str(nsedu.topology(box))
    assert text.splitlines()[0].endswith('sandbox "at home"')
    assert text.splitlines()[1].startswith("1 network namespace, 0 cables")


def test_what_is_no_place_is_a_sentence() -> None:
    with pytest.raises(TypeError, match="sandbox"):
        nsedu.topology("lab")
    with pytest.raises((TypeError, ValueError)):
        nsedu.topology(-os.getpid())
