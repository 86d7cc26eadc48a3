"""The process connector tells what happens, and refuses where the kernel does not listen."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import threading
from collections.abc import Iterator

import pytest

import nsedu as ns
from nsedu.kernel.process_events import Event, Events


def of(pid: int, told: list[Event]) -> list[Event]:
    return [event for event in told if event.pid == pid]


@contextlib.contextmanager
def another_listener() -> Iterator[None]:
    """Somebody who begins to listen again and again."""
    enough = threading.Event()

    def listen() -> None:
        while not enough.wait(0.05):
            with Events():
                pass

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


@pytest.mark.needs("proc-connector")
def test_a_program_is_born_executes_and_ends() -> None:
    with Events() as events:
        child = subprocess.Popen(["true"])
        child.wait()
        told = of(child.pid, events.until_exit(child.pid))
    assert [event.what for event in told] == ["fork", "exec", "exit"]
    assert told[0].parent == os.getpid()


@pytest.mark.needs("proc-connector")
def test_a_child_that_only_forks_executes_nothing() -> None:
    with Events() as events:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        told = of(pid, events.until_exit(pid))
    assert told == [Event("fork", pid, os.getpid()), Event("exit", pid)]


@pytest.mark.needs("proc-connector")
def test_a_thread_is_no_process() -> None:
    with Events() as events:
        thread = threading.Thread(target=lambda: None)
        thread.start()
        number = thread.native_id
        thread.join()
        child = subprocess.Popen(["true"])
        child.wait()
        told = events.until_exit(child.pid)
    assert of(number or 0, told) == []


@pytest.mark.needs("proc-connector")
def test_it_waits_no_longer_than_it_was_told() -> None:
    with Events() as events:
        assert of(os.getpid(), events.until_exit(os.getpid(), timeout=0)) == []


@pytest.mark.needs("userns", "net")
def test_in_another_network_namespace_nobody_is_at_the_other_end() -> None:
    with ns.Sandbox("net") as box, pytest.raises(OSError) as caught:
        box.call(Events)
    assert caught.value.errno == errno.ECONNREFUSED


@pytest.mark.needs("userns", "proc-connector")
def test_in_another_user_namespace_there_is_no_answer() -> None:
    listen = [another_listener(), another_listener()]  # the answers to them are told to everyone
    with ns.Sandbox("user") as box, listen[0], listen[1], pytest.raises(OSError) as caught:
        box.call(lambda: Events().__exit__(None, None, None))
    assert caught.value.errno == errno.ETIMEDOUT


@pytest.mark.needs("proc-connector")
def test_what_happens_before_anyone_reads_is_kept() -> None:
    with Events() as events:
        busy = subprocess.Popen(["sh", "-c", "for i in $(seq 120); do /bin/true; done"])
        busy.wait()
        told = events.until_exit(busy.pid)
    born = [event for event in told if event.what == "fork" and event.parent == busy.pid]
    assert len(born) >= 120
