"""What a look at the machine costs with 1 000 and 10 000 processes, against lsns(8) and C."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from compiled import compiled
from nsedu.observe.snapshot import snapshot
from paired import compare, like_a_notebook


@contextlib.contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that does something for every byte it is sent, and ends with its input."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        yield process
    finally:
        process.communicate()


def lsns() -> None:
    null = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    os.waitpid(os.posix_spawnp("lsns", ["lsns", "-J"], os.environ, file_actions=null), 0)


def once(loop: subprocess.Popen[bytes]) -> None:
    """One round of the C loop."""
    assert loop.stdin is not None and loop.stdout is not None
    loop.stdin.write(b"!")
    assert loop.stdout.read(1) == b"!"


def plain() -> None:
    snapshot("machine")


def deep() -> None:
    snapshot("machine", deep=True)


def per_process(look: Callable[[], object], rounds: int = 5) -> float:
    """The median time of a look, in microseconds for each process."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        look()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6 / len(snapshot("machine").processes)


def measure(count: int, crowd: str, loop: str, apart: int = 0) -> list[float]:
    """Print how a look compares, and return what each kind costs for one process."""
    with running(crowd, str(count), str(apart)) as people, running(loop) as c_loop:
        assert people.stdout is not None and people.stdout.readline() == b"ready\n"
        print(f"{count} processes, {apart} in namespaces of their own, and what else runs here:")
        if count > 1_000:  # lsns takes ten seconds there: its time grows with the square
            start = time.perf_counter()
            lsns()
            print(f"lsns -J takes {time.perf_counter() - start:.1f} s (once)")
        else:
            compare('snapshot("machine")', plain, "lsns -J", lsns, rounds=30)
            compare('snapshot("machine", deep=True)', deep, "lsns -J", lsns, rounds=30)
        rounds = 30_000 // count
        compare('snapshot("machine")', plain, "the C loop", lambda: once(c_loop), rounds)
        return [per_process(look) for look in (plain, deep, lambda: once(c_loop))]


def main() -> None:
    like_a_notebook()
    with tempfile.TemporaryDirectory() as where:
        crowd, loop = (compiled(name, Path(where)) for name in ("crowd", "loop"))
        few, many = (measure(count, crowd, loop) for count in (1_000, 10_000))
        measure(1_000, crowd, loop, 200)
    # The kernel's own share grows a little, too; the C loop shows by how much.
    for name, one, ten in zip(("plain look", "deep look", "C loop"), few, many, strict=True):
        print(
            f"{name}, for each process: {one:.0f} µs at 1 000, {ten:.0f} µs at 10 000 "
            f"(ratio {ten / one:.2f}; 1 is linear)"
        )


if __name__ == "__main__":
    main()
