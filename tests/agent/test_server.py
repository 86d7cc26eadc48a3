"""The loop of the agent and of the sandboxes outlives whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from awaiting import readable
from nsedu import Sandbox
from nsedu.agent import protocol, wire
from nsedu.errors import explain
from nsedu.sandbox import agent_client
from nsedu.sandbox.process import Process

pytestmark = pytest.mark.needs("userns", "uts")


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox("uts", name="mars") as sandbox:
        yield sandbox


@pytest.fixture
def other(box: Sandbox) -> Iterator[Process]:
    """A command that runs in the sandbox meanwhile."""
    with box.popen(["sleep", "1000"]) as command:
        yield command


NO_ANSWERS: list[dict[str, Any]] = [
    {},
    {"op": "run"},
    {"op": "run", "argv": ["\ud800"], "env": None},
    {"op": "run", "argv": ["a\0b"], "env": None},
    {"op": "run", "argv": [5], "env": None},
    {"op": "run", "argv": [""], "env": None},
    {"op": "run", "argv": [], "env": None},
    {"op": "call", "path": 5},
    {"op": "make", "plan": {"types": "mars"}},
    {"op": "end"},
]


@pytest.mark.parametrize("message", NO_ANSWERS, ids=str)
@pytest.mark.parametrize("server", ["agent", "first process"])
def test_what_cannot_be_answered_is_told_as_a_bug_and_ends_nobody(
    box: Sandbox, other: Process, message: dict[str, Any], server: str
) -> None:
    asked = box._agent.socket if server == "agent" else box._control
    reply = agent_client.request(asked, message)
    assert readable(reply.fileno())
    answer = protocol.hear(reply, "failed")
    reply.close()
    assert answer is not None
    error = explain.error(explain.heard(answer[1]))
    assert error.step == "answer" and "bug of nsedu" in error.cause and "report" in error.remedy
    assert box.run(["echo", "fine"]).stdout == "fine\n"
    assert other.poll() is None


@pytest.mark.parametrize("number", [65, -1, 10**30, "TERM", None], ids=str)
def test_a_signal_that_is_none_ends_nobody(box: Sandbox, other: Process, number: Any) -> None:
    with box.popen(["cat"]) as cat:
        wire.send(cat._reply, {"kill": number})
        assert box.run(["echo", "fine"]).stdout == "fine\n"
        assert other.poll() is None
