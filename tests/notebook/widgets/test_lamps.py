"""One look for all cards that are seen, and what a card makes of what it is told."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import nsedu as ns
from awaiting import eventually
from nsedu.learning import progress_store
from nsedu.learning.exercises import EXERCISES, Verdict, verdict
from nsedu.learning.exercises.model import Exercise, World, world
from nsedu.notebook.widgets import exercise_card as cards
from nsedu.notebook.widgets import exercise_checker as looking
from nsedu.notebook.widgets import polling
from nsedu.notebook.widgets.exercise_card import ExerciseWidget
from nsedu.notebook.widgets.exercise_checker import lamps
from nsedu.notebook.widgets.polling import beat
from nsedu.sandbox.process_labels import Roles

RIGHT = Verdict("uts-1", True, "right.")
WRONG = Verdict("uts-1", False, "found something else.")


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(progress_store, "memory", {})
    monkeypatch.setattr(cards, "cards_of", {})
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))  # others work on this machine, too
    yield
    for card in list(beat.watched_until):
        beat.leave(card)


def card(check: Callable[[World], Verdict], id: str = "uts-1") -> ExerciseWidget:
    def finding(world: World) -> tuple[bool, str]:
        verdict = check(world)
        return verdict.solved, verdict.found

    return ExerciseWidget(replace(EXERCISES[id], check=finding))


def seen(widget: ExerciseWidget, visible: bool = True) -> None:
    """What the browser says when the card comes into sight or leaves it."""
    widget.receive(widget, {"view": "v", "visible": visible}, [])


def press(widget: ExerciseWidget, button: str) -> None:
    widget.receive(widget, {"press": button}, [])


def test_a_card_that_is_seen_is_judged_until_it_is_solved() -> None:
    verdicts = [WRONG, RIGHT]
    checked = []

    def check(_: World) -> Verdict:
        checked.append(1)
        return verdicts.pop(0)

    widget = card(check)
    seen(widget)
    assert eventually(lambda: widget.solved)
    assert (widget.found, len(checked)) == ("right.", 2)
    assert widget not in beat.watched_until


def test_a_card_that_is_not_seen_is_not_judged() -> None:
    looked: list[World] = []
    hidden, shown = card(lambda world: looked.append(world) or WRONG), card(lambda _: RIGHT)
    with beat.changed:  # so that no look begins in between
        seen(hidden)
        seen(hidden, False)
    seen(shown)
    assert eventually(lambda: shown.solved)
    assert hidden not in beat.watched_until
    assert not looked


def test_a_card_that_is_left_while_the_kernel_is_read_is_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[World] = []
    leaving, staying = card(lambda world: looked.append(world) or WRONG), card(lambda _: RIGHT)

    def slow() -> World:
        seen(leaving, False)
        return world()

    monkeypatch.setattr(looking, "world", slow)
    with beat.changed:
        seen(leaving)
        seen(staying)
    assert eventually(lambda: staying.solved)
    assert not looked


def test_many_cards_share_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = []
    monkeypatch.setattr(looking, "world", lambda: worlds.append(1) or world())
    several = []
    given: list[World] = []
    for number in range(30):
        widget = card(lambda world: given.append(world) or WRONG)
        widget.exercise = replace(widget.exercise, id=str(number))
        several.append(widget)
    with beat.changed:  # so that the one look is ours
        for widget in several:
            seen(widget)
        lamps.look_for(several)
    assert len(worlds) == 1
    assert len(given) == 30
    assert len({id(world) for world in given}) == 1


def test_a_check_that_raises_is_told_as_a_sentence_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looking, "RETRY_AFTER", 0)
    tries: list[int] = []

    def check(_: World) -> Verdict:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("five is not four\nand so on")
        return RIGHT

    widget = card(check)
    told = []
    widget.observe(lambda change: told.append(change.new), "found")
    seen(widget)
    assert eventually(lambda: widget.solved)
    assert told == [
        "the check failed, and will be tried again: ValueError: five is not four",
        "right.",
    ]


def test_a_world_that_cannot_be_seen_is_told_to_every_card(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing() -> World:
        raise FileNotFoundError("no /proc is mounted")

    monkeypatch.setattr(looking, "world", nothing)
    widget = card(lambda _: RIGHT)
    lamps.look_for([widget])
    assert "no /proc is mounted" in widget.found
    assert not widget.solved


def test_a_card_of_which_nobody_hears_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    widget = card(lambda _: looked.append(1) or WRONG)
    monkeypatch.setattr(polling, "VISIBLE_FOR", -1)
    seen(widget)
    assert eventually(lambda: widget not in beat.watched_until)
    assert looked == []


def test_a_card_that_is_collected_leaves_without_waiting_for_a_lock() -> None:
    widget = card(lambda _: WRONG)
    leaving = threading.Thread(target=widget.close, daemon=True)
    with beat.changed:
        leaving.start()
        leaving.join(10)
        assert not leaving.is_alive()


def test_hints_are_shown_in_order_and_no_further_than_there_are() -> None:
    widget = card(lambda _: WRONG)
    for count in (1, 2, 3, 3):
        press(widget, "hint")
        assert widget.hints == list(EXERCISES["uts-1"].hints[:count])


def test_what_a_card_sees_solved_is_recorded_with_its_hints() -> None:
    widget = card(lambda _: RIGHT)
    press(widget, "hint")
    widget.judge(RIGHT)
    entry = progress_store.all_solved()["uts-1"]
    assert (entry.hints, entry.seconds) == (1, widget.seconds)


def test_solved_stays_solved() -> None:
    widget = card(lambda _: WRONG)
    widget.judge(RIGHT)
    widget.judge(WRONG)
    assert (widget.solved, widget.found) == (True, "right.")


def test_a_solved_card_that_comes_into_sight_is_not_judged_any_more() -> None:
    widget = card(lambda _: pytest.fail("looked"))
    widget.judge(RIGHT)
    seen(widget)
    assert widget not in beat.watched_until


def test_begun_anew_it_wants_to_be_unsolved_first() -> None:
    widget = card(lambda _: WRONG)
    widget.judge(RIGHT)
    press(widget, "again")
    assert (widget.solved, widget.hints) == (False, [])
    widget.judge(RIGHT)
    assert not widget.solved
    assert "still stands" in widget.found
    widget.judge(WRONG)
    widget.judge(RIGHT)
    assert widget.solved


def test_an_exercise_has_one_card_and_its_hints_stay_open() -> None:
    exercise = EXERCISES["uts-1"]
    first = cards.card(exercise, 2)
    assert cards.card(exercise, 1) is first
    assert len(first.hints) == 2


@pytest.mark.needs("userns", "uts")
def test_a_check_in_a_cell_is_told_to_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    widget = cards.card(EXERCISES["uts-1"], 0)
    with ns.Sandbox("uts", hostname="phobos"):
        assert ns.check("uts-1")
    assert widget.solved
    assert capsys.readouterr().out == ""  # one verdict, on the card


def test_one_solved_in_another_notebook_says_when() -> None:
    progress_store.record("uts-1")
    assert card(lambda _: WRONG).before == progress_store.all_solved()["uts-1"].solved[:10]


@pytest.mark.needs("userns", "uts")
def test_what_a_look_sends_into_a_sandbox_is_in_no_picture() -> None:
    exercise: Exercise = EXERCISES["uts-1"]
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            with looking.looking:
                exercise.check(looking.world())

    with ns.Sandbox("uts", name="mars"):
        thread = threading.Thread(target=look)
        thread.start()
        try:
            for _ in range(100):
                assert len(ns.snapshot("mine").processes) == 3  # this program, the agent, mars
        finally:
            stop.set()
            thread.join()


@pytest.mark.needs("userns", "uts")
def test_whom_a_look_sends_is_given_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []
    monkeypatch.setattr(Roles, "__setitem__", lambda _, pid, role: named.append(role))
    with ns.Sandbox("uts", name="mars"):
        assert "its name is not phobos" in verdict("uts-1").found
    assert [role for role in named if role != "agent"] == ['sandbox "mars"']


@pytest.mark.needs("userns", "uts")
def test_whom_another_look_has_sent_solves_nothing() -> None:
    with ns.Sandbox("uts", name="nsedu look", hostname="phobos"):
        assert not verdict("uts-1").solved
