"""A tmpfs in a mount namespace of its own: files and mounts that end with the process, however."""

from __future__ import annotations

import contextlib
import os

from nsedu.agent import first_process
from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import CloneFlag

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = "/mnt"


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """What the kernel refuses in the block is a `StepFailed` with this name."""
    try:
        yield
    except OSError as error:
        raise first_process.StepFailed(name, error.errno or 0, str(error.filename)) from None


def enter() -> None:
    """Move into a new mount namespace, private all over, and into an empty tmpfs at `PLACE`.

    Raises:
        StepFailed: a step was refused.
    """
    with step("unshare mnt"):
        syscalls.unshare(CloneFlag.NEWNS)
    with step("mount private"):
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    with step("mount tmpfs"):
        syscalls.mount("tmpfs", PLACE, "tmpfs")
        os.chdir(PLACE)
