"""Looking at many mounts: `mounts` and the deep snapshot, at sizes that double.

In a sandbox: a tmpfs with bind mounts of it, and as many namespace files, mounted; then the same
table copied into further mount namespaces.  What grows with the square of the size shows in the
last column, microseconds for each mount.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import nsedu as ns
from nsedu.kernel import syscalls

SIZES = (500, 1000, 2000, 4000)
COPIES = 10


def bind_many(count: int, source: str) -> None:
    """Inside: bind a directory, or a namespace file, to so many places."""
    syscalls.mount("bench", "/mnt", "tmpfs")
    for number in range(count):
        target = f"/mnt/{number}"
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT))
        syscalls.mount(source, target, None, syscalls.MS_BIND)


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def row(what: str, count: int, took: float) -> None:
    print(f"{what:46}{count:6} {took * 1e3:8.0f} ms {took * 1e6 / count:7.1f} µs each", flush=True)


def main() -> None:
    for count in SIZES:
        with ns.Sandbox("mnt") as box:
            box.call(bind_many, count, "/usr")
            row("mounts()", count, seconds(lambda: str(ns.mounts(box))))
            everything = seconds(lambda: str(ns.mounts(box, everything=True)))
            row("mounts(everything=True)", count, everything)
    for count in SIZES:
        with ns.Sandbox("mnt") as box:
            box.call(bind_many, count, "/proc/self/ns/uts")
            wait = ["unshare", "--mount", "sh", "-c", "echo; exec sleep 600"]
            copies = [box.popen(wait) for _ in range(COPIES)]
            for copy in copies:
                copy.stdout.readline()
            took = seconds(lambda: ns.snapshot(deep=True))
            row(f"deep snapshot, in {COPIES + 1} mount namespaces", count * (COPIES + 1), took)


if __name__ == "__main__":
    main()
