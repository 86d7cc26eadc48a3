"""A host of one's own, to look for what is left behind on a machine that others use meanwhile.

Run as a program: own_host.py CODE SECONDS executes Python in namespaces and a tree of processes of
its own, where neither a neighbour's files, mounts, links nor processes can be seen, and prints as
JSON what differs afterwards.  The user stays who it is, root or not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_FRESH = ("/tmp", "/dev/shm")  # directories that everybody writes to
_COPIED = ("/etc/passwd", "/etc/group")


def left_by(code: str, settle: float = 0.1, timeout: float = 280) -> dict[str, Any]:
    """What `code` leaves behind: aspect → (what went, what came).

    Args:
        code: Python.
        settle: seconds for what it has started, and for its groups, to end after it.
        timeout: seconds until it is killed.
    """
    found = [str(ROOT / part) for part in (".", "tests", "tests/support", "tools")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(found)}
    env.pop("TMPDIR", None)
    command = [sys.executable, __file__, code, str(settle)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    left: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return left


def enter() -> None:
    """Move this process, which has one thread, into a mount, network, UTS and IPC namespace."""
    from nsedu.agent import first_process
    from nsedu.kernel import syscalls
    from nsedu.kernel.namespace_types import CloneFlag

    flags = CloneFlag.NEWNS | CloneFlag.NEWNET | CloneFlag.NEWUTS | CloneFlag.NEWIPC
    if os.geteuid() == 0:
        syscalls.unshare(flags)
    else:
        ids = os.geteuid(), os.getegid()
        syscalls.unshare(CloneFlag.NEWUSER | flags)
        Path("/proc/self/setgroups").write_text("deny")
        for name, number in zip(("uid_map", "gid_map"), ids, strict=True):
            Path(f"/proc/self/{name}").write_text(f"{number} {number} 1")
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    kept = {path: os.open(path, os.O_PATH) for path in _used()}
    # Which only root could change, and a copy would belong to the user.
    root = os.geteuid() == 0
    copies = {path: Path(path).read_bytes() for path in _COPIED if root}
    for directory in _FRESH:
        syscalls.mount("tmpfs", directory, "tmpfs", 0, "mode=1777")
    for path, fd in kept.items():
        if path.startswith(_FRESH):
            Path(path).mkdir(parents=True, exist_ok=True)
            syscalls.mount(f"/proc/self/fd/{fd}", path, None, syscalls.MS_BIND | syscalls.MS_REC)
        os.close(fd)
    for path, content in copies.items():
        copy = Path("/dev/shm", Path(path).name)
        copy.write_bytes(content)
        syscalls.mount(str(copy), path, None, syscalls.MS_BIND)
    with suppress(OSError):  # a machine without POSIX message queues as files
        syscalls.mount("mqueue", "/dev/mqueue", "mqueue")
    first_process.lo_up()
    if os.geteuid() != 0:
        syscalls.capset(0, 0, 0)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)


def _used() -> Iterator[str]:
    """The directories that the code needs, wherever they are."""
    yield from dict.fromkeys(
        os.path.realpath(path) for path in (ROOT, sys.prefix, sys.base_prefix, Path.home())
    )


def _settle(before: dict[str, object], seconds: float) -> dict[str, object]:
    """What differs, once it has had the time to end."""
    from fingerprint import differences, fingerprint

    deadline = time.monotonic() + seconds
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        found = differences(before, fingerprint())
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def main() -> None:
    """Run the code between two looks at the host."""
    enter()
    from fingerprint import fingerprint
    from notebook_env import isolate, private_directory

    isolate(private_directory())
    before = fingerprint()
    exec(sys.argv[1], {"__name__": "code"})
    print(json.dumps(_settle(before, float(sys.argv[2]))), flush=True)
    for pid in Path("/proc/thread-self/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    main()
