"""A virtual machine up to its first line: by a qemu that is none, and once in earnest."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import nsedu as ns
from awaiting import ended
from nsedu import requirements
from nsedu.measurement.questions import vm
from nsedu.measurement.runtimes import initramfs
from nsedu.measurement.sampler.operations import Operation, Unmet, fork
from nsedu.programs import lacking

QEMU = f"qemu-system-{os.uname().machine}"
STATIC_BUSYBOX = requirements.static_busybox


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A qemu that notes its arguments and its pid, and fails or boots as the machine says."""
    program = tmp_path / QEMU
    program.write_text(
        "#!/bin/sh\n"
        f'echo $$ "$@" >> {tmp_path}/log\n'
        'case "$*" in\n'
        "  *-monitor*) read order; exec test $order = quit;;\n"
        "  *kvm*|*microvm*) echo not this one >&2; exit 1;;\n"
        f"  *) echo early; echo '{initramfs.FIRST_LINE}'; exec sleep 1000;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    (tmp_path / "vmlinuz-1").touch()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("NSEDU_KERNEL", str(tmp_path / "vmlinuz-1"))
    monkeypatch.setattr(requirements, "static_busybox", lambda: str(program))
    yield tmp_path / "log"


def only(entries: list[Operation | Unmet]) -> Operation | Unmet:
    (entry,) = entries
    return entry


def reason(entry: Operation | Unmet) -> str:
    assert isinstance(entry, Unmet)
    assert entry.name == "qemu"
    return str(entry.reason)


def test_the_first_machine_that_boots_is_named_and_every_qemu_ended(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = vm.Platform(("microvm", "pc"), "ttyS0")
    monkeypatch.setitem(vm.PLATFORMS, os.uname().machine, machines)
    with contextlib.ExitStack() as stack:
        operation = only(vm.operations(stack))
        assert isinstance(operation, Operation)
        assert operation.name == "qemu, emulated (TCG), pc"
        operation.sample()  # the try was the warm-up
        booted, null = operation.sample()
        assert min(booted, null) > 0
    runs = [line.split(maxsplit=1) for line in stand_in.read_text().splitlines()]
    assert sum("-monitor" in words for _, words in runs) == 1
    assert sum("pc,accel=tcg" in words for _, words in runs) == 3
    assert all(ended(int(pid)) for pid, _ in runs)


def test_when_none_boots_qemus_last_line_is_the_reason(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vm.PLATFORMS, os.uname().machine, vm.Platform(("microvm",), "ttyS0"))
    with contextlib.ExitStack() as stack:
        assert "qemu said: not this one" in reason(only(vm.operations(stack)))


def test_a_guest_that_hangs_is_ended_in_time() -> None:
    with pytest.raises(OSError, match=r"line of its own in 0.3 s; qemu said: nothing at all"):
        vm.boot(["sh", "-c", "exec sleep 1000"], 0.3)


def test_qemu_ends_with_the_process_that_started_it_even_if_that_is_killed() -> None:
    read, write = os.pipe()
    pid = fork()
    if pid == 0:
        vm.start(["sh", "-c", "echo $$; exec sleep 1000"], write)
        signal.pause()
    os.close(write)
    with open(read) as said:
        sleeper = int(said.readline())
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert ended(sleeper)


def test_without_qemu_the_question_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    answer = ns.measure("vm", 3)
    assert answer.results == ()
    assert f"the program {QEMU} is not installed: apt install" in answer.unmet["qemu"]


def test_without_busybox_likewise(monkeypatch: pytest.MonkeyPatch, stand_in: Path) -> None:
    monkeypatch.setattr(requirements, "static_busybox", STATIC_BUSYBOX)
    monkeypatch.setattr(requirements, "is_static", lambda _: False)
    with contextlib.ExitStack() as stack:
        assert "apt install busybox-static" in reason(only(vm.operations(stack)))


def test_the_newest_kernel_is_taken_unless_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NSEDU_KERNEL", raising=False)
    with pytest.raises(OSError, match=r"no kernel image in .* set NSEDU_KERNEL to one"):
        requirements.kernel_image(str(tmp_path))
    for version in ("6.1.0-9", "6.12.3-1", "6.1.0-56"):
        (tmp_path / f"vmlinuz-{version}-amd64").touch()
    assert requirements.kernel_image(str(tmp_path)).name == "vmlinuz-6.12.3-1-amd64"
    monkeypatch.setenv("NSEDU_KERNEL", "/nowhere")
    with pytest.raises(OSError, match=r"NSEDU_KERNEL names /nowhere"):
        requirements.kernel_image(str(tmp_path))


def test_a_real_guest_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    if why := lacking(QEMU):
        pytest.skip(why)
    try:
        requirements.kernel_image(), requirements.static_busybox()
    except OSError as missing:
        pytest.skip(str(missing))
    monkeypatch.setitem(vm.PATIENCE, "kvm", 1.0)
    with contextlib.ExitStack() as stack:
        operation = only(vm.operations(stack))
    assert operation.name in ("qemu, KVM", "qemu, emulated (TCG)")
