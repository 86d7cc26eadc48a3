"""What a sandbox costs, against the standard tools in the same run; and what importing costs."""

from __future__ import annotations

import os
import subprocess
import sys

import nsedu as ns
from paired import compare, like_a_notebook

IMPORT = "import time; t = time.perf_counter(); import nsedu; print(time.perf_counter() - t)"
HEAVY = ("matplotlib", "numpy", "pyroute2", "ipywidgets", "IPython")


def spawn(*words: str) -> None:
    """Run a program to its end at the least cost: posix_spawn(3) and wait."""
    status = os.waitpid(os.posix_spawnp(words[0], words, os.environ), 0)[1]
    assert status == 0, f"{' '.join(words)} ended with {status}: its time says nothing"


def imports() -> None:
    times = [
        float(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True).stdout)
        for _ in range(11)
    ]
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, nsedu; print(*sys.modules)"],
        capture_output=True,
        text=True,
    ).stdout.split()
    heavy = [name for name in HEAVY if name in loaded]
    median = sorted(times)[len(times) // 2] * 1000
    print(f"import nsedu: {median:.1f} ms; heavy modules with it: {heavy or 'none'}")


def main() -> None:
    imports()
    like_a_notebook()
    made: list[ns.Sandbox] = []
    stand = ns.Sandbox(*ns.TYPES)
    # Where setgroups(2) is denied, nsenter goes no further unless it may keep its credentials.
    enter = ["nsenter", "-t", str(stand.pid), "-a", "--preserve-credentials", "true"]
    compare(
        "sandbox of all eight, ready",
        lambda: made.append(ns.Sandbox(*ns.TYPES)),
        "unshare -UrmpfuniCT true",
        lambda: spawn("unshare", "-UrmpfuniCT", "true"),
        undo=lambda: made.pop().close(),
    )
    compare(
        'run(["true"])',
        lambda: stand.run(["true"]),
        "nsenter -t PID -a true",
        lambda: spawn(*enter),
    )
    stand.close()


if __name__ == "__main__":
    main()
