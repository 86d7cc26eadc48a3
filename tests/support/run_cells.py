"""Run cells of a notebook in a fresh process, and say which was the first to fail, and how.

As a program: it reads {"name": [[cell id, source], ...], ...} and writes {"name": outcome, ...},
each name's cells in a process of its own that has nothing made before.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import nsedu
from nsedu.observe import process_scan, viewpoints

for module in (viewpoints, process_scan):
    module.own_role = lambda: "this notebook"  # though no Jupyter kernel runs the cells


def run(cells: list[list[str]]) -> dict[str, str]:
    """Run the cells in order until one fails; which it was, what it said, what was lacking."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    for name, source in cells:
        with tempfile.TemporaryFile() as printed:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            with capture_output() as shown:
                result = shell.run_cell(source)
            printed.seek(0)
            said = shown.stdout + shown.stderr + printed.read().decode(errors="replace")
        for output in shown.outputs:
            if lacks := (output.metadata or {}).get("nsedu", {}).get("lacks"):
                return {"cell": name, "lacks": lacks, "said": output.data["text/plain"]}
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            return {"cell": name, "error": f"{type(error).__name__}: {error}", "said": said}
    return {}


def beside(cells: list[list[str]]) -> dict[str, str]:
    """Run the cells in a fork, in which nothing has been made yet."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            outcome = run(cells)
        except BaseException as error:
            outcome = {"cell": "", "error": f"{type(error).__name__}: {error}", "said": ""}
        with open(writing, "w") as report:
            json.dump(outcome, report)
        with contextlib.suppress(BaseException):
            nsedu.shutdown()
        os._exit(0)
    os.close(writing)
    with open(reading) as report:
        told = report.read()
    os.waitpid(pid, 0)
    return json.loads(told)  # type: ignore[no-any-return]


if __name__ == "__main__":
    outcomes = {name: beside(cells) for name, cells in json.load(sys.stdin).items()}
    json.dump(outcomes, sys.stdout)
