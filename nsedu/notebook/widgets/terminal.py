"""The button that opens a terminal."""

from __future__ import annotations

import anywidget
import traitlets

from nsedu.notebook.widgets.base import script, style


class TerminalWidget(anywidget.AnyWidget):
    """What JupyterLab shows for `nsedu.terminal`.

    Attributes:
        directory: where the terminal is to begin.
        go: the command that gets there.
        command: by which the course's own command is called there.
    """

    _esm = script("terminal")
    _css = style("terminal")
    directory = traitlets.Unicode().tag(sync=True)
    go = traitlets.Unicode().tag(sync=True)
    command = traitlets.Unicode().tag(sync=True)
