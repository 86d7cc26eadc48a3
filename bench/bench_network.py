"""`nsedu bench network`: its throughput over loopback against iperf3.

Both sides are in a network namespace of their own, with socket buffers and pieces of the same size,
the same congestion control, and on the same core: all that this process starts is where it is.
A virtual machine may go at two speeds, here about 40 and 55 Gbit/s, and change from the one to the
other several times in a second or not for half a minute.  So iperf3 takes its turn in each round
beside ours, and what counts is the ratio of the two in a round.

It takes a quiet machine.  A neighbour on the core leaves more to iperf3 than to us: a process that
cannot send for the moment sleeps here, and there tries again at once, and so is always in line.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import nsedu as ns
from nsedu.measurement.questions import network
from nsedu.measurement.sampler.operations import Operation
from nsedu.measurement.sampler.worker import rounds_of
from nsedu.sandbox.agent_client import environment

RUNS = 3
ROUNDS = 25
WINDOWS = 25  # of ours in a round, in about as long as iperf3 takes
WARM = 3  # tenths of a second of iperf3's that do not count
CLOSE = 0.15


def buffer_size() -> int:
    """What the system grants of the size that we ask for; iperf3 insists on what it asks for."""
    limits = (Path(f"/proc/sys/net/core/{kind}mem_max").read_text() for kind in "rw")
    return min(network.BUFFER, *map(int, limits))


def iperf3(box: ns.Sandbox) -> tuple[float, float]:
    """The median of what iperf3 moves in a tenth of a second, in Gbit/s; and no null operation."""
    with box.popen(["iperf3", "--server", "--one-off", "--forceflush"]) as server:
        next(line for line in server.stdout if "listening" in line)
        text = box.run(
            ["iperf3", "--client", "127.0.0.1", "--json", "--time", "1", "--interval", "0.1",
             "--length", str(network.PIECE), "--window", str(buffer_size()), "--congestion", "reno"]
        ).stdout  # fmt: skip
    spans = [entry["sum"]["bits_per_second"] for entry in json.loads(text)["intervals"]]
    return statistics.median(spans[WARM:]) / 1e9, 0.0


def ours(operation: Operation) -> tuple[float, float]:
    """The median of some samples, in Gbit/s; and no null operation."""
    return statistics.median(operation.sample()[0] for _ in range(WINDOWS)), 0.0


def run(operations: list[Operation]) -> None:
    """Take the rounds, and say how the two compare."""
    rounds = [[value for value, _ in samples] for samples in rounds_of(operations, ROUNDS)]
    ratio = statistics.median(mine / theirs for mine, theirs in rounds)
    mine, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    verdict = "within" if abs(ratio - 1) <= CLOSE else "not within"
    print(
        f"throughput over loopback {mine:5.1f} Gbit/s   iperf3 {theirs:5.1f} Gbit/s"
        f"   ratio {ratio:.2f}   {verdict} {CLOSE:.0%}   ({ROUNDS} rounds)",
        flush=True,
    )


def main() -> None:
    if shutil.which("iperf3", path=environment()["PATH"]) is None:
        print("iperf3 is not installed, so there is nothing to compare with: apt install iperf3.")
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with ExitStack() as stack:
        found = {one.name: one for one in network.operations(stack) if isinstance(one, Operation)}
        box = stack.enter_context(ns.Sandbox("net"))
        mine = found["throughput over loopback"]
        both = [Operation("ours", partial(ours, mine)), Operation("iperf3", partial(iperf3, box))]
        for _ in range(RUNS):
            run(both)


if __name__ == "__main__":
    main()
