"""An ordinary user for the tests that must not be root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

# An ordinary id that no machine gives to a person, and that is not the overflow id 65534, which
# means "not mapped" in a user namespace.
LEARNER_ID = 54321


@dataclass(frozen=True)
class Learner:
    """An ordinary user, and a Python that it can start.

    Attributes:
        uid: its user id, host-side; ours when we are not root.
        gid: its only group's id, host-side.
        home: an empty directory of its own, with a short path.
        python: an interpreter that it may execute; `import nsedu` works in it.
        environment: what its processes see.
    """

    uid: int
    gid: int
    home: Path
    python: str
    environment: dict[str, str]

    def run(self, args: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program as this user, in its home; options are those of subprocess.run."""
        if os.geteuid() == 0:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        settings = {"cwd": self.home, "env": self.environment, "text": True, "timeout": 60}
        return subprocess.run(args, capture_output=True, check=False, **(settings | options))

    def run_python(self, code: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run Python code as this user, with nsedu importable."""
        return self.run([self.python, "-c", code], **options)


def make_learner(home: Path) -> Learner:
    """Return an ordinary user who lives in `home`: one made up when we are root, else ourselves."""
    root = os.geteuid() == 0
    uid, gid = (LEARNER_ID, LEARNER_ID) if root else (os.geteuid(), os.getegid())
    if root:
        os.chown(home, uid, gid)
        home.chmod(0o755)
    return _able(Learner(uid, gid, home, sys.executable, _environment(home)))


def _environment(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        # Copies, since a checkout under /root is out of an ordinary user's reach.
        "PYTHONPATH": os.pathsep.join([str(_copied_packages(home)), *_site_packages()]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _copied_packages(home: Path) -> Path:
    library = home / "lib"
    for name in ("nsedu", "cloudpickle"):
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None
        shutil.copytree(
            Path(spec.origin).parent, library / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return library


def _site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def _able(learner: Learner) -> Learner:
    """The same user with the first Python that it can start and that is as new as ours."""
    version = sys.version_info[:2]
    check = f"import sys, nsedu; sys.exit(sys.version_info[:2] != {version})"
    for python in (sys.executable, "/usr/bin/python3", f"/usr/bin/python{version[0]}.{version[1]}"):
        candidate = Learner(learner.uid, learner.gid, learner.home, python, learner.environment)
        try:
            if candidate.run_python(check).returncode == 0:
                return candidate
        except OSError:
            continue
    pytest.skip(
        f"an ordinary user (uid {learner.uid}) can start no Python {version[0]}.{version[1]} here; "
        "run the tests with the system's python3."
    )
