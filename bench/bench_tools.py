"""`nsedu bench tools --json` against hyperfine(1), for unshare and bwrap with the same words."""

from __future__ import annotations

import json
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from nsedu.sampling.runtimes import RUNTIMES, TRUE

RUNS = 3
TURNS = 5
ROUNDS = 30  # of hyperfine, in each turn
SECONDS = 5  # for ours
CLOSE = 0.1


def hyperfine(words: list[str]) -> list[float]:
    """Samples in µs, without a shell between."""
    with tempfile.TemporaryDirectory() as where:
        answer = Path(where, "answer.json")
        how = ["-N", "--style=none", "--warmup=10", f"--runs={ROUNDS}", f"--export-json={answer}"]
        subprocess.run(["hyperfine", *how, shlex.join(words)], check=True, stderr=subprocess.PIPE)
        (result,) = json.loads(answer.read_text())["results"]
    return [seconds * 1e6 for seconds in result["times"]]


def ours() -> dict[str, list[float]]:
    """Samples in µs, a list for each tool."""
    command = [sys.executable, "-m", "nsedu", "bench", "tools", "--json", f"--budget={SECONDS}"]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {one["name"]: one["samples"] for one in json.loads(text)["measured"]}


def run(commands: dict[str, list[str]]) -> None:
    """Take turns, so that a drift of the machine hits both."""
    mine: dict[str, list[float]] = {name: [] for name in commands}
    theirs: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(TURNS):
        for name, words in commands.items():
            theirs[name] += hyperfine(words)
        samples = ours()
        for name in commands:
            mine[name] += samples[name]
    for name in commands:
        one, other = statistics.median(mine[name]), statistics.median(theirs[name])
        print(
            f"{name:18} {one:7.0f} µs (n={len(mine[name])})   hyperfine {other:7.0f} µs"
            f"   ratio {one / other:.2f}"
            f"   {'within' if abs(one / other - 1) <= CLOSE else 'not within'} {CLOSE:.0%}"
        )


def main() -> None:
    if shutil.which("hyperfine") is None:
        print("The program hyperfine is not installed, so there is nothing to compare with.")
        return
    direct = [runtime for runtime in RUNTIMES if not runtime.room and not runtime.lacking()]
    commands = {runtime.name: runtime.command([TRUE]) for runtime in direct}
    for _ in range(RUNS):
        run(commands)


if __name__ == "__main__":
    main()
