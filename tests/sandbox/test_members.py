"""What is left of a sandbox whose first process and maker were killed together."""

from __future__ import annotations

import os
import signal
import uuid

import pytest

from awaiting import ended, eventually
from nsedu import Sandbox
from nsedu.notebook.cells import byhand, python_cell
from nsedu.sandbox import agent_client, members
from processes import DAEMON, children, marked

pytestmark = [pytest.mark.faults, pytest.mark.needs("userns", "uts", "net")]


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    mark = str(uuid.uuid4())
    monkeypatch.setenv("NSEDU_MEMBER", mark)
    return mark


@pytest.mark.needs("ns-id")
def test_closing_a_sandbox_ends_what_both_have_left(mark: str) -> None:
    box = Sandbox("uts", "net")
    box.run(DAEMON)
    agent = box.agent_pid
    os.kill(agent, signal.SIGSTOP)  # or it would sweep
    os.kill(box.pid, signal.SIGKILL)
    os.kill(agent, signal.SIGKILL)
    assert ended(box.pid) and ended(agent)
    assert marked(mark)
    box.close()
    assert not marked(mark)


@pytest.mark.needs("ns-id")
def test_nobody_outside_is_a_member() -> None:
    with Sandbox("uts") as one, Sandbox("uts") as other, other.popen(["sleep", "1000"]) as command:
        members.end(members.namespaces(one.pid, ["uts"]))
        assert ended(one.pid)
        assert command.poll() is None


@pytest.mark.needs("ns-id")
def test_who_is_in_a_namespace_that_has_got_the_same_number_is_no_member() -> None:
    with Sandbox("uts") as one:
        number, own = one.namespaces["uts"].ns, members.namespaces(one.pid, ["uts"])
    for _ in range(200):
        with Sandbox("uts") as next_one:
            if next_one.namespaces["uts"].ns == number:
                members.end(own)
                assert next_one.run(["echo", "fine"]).stdout == "fine\n"
                return
    pytest.skip("the kernel did not use the number again.")


def test_a_cell_whose_two_keepers_are_killed_together_leaves_nobody(mark: str) -> None:
    source = (
        "import os, signal\n"
        f"os.system({DAEMON!r})\n"
        "keeper = os.getppid()\n"
        "main = int(open(f'/proc/{keeper}/stat').read().rpartition(')')[2].split()[1])\n"
        "os.kill(keeper, signal.SIGSTOP)\n"
        "os.kill(main, signal.SIGKILL)\n"
        "os.kill(keeper, signal.SIGKILL)\n"
        "signal.pause()\n"
    )
    agent = agent_client.agent().process.pid
    with pytest.raises(python_cell.CellFailed, match="killed by SIGKILL"):
        byhand.run(source)
    assert eventually(lambda: not marked(mark) - {agent})
    assert eventually(lambda: not children(agent))
