"""The explorer as JupyterLab shows it: its messages to the browser, and what the browser asks."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import traitlets

from nsedu.draw.tree import tree
from nsedu.draw.why_alive import why_alive
from nsedu.kernel.namespace_types import CATALOGUE, LINKS
from nsedu.notebook.widgets.base import Live, script, style
from nsedu.notebook.widgets.explorer import details
from nsedu.notebook.widgets.explorer.changes import Rows
from nsedu.observe.records import Snapshot
from nsedu.observe.snapshot import snapshot as look_once

if TYPE_CHECKING:
    from nsedu.notebook.explorer import Explorer

MOST_CHANGES = 200
MOST_FIRST = 100
"""So many processes may the browser want to have read again at each look."""
LARGEST = 200_000_000
"""Bytes of the text of a snapshot that is loaded."""

_TYPES = [
    {
        "name": t.name,
        "title": t.title,
        "colour": t.colour,
        "links": t.links,
        "nests": t.hierarchical,
    }
    for t in CATALOGUE
]


class ExplorerWidget(Live):
    """The view of an `nsedu.explore.Explorer`.

    Its browser side asks ``{"do": what, …}`` and is told in messages with a ``kind``.

    Attributes:
        types: the catalogue, as far as it needs it.
        links: the names of the ten links, in the order of the lists it is sent.
        scope: "mine", "machine", or "process N and all below it".
        paused, still, marked: as of the explorer.
    """

    _esm = script("explorer/view")
    _css = style("explorer/style")
    interval = 1.0
    types: Any = traitlets.List(_TYPES).tag(sync=True)
    links: Any = traitlets.List(list(LINKS)).tag(sync=True)
    scope = traitlets.Unicode().tag(sync=True)
    paused = traitlets.Bool().tag(sync=True)
    still = traitlets.Bool().tag(sync=True)
    marked = traitlets.Bool().tag(sync=True)

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._rows = Rows()
        self._number = 0
        self._shown: Any = None
        self._first: list[int] = []
        super().__init__()
        self.refresh()

    def wanted(self) -> bool:
        """Not while it is paused or shows a saved snapshot."""
        return not self.paused and not self.still

    def look(self) -> None:
        """Look once more, and tell what has changed."""
        with self._explorer.lock:
            self._explorer.look(self._first)
            self._tell()

    def failed(self, error: Exception) -> None:
        """Say that looking failed, and pause."""
        self._say(f"Looking has failed and is paused: {error}")
        self._explorer.pause()

    def refresh(self) -> None:
        """Show the explorer as it is now, after it was told to look elsewhere or no more."""
        explorer = self._explorer
        with explorer.lock, self.hold_sync():
            whole = explorer.still != self.still or self._scope() != self.scope
            self.scope, self.still = self._scope(), explorer.still
            self.paused, self.marked = explorer.paused, explorer.marked is not None
        if whole:
            self._rows = Rows()
            self._all()
        self.update_polling()

    def message(self, content: dict[str, Any]) -> None:
        """Do what the browser asks; what cannot be done is said there in a sentence."""
        do = getattr(self, f"_do_{content.get('do')}", None)
        if do is None:
            return
        try:
            with self._explorer.lock:
                do(content)
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._say(_sentence(error))

    def _scope(self) -> str:
        scope = self._explorer.scope
        return scope if isinstance(scope, str) else f"process {scope} and all below it"

    def _say(self, sentence: str) -> None:
        self.send({"kind": "said", "sentence": sentence})

    def _all(self, view: str = "") -> None:
        explorer = self._explorer
        with explorer.lock:
            state = self._rows.all(explorer.snapshot, explorer.started)
            unread = explorer.snapshot.unread
            self.send(
                {"kind": "all", "view": view, "number": self._number, "unread": unread, **state}
            )

    def _tell(self) -> None:
        explorer = self._explorer
        changes = self._rows.changes(explorer.snapshot, explorer.started)
        if changes:
            self._number += 1
            unread = explorer.snapshot.unread
            self.send({"kind": "changes", "number": self._number, "unread": unread, **changes})

    # What the browser may ask

    def _do_all(self, content: dict[str, Any]) -> None:
        self._all(str(content["view"]))

    def _do_first(self, content: dict[str, Any]) -> None:
        self._first = [int(pid) for pid in content["pids"][:MOST_FIRST]]

    def _do_look_at(self, content: dict[str, Any]) -> None:
        scope = (
            content["scope"] if content["scope"] in ("mine", "machine") else self._explorer.scope
        )
        self._explorer.look_at(scope)

    def _do_pause(self, content: dict[str, Any]) -> None:
        self._explorer.pause()

    def _do_resume(self, content: dict[str, Any]) -> None:
        self._explorer.resume()

    def _do_mark(self, content: dict[str, Any]) -> None:
        self._explorer.mark()

    def _do_changes(self, content: dict[str, Any]) -> None:
        changes = self._explorer.changes()
        rows = [details.of_change(change) for change in changes[:MOST_CHANGES]]
        self.send({"kind": "compared", "rows": rows, "count": len(changes)})

    def _do_process(self, content: dict[str, Any]) -> None:
        pid = int(content["pid"])
        process = self._explorer.snapshot.processes.get(pid)
        if process is None:
            raise ProcessLookupError(f"process {pid} has ended")
        if self._explorer.still:
            sections = details.of_record(process)
        else:
            sections = details.of_process(process, self._explorer.started[pid])
        self.send({"kind": "process", "pid": pid, "sections": sections})

    def _do_namespace(self, content: dict[str, Any]) -> None:
        type, ns = str(content["type"]), int(content["ns"])
        explorer = self._explorer
        namespace = explorer.snapshot.namespaces.get((type, ns))
        if namespace is None:
            raise ProcessLookupError(f"the namespace {type}:[{ns}] has gone")
        sections = details.of_namespace(
            explorer.snapshot, namespace, explorer.started, self._rows.seen(type, ns)
        )
        self.send({"kind": "namespace", "type": type, "ns": ns, "sections": sections})

    def _do_pins(self, content: dict[str, Any]) -> None:
        type, ns = str(content["type"]), int(content["ns"])
        deep = self._explorer.snapshot
        if not self._explorer.still:
            deep = look_once(self._explorer.scope, deep=True)
        self.send({"kind": "pins", "type": type, "ns": ns, "text": why_alive(deep, type, ns).text})

    def _do_save(self, content: dict[str, Any]) -> None:
        self._file("json", self._explorer.snapshot.to_json())

    def _do_picture(self, content: dict[str, Any]) -> None:
        form = "png" if content["form"] == "png" else "svg"
        self._file(form, tree(self._explorer.snapshot).svg)

    def _do_load(self, content: dict[str, Any]) -> None:
        saved = Snapshot.from_json(_unpack(content["packed"]))
        self._explorer.show(saved)
        self._say(f"Loaded {len(saved.processes)} processes.")

    def _file(self, form: str, text: str) -> None:
        self.send({"kind": "file", "form": form, "packed": _pack(text)})


def _pack(text: str) -> str:
    # Jupyter's server drops messages of more than 3 MB, and a snapshot shrinks to a tenth.
    return base64.b64encode(zlib.compress(text.encode())).decode()


def _unpack(packed: str) -> str:
    """The text packed by the browser.

    Raises:
        ValueError: it is no text, or a very long one.
    """
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(base64.b64decode(packed), LARGEST)
        if unpacker.unconsumed_tail:
            raise ValueError(f"The file is longer than {LARGEST // 10**6} MB.")
        return text.decode()
    except (zlib.error, UnicodeDecodeError):
        raise ValueError("The file is no text, so it is not a saved snapshot.") from None


def _sentence(error: Exception) -> str:
    text = (
        str(error) if not isinstance(error, KeyError) else f"{error} is missing in what was asked"
    )
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
