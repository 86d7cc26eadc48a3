"""Measuring: the rounds, the budget, and what is left when it is broken off."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import nsedu as ns
from awaiting import eventually
from made_results import result
from nsedu import draw
from nsedu.measure.machine import line, record
from nsedu.sampling import QUESTIONS
from nsedu.sampling.operations import Operation
from nsedu.sampling.worker import FEWEST, rounds_of


def test_an_unknown_question_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match="there is no question 'price'; ask any of: create"):
        ns.measure("price")


@pytest.mark.parametrize("repeat", [0, -1, True, 1.5, 100_001])
def test_rounds_out_of_bounds_are_refused(repeat: object) -> None:
    with pytest.raises(ValueError, match="repeat must be a number from 1 to 100 000"):
        ns.measure("create", repeat)  # type: ignore[arg-type]


@pytest.mark.parametrize("budget", [0, -1.0, "long"])
def test_a_budget_is_a_number_of_seconds(budget: object) -> None:
    with pytest.raises(ValueError, match="budget must be a number of seconds above 0"):
        ns.measure("create", budget=budget)  # type: ignore[arg-type]


def test_each_question_is_a_module_that_says_what_it_asks() -> None:
    home = Path(ns.__file__).parent / "sampling"
    modules = {path.stem for path in home.glob("*.py") if "\nTITLE = " in path.read_text()}
    assert modules == QUESTIONS.keys()


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_title_of_a_question_fits_over_its_chart(question: str) -> None:
    title = importlib.import_module(f"nsedu.sampling.{question}").TITLE
    chart = draw.costs(replace(result(), question=question, title=title))
    assert f">{title}</text>" in chart.svg.replace("&#x27;", "'")


def test_a_spent_budget_still_buys_a_few_rounds() -> None:
    operation = Operation("x", lambda: (1.0, 0.0))
    assert len(list(rounds_of([operation], 300, deadline=time.monotonic()))) == FEWEST


def test_in_a_round_each_is_sampled_once_and_the_order_changes() -> None:
    calls: list[int] = []
    operations = [
        Operation(str(n), lambda n=n: (calls.append(n) or float(n), 0.0)) for n in range(5)
    ]
    rounds = list(rounds_of(operations, 20))
    assert rounds == [tuple((float(n), 0.0) for n in range(5))] * 20
    orders = {tuple(calls[start : start + 5]) for start in range(0, 100, 5)}
    assert all(sorted(order) == list(range(5)) for order in orders)
    assert len(orders) > 10


def test_the_machine_is_recorded() -> None:
    machine = record()
    assert machine["kernel"] == os.uname().release
    assert machine["clock_ns"] > 0
    assert machine["cgroup"] in ("1", "2", "hybrid", "none")
    assert line(machine).startswith(f"Linux {os.uname().release}, ")


@pytest.mark.needs("userns")
def test_a_measuring_process_that_dies_is_an_error_and_no_shorter_answer() -> None:
    mark = f"nsedu-killed-{os.getpid()}"
    done = subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "NSEDU_MARK": mark},
    )  # fmt: skip
    assert eventually(lambda: len(marked(mark)) > 10)
    children = Path(f"/proc/{done.pid}/task/{done.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    assert "the process that takes the samples has died (status -9)" in done.communicate()[1]
    assert eventually(lambda: marked(mark) == [])


SLOW = "import nsedu; print('begun', flush=True); nsedu.measure('fork', 100_000)"


@pytest.mark.needs("userns")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_goes_on_measuring_when_the_notebook_is_broken_off(how: signal.Signals) -> None:
    mark = f"nsedu-measured-{os.getpid()}-{how}"
    notebook = subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "NSEDU_MARK": mark},
    )  # fmt: skip
    assert notebook.stdout is not None
    assert notebook.stdout.readline() == b"begun\n"
    assert eventually(lambda: len(marked(mark)) > 10)  # its stands at many depths are there
    notebook.send_signal(how)
    notebook.wait()
    notebook.stdout.close()
    assert eventually(lambda: marked(mark) == [])


def marked(mark: str) -> list[int]:
    """The processes that have this mark in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found
