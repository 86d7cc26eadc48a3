"""What the widgets have in common: their files, and looking for as long as somebody watches."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import anywidget

from nsedu.notebook.widgets.bundle import bundle
from nsedu.notebook.widgets.polling import Group, beat

_HERE = Path(__file__).parent


@functools.cache
def script(name: str) -> str:
    """The JavaScript of a widget: its module and those that it imports, as one."""
    return bundle(_HERE / f"{name}.js")


@functools.cache
def style(name: str) -> str:
    """The style sheet of a widget: what all share, then its own."""
    return "\n".join((_HERE / f"{part}.css").read_text() for part in ("shared", name))


def receive_while_cell_runs(widget: anywidget.AnyWidget) -> None:
    """Have what a view says handled in the thread that JupyterLab names, while a cell runs, too.

    ipykernel 7.4 would leave it to the thread that last spoke to the view: after a word from a
    cell, to the main thread, which is busy for as long as that cell runs.
    """
    widget.comm._reply_subshell_for = None


class Live(anywidget.AnyWidget):
    """A widget that looks at the kernel while somebody watches it.

    Its JavaScript calls ``watch(model, el)``, which sends ``{"view": id, "visible": bool}`` when
    that changes, and when it is asked.
    """

    interval = 0.7
    group: Group | None = None
    """Who looks for it and others of its kind at once; itself if there is none."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        receive_while_cell_runs(self)
        self._views: set[str] = set()
        self.on_msg(self.receive)

    def look(self) -> None:
        """Look at the kernel, and set traits accordingly; called in the beat's thread."""
        raise NotImplementedError

    def failed(self, error: Exception) -> None:
        """Show that a look raised."""
        raise NotImplementedError

    def ask(self) -> None:
        """Ask the views whether they are still there; those that are will say so."""
        self.send({"ask": True})

    def message(self, content: dict[str, Any]) -> None:
        """Any message of the view but the one about being visible."""

    def wanted(self) -> bool:
        """Whether looking is of use, besides being seen."""
        return True

    def receive(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        """What the browser says: that a view came into sight or left it, or what a card is for."""
        if "visible" not in content:
            self.message(content)
            return
        if content["visible"]:
            self._views.add(content["view"])
        else:
            self._views.discard(content["view"])
        self.update_polling()

    def update_polling(self) -> None:
        """Look, or look no more, according to `wanted` and to who watches."""
        if self._views and self.wanted():
            beat.watch(self, self.group)
        else:
            beat.leave(self)

    def close(self) -> None:
        """Look no more, and take the view off the page."""
        beat.leave(self)
        super().close()
