"""The latency and the throughput of TCP between two network namespaces, by the path between them.

Two processes hold the two ends of every connection, and of the null operation, a Unix socket.  A
TCP socket belongs to the namespace that it was made in, whichever process holds it: so only the
path differs from sample to sample.  The paths are laid once (`paths`), and sampled in turn.

Latency is the time of one byte there and another back, without Nagle's delay.  The Unix socket
tells how much of that is two wake-ups, two context switches, and the interpreter.  UDP is quicker
by what TCP does at both ends, on every path alike: of the paths it says the same.

Throughput is what arrives within 10 ms while the client sends all it can, after 3 ms that do not
count, in which TCP finds its window again.  Through the Unix socket go the same pieces of 128 KiB:
it, too, copies every byte into the kernel and out again, which is most of the work.

What would otherwise decide the figures:

* The scheduler.  Both processes share a core while a sample is taken.  On two, latency would be how
  long a sleeping core takes to wake (a virtual machine must ask its host), and throughput how often
  the receiver falls asleep.  Which core it is the scheduler has said just before, so that it is not
  one that a neighbour keeps busy.
* Alignment.  Both buffers begin with a page.  What malloc(3) gives begins 16 bytes later, and then
  some processors (AMD Zen 3) take three times as long to copy a page of the kernel's to it.
* Socket buffers.  Left alone, TCP lets them grow up to limits that differ from machine to machine,
  and what has left the cache before it is read is slow to read.  So their size is fixed.
* Congestion control.  It is Reno everywhere, which every kernel has; BBR holds packets back.
* Segments.  Virtual links need no packets of 1500 bytes: TCP hands on 64 KiB at once, and no one
  makes a checksum.  Whatever a path does, it does once in 64 KiB; a real card would ask more of it.
  There is no queueing discipline on any of these links.
"""

from __future__ import annotations

import ctypes
import marshal
import mmap
import os
import socket
import time
from functools import partial

from nsedu.measurement.questions import network_paths
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    Unmet,
    alternating,
    fork,
    in_child,
    own_user_namespace,
)

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from contextlib import ExitStack

    from nsedu.measurement.sampler.operations import Sample

    Pair = tuple[socket.socket, socket.socket]

TITLE = "What a byte and a stream take over TCP, by the path between two ends"
ROUNDS = 100
PARTS = 1
SERIES = {"latency": "us", "throughput": "Gbit/s"}
PIECE = 128 * 1024
BUFFER = 1024 * 1024
"""What is asked for with SO_SNDBUF and SO_RCVBUF; a system may grant less (socket(7), wmem_max)."""

_FIRST_TRIPS, _TRIPS = 5, 10
_FIRST, _WINDOW = 3_000_000, 10_000_000  # ns
_LAST = b"!"
_ORDER = 100  # bytes, more than any order or answer has

NOTHING = "nothing"

