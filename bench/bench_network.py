"""`nsedu.measure("network")`: its throughput over loopback against iperf3.

Both sides are in a network namespace of their own, with socket buffers and pieces of the same size,
the same congestion control, and on the same core: all that this process starts is where it is.

It takes a quiet machine.  A neighbour on the core leaves more to iperf3 than to us: a process that
cannot send for the moment sleeps here, and there tries again at once, and so is always in line.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
from itertools import chain
from pathlib import Path

import nsedu as ns
from nsedu.client import environment
from nsedu.sampling import network

RUNS = 3
TURNS = 5
ROUNDS = 10
SECONDS = 1


def buffer_size() -> int:
    """What the system grants of the size that we ask for; iperf3 insists on what it asks for."""
    limits = (Path(f"/proc/sys/net/core/{kind}mem_max").read_text() for kind in "rw")
    return min(network.BUFFER, *map(int, limits))


def iperf3(box: ns.Sandbox) -> list[float]:
    """What iperf3 moves in each tenth of a second, in Gbit/s."""
    text = box.run(
        ["iperf3", "--client", "127.0.0.1", "--json", "--time", str(SECONDS), "--omit", "1",
         "--interval", "0.1", "--length", str(network.PIECE), "--window", str(buffer_size()),
         "--congestion", "reno"]
    ).stdout  # fmt: skip
    spans = [entry["sum"] for entry in json.loads(text)["intervals"]]
    return [span["bits_per_second"] / 1e9 for span in spans if not span["omitted"]]


def ours() -> tuple[float, ...]:
    return ns.measure("network", ROUNDS).samples("throughput over loopback")


def run(box: ns.Sandbox) -> None:
    turns = [(ours(), iperf3(box)) for _ in range(TURNS)]  # a drift of the machine hits both
    mine, theirs = (statistics.median(chain(*column)) for column in zip(*turns, strict=True))
    print(
        f"throughput over loopback {mine:5.1f} Gbit/s   iperf3 {theirs:5.1f} Gbit/s"
        f"   ratio {mine / theirs:.2f}"
    )


def main() -> None:
    if shutil.which("iperf3", path=environment()["PATH"]) is None:
        print("iperf3 is not installed, so there is nothing to compare with: apt install iperf3.")
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with ns.Sandbox("net") as box:
        server = box.popen(["iperf3", "--server", "--forceflush"])
        next(line for line in server.stdout if "listening" in line)
        for _ in range(RUNS):
            run(box)


if __name__ == "__main__":
    main()
