"""`nsedu bench create --json` against a program in C that times unshare(2) in a fresh child."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from compiled import compiled
from nsedu.kernel import namespace_types

FLAGS = {"none": 0, **{kind.name: int(kind.flag) for kind in namespace_types.CATALOGUE}}
RUNS = 3
ROUNDS = 150


def in_c(program: str) -> list[list[float]]:
    """Samples in µs, a list for each of the flags."""
    words = [program, str(ROUNDS), *map(str, FLAGS.values())]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    rounds = [[int(word) / 1000 for word in line.split()] for line in text.splitlines()]
    return [list(column) for column in zip(*rounds, strict=True)]


def ours() -> dict[str, dict[str, float]]:
    command = [sys.executable, "-m", "nsedu", "bench", "create", "--json"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {row["name"]: row for row in json.loads(text)["results"]}


def run(program: str) -> None:
    before, rows, after = in_c(program), ours(), in_c(program)  # C on both sides: a drift evens out
    within = 0
    for name, one, two in zip(FLAGS, before, after, strict=True):
        peer, row = statistics.median(one + two), rows[name]
        fits = abs(row["median"] - peer) <= 0.25 * peer + 2
        within += fits and name in namespace_types.NAMES
        print(
            f"{name:7} {row['median']:7.1f} µs ({row['low']:.1f} – {row['high']:.1f})"
            f"   in C {peer:7.1f} µs   difference {row['median'] - peer:+6.1f} µs"
            f"   {'within' if fits else 'not within'} 25 % + 2 µs"
        )
    print(f"{within} of the {len(namespace_types.NAMES)} types are within 25 % + 2 µs")


def main() -> None:
    with tempfile.TemporaryDirectory() as where:
        program = compiled("unshare", Path(where))
        for _ in range(RUNS):
            run(program)


if __name__ == "__main__":
    main()
