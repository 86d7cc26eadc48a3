"""The explorer's widget: what it answers, without a browser."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import nsedu as ns
from nsedu.notebook.explorer import Explorer
from nsedu.notebook.widgets.explorer.widget import ExplorerWidget
from nsedu.notebook.widgets.polling import beat
from nsedu.observe.records import Snapshot
from waiting import child


class Asked:
    """A widget with what it was made to say."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer, self.told = explorer, list[dict[str, Any]]()
        self.widget = explorer._widget = ExplorerWidget(explorer)
        self.widget.send = self.told.append

    def ask(self, do: str, **content: Any) -> dict[str, Any]:
        """The last answer; {} without one."""
        self.told.clear()
        self.widget.message({"do": do, "view": "v", **content})
        return self.told[-1] if self.told else {}

    def see(self, visible: bool) -> None:
        self.widget.receive(self.widget, {"view": "v", "visible": visible}, [])


@pytest.fixture
def asked() -> Iterator[Asked]:
    made = Asked(ns.explore())
    yield made
    made.explorer.close()
    beat.stop()


def looks() -> bool:
    return bool(beat.due_at)


def text_of(answer: dict[str, Any]) -> str:
    return zlib.decompress(base64.b64decode(answer["packed"])).decode()


def test_a_new_view_asks_for_all(asked: Asked) -> None:
    answer = asked.ask("all")
    assert (answer["kind"], answer["view"]) == ("all", "v")
    assert next(row[2] for row in answer["rows"]) == "this program"


def test_a_look_tells_what_came(asked: Asked) -> None:
    asked.ask("all")
    with child() as pid:
        asked.widget.look()
    assert asked.told[-1]["kind"] == "changes"
    assert [row[0] for row in asked.told[-1]["rows"]] == [pid]


def test_the_messages_of_changes_are_numbered(asked: Asked) -> None:
    number = asked.ask("all")["number"]
    with child():
        asked.widget.look()
    asked.widget.look()
    assert [m["number"] for m in asked.told if m["kind"] == "changes"] == [number + 1, number + 2]


def test_it_looks_while_it_is_seen(asked: Asked) -> None:
    asked.see(True)
    assert looks()
    asked.see(False)
    assert not looks()


@pytest.mark.parametrize("act", ["pause", "close"])
def test_paused_or_closed_it_does_not_look(asked: Asked, act: str) -> None:
    asked.see(True)
    getattr(asked.explorer, act)()
    assert not looks()


def test_a_saved_snapshot_is_not_looked_at(asked: Asked) -> None:
    asked.see(True)
    packed = base64.b64encode(zlib.compress(ns.snapshot().to_json().encode())).decode()
    asked.ask("load", packed=packed)
    assert asked.widget.still
    assert not looks()
    asked.ask("look_at", scope="")
    assert not asked.widget.still
    assert looks()


def test_what_is_saved_can_be_loaded(asked: Asked) -> None:
    assert Snapshot.from_json(text_of(asked.ask("save"))) == asked.explorer.snapshot


@pytest.mark.parametrize(
    "packed",
    ["", "AAAA", base64.b64encode(zlib.compress(b"\xff\xfe")).decode(),
     base64.b64encode(zlib.compress(b"{}")).decode(),
     base64.b64encode(zlib.compress(b"[" * 100_000)).decode()],
)  # fmt: skip
def test_what_is_no_snapshot_is_refused_in_a_sentence(asked: Asked, packed: str) -> None:
    before = asked.explorer.snapshot
    answer = asked.ask("load", packed=packed)
    assert answer["kind"] == "said"
    assert answer["sentence"].endswith(".")
    assert asked.explorer.snapshot is before
    assert not asked.widget.still


def test_a_process_is_told_in_sections(asked: Asked) -> None:
    with child() as pid:
        asked.widget.look()
        answer = asked.ask("process", pid=pid)
    titles = [section["title"] for section in answer["sections"]]
    assert titles == ["in short", "id maps", "capabilities", "control groups", "mounts", "sockets"]


def test_a_process_that_has_ended_is_a_sentence(asked: Asked) -> None:
    with child() as pid:
        asked.widget.look()
    answer = asked.ask("process", pid=pid)
    assert answer == {"kind": "said", "sentence": f"Process {pid} has ended."}


def test_a_namespace_that_has_gone_is_a_sentence(asked: Asked) -> None:
    answer = asked.ask("namespace", type="uts", ns=7)
    assert answer == {"kind": "said", "sentence": "The namespace uts:[7] has gone."}


def test_what_nobody_knows_how_to_do_is_passed_over(asked: Asked) -> None:
    assert asked.ask("dance") == {}


def test_a_look_that_fails_says_so_and_pauses(asked: Asked) -> None:
    asked.widget.failed(OSError("no /proc"))
    assert "no /proc" in asked.told[-1]["sentence"]
    assert asked.widget.paused


def test_its_process_may_end(asked: Asked) -> None:
    with child() as pid:
        explorer = ns.explore(pid)
        of_one = Asked(explorer)
        of_one.ask("all")
    of_one.widget.look()
    assert of_one.told[-1]["gone"] == [pid]
    explorer.close()
