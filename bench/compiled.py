"""The peers that are written in C: compiled on the spot."""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def compiled(name: str, where: Path) -> str:
    """Compile a C file of this directory; returns the program's path."""
    program = where / name
    subprocess.run(["cc", "-O2", "-Wall", "-o", program, HERE / f"{name}.c"], check=True)
    return str(program)
