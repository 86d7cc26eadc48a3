"""File handles of namespaces: names that keep nothing, and lead back as long as it lives."""

from __future__ import annotations

import errno
import os

import pytest

import nsedu as ns
from nsedu.kernel import nsfs_handles, syscalls
from nsedu.kernel.namespace_types import BY_NAME

pytestmark = pytest.mark.needs("userns", "uts", "ns-id")


def handle_of(box: ns.Sandbox, type: str) -> nsfs_handles.Handle:
    fd = syscalls.nsfd(box.pid, type)
    try:
        return nsfs_handles.name_to_handle(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("type", ns.TYPES)
def test_it_holds_the_id_the_type_and_the_number(type: str) -> None:
    fd = syscalls.nsfd(os.getpid(), type)
    try:
        handle = nsfs_handles.name_to_handle(fd)
        assert handle.id == syscalls.ns_get_id(fd)
        assert (handle.flag, handle.ns) == (BY_NAME[type].flag, os.fstat(fd).st_ino)
    finally:
        os.close(fd)


def test_it_leads_back_to_the_namespace() -> None:
    with ns.Sandbox("uts") as box:
        fd = nsfs_handles.open_by_handle(handle_of(box, "uts"))
        number = os.fstat(fd).st_ino
        os.close(fd)
        assert number == box.namespaces["uts"].ns


def test_it_keeps_nothing_alive() -> None:
    with ns.Sandbox("uts") as box:
        handle = handle_of(box, "uts")
    with pytest.raises(OSError) as caught:
        nsfs_handles.open_by_handle(handle)
    assert caught.value.errno == errno.ESTALE


def test_one_with_a_wrong_number_is_stale() -> None:
    with ns.Sandbox("uts") as box:
        handle = handle_of(box, "uts")
        with pytest.raises(OSError) as caught:
            nsfs_handles.open_by_handle(handle._replace(ns=handle.ns + 1))
    assert caught.value.errno == errno.ESTALE
