"""A root file system for a kernel to unpack: busybox, and an init that prints a line."""

from __future__ import annotations

import stat
from collections.abc import Iterable

FIRST_LINE = "nsedu: first line from user space"
_INIT = f"#!/bin/busybox sh\necho '{FIRST_LINE}'\nexec /bin/busybox sleep 1000\n"


def initramfs(shell: str) -> bytes:
    """The archive: a busybox, the console, and /init.

    Args:
        shell: the path of a static busybox.
    """
    with open(shell, "rb") as file:
        program = file.read()
    return cpio(
        [
            ("bin", stat.S_IFDIR | 0o755, b"", (0, 0)),
            ("dev", stat.S_IFDIR | 0o755, b"", (0, 0)),
            ("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)),  # init's standard streams
            ("bin/busybox", stat.S_IFREG | 0o755, program, (0, 0)),
            ("init", stat.S_IFREG | 0o755, _INIT.encode(), (0, 0)),
        ]
    )


def cpio(entries: Iterable[tuple[str, int, bytes, tuple[int, int]]]) -> bytes:
    """An archive in the "newc" format, as the kernel's buffer-format.rst describes it.

    Args:
        entries: name, mode, content, and the major and minor number of a device.
    """
    archive = bytearray()
    for inode, (name, mode, content, device) in enumerate(
        [*entries, ("TRAILER!!!", 0, b"", (0, 0))], 1
    ):
        encoded = name.encode() + b"\0"
        numbers = (
            inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0,
        )  # fmt: skip
        archive += b"070701" + b"".join(b"%08X" % number for number in numbers) + encoded
        archive += bytes(-len(archive) % 4)
        archive += content
        archive += bytes(-len(archive) % 4)
    return bytes(archive)
