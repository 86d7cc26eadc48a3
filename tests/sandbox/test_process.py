"""Long-running commands in a sandbox, in the manner of subprocess.Popen."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from awaiting import ended, eventually, readable
from nsedu import CommandTimedOut, NamespaceError, Sandbox
from nsedu.agent import wire
from nsedu.sandbox import process

pytestmark = pytest.mark.needs("userns", "uts", "pid")


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox("uts", name="web") as sandbox:
        yield sandbox


def test_streams_are_written_and_read_while_it_runs(box: Sandbox) -> None:
    with box.popen(["cat"]) as cat:
        for line in ("one\n", "two\n"):
            cat.stdin.write(line)
            cat.stdin.flush()
            assert cat.stdout.readline() == line
        cat.stdin.close()
        assert cat.wait() == 0 == cat.poll() == cat.returncode


def test_its_pid_is_the_one_that_the_notebook_sees() -> None:
    with Sandbox("pid") as box, box.popen("echo $$; exec sleep 1000") as command:
        assert command.stdout.readline() != f"{command.pid}\n"
        assert eventually(lambda: Path(f"/proc/{command.pid}/comm").read_text() == "sleep\n")


def test_it_can_be_asked_whether_it_still_runs(box: Sandbox) -> None:
    with box.popen(["cat"]) as cat:
        assert cat.poll() is None
        assert repr(cat) == "<Process ['cat'] in sandbox \"web\", running>"
        cat.stdin.close()
        assert cat.wait() == 0
        assert repr(cat) == "<Process ['cat'] in sandbox \"web\", ended with 0>"


@pytest.mark.parametrize(
    ("end", "status"),
    [("terminate", -signal.SIGTERM), ("kill", -signal.SIGKILL)],
)
def test_it_can_be_ended_with_its_group(box: Sandbox, end: str, status: int) -> None:
    with box.popen("sleep 1000 & echo $!; wait") as command:
        child = int(command.stdout.readline())
        getattr(command, end)()
        assert command.wait() == status
        assert ended(child)


def test_a_signal_to_one_that_has_ended_is_no_error(box: Sandbox) -> None:
    with box.popen(["true"]) as command:
        assert command.wait() == 0
        command.kill()
        command.send_signal(signal.SIGUSR1)
        assert command.returncode == 0


def test_a_signal_at_the_moment_of_its_end_leaves_the_sandbox_alone(box: Sandbox) -> None:
    command = box.popen(["cat"])
    os.kill(box.pid, signal.SIGSTOP)
    command.stdin.close()
    assert ended(command.pid)
    command.kill()  # the first process will find both at once: the end, and this
    os.kill(box.pid, signal.SIGCONT)
    assert command.wait() == 0
    assert box.run(["echo", "fine"]).stdout == "fine\n"


def test_waiting_too_long_leaves_it_running(box: Sandbox) -> None:
    with box.popen(["sleep", "1000"]) as command:
        with pytest.raises(subprocess.TimeoutExpired):
            command.wait(0.05)
        assert command.poll() is None


def test_waiting_without_limit_ends_with_the_command(box: Sandbox) -> None:
    with box.popen(["true"]) as command:
        assert command.wait(timeout=None) == 0


def test_a_conversation_longer_than_the_pipes_does_not_get_stuck(box: Sandbox) -> None:
    text = "x" * 1_000_000
    assert box.popen(["cat"]).communicate(text) == (text, "")
    assert box.popen("cat >&2").communicate(text) == ("", text)


def test_talking_to_one_that_does_not_listen_is_no_error(box: Sandbox) -> None:
    assert box.popen("exec <&-; echo done").communicate("x" * 1_000_000) == ("done\n", "")


def test_the_output_of_one_that_has_ended_is_still_there(box: Sandbox) -> None:
    command = box.popen("echo out; echo err >&2; exit 3")
    assert command.wait() == 3
    assert command.communicate() == ("out\n", "err\n")
    assert command.returncode == 3


def test_a_conversation_that_takes_too_long_ends_in_its_death(box: Sandbox) -> None:
    command = box.popen(["sleep", "1000"])
    with pytest.raises(CommandTimedOut, match="sleep"):
        command.communicate(timeout=0.1)
    assert ended(command.pid)


def test_leaving_the_block_ends_it(box: Sandbox) -> None:
    with box.popen("trap '' TERM; echo ready; while :; do sleep 0.01; done") as command:
        command.stdout.readline()
    assert ended(command.pid)
    assert command.returncode == -signal.SIGKILL


def test_a_forgotten_one_ends(box: Sandbox) -> None:
    pid = box.popen(["sleep", "1000"]).pid
    gc.collect()
    assert ended(pid)


def test_it_ends_with_its_sandbox() -> None:
    with Sandbox("uts") as box:
        command = box.popen(["sleep", "1000"])
    assert command.wait() == -signal.SIGKILL


def test_it_ends_when_the_first_process_is_killed() -> None:
    with Sandbox("uts") as box:
        command = box.popen(["sleep", "1000"])
        os.kill(box.pid, signal.SIGKILL)
        assert ended(command.pid)
        assert command.wait() == -signal.SIGKILL


def test_a_first_process_that_does_not_answer_is_an_error_in_time() -> None:
    with Sandbox("uts", timeout=0.5) as box:
        os.kill(box.pid, signal.SIGSTOP)
        with pytest.raises(NamespaceError, match="did not finish within"):
            box.popen(["true"])
        os.kill(box.pid, signal.SIGCONT)


def test_a_closed_one_has_closed_its_streams(box: Sandbox) -> None:
    before = len(os.listdir("/proc/self/fd"))
    command = box.popen(["cat"])
    assert not readable(command.stdout.fileno(), 0)
    command.close()
    command.close()
    assert command.stdin.closed and command.stdout.closed and command.stderr.closed
    assert len(os.listdir("/proc/self/fd")) == before


def test_output_that_never_pauses_does_not_outrun_the_deadline() -> None:
    reply, other = wire.pair()
    zeros = os.open("/dev/zero", os.O_RDONLY)
    with other, pytest.raises(CommandTimedOut):
        process.wait_and_collect(reply, {zeros: lambda data: None}, 0.02, "yes", "nobody")


def test_a_sandbox_does_not_end_while_somebody_holds_its_process() -> None:
    process = Sandbox("uts").popen(["cat"])
    gc.collect()
    assert process.communicate("still here") == ("still here", "")


@pytest.mark.parametrize(
    ("use", "error", "words"),
    [
        (lambda p: p.send_signal(65), ValueError, "number must be a signal's, 1 to 64, not 65"),
        (lambda p: p.send_signal(-1), ValueError, "number must be a signal's, 1 to 64, not -1"),
        (lambda p: p.send_signal(10**30), ValueError, "number must be a signal's, 1 to 64"),
        (lambda p: p.send_signal("TERM"), TypeError, "number must be a signal's, as signal.SIGT"),
        (lambda p: p.send_signal(True), TypeError, "number must be a signal's"),
        (lambda p: p.wait(-1), ValueError, "timeout must be above zero"),
        (lambda p: p.wait(float("nan")), ValueError, "timeout must be above zero"),
        (lambda p: p.communicate(timeout=None), TypeError, "timeout must be a number of seconds"),
        (lambda p: p.communicate(timeout=float("inf")), ValueError, "timeout must be above zero"),
        (lambda p: p.communicate(b"bytes"), TypeError, "input must be a string or None"),
        (lambda p: p.communicate("\udc80"), ValueError, "input must be whole characters"),
    ],
)
def test_a_wrong_argument_is_refused_and_it_runs_on(
    box: Sandbox, use: Callable[[process.Process], object], error: type[Exception], words: str
) -> None:
    with box.popen(["cat"]) as cat:
        with pytest.raises(error) as caught:
            use(cat)
        assert words in str(caught.value)
        cat.send_signal(0)
        assert cat.communicate("still here") == ("still here", "")


@pytest.mark.timeout(60)
def test_a_background_process_that_holds_its_input_does_not_hold_communicate_up(
    box: Sandbox,
) -> None:
    command = box.popen("sleep 1000 <&0 & echo started")
    assert command.communicate("x" * 200_000)[0] == "started\n"
    assert command.returncode == 0


def test_what_is_written_before_and_what_communicate_sends_arrive_in_order(box: Sandbox) -> None:
    text = "".join(f"{number}\n" for number in range(50_000))
    with box.popen("sleep 0.2; cat") as cat:
        cat.stdin.write("first\n")
        assert cat.communicate(text) == (f"first\n{text}", "")


def test_communicate_kills_the_group_of_a_command_that_runs_too_long(box: Sandbox) -> None:
    command = box.popen("sleep 1000 & echo $!; wait")
    child = int(command.stdout.readline())
    with pytest.raises(CommandTimedOut):
        command.communicate("x" * 200_000, timeout=0.2)
    assert ended(command.pid) and ended(child)
    assert command.poll() == -signal.SIGKILL


@pytest.mark.timeout(60)
def test_closing_it_does_not_wait_for_somebody_to_read_its_input() -> None:
    with Sandbox("uts") as box:
        command = box.popen("setsid sleep 1000 <&0 & exit 0")
        os.write(command.stdin.fileno(), b"x" * 65536)  # which fills the pipe
        command.stdin.write("and more")
        command.close()
        assert command.stdin.closed
