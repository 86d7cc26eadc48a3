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
ROUNDS = 100  # of hyperfine, before ours and after: a drift evens out
CLOSE = 0.1


def hyperfine(words: list[str]) -> list[float]:
    """Samples in µs, without a shell between."""
    with tempfile.TemporaryDirectory() as where:
        answer = Path(where, "answer.json")
        how = ["-N", "--style=none", "--warmup=10", f"--runs={ROUNDS}", f"--export-json={answer}"]
        subprocess.run(["hyperfine", *how, shlex.join(words)], check=True, stderr=subprocess.PIPE)
        (result,) = json.loads(answer.read_text())["results"]
    return [seconds * 1e6 for seconds in result["times"]]


def ours() -> dict[str, dict[str, float]]:
    command = [sys.executable, "-m", "nsedu", "bench", "tools", "--json"]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {row["name"]: row for row in json.loads(text)["results"]}


def run(commands: dict[str, list[str]]) -> None:
    before = [hyperfine(words) for words in commands.values()]
    rows = ours()
    after = [hyperfine(words) for words in commands.values()]
    for name, one, two in zip(commands, before, after, strict=True):
        peer, row = statistics.median(one + two), rows[name]
        ratio = row["median"] / peer
        print(
            f"{name:18} {row['median']:7.0f} µs ({row['low']:.0f} – {row['high']:.0f})"
            f"   hyperfine {peer:7.0f} µs   ratio {ratio:.2f}"
            f"   {'within' if abs(ratio - 1) <= CLOSE else 'not within'} {CLOSE:.0%}"
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
