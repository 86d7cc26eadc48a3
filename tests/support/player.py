"""Plays the notebook for the fault tests: makes and uses sandboxes as chance will have it.

``python player.py SEED LIMITS`` (LIMITS is 1 where control groups can be made) writes a line each
time it has done something.  At a line on its input it stops and writes which sandboxes are lost; at
the end of its input it closes the others, writes what is left all the same, and ends.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import select
import shutil
import sys
from collections import Counter
from contextlib import redirect_stderr, suppress
from pathlib import Path

import tqdm.auto  # noqa: F401  (it may start a process of its own)

import nsedu
from awaiting import eventually
from nsedu import TYPES, CommandFailed, CommandTimedOut, NamespaceError, Sandbox
from nsedu.notebook.cells import byhand, python_cell
from nsedu.notebook.cells import interpreter as repl
from nsedu.sandbox import agent_client

# Both escape from the session and the parent of the command that starts them.
DAEMONS = (
    "setsid sh -c 'setsid sleep 1000 & setsid sh -c \"sleep 1000 & sleep 1000\"'"
    " </dev/null >/dev/null 2>&1 &"
)
IN_PYTHON = f"import os; _ = os.system({DAEMONS!r})"
BY_HAND = f"unshare(CLONE_NEWUSER | CLONE_NEWUTS); {IN_PYTHON}"
MOST = 6  # sandboxes at a time
INSIDE = ("daemons", "daemons", "popen", "run", "call", "timeout", "repl", "repl")
BESIDE = ("byhand", "byhand", "eyes", "explore", "measure")


class Player:
    def __init__(self, seed: str, limits: bool) -> None:
        self.chance = random.Random(seed)
        self.limits = limits
        self.range = os.geteuid() == 0 or shutil.which("newuidmap") is not None
        self.numbers = itertools.count(1)
        self.boxes: dict[str, Sandbox] = {}
        self.lost: list[str] = []
        self.kept: list[object] = []

    def make(self) -> None:
        if len(self.boxes) >= MOST:
            return self.close()
        types = self.chance.sample(TYPES, self.chance.choice([1, 1, 2, 3, 8]))
        options: dict[str, object] = {}
        if self.limits and self.chance.random() < 0.3:
            options["limits"] = {"pids": 100}
        name = f"box{next(self.numbers)}"
        how = self.chance.choice(
            ["alone", "nested", "nested", "joined"] if self.boxes else ["alone"]
        )
        if how == "alone" and self.range and self.chance.random() < 0.3:
            options["user"] = "range"
        if how == "nested":
            outer = self.boxes[self.chance.choice(list(self.boxes))]
            self.boxes[name] = outer.sandbox(*types, **options)
        elif how == "joined":
            other = self.boxes[self.chance.choice(list(self.boxes))]
            self.boxes[name] = Sandbox(*types, join=other, **options)  # type: ignore[arg-type]
        else:
            self.boxes[name] = Sandbox(*types, **options)  # type: ignore[arg-type]
        return None

    def close(self) -> None:
        name = self.chance.choice(list(self.boxes))
        self.boxes.pop(name).close()

    def use(self) -> None:
        name = self.chance.choice(list(self.boxes))
        way = self.chance.choice(INSIDE + BESIDE)
        if way in INSIDE:
            os.environ["NSEDU_PLAYED_IN"] = f"<{name}>"
        try:
            self.use_by(way, self.boxes[name])
        except (CommandTimedOut, CommandFailed, python_cell.CellFailed):
            pass
        except (NamespaceError, ValueError):  # or of something beside it, or of another one
            self.check(name)
        finally:
            os.environ.pop("NSEDU_PLAYED_IN", None)

    def use_by(self, way: str, box: Sandbox) -> None:
        if way == "daemons":
            box.run(DAEMONS)
        elif way == "popen":
            self.kept.append(box.popen(["sleep", "1000"]))
        elif way == "run":
            box.run(["true"])
        elif way == "call":
            assert isinstance(box.call(os.getpid), int)
        elif way == "timeout":
            box.run(["sleep", "1000"], timeout=0.02)
        elif way == "repl":
            with redirect_stderr(io.StringIO()):  # where it says that the last one had ended
                interpreter = repl.of(box)
            interpreter.run(IN_PYTHON, 30)
        elif way == "byhand":  # which ends with what it has started, or is ended with it
            byhand.run(BY_HAND, 0.5)
        elif way == "eyes":
            str(nsedu.eyes(box, hostname=True))
        elif way == "explore":
            str(nsedu.explore())
        elif way == "measure":
            nsedu.measure("create", repeat=3)

    def check(self, name: str) -> None:
        try:
            self.boxes[name].run(["true"])
        except NamespaceError:
            self.lost.append(name)
            self.boxes.pop(name).close()

    def play(self) -> None:
        while not select.select([sys.stdin], [], [], 0)[0]:
            try:
                if not self.boxes or self.chance.random() < 0.4:
                    self.make()
                elif self.chance.random() < 0.1:
                    self.close()
                else:
                    self.use()
            except NamespaceError:
                pass  # it was being made when it, or what it stands on, was killed
            print("did something", flush=True)

    def stop(self) -> None:
        for name in list(self.boxes):
            self.check(name)
        print(json.dumps({"lost": self.lost}), flush=True)

    def end(self, notebook: Counter[str], agent: Counter[str]) -> None:
        for box in self.boxes.values():
            box.close()
        self.boxes.clear()
        self.kept.clear()
        Sandbox("uts").close()  # after which a new agent has started, too
        pid = agent_client.agent().process.pid
        eventually(lambda: not held_by(pid) - agent, 10)
        left = {"agent": held_by(pid) - agent}
        agent_client.shutdown()
        left["notebook"] = held_by(os.getpid()) - notebook
        print(json.dumps(left), flush=True)


def held_by(pid: int) -> Counter[str]:
    """The kinds of what a process has open, and its children, zombies among them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = Counter(f"child {child}" for child in children)
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # that of the directory itself
            found[os.readlink(f"/proc/{pid}/fd/{fd}").split(":[")[0]] += 1
    return found


def main(seed: str, limits: bool) -> None:
    before = held_by(os.getpid())
    Sandbox("uts").close()
    fresh = held_by(agent_client.agent().process.pid)
    player = Player(seed, limits)
    player.play()
    sys.stdin.readline()
    player.stop()
    sys.stdin.read()
    player.end(before, fresh)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] == "1")
