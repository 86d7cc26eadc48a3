"""What a sandbox's first process knows of its children."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsedu import Sandbox
from nsedu.agent import commands
from nsedu.kernel import syscalls

pytestmark = pytest.mark.needs("userns", "mnt")


def test_a_made_up_proc_names_no_children() -> None:
    """In others' mounts: whoever is named there would be killed in the end."""

    def found() -> dict[int, str]:
        kid = os.fork()
        if kid == 0:
            os.read(os.pipe()[0], 1)
        syscalls.mount("made up", "/proc", "tmpfs", 0)
        Path("/proc/self").symlink_to(str(os.getpid()))
        Path("/proc/thread-self").mkdir()
        Path("/proc/thread-self/children").write_text(f"{os.getppid()} 1 -1 {kid}\n")
        children = commands.children_of_self()
        os.kill(kid, 9)
        os.waitpid(kid, 0)
        assert list(children) == [kid]
        return children

    with Sandbox("mnt") as box:
        assert len(box.call(found)) == 1
