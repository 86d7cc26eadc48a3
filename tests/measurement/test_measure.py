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
from nsedu.agent import helper, wire
from nsedu.measurement.charts.costs import costs
from nsedu.measurement.machine import line, record, stolen
from nsedu.measurement.questions import QUESTIONS
from nsedu.measurement.sampler.operations import Operation
from nsedu.measurement.sampler.worker import FEWEST, PARTS, parts_of, rounds_of


def test_an_unknown_question_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match="there is no question 'price'; ask any of: cold, create"):
        ns.measure("price")


@pytest.mark.parametrize("repeat", [0, -1, True, 1.5, 100_001])
def test_rounds_out_of_bounds_are_refused(repeat: object) -> None:
    with pytest.raises(ValueError, match="repeat must be a number from 1 to 100 000"):
        ns.measure("create", repeat)  # type: ignore[arg-type]


@pytest.mark.parametrize("budget", [0, -1.0, "long", float("nan"), float("inf"), True])
def test_a_budget_is_a_number_of_seconds(budget: object) -> None:
    words = "budget must be (a number of seconds|above zero)"
    with pytest.raises((TypeError, ValueError), match=words):
        ns.measure("create", budget=budget)  # type: ignore[arg-type]


def test_each_question_is_a_module_that_says_what_it_asks() -> None:
    home = Path(ns.__file__).parent / "measurement" / "questions"
    modules = {path.stem for path in home.glob("*.py") if "\nTITLE = " in path.read_text()}
    assert modules == QUESTIONS.keys()


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_title_of_a_question_fits_over_its_chart(question: str) -> None:
    title = importlib.import_module(f"nsedu.measurement.questions.{question}").TITLE
    chart = costs(replace(result(), question=question, title=title))
    assert f">{title}</text>" in chart.svg.replace("&#x27;", "'")


def test_a_spent_budget_still_buys_a_few_rounds() -> None:
    operation = Operation("x", lambda: (1.0, 0.0))
    assert len(list(rounds_of([operation], 300, deadline=time.monotonic()))) == FEWEST


def test_rounds_are_shared_among_processes_if_there_are_enough_of_them() -> None:
    assert parts_of(PARTS * FEWEST, PARTS) == PARTS
    assert parts_of(PARTS * FEWEST - 1, PARTS) == 1
    assert parts_of(1, 1) == 1


@pytest.mark.needs("userns")
def test_several_processes_take_their_part_of_the_rounds_each() -> None:
    result = ns.measure("create", PARTS * FEWEST + 2)
    assert result.parts == (FEWEST + 1, FEWEST + 1, FEWEST, FEWEST, FEWEST)
    assert {row.n for row in result.results} == {sum(result.parts)}
    assert result.between_runs
    assert f"; {sum(result.parts)} samples of each by {PARTS} processes, one after" in result.below


def test_what_one_process_was_refused_is_not_told_of_the_others() -> None:
    both, one = ["uts", "", None, "us"], ["net", "", None, "us"]
    measuring = sys.modules["nsedu.measurement.measure"]
    measured, parts = measuring.merged(
        [
            measuring.Part({"operations": [both, one]}, [((1, 0), (2, 0)), ((3, 0), (4, 0))]),
            measuring.Part({"operations": [both]}, [((5, 0),)]),
        ]
    )
    assert [(m.name, m.samples, m.nulls) for m in measured] == [("uts", (1, 3, 5), (0, 0, 0))]
    assert parts == (2, 1)


def test_the_time_that_a_host_took_is_a_share_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(stolen_ticks: int, idle: int) -> bytes:
        return f"cpu  10 0 10 {idle} 0 0 0 {stolen_ticks} 3 3\ncpu0 1\n".encode()

    machine_module = sys.modules["nsedu.measurement.machine"]
    machine = {**record(), "virtual": "virtual machine"}
    monkeypatch.setattr(machine_module, "read", lambda path: stat(5, 100))
    before = stolen()
    monkeypatch.setattr(machine_module, "read", lambda path: stat(10, 145))
    assert stolen(before) == 10.0
    machine["steal"] = stolen(before)
    assert line(machine).endswith(", 10 % stolen by its host")
    assert "stolen" not in line({**machine, "virtual": "no"})


def test_where_no_kernel_counts_it_nothing_is_said_of_stolen_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.modules["nsedu.measurement.machine"], "read", lambda path: b"cpu 1 2\n")
    assert stolen(stolen()) is None
    assert stolen((1, 2)) is None


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
    assert "the process that takes the samples was killed" in done.communicate()[1]
    assert eventually(lambda: marked(mark) == [])


@pytest.mark.needs("userns")
def test_a_measured_process_that_is_killed_is_told_in_a_sentence() -> None:
    mark = f"nsedu-measured-{os.getpid()}"
    done = subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "NSEDU_MARK": mark},
    )  # fmt: skip
    assert eventually(lambda: len(marked(mark)) > 10)
    worker, *_ = Path(f"/proc/{done.pid}/task/{done.pid}/children").read_text().split()
    measured, *_ = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    os.kill(int(measured), signal.SIGKILL)
    said = done.communicate(timeout=60)[1]
    assert "a process that was being measured was killed" in said
    assert "sampler/worker.py" not in said
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


def test_a_process_that_takes_no_sample_any_more_is_an_error_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measuring = sys.modules["nsedu.measurement.measure"]
    endless = [sys.executable, "-c", "import time; time.sleep(1000)"]
    monkeypatch.setattr(measuring.helper, "python_command", lambda *_, **__: endless)
    monkeypatch.setattr(measuring, "_SILENCE", 0.2)
    with pytest.raises(ns.NamespaceError, match="the process that takes the samples") as caught:
        ns.measure("create", repeat=3)
    assert "did not finish within" in caught.value.cause


def test_a_process_whose_notebook_was_killed_before_it_began_takes_no_sample() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait(30)
    command = helper.python_command(
        "nsedu.measurement.sampler.worker:main", "create", 3, None, gone.pid, 0,
        path=[wire.ROOT, *sys.path],
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)


@pytest.mark.parametrize(("word", "off"), [("1", True), (None, False)])
def test_the_environment_may_do_without_the_bar_of_progress(word: str | None, off: bool) -> None:
    code = (
        "import importlib; measuring = importlib.import_module('nsedu.measurement.measure');"
        " print(measuring._progress('x', False).disable)"
    )
    env = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    if word:
        env["TQDM_DISABLE"] = word
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout == f"{off}\n", done.stderr
