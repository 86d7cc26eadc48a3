"""Plays the notebook for the fault tests: makes and uses sandboxes as chance will have it.

``python player.py SEED LIMITS`` (LIMITS is 1 where control groups can be made) writes a line each
time it has done something.  At a line on its input it stops and writes which sandboxes are lost; at
the end of its input it closes the others and ends.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import select
import shutil
import sys

from nsedu import TYPES, CommandFailed, CommandTimedOut, NamespaceError, Sandbox

# Both escape from the session and the parent of the command that starts them.
DAEMONS = (
    "setsid sh -c 'setsid sleep 1000 & setsid sh -c \"sleep 1000 & sleep 1000\"'"
    " </dev/null >/dev/null 2>&1 &"
)
MOST = 6  # sandboxes at a time


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
        box = self.boxes[name]
        os.environ["NSEDU_PLAYED_IN"] = f"<{name}>"
        how = self.chance.choice(["daemons", "daemons", "popen", "run", "call", "timeout"])
        try:
            if how == "daemons":
                box.run(DAEMONS)
            elif how == "popen":
                self.kept.append(box.popen(["sleep", "1000"]))
            elif how == "run":
                box.run(["true"])
            elif how == "call":
                assert isinstance(box.call(os.getpid), int)
            else:
                box.run(["sleep", "1000"], timeout=0.02)
        except (CommandTimedOut, CommandFailed):
            pass
        except NamespaceError:
            self.lost.append(name)
            self.boxes.pop(name).close()
        del os.environ["NSEDU_PLAYED_IN"]

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
        for name, box in list(self.boxes.items()):
            try:
                box.run(["true"])
            except NamespaceError:
                self.lost.append(name)
                self.boxes.pop(name).close()
        print(json.dumps({"lost": self.lost}), flush=True)
        sys.stdin.read()
        for box in self.boxes.values():
            box.close()


if __name__ == "__main__":
    player = Player(sys.argv[1], sys.argv[2] == "1")
    player.play()
    sys.stdin.readline()
    player.stop()
