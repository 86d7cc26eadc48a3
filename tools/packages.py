"""Say which programs would make the course complete on this machine, and install them if asked to.

packages.py             one line, or nothing where nothing is missing
packages.py --install   run the command of that line (make packages); it needs root
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nsedu import programs

# A package manager that has never been told what there is.
_UPDATE = {"apt": ("/var/lib/apt/lists", ["apt", "update"])}


def line() -> str:
    """What is missing and how to get it, in a line; "" where nothing is missing."""
    absent = programs.absent()
    if not absent:
        return ""
    sudo = "" if os.geteuid() == 0 or programs.manager() is None else "sudo "
    return (
        f"Not on this machine: {', '.join(absent)}. The cells and tests that need them are skipped;"
        f" to have all of them: make packages, which runs {sudo}{programs.remedy(*absent)}"
    )


def install() -> int:
    """Run the command that installs what is missing; the package manager asks as it always does."""
    absent = programs.absent()
    if not absent:
        print("make packages: this machine has every program that the course calls.")
        return 0
    command, manager = programs.remedy(*absent), programs.manager()
    if manager is None:
        print(f"make packages: this distribution is not known here; {command}.", file=sys.stderr)
        return 1
    if os.geteuid() != 0:
        print(f"make packages needs root; run: sudo {command}", file=sys.stderr)
        return 1
    where, update = _UPDATE.get(manager, ("/", []))
    if update and not any(name.endswith("_Packages") for name in os.listdir(where)):
        print("make packages:", *update, flush=True)
        subprocess.run(update, check=False)
    print(f"make packages: {command}", flush=True)
    return subprocess.run(command.split(), check=False).returncode


def main() -> int:
    """Do what the command line asks."""
    if sys.argv[1:] == ["--install"]:
        return install()
    said = line()
    if said:
        print(said, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
