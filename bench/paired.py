"""Paired, interleaved timing: A B A B …, so that a drift of the machine hits both alike."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable


def compare(
    name: str, ours: Callable[[], object], peer_name: str, peer: Callable[[], object],
    rounds: int = 100, undo: Callable[[], object] = lambda: None,
) -> float:  # fmt: skip
    """Time `ours` against `peer` in turn and print the medians and the median of the ratios.

    Args:
        name: what ours is; `peer_name` likewise.
        rounds: how many pairs, after five that do not count.
        undo: called after each `ours`, outside the timing.

    Returns:
        The median of ours/peer, pair by pair.
    """
    pairs = []
    for number in range(-5, rounds):
        start = time.perf_counter()
        ours()
        middle = time.perf_counter()
        undo()
        before = time.perf_counter()
        peer()
        after = time.perf_counter()
        if number >= 0:
            pairs.append((middle - start, after - before))
    ratios = sorted(a / b for a, b in pairs)
    mine, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    ratio = statistics.median(ratios)
    low, high = ratios[len(ratios) // 20], ratios[-len(ratios) // 20]
    print(
        f"{name:34} {mine:8.2f} ms   {peer_name:28} {theirs:8.2f} ms   "
        f"ratio {ratio:5.2f}  (5–95 %: {low:.2f}–{high:.2f}, n={rounds})"
    )
    return ratio


def like_a_notebook() -> None:
    """Make this process as heavy as a notebook's kernel: matplotlib imported, eight threads."""
    import matplotlib.pyplot  # noqa: F401

    for _ in range(8):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
