"""How much memory the kernel itself uses: on the whole machine, and what of it is charged to us."""

from __future__ import annotations

import mmap
import os
import time

from nsedu.agent import cgroups

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable

_STILL = 0.005  # seconds: a tick, wherever there are 200 or more of them in a second
_LOOK = 0.01  # seconds
_PATIENCE = 2.0  # seconds
_BATCH = 64  # MEMCG_CHARGE_BATCH, mm/memcontrol.c


def slabs() -> float:
    """Slabs and per-CPU memory of the whole machine, in KiB (proc_meminfo(5))."""
    return _meminfo(b"Slab:", b"Percpu:")


def _meminfo(*names: bytes) -> float:
    with open("/proc/meminfo", "rb") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(names))


def caches() -> dict[str, tuple[int, int]]:
    """Cache → how many of its objects are in use, and the bytes of one (slabinfo(5)).

    Raises:
        PermissionError: this is not root.
    """
    with open("/proc/slabinfo") as file:
        lines = [line.split() for line in file][2:]
    return {words[0]: (int(words[1]), int(words[3])) for words in lines}


def objects() -> float:
    """Objects of all slabs in use, and per-CPU memory, in KiB."""
    return sum(count * size for count, size in caches().values()) / 1024 + _meminfo(b"Percpu:")


def charge() -> Callable[[], float] | None:
    """What reads how much kernel memory our control group is charged, in KiB; None for nothing.

    With version 1 that is memory.kmem.usage_in_bytes of the group; with version 2 "kernel" in
    memory.stat of the nearest group with the controller, ours or one above.
    """
    for names, where in cgroups.hierarchies():
        group = f"{where.mount}{where.path.rstrip('/')}"
        if where.version == 1 and "memory" in names:
            return _reader(f"{group}/memory.kmem.usage_in_bytes", _bytes)
        while where.version == 2 and len(group) >= len(where.mount):
            if os.path.exists(f"{group}/memory.current"):
                return _reader(f"{group}/memory.stat", _kernel)
            group = os.path.dirname(group)
    return None


def _reader(path: str, read: Callable[[str], float]) -> Callable[[], float] | None:
    try:
        read(path)
    except (OSError, ValueError):
        return None
    return lambda: read(path)


def _bytes(path: str) -> float:
    with open(path, "rb") as file:
        return int(file.read()) / 1024


def _kernel(path: str) -> float:
    # The kernel adds up what its processors have counted only when that may be more than 64 pages
    # for each of them.  To use that many and give them back makes it do so.
    pages = _BATCH * (os.cpu_count() or 1)
    with mmap.mmap(-1, pages * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        for start in range(0, len(memory), mmap.PAGESIZE):
            memory[start] = 1
    with open(path, "rb") as file:
        counts = dict(line.split() for line in file)
    if b"kernel" not in counts:
        raise ValueError("memory.stat has no line of that name before Linux 5.18")
    return int(counts[b"kernel"]) / 1024


def settle() -> None:
    """Sleep, so that this processor adds to the machine's sums what it has counted by itself."""
    time.sleep(_STILL)


class MemoryBaseline:
    """Memory that shall have been given back before anything else is measured.

    Much is freed only after grace periods of RCU, and network namespaces by a worker of the kernel.

    Args:
        read: what reads how much is in use; it is read now, and when `wait` is called.
    """

    def __init__(self, read: Callable[[], float]) -> None:
        self._read, self._before = read, read()

    def wait(self) -> None:
        """Wait until all but a twentieth is back, and no more comes; 2 s at the most."""
        deadline = time.monotonic() + _PATIENCE
        now = self._read()
        enough = self._before + (now - self._before) / 20
        while time.monotonic() < deadline:
            time.sleep(_LOOK)
            last, now = now, self._read()
            if now <= enough and now >= last:
                return
