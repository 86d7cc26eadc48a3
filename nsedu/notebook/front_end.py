"""Who looks at what a cell shows: a person with a browser, or a test, a converter, a terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from typing import Any

WIDTH = 90
"""Columns: JupyterLab breaks longer lines of text in the middle of a word."""
_VIEW = "application/vnd.jupyter.widget-view+json"


def interactive() -> bool:
    """Whether this cell was sent by a front end that a person sits at and that may show widgets.

    The protocol tells: such a front end lets the kernel ask back (allow_stdin of execute_request,
    "Messaging in Jupyter").  nbval and nbclient do not, and plain IPython sends no messages at all.
    """
    kernel = _kernel()
    return kernel is not None and _may_ask(kernel)


def unattended() -> bool:
    """Whether this cell was sent by a program: a test, a converter. What it does nobody has done.

    A script, plain IPython and the command line have no cells, and somebody started them.
    """
    kernel = _kernel()
    return kernel is not None and not _may_ask(kernel)


def _kernel() -> Any:
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None)


def _may_ask(kernel: Any) -> bool:
    return bool(kernel.get_parent("shell").get("content", {}).get("allow_stdin"))


def show(text: str, widget: Callable[[], Any]) -> None:
    """Show a widget to a person, and print its text form where there is no front end for it.

    Args:
        text: the text form; a front end without widgets shows it, too.
        widget: makes the widget, only if it is needed.
    """
    if not interactive():
        print(text)
        return
    from IPython.display import display

    display(bundle(text, widget()), raw=True)


def wrapped(text: str, indent: str = "", first: str = "") -> str:
    """A paragraph in lines of `WIDTH` columns at most.

    Args:
        text: of one paragraph.
        indent: what all lines but the first begin with.
        first: what the first begins with.
    """
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def bundle(text: str, widget: Any) -> dict[str, Any]:
    """A widget and its text form as one output: the front end shows what it can."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"text/plain": text, _VIEW: view}
