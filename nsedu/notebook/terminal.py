"""A terminal beside the notebook: a button that opens one, and how to do it by hand."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Any

from nsedu.notebook import front_end

_TEXT = (
    "Open a terminal: in JupyterLab by File → New → Terminal, elsewhere in a window of your own.\n"
    "Then cd to the directory of this notebook."
)


def terminal() -> None:
    """Show a button that opens a terminal in this notebook's directory, and how to do it by hand.

    Where no front end shows it, only the latter is printed.
    """
    front_end.show(_TEXT, _widget)


def _widget() -> Any:
    from nsedu.notebook.widgets.terminal import TerminalWidget

    directory = os.getcwd()
    return TerminalWidget(
        directory=directory,
        go=f"cd {shlex.quote(directory)}",
        command="nsedu" if shutil.which("nsedu") else f"{sys.executable} -m nsedu",
    )
