"""Which programs of the course a script calls: what its machine must have for it to be tried."""

from __future__ import annotations

import re

from nsedu.programs import PROGRAMS

_NO_NEEDS = {"bwrap", "newuidmap"}  # looked for where they are called


def called(script: str) -> list[str]:
    """The needs of a script, in the doctor's words."""
    words = set(re.findall(r"[\w-]+", script))
    return sorted(words & PROGRAMS.keys() - _NO_NEEDS)
