"""Plays a notebook that is interrupted: uses everything, and counts what an interrupt leaves.

``python interrupted.py SEED`` writes "ready", and then a line each time it has been interrupted:
what is left beside what was there before, as JSON.  It ends with its input.
"""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import nsedu
from nsedu import NamespaceError, Sandbox
from nsedu.notebook.cells import byhand, interpreter, python_cell
from nsedu.sandbox import agent_client


def children() -> list[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in text.split()]


def descriptors() -> list[str]:
    """What is open, each by its kind and without its number."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the directory itself
            found.append(os.readlink(f"/proc/self/fd/{fd}").split(":[")[0])
    return sorted(found)


def below_agent() -> list[str]:
    agent = agent_client.agent().process.pid
    return Path(f"/proc/{agent}/task/{agent}/children").read_text().split()


def state() -> dict[str, object]:
    return {
        "descriptors": descriptors(),
        "children": len(children()),
        "below": len(below_agent()),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "groups": sum(f"nsedu-{os.getpid()}-" in p for p, _, _ in os.walk("/sys/fs/cgroup")),
    }


def settled(wanted: dict[str, object]) -> dict[str, object]:
    """How it is when it is as before, or after a while."""
    deadline = time.monotonic() + 10
    while (now := state()) != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return now


def use(how: str, box: Sandbox, limits: bool) -> None:
    if how == "run":
        box.run("sleep 0.02; echo a", input="x")
    elif how == "popen":
        with box.popen("cat") as command:
            command.communicate("x" * 100_000)
    elif how == "call":
        box.call(time.sleep, 0.02)
    elif how == "repl":
        interpreter.of(box).run("import time; time.sleep(0.02)", 10)
    elif how == "byhand":
        byhand.run("unshare(CLONE_NEWUSER | CLONE_NEWUTS)")
    elif how == "explore":
        str(nsedu.explore())
    elif how == "topology":
        str(nsedu.topology(box))
    elif how == "measure":
        nsedu.measure("create", repeat=3)
    else:
        types = {"plain": ("uts",), "with pid": ("pid", "mnt"), "all": nsedu.TYPES}
        kinds: dict[str, Callable[[], Sandbox]] = {
            "nested": lambda: box.sandbox("pid"),
            "joined": lambda: Sandbox("ipc", join=box),
            "limits": lambda: Sandbox("uts", limits={"pids": 50} if limits else None),
        }
        with kinds[how]() if how in kinds else Sandbox(*types[how]) as other:
            other.run(["true"])


USES = (
    "run", "popen", "call", "repl", "byhand", "explore", "topology", "measure",
    "plain", "with pid", "all", "nested", "joined", "limits",
)  # fmt: skip


def ended() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main(seed: str, limits: bool) -> None:
    chance = random.Random(seed)
    box = Sandbox("uts", name="base")
    for how in USES:
        use(how, box, limits)
    before = settled({})
    print("ready", flush=True)
    while not ended():
        how = ""
        try:
            print("go", flush=True)
            while not ended():
                how = chance.choice(USES)
                use(how, box, limits)
        except KeyboardInterrupt:
            pass
        except (NamespaceError, python_cell.CellFailed) as error:
            how = f"{how}: {type(error).__name__} {error}"
        while True:
            try:
                interpreter.of(box)  # these two start again what an interrupt has ended
                nsedu.topology(box)
                now = settled(before)
                break
            except KeyboardInterrupt:
                continue
        print(json.dumps({"how": how, "before": before, "now": now}), flush=True)
    box.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] == "1")
