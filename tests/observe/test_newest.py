"""The probes of the newest interfaces say why not, in a sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from nsedu.kernel import nsfs_handles, process_events, syscalls
from nsedu.observe.newest_interfaces import PROBES
from nsedu.requirements import NEEDS, doctor, missing

FIRST = {
    "nsfs-ioctls": (syscalls, "pidfd_get_namespace"),
    "statmount": (syscalls, "listmount"),
    "ns-id": (nsfs_handles, "name_to_handle"),
    "mnt-list": (syscalls, "ns_mnt_get_next"),
    "proc-connector": (process_events, "Events"),
}
"""For each probe a call that an older kernel refuses."""


def refusing(*args: object, **options: object) -> Any:
    raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))


@pytest.mark.needs("userns", "uts")
@pytest.mark.parametrize("need", FIRST)
def test_an_older_kernel_is_told_by_its_refusal(need: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(*FIRST[need], refusing)
    said = missing([need])[need]
    assert "here: Inappropriate ioctl for device" in said


@pytest.mark.parametrize("probe", [probe for _, probe in PROBES.values()], ids=list(PROBES))
def test_a_probe_leaves_no_descriptor(probe: Callable[[], str | None]) -> None:
    probe()
    before = len(os.listdir("/proc/self/fd"))
    probe()
    assert len(os.listdir("/proc/self/fd")) == before


def test_they_are_needs_but_no_rows_of_the_table() -> None:
    assert set(PROBES) <= set(NEEDS)
    assert not set(PROBES) & {row.type for row in doctor().all}
