"""What a virtual machine takes to get as far as a container: a first line from user space.

The time goes from the start of qemu to the moment when the line that the guest's own init prints
has come over its serial console; then qemu is killed.  Kernel and initramfs are handed to qemu, so
there is no boot loader and no disk, and the kernel is told to be quiet, for an emulated serial line
is slow.  The null operation is the same qemu with the same kernel in its memory, whose processor is
never started, and which is told to quit: what is above it is the guest's own, from the firmware's
first instruction on.

The machine is qemu's microvm, which has no more than it needs, or where that does not work the pc.
Hardware virtualisation is used if a guest boots by it within two seconds (inside a virtual
machine it may be offered, and hang), else emulation; the name of the operation says which.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from nsedu import requirements
from nsedu.kernel import bounded_waits
from nsedu.measurement.runtimes import programs
from nsedu.measurement.runtimes.initramfs import FIRST_LINE, initramfs
from nsedu.measurement.sampler.operations import (
    Operation,
    Unmet,
    alternating,
    die_with_parent,
    fork,
)

if TYPE_CHECKING:
    from nsedu.measurement.sampler.operations import Sample

TITLE = "From the start of a virtual machine to its first line from user space"
ROUNDS = 5
PARTS = 1

PATIENCE = {"kvm": 2.0, "tcg": 60.0}
"""Seconds that a guest may take to boot."""
NAMES = {"kvm": "KVM", "tcg": "emulated (TCG)"}


class Platform(NamedTuple):
    """What a virtual machine of one architecture is made of: qemu's machines, best first."""

    machines: tuple[str, ...]
    console: str
    options: tuple[str, ...] = ()


# With ACPI an emulated microvm waits for its first timer interrupt in vain, one time in three.
PLATFORMS = {
    "x86_64": Platform(("microvm,acpi=off", "pc"), "ttyS0"),
    "aarch64": Platform(("virt",), "ttyAMA0", ("-cpu", "max")),
}


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """One: qemu with hardware virtualisation if that works, else with emulation."""
    try:
        program, image, shell = requirements.virtual_machine(PLATFORMS)
        archive = os.memfd_create("initramfs")
        stack.callback(os.close, archive)
        os.write(archive, initramfs(shell))
        common = (
            program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-m", "256", "-kernel", str(image), "-initrd", f"/proc/{os.getpid()}/fd/{archive}",
        )  # fmt: skip
        return [_first_that_boots(common, PLATFORMS[os.uname().machine])]
    except OSError as error:
        return [Unmet("qemu", str(error))]


def _first_that_boots(common: tuple[str, ...], platform: Platform) -> Operation:
    """The operation for the best machine that works, by hardware if that does.

    Raises:
        OSError: a sentence on why none does.
    """
    best = platform.machines[0]
    tries = [("tcg", machine) for machine in platform.machines]
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        tries.insert(0, ("kvm", best))
    reason = ""
    for accelerator, machine in tries:
        words = [
            *common, *platform.options, "-machine", f"{machine},accel={accelerator}",
            "-append", f"console={platform.console} quiet panic=-1",
        ]  # fmt: skip
        starts = partial(boot, words, PATIENCE[accelerator])
        try:
            first = starts()
        except OSError as error:
            reason = str(error)
            continue
        name = f"qemu, {NAMES[accelerator]}" + ("" if machine == best else f", {machine}")
        return Operation(name, _after(first, alternating(starts, partial(stopped, words))))
    raise OSError(reason)


def _after(first: float, sample: Callable[[], Sample]) -> Callable[[], Sample]:
    """The samples after a first, which was the warm-up: another would make a reader wait."""
    tried = [(first, 0.0)]
    return lambda: tried.pop() if tried else sample()


def boot(words: list[str], seconds: float) -> float:
    """Start a virtual machine, wait for its first line, and end it; returns the time in µs.

    Raises:
        OSError: a sentence on why there was none.
    """
    read, write = os.pipe()
    begun = time.perf_counter_ns()
    pid = start([*words, "-serial", "stdio"], write)
    try:
        os.close(write)
        said = _read_until(read, FIRST_LINE.encode(), seconds)
        taken = time.perf_counter_ns() - begun
    finally:
        os.kill(pid, signal.SIGKILL)
        bounded_waits.reap(pid, bounded_waits.KILLED)
        os.close(read)
    if FIRST_LINE.encode() not in said:
        lines = said.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing at all")
        raise OSError(f"no guest came to a line of its own in {seconds:g} s; qemu said: {last}")
    return taken / 1000


def stopped(words: list[str]) -> float:
    """Start a virtual machine whose processor stands still, and have it quit; returns µs."""
    read, write = os.pipe()
    with contextlib.closing(open(read, "rb")) as orders:
        os.write(write, b"quit\n")
        os.close(write)
        return programs.run([*words, "-S", "-monitor", "stdio"], orders.fileno())


def start(words: list[str], output: int) -> int:
    """Start a program that ends with this process, even if that is killed; returns its pid."""
    pid = fork()
    if pid == 0:
        try:
            die_with_parent()
            null = os.open(os.devnull, os.O_RDONLY)
            for fd, to in ((null, 0), (output, 1), (output, 2)):
                os.dup2(fd, to)
            os.execvp(words[0], words)
        finally:
            os._exit(127)
    return pid


def _read_until(fd: int, wanted: bytes, seconds: float) -> bytes:
    """Read from a pipe until the words come, the writer has gone, or the time is up."""
    deadline = time.monotonic() + seconds
    said = b""
    while wanted not in said and (left := deadline - time.monotonic()) > 0:
        if not select.select([fd], [], [], left)[0]:
            break
        piece = os.read(fd, 1 << 16)
        if not piece:
            break
        said += piece
    return said
