"""The archive that a guest's kernel unpacks, read back by cpio(1) and by hand."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from nsedu import requirements
from nsedu.measurement.runtimes import initramfs


def entries(archive: bytes) -> dict[str, tuple[int, tuple[int, int], bytes]]:
    """Name → mode, device and content, read as the kernel's buffer-format.rst says."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name_end = at + 110 + numbers[11]
        name = archive[at + 110 : name_end - 1].decode()
        if name == "TRAILER!!!":
            return found
        start = (name_end + 3) // 4 * 4
        content = archive[start : start + numbers[6]]
        found[name] = (numbers[1], (numbers[9], numbers[10]), content)
        at = (start + numbers[6] + 3) // 4 * 4


def test_the_archive_holds_the_shell_its_console_and_init(tmp_path: Path) -> None:
    shell = tmp_path / "busybox"
    shell.write_bytes(b"a program")
    found = entries(initramfs.initramfs(str(shell)))
    assert list(found) == ["bin", "dev", "dev/console", "bin/busybox", "init"]
    assert found["dev/console"][:2] == (stat.S_IFCHR | 0o600, (5, 1))
    assert found["bin/busybox"] == (stat.S_IFREG | 0o755, (0, 0), b"a program")
    assert initramfs.FIRST_LINE.encode() in found["init"][2]


@pytest.mark.skipif(shutil.which("cpio") is None, reason="the program cpio is not installed")
def test_cpio_lists_the_archive() -> None:
    archive = initramfs.cpio(
        [("a", stat.S_IFDIR | 0o755, b"", (0, 0)), ("a/b", stat.S_IFREG | 0o644, b"12345", (0, 0))]
    )
    done = subprocess.run(["cpio", "-t"], input=archive, capture_output=True, check=True)
    assert done.stdout == b"a\na/b\n"


def test_a_program_with_a_dynamic_linker_is_not_static(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert not requirements.is_static(str(script))
    assert not requirements.is_static("/bin/sh")


def test_a_static_program_is(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source = tmp_path / "nothing.c"
    source.write_text("void _start(void) {}")
    program = str(tmp_path / "nothing")
    subprocess.run([compiler, "-nostdlib", "-static", "-o", program, str(source)], check=True)
    assert requirements.is_static(program)
    subprocess.run([compiler, "-nostdlib", "-static-pie", "-o", program, str(source)], check=True)
    assert requirements.is_static(program)
