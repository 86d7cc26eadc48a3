"""Whoever is killed, one or two at once, at whatever moment: nothing that was made is left.

By default a dozen random kills are tried; NSEDU_FAULTS=100 tries a hundred.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from awaiting import PATIENCE, ended, eventually, readable
from nsedu import TYPES, NamespaceError, Sandbox
from nsedu.agent import wire
from nsedu.requirements import missing
from nsedu.sandbox import agent_client, sandbox
from processes import DAEMON, children, marked

pytestmark = [pytest.mark.faults, pytest.mark.needs("userns", *TYPES)]
TIMES = int(os.environ.get("NSEDU_FAULTS", "12"))
HERE = Path(__file__).parents[1] / "support"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def groups(notebook: int) -> list[str]:
    """The control groups made for the sandboxes of a notebook."""
    found = os.walk("/sys/fs/cgroup")
    return [path for path, _, _ in found if f"nsedu-{notebook}-" in os.path.basename(path)]


def surroundings() -> dict[str, object]:
    """What of the machine itself must not change."""
    return {
        "host": socket.gethostname(),
        "links": sorted(os.listdir("/sys/class/net")),
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "namespaces": [os.readlink(f"/proc/self/ns/{kind}") for kind in TYPES],
    }


# Random kills

PARTS = {  # who is what, by a word in its command line; forks of the agent have the agent's
    "agent": b"nsedu.agent.main",
    "interpreter": b"nsedu.notebook.cells.interpreter",
    "cell by hand": b"nsedu.notebook.cells.unprivileged",
    "helper": b"nsedu.observe.helper",
    "measurement": b"nsedu.measurement.sampler.worker",
}


class Play:
    """A notebook played by player.py in a process of its own."""

    def __init__(self, seed: str, directory: Path) -> None:
        self.mark = f"NSEDU_PLAY={uuid.uuid4()}"
        self.files = directory
        name, _, value = self.mark.partition("=")
        limits = str(int(not missing(["cgroup-write"])))
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", str(HERE / "player.py"), seed, limits],
            env={**ENVIRONMENT, name: value, "TMPDIR": str(directory), "TQDM_DISABLE": "1"},
            start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self.pid = self.process.pid
        self.read = b""

    def line(self) -> str:
        """The next line that it writes, "" when it has ended."""
        assert self.process.stdout is not None
        while b"\n" not in self.read:
            assert readable(self.process.stdout.fileno()), self.where_it_hangs()
            if not (more := os.read(self.process.stdout.fileno(), 65536)):
                return ""
            self.read += more
        line, _, self.read = self.read.partition(b"\n")
        return line.decode()

    def where_it_hangs(self) -> str:
        others = described(marked(self.mark))
        self.process.send_signal(signal.SIGABRT)  # at which it writes its stack
        return f"the notebook hangs: {self.end()[1]}\n{others}"

    def parties(self) -> dict[str, list[int]]:
        """Whoever may be killed, by its part."""
        found: dict[str, list[int]] = {"notebook": [self.pid]}
        for pid in sorted(marked(self.mark) - {self.pid}):
            words = command(pid)
            part = next((part for part, word in PARTS.items() if word in words), "command")
            if part == "agent" and status(pid).get("PPid") != str(self.pid):
                part = "keeper" if status(pid).get("Name") == "nsedu-keeper" else "fork"
            found.setdefault(part, []).append(pid)
        return found

    def victim(self, chance: random.Random) -> tuple[str, int]:
        parties = self.parties()
        who = chance.choice(sorted({*parties} - {"command"}))
        return who, chance.choice(parties[who])

    def kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            try:  # unless the number has gone to somebody else meanwhile
                if pid == self.pid or pid in marked(self.mark):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            finally:
                os.close(pidfd)

    def stop(self) -> list[str]:
        """Have the notebook stop; returns the sandboxes it has lost."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"stop\n")
        while (line := self.line()).startswith("did"):
            pass
        assert line, f"the notebook has ended by itself: {self.end()}"
        return list(json.loads(line)["lost"])

    def end(self) -> tuple[int, str, str]:
        """End its input, and wait for its end: the exit status, its stderr, and what it wrote."""
        said, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors.decode(), (self.read + said).decode()


