"""The samples of `nsedu bench tools` against hyperfine(1), for unshare and bwrap, same words.

hyperfine is one more operation in each round, so that a drift of the machine, which moves these
figures by a third within minutes, hits both alike.
"""

from __future__ import annotations

import json
import shlex
import shutil
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from nsedu.measurement.questions import tools
from nsedu.measurement.runtimes.runtimes import RUNTIMES, TRUE
from nsedu.measurement.sampler.operations import Operation
from nsedu.measurement.sampler.worker import rounds_of

RUNS = 3
ROUNDS = 40
CLOSE = 0.1


def hyperfine(words: list[str]) -> tuple[float, float]:
    """The median of twenty runs in µs, without a shell between; and no null operation."""
    with tempfile.TemporaryDirectory() as where:
        answer = Path(where, "answer.json")
        how = ["-N", "--style=none", "--warmup=5", "--runs=20", f"--export-json={answer}"]
        subprocess.run(["hyperfine", *how, shlex.join(words)], check=True, stderr=subprocess.PIPE)
        (result,) = json.loads(answer.read_text())["results"]
    return result["median"] * 1e6, 0.0


def run(ours: list[Operation], commands: dict[str, list[str]]) -> None:
    """Take the rounds, and say how the medians compare."""
    theirs = [Operation(name, partial(hyperfine, words)) for name, words in commands.items()]
    rounds = list(rounds_of([*ours, *theirs], ROUNDS))
    medians = [
        statistics.median(value for value, _ in samples) for samples in zip(*rounds, strict=True)
    ]
    mine = {one.name: median for one, median in zip(ours, medians, strict=False)}
    for name, other in zip(commands, medians[len(ours) :], strict=True):
        ratio = mine[name] / other
        verdict = "within" if abs(ratio - 1) <= CLOSE else "not within"
        print(
            f"{name:18} {mine[name]:7.0f} µs   hyperfine {other:7.0f} µs   ratio {ratio:.2f}"
            f"   {verdict} {CLOSE:.0%}   ({ROUNDS} rounds)"
        )


def main() -> None:
    if shutil.which("hyperfine") is None:
        print("The program hyperfine is not installed, so there is nothing to compare with.")
        return
    direct = [runtime for runtime in RUNTIMES if not runtime.room and not runtime.lacking()]
    commands = {runtime.name: runtime.command([TRUE]) for runtime in direct}
    with ExitStack() as stack:
        ours = [one for one in tools.operations(stack) if isinstance(one, Operation)]
        for operation in ours:
            operation.sample()
        for _ in range(RUNS):
            run(ours, commands)


if __name__ == "__main__":
    main()
