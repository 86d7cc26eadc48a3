"""What the explorer says of one process or namespace."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

import nsedu as ns
from nsedu.notebook.widgets.explorer import details
from nsedu.observe.incremental import Watch
from nsedu.observe.records import Change, Process
from nsedu.observe.snapshot import snapshot
from waiting import child


def of_this() -> dict[str, dict[str, Any]]:
    watched = Watch("mine")
    pid = os.getpid()
    process = watched.look().processes[pid]
    return by_title(details.of_process(process, watched.started[pid]))


def by_title(sections: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {section["title"]: section for section in sections}


def test_of_this_process_all_sections_are_read() -> None:
    told = of_this()
    short = dict(told["in short"]["rows"])
    assert short["pid"] == str(os.getpid())
    assert short["state"] == "running"
    assert short["born"].endswith(" ago")
    assert told["mounts"]["count"] == len(told["mounts"]["rows"]) > 0
    assert told["capabilities"]["rows"][0][0] == "effective"
    assert told["control groups"]["rows"]


def test_an_open_socket_is_listed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        rows = of_this()["sockets"]["rows"]
        name = f"127.0.0.1:{server.getsockname()[1]}"
    assert ("tcp", name, "", "listen") in [row[1:] for row in rows]


@pytest.mark.needs("userns")
def test_of_a_sandbox_the_maps_and_the_inner_pid_are_told() -> None:
    with ns.Sandbox("pid", name="web") as box:
        watched = Watch(box.pid)
        process = watched.look().processes[box.pid]
        told = by_title(details.of_process(process, watched.started[box.pid]))
    assert dict(told["in short"]["rows"])["pid"] == f"{box.pid} here, 1 further in"
    assert ("uid", "0", str(box.root_uid), "1") in told["id maps"]["rows"]
    assert told["id maps"]["note"] == "setgroups: deny"


def test_a_process_that_has_ended_is_said_to_have() -> None:
    watched = Watch("mine")
    with child() as pid:
        process = watched.look().processes[pid]
        started = watched.started[pid]
    with pytest.raises(ProcessLookupError, match=f"process {pid} has ended"):
        details.of_process(process, started)


def test_another_process_with_that_pid_is_not_taken_for_it() -> None:
    watched = Watch("mine")
    process = watched.look().processes[os.getpid()]
    with pytest.raises(ProcessLookupError, match="has ended"):
        details.of_process(process, b"1")


def test_a_saved_process_tells_what_was_saved() -> None:
    (section,) = details.of_record(Process(7, 1, "sh", nspid=(7, 1)))
    assert ("pid", "7 here, 1 further in") in section["rows"]
    assert ("command", "[sh]") in section["rows"]
    assert "saved snapshot" in section["note"]


def age(type: str, pid: int | None = None, seen: float = 65) -> str:
    watched = Watch(pid or "mine")
    look = watched.look()
    one = look.processes[pid or os.getpid()].links[type]
    (section,) = details.of_namespace(look, look.namespaces[type, one], watched.started, seen)
    return str(dict(section["rows"])["age"])


@pytest.mark.needs("userns")
def test_the_age_of_a_pid_namespace_is_that_of_its_first_process() -> None:
    with ns.Sandbox("pid", "uts") as box:
        assert "its process 1 is as old" in age("pid", box.pid)


@pytest.mark.needs("userns")
def test_of_another_only_what_was_seen_is_sure() -> None:
    with ns.Sandbox("uts") as box:
        told = age("uts", box.pid)
    assert told.startswith("at least 1 min 5 s: so long it has been in sight here")
    assert "may have come in later" in told


def test_an_initial_namespace_is_as_old_as_the_machine() -> None:
    if snapshot().processes[os.getpid()].links["user"] != 0xEFFFFFFD:
        pytest.skip("this is not the initial user namespace.")
    assert age("user") == "there since the machine was started"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "less than 1 s"), (3, "3 s"), (125, "2 min 5 s"), (90061, "1 day 1 h"),
     (2 * 86400, "2 days")],
)  # fmt: skip
def test_a_duration_in_words(seconds: float, expected: str) -> None:
    assert details.words(seconds) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change("process", "gone", Process(7, 1, "sh", "sh")), ("gone", "process 7, sh")),
        (Change("namespace", "new", None, "uts", None, 9), ("new", "namespace uts:[9]")),
        (
            Change("link", "moved", Process(7, 1, "sh", "sh"), "uts", 8, 9),
            ("moved", "process 7, sh: uts:[8] → uts:[9]"),
        ),
    ],
)
def test_a_change_in_words(change: Change, expected: tuple[str, str]) -> None:
    assert details.of_change(change) == expected