def status(pid: int) -> dict[str, str]:
    """Fields of /proc/PID/status; none of a process that has gone."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {}


def described(pids: set[int]) -> str:
    """What a failure must tell of the processes that are left."""
    lines = []
    for pid in sorted(pids):
        with suppress(OSError, KeyError):
            fields = status(pid)
            kept = [f"{name} {fields[name]}" for name in ("Name", "State", "PPid", "NSpid")]
            words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            kept += [word.decode() for word in words if word.startswith(b"NSEDU_PLAYED_IN")]
            lines.append(" ".join(f"{pid} {' '.join(kept)}".split()))
    return "\n".join(lines)


def command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.fixture
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Play]:
    one = Play(str(request.getfixturevalue("number")), tmp_path)
    yield one
    with suppress(ProcessLookupError):
        one.process.kill()
    one.process.communicate()
    # The keeper last, which removes the control groups that the others leave behind.
    for pid in marked(one.mark):
        if not is_keeper(pid):
            one.kill(pid)
    eventually(lambda: not marked(one.mark))
    for pid in marked(one.mark):
        one.kill(pid)


def is_keeper(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text() == "nsedu-keeper\n"
    return False


@pytest.mark.parametrize("number", range(1, TIMES + 1))
def test_nothing_is_left_after_a_kill_at_a_random_moment(number: int, play: Play) -> None:
    before = surroundings()
    chance = random.Random(number)
    for _ in range(chance.randint(1, 15)):
        assert play.line(), play.end()
    time.sleep(
        chance.random() * chance.choice((0.02, 0.2, 0.8))
    )  # somewhere in the middle of what it does next
    victims = [play.victim(chance) for _ in range(chance.choice((1, 2)))]
    as_it_was = f"killed: {victims}\n{described(marked(play.mark))}"
    for _, pid in victims:
        play.kill(pid)

    def is_left(*marks: str) -> str:
        left = set.intersection(*map(marked, (play.mark, *marks)))
        return f"{as_it_was}\nleft {marks}:\n{described(left)}\nof\n{described(marked(play.mark))}"

    if any(who == "notebook" for who, _ in victims):
        assert play.end()[0] == -signal.SIGKILL
    else:
        for name in play.stop():
            gone = eventually(lambda: not marked(play.mark) & marked(f"<{name}>"))  # noqa: B023
            assert gone, is_left(f"<{name}>")
        left = json.dumps({"agent": {}, "notebook": {}})
        assert play.end() == (0, "", f"{left}\n"), as_it_was
    assert eventually(lambda: not marked(play.mark)), is_left()
    assert eventually(lambda: not groups(play.pid)), f"{as_it_was}\n{groups(play.pid)}"
    assert os.listdir(play.files) == []
    assert surroundings() == before


# Each kind of sandbox, and everyone who may die


class Household:
    """Sandboxes of one kind, each with a command, a daemon and a function running in it."""

    def __init__(self, make: Callable[[], list[Sandbox]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.mark = str(uuid.uuid4())
        self.boxes = make()
        self.commands = []
        for number, box in enumerate(self.boxes):
            monkeypatch.setenv("NSEDU_HOUSEHOLD", f"{self.mark}.{number}.")
            box.run(DAEMON)
            self.commands.append(box.popen(["sleep", "1000"]))
        monkeypatch.delenv("NSEDU_HOUSEHOLD")
        assert eventually(lambda: len(marked(self.mark)) >= 2 * len(self.boxes))

    def members(self, *numbers: int) -> set[int]:
        return set().union(*(marked(f"{self.mark}.{number}.") for number in numbers))

    def close(self) -> None:
        for box in self.boxes:
            box.close()


def nested(outer: tuple[str, ...], inner: tuple[str, ...]) -> Callable[[], list[Sandbox]]:
    def make() -> list[Sandbox]:
        box = Sandbox(*outer)
        return [box, box.sandbox(*inner)]

    return make


def joined() -> list[Sandbox]:
    box = Sandbox("ipc", join=(other := Sandbox("uts", "net")))
    return [box, other]


def pod() -> list[Sandbox]:
    box = Sandbox("ipc", join=(other := Sandbox("mnt", "pid")))
    return [box, other]


KINDS: dict[str, tuple[Callable[[], list[Sandbox]], set[int], set[int]]] = {
    # what is made, which of it end when the first one is killed, and which when the last is
    "uts": (lambda: [Sandbox("uts"), Sandbox("uts")], {0}, {1}),
    "pid": (lambda: [Sandbox("pid"), Sandbox("pid")], {0}, {1}),
    "all eight": (lambda: [Sandbox(*TYPES)], {0}, {0}),
    "in one without pid": (nested(("uts",), ("ipc",)), {0, 1}, {1}),
    "in one with pid": (nested(("pid",), ("uts",)), {0, 1}, {1}),
    "with pid in one without": (nested(("uts",), ("pid",)), {0, 1}, {1}),
    "all eight in all eight": (nested(TYPES, TYPES), {0, 1}, {1}),
    "joined to another": (joined, {0}, {1}),
    "joined to one with pid": (pod, {0}, {0, 1}),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def household(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Household]:
    house = Household(KINDS[kind][0], monkeypatch)
    yield house
    house.close()
    assert eventually(lambda: not marked(house.mark))


@pytest.mark.parametrize("which", [0, -1], ids=["first", "last"])
def test_what_is_inside_ends_with_its_first_process_and_nothing_else_does(
    kind: str, household: Household, which: int
) -> None:
    ending = KINDS[kind][1 if which == 0 else 2]
    os.kill(household.boxes[which].pid, signal.SIGKILL)
    assert eventually(lambda: not household.members(*ending))
    for number, box in enumerate(household.boxes):
        if number not in ending:
            assert box.run(["echo", "fine"]).stdout == "fine\n"
            assert len(household.members(number)) >= 2


def test_everything_ends_with_the_agent(household: Household) -> None:
    os.kill(household.boxes[0].agent_pid, signal.SIGKILL)
    assert eventually(lambda: not marked(household.mark))
    with pytest.raises(NamespaceError, match="has ended"):
        household.boxes[0].run("true")


def test_closing_ends_everything(household: Household) -> None:
    everyone = marked(household.mark)
    household.close()
    assert all(ended(pid) for pid in everyone)


def test_the_agent_keeps_nothing_of_a_closed_sandbox_that_shared_a_pid_namespace() -> None:
    with Sandbox("pid", "mnt") as pod:
        agent = Path(f"/proc/{pod.agent_pid}/fd")
        before = len(os.listdir(agent))  # with two that it may be about to close
        for _ in range(10):
            Sandbox("uts", "ipc", join=pod).close()
        assert eventually(lambda: len(os.listdir(agent)) <= before, 5)


@pytest.mark.needs("cgroup-write")
@pytest.mark.parametrize("between", [0, 0.5e-3, 1e-3, 2e-3, 4e-3])
def test_no_group_is_left_if_the_agent_is_killed_while_it_ends(between: float) -> None:
    code = (
        "import nsedu, time; box = nsedu.Sandbox('user', limits={'pids': 20})\n"
        "print(box.agent_pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as notebook:
        assert notebook.stdout is not None
        agent = int(notebook.stdout.readline())
        notebook.kill()
        time.sleep(between)
        with suppress(ProcessLookupError):
            os.kill(agent, signal.SIGKILL)
    assert eventually(lambda: not groups(notebook.pid))


def test_a_maker_that_dies_before_it_answers_has_not_ended_anything() -> None:
    ours, maker = wire.pair()
    dies = threading.Thread(target=lambda: (os.close(wire.receive(maker)[1][0]), maker.close()))
    dies.start()
    with ours:
        assert not sandbox.await_reply(ours, {"op": "end", "id": "1", "force": False})
    dies.join(5)


def test_after_the_agents_death_the_next_sandbox_has_a_new_one() -> None:
    with Sandbox("uts") as box:
        old = box.agent_pid
        os.kill(old, signal.SIGKILL)
        assert ended(old)
        with Sandbox("uts") as other:
            assert other.agent_pid != old
            assert other.run(["echo", "fine"]).stdout == "fine\n"


def test_an_agent_that_is_just_ending_is_not_asked_any_more() -> None:
    with Sandbox("uts") as box:
        old = box._agent
        old.socket.shutdown(socket.SHUT_RDWR)  # which is its end, by and by
        with Sandbox("uts") as other:
            assert other._agent is not old


@pytest.mark.parametrize("kind", ["uts", "pid"])
@pytest.mark.parametrize("who", ["agent", "outer"])
def test_a_sandbox_whose_maker_is_killed_says_so(kind: str, who: str) -> None:
    with Sandbox(kind) as outer, outer.sandbox("ipc") as box:
        os.kill(outer.pid if who == "outer" else outer.agent_pid, signal.SIGKILL)
        assert ended(box.pid)
        for use in (lambda: box.run("true"), lambda: box.call(int), lambda: outer.sandbox("uts")):
            with pytest.raises(NamespaceError) as caught:
                use()
            assert caught.value.errno == errno.ESRCH and "make a new sandbox" in caught.value.remedy


@pytest.mark.parametrize("options", [{}, {"user": "range"}, {"join": True}], ids=str)
def test_a_kill_while_it_is_made_ends_in_an_error_or_a_sandbox(options: dict[str, object]) -> None:
    if "user" in options and missing(["range"]):
        pytest.skip("no range of ids is granted here.")
    with Sandbox("uts", "net") as other:
        agent = other.agent_pid
        if "join" in options:
            options = {"join": other}
        before = children(agent)
        for turn in range(8):
            outcome: list[object] = []

            def make() -> None:
                try:
                    outcome.append(Sandbox("pid", "mnt", "ipc", **options))  # noqa: B023
                except NamespaceError as refused:
                    outcome.append(refused)  # noqa: B023

            maker = threading.Thread(target=make)
            maker.start()
            for _ in range(turn % 3 + 1):  # the first process to be seen, or a later one
                new: set[int] = set()
                while not new and maker.is_alive():
                    new = children(agent) - before
                for pid in new:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            maker.join(PATIENCE)
            assert not maker.is_alive() and len(outcome) == 1
            if isinstance(outcome[0], Sandbox):
                outcome[0].close()
            outcome.clear()
            assert eventually(lambda: children(agent) == before)
        assert other.run(["echo", "fine"]).stdout == "fine\n"


def test_a_joined_sandbox_that_dies_before_its_maker_is_reaped_is_told_as_gone() -> None:
    with Sandbox("uts", "net") as other:
        agent = other.agent_pid
        before = children(agent)
        outcomes = iter(lambda: kill_before_it_is_given_out(other, agent, before), None)
        refused = next(error for _, error in zip(range(100), outcomes, strict=False) if error != "")
        assert isinstance(refused, NamespaceError)
        assert refused.errno == errno.ESRCH
        assert eventually(lambda: children(agent) == before)
        assert other.run(["echo", "fine"]).stdout == "fine\n"


def test_one_that_has_gone_as_soon_as_it_was_made_leaves_no_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Sandbox("uts"):
        before = os.listdir("/proc/self/fd")
        monkeypatch.setattr(
            "nsedu.sandbox.agent_client.pid_of_child", lambda *_: -1
        )  # as it says of the dead
        with pytest.raises(NamespaceError, match="has ended"):
            Sandbox("uts")
        assert os.listdir("/proc/self/fd") == before


def kill_before_it_is_given_out(other: Sandbox, agent: int, before: set[int]) -> object:
    """Stop the agent while a maker is about, and kill what that begets; "" if it came too late."""
    outcome: list[object] = []

    def make() -> None:
        try:
            Sandbox("ipc", join=other).close()
            outcome.append("")
        except NamespaceError as error:
            outcome.append(error)

    making = threading.Thread(target=make)
    making.start()
    seen: list[int] = []
    while making.is_alive() and not seen:
        seen = sorted(children(agent) - before)
    os.kill(agent, signal.SIGSTOP)
    others = before | set(seen[:1])  # the first is the maker
    try:
        eventually(lambda: children(agent) - others, 0.2)
        for pid in children(agent) - others:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.kill(agent, signal.SIGCONT)
    making.join(PATIENCE)
    return outcome[0]


# Stopped, interrupted, forked


@pytest.mark.parametrize("kind", ["uts", "pid"])
def test_a_stopped_sandbox_can_be_closed(kind: str) -> None:
    box = Sandbox(kind)
    command = box.popen(["sleep", "1000"])
    os.kill(box.pid, signal.SIGSTOP)
    box.close()
    assert ended(box.pid, 0) and ended(command.pid, 0)


def test_a_sandbox_that_does_not_end_by_itself_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsedu.sandbox.sandbox._END_GRACE", 0.2)
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: None)  # so it stays stopped
    box = Sandbox("uts")
    command = box.popen(["sleep", "1000"])
    os.kill(box.pid, signal.SIGSTOP)
    box.close()
    assert ended(box.pid) and ended(command.pid)


def test_closing_while_the_agent_is_killed_is_no_error() -> None:
    box = Sandbox("uts")
    agent = box.agent_pid
    os.kill(agent, signal.SIGSTOP)
    closing = threading.Thread(target=box.close)
    closing.start()
    assert ended(box.pid)
    os.kill(agent, signal.SIGKILL)
    closing.join(PATIENCE)
    assert not closing.is_alive()
    with Sandbox("uts") as other:
        assert other.run(["echo", "fine"]).stdout == "fine\n"


def test_an_agent_that_does_not_answer_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsedu.sandbox.sandbox._END_GRACE", 0.1)
    with Sandbox("uts") as box:
        agent = box.agent_pid
        before = children(agent)
        os.kill(agent, signal.SIGSTOP)
        try:
            with pytest.raises(NamespaceError, match=r"did not finish within 0\.2 s") as caught:
                Sandbox("uts", timeout=0.2)
        finally:
            os.kill(agent, signal.SIGCONT)
        assert caught.value.errno == errno.ETIMEDOUT
        assert box.run(["echo", "fine"]).stdout == "fine\n"
        Sandbox("ipc").close()  # after which the agent has seen what it was asked before
        assert eventually(lambda: children(agent) == before)


def notebook(code: str) -> subprocess.Popen[str]:
    """A program in a process group of its own, as a notebook's kernel is."""
    return subprocess.Popen(
        [sys.executable, "-c", code], env=ENVIRONMENT, start_new_session=True, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_an_interrupt_from_the_terminal_does_not_end_sandboxes() -> None:
    process = notebook("""
import sys
from nsedu import Sandbox
box = Sandbox("uts")
command = box.popen(["sleep", "1000"])
try:
    print("ready", flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    print(box.run("echo fine").stdout.strip(), command.poll(), flush=True)
""")
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == ("fine None\n", "")


@pytest.mark.parametrize("kind", ["uts", "pid"])
def test_everything_ends_with_a_notebook_that_is_killed_although_a_fork_of_it_lives(
    kind: str,
) -> None:
    process = notebook(f"""
import os, signal, sys
from nsedu import Sandbox
box = Sandbox("{kind}")
command = box.popen(["sleep", "1000"])
fork = os.fork()
if fork == 0:
    signal.pause()
print(fork, box.agent_pid, box.pid, command.pid, flush=True)
sys.stdin.read()
""")
    assert process.stdout is not None
    fork, *others = map(int, process.stdout.readline().split())
    process.kill()
    process.wait()
    try:
        assert all(ended(pid) for pid in others)
        assert not ended(fork, 0)
    finally:
        os.kill(fork, signal.SIGKILL)
        process.communicate()


def test_a_notebook_that_ends_in_order_takes_everything_along() -> None:
    process = notebook("""
from nsedu import Sandbox
box = Sandbox("uts")
inner = box.sandbox("pid")
command = inner.popen(["sleep", "1000"])
print(box.agent_pid, box.pid, inner.pid, command.pid, flush=True)
""")
    said, errors = process.communicate(timeout=PATIENCE)
    assert errors == "" and process.returncode == 0
    assert all(ended(int(pid)) for pid in said.split())


@pytest.mark.needs("cgroup-write")
@pytest.mark.parametrize("killed", ["agent", "keeper", "keeper agent", "keeper notebook"])
def test_no_control_group_outlives_who_is_killed(killed: str) -> None:
    process = notebook("""
from nsedu import Sandbox
boxes = [Sandbox("uts", limits={"pids": 20}), Sandbox("pid", limits={"pids": 20})]
boxes.append(boxes[0].sandbox("net", limits={"pids": 20}))
print(boxes[0].agent_pid, flush=True)
input()
""")
    assert process.stdout is not None
    pids = {"notebook": process.pid, "agent": int(process.stdout.readline())}
    # Which is a fork of the agent's, until it has given itself its name.
    assert eventually(lambda: any(map(is_keeper, children(pids["agent"]))))
    pids["keeper"] = next(filter(is_keeper, children(pids["agent"])))
    assert len(groups(process.pid)) == 3
    for party in killed.split():
        os.kill(pids[party], signal.SIGKILL)
    assert process.communicate("\n", timeout=PATIENCE)[1] == ""
    assert eventually(lambda: not groups(pids["notebook"]))


def test_a_sandbox_in_someone_elses_pid_namespace_leaves_nothing_there() -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed: apt install util-linux.")
    mark = str(uuid.uuid4())
    words = ["unshare", "-Urmpf", "--mount-proc", "--kill-child"]
    host = subprocess.Popen([*words, "sh", "-c", "echo ready; cat"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert host.stdout is not None and host.stdout.readline() == "ready\n"
        (first,) = children(host.pid)
        process = notebook(f"""
import os
from nsedu import Sandbox
box = Sandbox(join={first}, user=os.geteuid() != 0)  # whose root is root itself
os.environ["NSEDU_LEFT"] = "{mark}"
box.run({DAEMON!r})
input()
""")
        assert eventually(lambda: marked(mark)), process.communicate("\n")
        process.kill()
        process.communicate()
        assert eventually(lambda: not marked(mark))
        assert host.poll() is None
    finally:
        host.kill()
        host.communicate()


def test_namespaces_of_killed_sandboxes_are_freed() -> None:
    # Inside a user namespace that may have two namespaces of a type at a time, six are made.
    process = notebook("""
import errno, os, signal, time
from pathlib import Path
from nsedu import NamespaceError, Sandbox, TYPES

def another():
    deadline = time.monotonic() + 30
    while True:
        try:
            return Sandbox(*TYPES)
        except NamespaceError as refused:  # a network namespace is freed by and by
            if refused.errno != errno.ENOSPC or time.monotonic() > deadline:
                raise

with Sandbox("user", "mnt", "pid") as home:
    def kill_six():
        for kind in TYPES:
            Path(f"/proc/sys/user/max_{kind}_namespaces").write_text("2")
        for turn in range(6):
            box = another()
            box.run("setsid sleep 1000 >/dev/null 2>&1 &")
            os.kill(box.pid if turn % 2 else box.agent_pid, signal.SIGKILL)
            box.close()
    home.call(kill_six)
print("freed")
""")
    assert process.communicate(timeout=PATIENCE * 2) == ("freed\n", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's waits for its map.")
def test_a_first_process_whose_maker_dies_before_it_has_a_map_ends() -> None:
    for _ in range(200):
        agent = agent_client.agent().process.pid
        children = Path(f"/proc/{agent}/task/{agent}/children")
        maker = threading.Thread(target=made_or_not)
        maker.start()
        while not (born := children.read_text().split()) and maker.is_alive():
            pass
        os.kill(agent, signal.SIGSTOP)
        with suppress(OSError, IndexError):
            if not Path(f"/proc/{born[0]}/uid_map").read_text():
                break
        os.kill(agent, signal.SIGCONT)
        maker.join(10)
        assert eventually(lambda children=children: not children.read_text())
    else:
        pytest.skip("it was never stopped in that moment.")
    os.kill(agent, signal.SIGKILL)
    maker.join(10)
    assert ended(int(born[0]))


def made_or_not() -> None:
    with suppress(NamespaceError), Sandbox("uts", timeout=10):
        pass
