"""Cables between sandboxes: laid, replaced, and refused in sentences."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import nsedu
from nsedu import Sandbox

pytestmark = pytest.mark.needs("userns", "net", "nested", "veth", "ip", "ping")


@pytest.fixture(scope="module")
def lab() -> Iterator[Sandbox]:
    with Sandbox("net", name="lab") as lab:
        yield lab


@pytest.fixture
def rooms(lab: Sandbox) -> Iterator[tuple[Sandbox, Sandbox]]:
    with lab.sandbox("net", name="left") as left, lab.sandbox("net", name="right") as right:
        yield left, right


def answers(box: Sandbox, address: str) -> bool:
    return box.run(["ping", "-c", "1", "-W", "5", address], check=False).returncode == 0


def links(box: Sandbox) -> list[str]:
    return [line.split("@")[0] for line in box.run("ip -br link").stdout.splitlines()[1:]]


def test_packets_go_from_one_end_to_the_other(rooms: tuple[Sandbox, Sandbox]) -> None:
    left, right = rooms
    nsedu.cable((left, "eth0", "10.0.0.1/24", "fd00::1/64"), (right, "wan", "10.0.0.2/24"))
    assert answers(left, "10.0.0.2")
    assert answers(right, "10.0.0.1")
    assert "fd00::1/64" in left.run("ip -br -6 address show eth0").stdout


def test_several_are_laid_at_once(rooms: tuple[Sandbox, Sandbox]) -> None:
    left, right = rooms
    nsedu.cable((left, "a"), (right, "b"), (left, "c"), (left, "d"))
    assert (sorted(links(left)), links(right)) == (["a", "c", "d"], ["b"])


def test_a_link_of_the_same_name_is_replaced(rooms: tuple[Sandbox, Sandbox]) -> None:
    left, right = rooms
    for net in "12":
        nsedu.cable((left, "eth0", f"10.0.{net}.1/24"), (right, "eth0", f"10.0.{net}.2/24"))
    assert (links(left), links(right)) == (["eth0"], ["eth0"])
    assert answers(left, "10.0.2.2")


def test_one_end_may_be_in_the_sandbox_around(lab: Sandbox, rooms: tuple[Sandbox, Sandbox]) -> None:
    left, _ = rooms
    nsedu.cable((lab, "port", "10.0.0.1/24"), (left, "eth0", "10.0.0.2/24"))
    assert answers(lab, "10.0.0.2")


def test_a_room_with_pids_of_its_own_is_found(lab: Sandbox) -> None:
    with Sandbox("net", "pid") as outer, outer.sandbox("net", "pid") as room:
        nsedu.cable((outer, "port", "10.0.0.1/24"), (room, "eth0", "10.0.0.2/24"))
        assert answers(outer, "10.0.0.2")


def test_strangers_have_nobody_to_lay_it(lab: Sandbox) -> None:
    with Sandbox("net", name="stranger") as stranger:
        with pytest.raises(ValueError, match=r"not inside one sandbox.*make both inside another"):
            nsedu.cable((lab, "a"), (stranger, "b"))
        assert links(stranger) == []


@pytest.mark.parametrize(
    ("ends", "kind", "words"),
    [
        ([], ValueError, "0 were given; name them in pairs"),
        (["x"], ValueError, "1 were given"),
        (["x", ("y", "2001:db8::/129")], ValueError, "is no address such as"),
        (["x", "x"], ValueError, "same name in the same sandbox"),
        (["x" * 16, "y"], ValueError, "1 to 15 bytes"),
        (["", "y"], ValueError, "1 to 15 bytes"),
        ([7, "y"], ValueError, "1 to 15 bytes; 7 has not"),
        (["x", None], TypeError, "an end is a tuple"),
    ],
)
def test_what_is_no_end_is_a_sentence(
    lab: Sandbox, ends: list[object], kind: type[Exception], words: str
) -> None:
    given = []
    for end in ends:
        if isinstance(end, tuple):
            given.append((lab, *end))
        else:
            given.append(end if end is None else (lab, end))
    before = links(lab)
    with pytest.raises(kind, match=words):
        nsedu.cable(*given)
    assert links(lab) == before
