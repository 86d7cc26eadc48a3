"""The mount trees of sandboxes in one call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import nsedu as ns
from random_mounts import copied

pytestmark = pytest.mark.needs("userns", "mnt", "unshare")


def test_a_mount_made_inside_is_drawn_beside_you_who_do_not_have_it() -> None:
    with ns.Sandbox("mnt", name="mars") as mars:
        mars.run("mount -t tmpfs drawer /mnt")
        drawn = str(ns.mounts(os.getpid(), mars)).splitlines()
        assert f'sandbox "mars" · {mars.namespaces["mnt"]}' in drawn
    assert drawn[0].startswith("this program · mnt:[")
    assert "  /mnt          tmpfs drawer  · private" in drawn


def test_the_four_propagation_types_are_read_from_the_kernel() -> None:
    with ns.Sandbox("mnt", name="home") as home:
        home.run("mount -t tmpfs pool /mnt; mkdir /mnt/a; mount --make-shared /mnt")
        with (
            copied(home, "unchanged", "peer") as peer,
            copied(home, "slave", "slave") as slave,
            copied(home, "private", "private") as private,
        ):
            home.run("mount -t tmpfs secret /mnt/a; mount --make-unbindable /mnt/a")
            drawn = str(ns.mounts(home, peer, slave, private, below=Path("/mnt")))
    assert 'peer group A: sandbox "home" /mnt ↔ sandbox "peer" /mnt → sandbox "slave" /mnt' in drawn
    assert "/mnt/a     tmpfs secret  ⊘ unbindable" in drawn
    assert "/mnt/a     tmpfs secret  ← slave of B" in drawn
    assert drawn.count("· private") == 2  # the row and its meaning


def test_without_a_word_it_is_this_process_and_its_sandboxes() -> None:
    with ns.Sandbox("mnt", name="mars") as mars:
        mars.run("mount -t tmpfs drawer /mnt")
        drawn = str(ns.mounts())
    assert "this program · " in drawn
    assert 'sandbox "mars" · ' in drawn


@pytest.mark.parametrize("below", ["/mnt", "/mnt/", "//mnt/./x/.."])
def test_a_path_may_be_written_in_any_way(below: str) -> None:
    with ns.Sandbox("mnt") as box:
        box.run("mount -t tmpfs drawer /mnt")
        assert "drawer" in str(ns.mounts(box, below=below))
        assert "/proc" not in str(ns.mounts(box, below=below))


@pytest.mark.parametrize("below", [5, ["/mnt"], True])
def test_what_is_no_path_is_refused(below: Any) -> None:
    with pytest.raises(TypeError, match="below must be a path such as"):
        ns.mounts(os.getpid(), below=below)


@pytest.mark.parametrize("below", ["", "mnt", b"/mnt"])
def test_a_path_that_does_not_begin_at_the_root_is_refused(below: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="below must be a path"):
        ns.mounts(os.getpid(), below=below)


def test_what_is_no_place_is_refused() -> None:
    with pytest.raises(TypeError, match="name a sandbox, a process or a pid"):
        ns.mounts("/mnt")
