"""The beat looks for whoever is watched, and for nobody else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from nsedu.notebook.widgets import polling as module
from nsedu.notebook.widgets.polling import Poller


class Pollable:
    """Counts how often it looked, and can wait for it."""

    def __init__(self, interval: float = 0.01, error: Exception | None = None) -> None:
        self.interval, self.error = interval, error
        self.looks = threading.Semaphore(0)
        self.told: list[Exception] = []
        self.failure = threading.Event()
        self.asked = threading.Event()

    def look(self) -> None:
        self.looks.release()
        if self.error is not None:
            raise self.error

    def ask(self) -> None:
        self.asked.set()

    def failed(self, error: Exception) -> None:
        self.told.append(error)
        self.failure.set()

    def await_looks(self, number: int) -> None:
        for _ in range(number):
            assert self.looks.acquire(timeout=10), "it was not called"


@pytest.fixture
def beat() -> Iterator[Poller]:
    made = Poller()
    yield made
    made.stop()


def thread_of(beat: Poller) -> threading.Thread:
    assert beat.thread is not None
    return beat.thread


def test_whoever_is_watched_looks_again_and_again(beat: Poller) -> None:
    one, other = Pollable(), Pollable()
    beat.watch(one)
    beat.watch(other)
    one.await_looks(5)
    other.await_looks(5)


def test_the_thread_ends_when_nobody_is_watched_and_begins_anew(beat: Poller) -> None:
    looker = Pollable()
    for _ in range(2):
        beat.watch(looker)
        looker.await_looks(1)
        thread = thread_of(beat)
        beat.leave(looker)
        thread.join(10)
        assert not thread.is_alive()


def test_one_thread_serves_many(beat: Poller) -> None:
    lookers = [Pollable() for _ in range(50)]
    for looker in lookers:
        beat.watch(looker)
    before = thread_of(beat)
    for looker in lookers:
        looker.await_looks(2)
    assert thread_of(beat) is before


class Group:
    """Notes for whom it has looked."""

    interval = 0.01

    def __init__(self) -> None:
        self.watched: list[list[Pollable]] = []
        self.looks = threading.Semaphore(0)

    def look_for(self, watched: list[Pollable]) -> None:
        self.watched.append(watched)
        self.looks.release()


def test_a_group_looks_for_all_that_are_watched_until_the_last_one_leaves(beat: Poller) -> None:
    one, other, group = Pollable(), Pollable(), Group()
    with beat.changed:
        beat.watch(one, group)
        beat.watch(other, group)
    thread = thread_of(beat)
    assert group.looks.acquire(timeout=10)
    assert group.watched[0] == [one, other]
    beat.leave(one)
    while group.watched[-1] != [other]:
        assert group.looks.acquire(timeout=10)
    beat.leave(other)
    thread.join(10)
    assert not thread.is_alive()
    assert not one.looks.acquire(blocking=False)


def test_a_view_that_is_silent_is_forgotten(beat: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VISIBLE_FOR", 0.05)
    looker = Pollable()
    beat.watch(looker)
    thread = thread_of(beat)
    thread.join(10)
    assert not thread.is_alive()


def test_a_view_is_asked_whether_it_is_still_there(
    beat: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_AFTER", 0.05)
    looker = Pollable()
    beat.watch(looker)
    assert looker.asked.wait(10)


def test_a_look_that_raises_is_told_and_not_repeated(beat: Poller) -> None:
    bad, good = Pollable(error=ValueError("no")), Pollable()
    beat.watch(bad)
    beat.watch(good)
    assert bad.failure.wait(10)
    good.await_looks(5)
    assert [str(error) for error in bad.told] == ["no"]
    assert bad.looks.acquire(blocking=False) and not bad.looks.acquire(blocking=False)


def test_leaving_twice_or_unwatched_does_nothing(beat: Poller) -> None:
    looker = Pollable()
    beat.leave(looker)
    beat.watch(looker)
    beat.leave(looker)
    beat.leave(looker)


def test_one_that_nobody_watches_leaves_without_waiting_for_a_lock(beat: Poller) -> None:
    # As Python does when it collects a widget in the new thread, while `watch` waits for that.
    leaving = threading.Thread(target=beat.leave, args=[Pollable()], daemon=True)
    with beat.changed:
        leaving.start()
        leaving.join(10)
        assert not leaving.is_alive()


def test_a_long_look_is_followed_by_a_long_pause(
    beat: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module.time, "thread_time", lambda: clock[0])
    done = threading.Event()

    class Slow(Pollable):
        def look(self) -> None:
            clock[0] += 2  # seconds, as far as the beat can tell
            done.set()

    slow = Slow()
    beat.watch(slow)
    assert done.wait(10)
    with beat.changed:
        while beat.due_at.get(slow) == 100.0:
            beat.changed.wait(0.01)
        assert beat.due_at[slow] == 102 + 2 * module.MIN_PAUSE_FACTOR


def test_a_forked_child_has_no_beat_and_can_have_one() -> None:
    looker = Pollable()
    module.beat.watch(looker)
    looker.await_looks(1)
    pid = os.fork()
    if pid == 0:
        mine = Pollable()
        status = 0 if module.beat.thread is None and not module.beat.due_at else 1
        module.beat.watch(mine)
        status += 0 if mine.looks.acquire(timeout=5) else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    module.beat.leave(looker)