_RENO = (socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
_LARGE = (
    (socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER),
    (socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER),
)
_OPTIONS = {
    "latency": (_RENO, (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)),
    "throughput": (_RENO, *_LARGE),
}

_clock = time.perf_counter_ns  # that of the machine: the same in both processes
_core = ctypes.CDLL(None).sched_getcpu


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """Latency along each path, then throughput."""
    client = Client()
    asked = [(series, name) for series in SERIES for name in network_paths.PATHS]
    samplers = [partial(client.sample, *which) for which in asked]
    stand = stack.enter_context(PreparedProcess(client.prepare, client.not_laid, *samplers))
    unmet = {name: _reason(name, said) for name, said in stand.call().items()}
    found: list[Operation | Unmet] = []
    for number, (series, path) in enumerate(asked, 1):
        name = f"{series} over {path}"
        if path in unmet:
            found.append(Unmet(name, unmet[path]))
        else:
            found.append(Operation(name, partial(stand.call, number), series, None, SERIES[series]))
    return found


def _reason(path: str, said: str) -> str:
    """Why a path could not be laid: what the doctor finds missing, else what was said."""

    def ask() -> dict[str, str]:
        from nsedu.requirements import missing  # much to load, and seldom needed

        return missing(network_paths.NEEDS[path])

    absent = in_child(ask) or dict.fromkeys(network_paths.NEEDS[path], said)
    why = " and ".join(f"{need} ({reason})" for need, reason in absent.items())
    return f"this machine lacks {why}; nsedu.doctor() tells what to do."


class Client:
    """The process at one end of all paths.  Its child, the server, is at the other."""

    def prepare(self) -> None:
        """Lay the paths, connect the ends, and give birth to the server."""
        own_user_namespace()
        self._refused: dict[str, str] = {}
        pairs = {(series, NOTHING): _unix() for series in SERIES}
        self._paths = {}  # a bridge or a router lives as long as its descriptor
        for name, lay in network_paths.PATHS.items():
            try:
                self._paths[name] = path = lay()
                for series in SERIES:
                    pairs[series, name] = network_paths.connected(path, _OPTIONS[series])
            except (OSError, network_paths.SetupFailed) as error:
                self._refused[name] = str(error)
        self._cores = os.sched_getaffinity(0)
        self._enough = mmap.mmap(-1, 1)  # shared with the server, which says so
        self._piece = mmap.mmap(-1, PIECE)
        self._piece.write(b"." * PIECE)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server_pid = fork()
        if self.server_pid == 0:
            try:
                self._control.close()  # or it would not see the client end
                for near, _ in pairs.values():
                    near.close()
                ends = {which: far for which, (_, far) in pairs.items()}
                _serve(theirs, ends, self._enough)
            finally:
                os._exit(0)
        theirs.close()
        for _, far in pairs.values():
            far.close()
        self._ends = {which: near for which, (near, _) in pairs.items()}
        measures = {"latency": self._latency, "throughput": self._throughput}
        self.pairs = {
            (series, name): alternating(partial(measure, name), partial(measure, NOTHING))
            for series, measure in measures.items()
            for name in network_paths.PATHS
        }

    def not_laid(self) -> dict[str, str]:
        """The paths that could not be laid, and what was said of them."""
        return self._refused

    def sample(self, series: str, name: str) -> Sample:
        """One sample, of both processes on one core."""
        core = {_core()}
        for pid in (0, self.server_pid):
            os.sched_setaffinity(pid, core)
        try:
            return self.pairs[series, name]()
        finally:
            os.sched_setaffinity(0, self._cores)

    def _latency(self, name: str) -> float:
        self._order("latency", name, _FIRST_TRIPS + _TRIPS)
        end = self._ends["latency", name]
        _trips(end, _FIRST_TRIPS)
        start = _clock()
        _trips(end, _TRIPS)
        return (_clock() - start) / 1000 / _TRIPS

    def _throughput(self, name: str) -> float:
        self._enough[0] = 0
        self._order("throughput", name)
        end = self._ends["throughput", name]
        while not self._enough[0]:
            end.send(self._piece)
        end.send(_LAST)
        return marshal.loads(self._control.recv(_ORDER))

    def _order(self, series: str, name: str, *trips: int) -> None:
        self._control.send(marshal.dumps((series, name, *trips)))


def _unix() -> Pair:
    pair = socket.socketpair()
    for end in pair:
        for option in _LARGE:
            end.setsockopt(*option)
    return pair


def _trips(end: socket.socket, count: int) -> None:
    for _ in range(count):
        end.send(_LAST)
        if not end.recv(1):
            raise ConnectionError("the server has ended")


def _serve(
    control: socket.socket, ends: dict[tuple[str, str], socket.socket], enough: mmap.mmap
) -> None:
    """Do as the client says, until it has ended."""
    buffer = mmap.mmap(-1, PIECE)
    while order := control.recv(_ORDER):
        series, name, *trips = marshal.loads(order)
        end = ends[series, name]
        if series == "latency":
            for _ in range(*trips):
                end.send(end.recv(1))
        else:
            control.send(marshal.dumps(_received(end, buffer, enough)))


def _received(end: socket.socket, buffer: mmap.mmap, enough: mmap.mmap) -> float:
    """How many Gbit/s arrive; what was already on its way is read to its last byte, too."""
    opens = _clock() + _FIRST
    while _clock() < opens:
        end.recv_into(buffer)
    got, start = 0, _clock()
    now = start
    while now < start + _WINDOW:
        got += (count := end.recv_into(buffer))
        now = _clock()
    enough[0] = 1
    while count and buffer[count - 1 : count] != _LAST:
        count = end.recv_into(buffer)
    return got * 8 / (now - start)
