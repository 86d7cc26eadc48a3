"""Waits that have an end."""

from __future__ import annotations

import errno
import os
import signal
import time

import pytest

from nsedu.kernel import bounded_waits


def child(seconds: float, group: bool = False) -> int:
    pid = os.fork()
    if pid == 0:
        if group:
            os.setpgid(0, 0)
        time.sleep(seconds)
        os._exit(3)
    return pid


def test_a_child_that_ends_is_reaped_with_its_status() -> None:
    assert os.waitstatus_to_exitcode(bounded_waits.reap(child(0), 30)) == 3


@pytest.mark.parametrize("group", [False, True])
def test_a_child_that_takes_too_long_is_killed(group: bool) -> None:
    pid = child(1000, group)
    assert bounded_waits.reap(pid, 0, group) == signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_is_awaited_without_a_descriptor_where_there_is_none_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", full)
    assert os.waitstatus_to_exitcode(bounded_waits.reap(child(0.02), 30)) == 3
    assert bounded_waits.reap(child(1000), 0) == signal.SIGKILL


def test_a_child_that_somebody_else_has_reaped_is_no_error() -> None:
    pid = child(0)
    os.waitpid(pid, 0)
    assert bounded_waits.reap(pid, 30) == signal.SIGKILL


def test_one_that_does_not_end_although_it_is_killed_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded_waits, "KILLED", 0.0)
    pid = child(1000)
    kill = os.kill
    monkeypatch.setattr(os, "kill", lambda *_: None)
    with pytest.raises(TimeoutError, match="did not end although it was killed"):
        bounded_waits.reap(pid, 0)
    kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
