"""The surroundings in which notebooks are tested and re-executed: the same for everyone."""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import MutableMapping
from pathlib import Path

from traitlets import HasTraits, default

# A Unix socket's path is at most 107 bytes (unix(7)); a kernel's ends in 36 bytes of its own.
LONGEST_PRIVATE_PATH = 70

# What a user may have set that would show in a notebook's output, or load code of theirs.
FOREIGN = (
    "FORCE_COLOR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_PATH",
    "LANGUAGE",
    "MPLBACKEND",
    "NO_COLOR",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
)


class PrivateSockets(HasTraits):
    """Mixed into a KernelManager: the kernel speaks by Unix sockets in the private directory.

    There is then no port that two kernels, or another user, could reach. The path is named here,
    since a manager on its own would name one that depends on the current directory.
    """

    @default("transport")
    def _transport_of_our_own(self) -> str:
        return "ipc"

    @default("ip")
    def _path_of_our_own(self) -> str:
        return f"{os.environ['JUPYTER_RUNTIME_DIR']}/{uuid.uuid4().hex}"


def private_directory() -> Path:
    """Make an empty directory of our own, with a path short enough for a kernel's sockets."""
    if len(tempfile.gettempdir()) + len("/nsedu-xxxxxxxx/run") <= LONGEST_PRIVATE_PATH:
        return Path(tempfile.mkdtemp(prefix="nsedu-"))
    return Path(tempfile.mkdtemp(prefix="nsedu-", dir="/tmp"))


def isolate(private: Path, env: MutableMapping[str, str] = os.environ) -> None:
    """Keep the user's Jupyter, IPython, matplotlib, locale and nsedu data out of `env`.

    Args:
        private: an empty directory, which becomes the home of all their settings.
        env: the environment to change; kernels started with it see nothing else.
    """
    for name in FOREIGN:
        env.pop(name, None)
    env["JUPYTER_CONFIG_DIR"] = str(private / "config")
    env["JUPYTER_DATA_DIR"] = str(private / "data")
    env["JUPYTER_RUNTIME_DIR"] = str(private / "run")
    env["IPYTHONDIR"] = str(private / "ipython")
    env["MATPLOTLIBRC"] = str(private / "matplotlibrc")
    env["MPLCONFIGDIR"] = str(_matplotlib_cache(private))
    env["XDG_DATA_HOME"] = str(private / "share")  # what is solved: nothing yet
    env["LC_ALL"] = "C.UTF-8"
    env["COLUMNS"] = "100"
    for name in ("config", "data", "run", "ipython"):
        (private / name).mkdir(mode=0o700)
    (private / "matplotlibrc").touch()


def _matplotlib_cache(private: Path) -> Path:
    """The list of fonts takes seconds to make, and says so in the output: keep it beside .venv."""
    kept = Path(sys.prefix) / ".cache" / "matplotlib"
    return kept if os.access(kept, os.W_OK) else private
