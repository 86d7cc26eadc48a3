"""What a hostile sandbox sends: it ends in one sentence, and nothing outside is run or reached."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import marshal
import os
import pickle
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awaiting import ended
from nsedu import CommandFailed, NamespaceError, Sandbox
from nsedu.agent import commands, plain_data, protocol, wire
from nsedu.agent.raised import RaisedInside
from nsedu.kernel import namespace_types, syscalls
from nsedu.notebook.cells import interpreter, python_cell
from nsedu.sandbox import agent_client
from nsedu.sandbox.process import Process

pytestmark = pytest.mark.needs("userns", "uts", "pid", "mnt", "net")


@pytest.fixture
def neighbour() -> Iterator[Sandbox]:
    with Sandbox("net", "uts", name="neighbour") as sandbox:
        yield sandbox


@pytest.fixture
def bystander(neighbour: Sandbox) -> Iterator[Process]:
    """A process outside the hostile sandbox, which must not notice anything.

    It plays the rest of the machine: what is shared with the hostile sandbox is shared with it, and
    with nobody else, so that a border that does not hold costs nobody else their life.
    """
    with neighbour.popen(["sleep", "1000"]) as process:
        yield process
        assert process.poll() is None and neighbour.run("echo alive").stdout == "alive\n"


@pytest.fixture
def box(neighbour: Sandbox) -> Iterator[Sandbox]:
    with Sandbox("pid", "mnt", join=neighbour, name="evil") as sandbox:
        yield sandbox


@pytest.fixture
def agent() -> Iterator[agent_client.Agent]:
    """The agent, which must outlive the test."""
    found = agent_client.agent()
    with Sandbox("uts") as innocent:
        yield found
        assert innocent.run("echo alive").stdout == "alive\n"
    assert agent_client.agent() is found


# Results

MARK = "NSEDU_BORDER_MARK"  # a variable that only code run in the notebook could set here


class Evil:
    def __reduce__(self) -> Any:
        return os.putenv, (MARK, "1")


def write_result(data: bytes) -> None:
    """Write these bytes where the result goes: the last pipe that was opened."""
    for fd in sorted(map(int, os.listdir("/proc/self/fd")), reverse=True):
        with contextlib.suppress(OSError):
            if fd > 2 and stat.S_ISFIFO(os.fstat(fd).st_mode):
                with open(fd, "wb", closefd=False) as file:
                    file.write(data)
                os._exit(0)


def raise_evil() -> None:
    raise ValueError(Evil())


def endless() -> None:
    write_result(b"[" * (plain_data.LONGEST + (1 << 20)))


HOSTILE: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a __reduce__": (Evil, TypeError, "cannot leave the sandbox"),
    "one in a list": (lambda: [Evil()], TypeError, "cannot leave the sandbox"),
    "one in an exception": (raise_evil, ValueError, "Evil"),
    "a pickle": (lambda: write_result(pickle.dumps((True, Evil()))), TypeError, "is none"),
    "marshal": (lambda: write_result(marshal.dumps((True, 1))), TypeError, "is none"),
    "too deep": (lambda: write_result(b"[" * 1_000_000), TypeError, "nested too deep"),
    "a long number": (lambda: write_result(b"[true," + b"9" * 9999 + b"]"), TypeError, "too long"),
    "a wrong tag": (lambda: write_result(b'[true,{"z":1}]'), TypeError, "a tag is unknown"),
    "a name to call": (
        lambda: write_result(json.dumps([False, {"x": ["eval", "eval", ["1"], "", []]}]).encode()),
        TypeError, "not an exception",
    ),
    "an exit": (lambda: sys.exit(3), RaisedInside, "SystemExit: 3"),
    "an interrupt": (lambda: signal.raise_signal(2), RaisedInside, "KeyboardInterrupt"),
    "no text": (lambda: write_result(b"\xff\xfe"), TypeError, "is none"),
    "no answer": (lambda: os._exit(0), CommandFailed, "ended without an answer"),
    "no end": (endless, TypeError, "more than 64 MiB"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_result_ends_in_a_sentence_and_runs_nothing(box: Sandbox, case: str) -> None:
    function, error, words = HOSTILE[case]
    with pytest.raises(error) as caught:
        box.call(function)
    assert words in str(caught.value) and 'sandbox "evil"' in f"{caught.value} {box!r}"
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    assert libc.getenv(MARK.encode()) is None
    assert box.call(os.getppid) == 1  # and the sandbox lives on


# A first process in others' hands

TAKE_OVER = """
import array, ctypes, json, os, socket, sys
asked = json.load(sys.stdin)
libc = ctypes.CDLL(None, use_errno=True)
first = libc.syscall(434, 1, 0)  # pidfd_open
fds = [os.open(path, os.O_RDONLY | os.O_NONBLOCK) for path in asked["fds"]]
fds += [libc.syscall(434, pid, 0) for pid in asked["pidfds"]]
sent = 0
for number in range(3, 40):
    fd = libc.syscall(438, first, number, 0)  # pidfd_getfd
    if fd < 0:
        if ctypes.get_errno() in (1, 38):
            os._exit(77)
        continue
    if not os.readlink(f"/proc/self/fd/{fd}").startswith("socket"):
        continue
    sock = socket.socket(fileno=fd)
    for data in asked["messages"]:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sock.sendmsg([bytes.fromhex(data)], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            sent += 1
        except OSError:
            pass
os.write(1, b"%d" % sent)
"""


def take_over(box: Sandbox, data: list[bytes], fds: list[str], pidfds: list[int]) -> None:
    """Have a program inside send these messages on every socket of the first process.

    Raises:
        NamespaceError: one of them came up where the notebook listened.
    """
    asked = {"messages": [one.hex() for one in data], "fds": fds, "pidfds": pidfds}
    done = box.run([sys.executable, "-c", TAKE_OVER], input=json.dumps(asked), check=False)
    if done.returncode == 77:
        pytest.skip("pidfd_getfd(2) is refused here")
    raise AssertionError(f"nothing was noticed: {done}")


def crash_marshal() -> bytes:
    return b"(\xff\xff\xff\x7f" * 1000


NAMESPACES = ["/proc/self/ns/net", "/proc/self/ns/uts", "/proc/self/ns/user"]
GARBAGE: dict[str, tuple[list[bytes], list[str], list[int]]] = {
    "noise": ([os.urandom(50)], [], []),
    "marshal that crashes its decoder": ([crash_marshal()], [], []),
    "marshal": ([marshal.dumps({"exit": 0}), marshal.dumps({"failed": "x"})], [], []),
    "others' namespaces as its own": (
        [marshal.dumps({"own": ["net", "uts", "user"]}), b"own\0net", b"settled"], NAMESPACES, [],
    ),
    "a birth": ([b"begot\x001", b"born", marshal.dumps({"born": 1})], [], [1]),
    "a start": ([b"started"], [], [1]),
    "a status out of range": ([b"exit\x00999999999999999999999"], [], []),
    "too much": ([b"x" * 60_000], [], []),
    "too many descriptors": ([b"ready"], ["/dev/null"] * 100, []),
    "a memfd that is none": ([marshal.dumps({})], ["/proc/self/fd/0"], []),
    "a refusal with control characters": (
        [b"failed\0\x1b[31m\x000"], [], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GARBAGE)
def test_a_first_process_taken_over_ends_its_sandbox_and_nothing_else(
    box: Sandbox, case: str, bystander: Process, agent: agent_client.Agent
) -> None:
    other = box.popen(["sleep", "1000"])
    with pytest.raises(NamespaceError) as caught:
        take_over(box, *GARBAGE[case])
    text = str(caught.value)
    assert 'sandbox "evil" sent what its first process never sends' in text
    assert text.replace("\n", "").isprintable()
    assert ended(box.pid, 10)
    with pytest.raises(NamespaceError):
        box.run("true")
    with contextlib.suppress(NamespaceError):
        assert other.wait(10) < 0


def test_killing_a_first_process_that_lied_kills_nobody_else(
    box: Sandbox, bystander: Process, agent: agent_client.Agent
) -> None:
    """It once named another's network namespace as its own: everybody in it was killed."""
    with contextlib.suppress(NamespaceError):
        take_over(box, [marshal.dumps({"own": ["net"]}), b"settled"], ["/proc/self/ns/net"], [])
    with contextlib.suppress(ProcessLookupError, OSError):
        os.kill(box.pid, signal.SIGKILL)
    assert ended(box.pid)


def test_a_member_of_a_pod_that_lies_about_another_kills_nobody_outside(
    box: Sandbox, bystander: Process, agent: agent_client.Agent
) -> None:
    """A sandbox in a shared pid namespace is told by its namespaces, which its maker looks at."""
    with Sandbox("net", join=box) as member:
        code = TAKE_OVER.replace("434, 1, 0", "434, PEER, 0")
        inside = member.call(lambda: os.getppid())
        asked = {"messages": [b"settled".hex(), b"begot\x001".hex(), b"own\0net".hex()],
                 "fds": ["/proc/self/ns/mnt", "/proc/1/ns/uts"], "pidfds": []}  # fmt: skip
        done = box.run(
            [sys.executable, "-c", code.replace("PEER", str(inside))],
            input=json.dumps(asked), check=False,
        )  # fmt: skip
        if done.returncode == 77:
            pytest.skip("pidfd_getfd(2) is refused here")
        assert int(done.stdout) > 0
        os.kill(member.pid, signal.SIGKILL)
        assert ended(member.pid)
    assert box.run("echo still here").stdout == "still here\n"


def test_a_first_process_has_no_stream_of_the_notebook_open(box: Sandbox) -> None:
    links = {os.readlink(f"/proc/{box.pid}/fd/{number}") for number in (0, 1, 2)}
    assert links == {"/dev/null"}


def test_the_maker_sees_only_namespaces_that_are_not_its_own() -> None:
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            syscalls.unshare(namespace_types.flags(["user", "uts"]))
            os.write(ready[1], b"!")
            os.read(go[0], 1)
        os._exit(0)
    assert os.read(ready[0], 1) == b"!"
    found = commands.namespaces_of(pid, namespace_types.NAMES)
    assert [kind for kind, _ in found] == ["uts", "user"]
    for _, fd in found:
        os.close(fd)
    os.write(go[1], b"!")
    os.waitpid(pid, 0)
    assert commands.namespaces_of(pid, namespace_types.NAMES) == []
    for fd in (*ready, *go):
        os.close(fd)


# A server that is hostile from the first message on

Answers = list[tuple[bytes, list[int]]]


@contextlib.contextmanager
def hostile_server(box: Sandbox, answers: Answers) -> Iterator[None]:
    """Answer the notebook in the place of a sandbox's first process, always with these."""
    ours, theirs = wire.pair()

    def serve() -> None:
        while (request := wire.receive(ours)) is not None:
            with socket.socket(fileno=request[1].pop(0)) as reply, contextlib.suppress(OSError):
                for data, fds in answers:
                    wire.send_bytes(reply, data, fds)
            for fd in request[1]:
                os.close(fd)

    thread = threading.Thread(target=serve)
    thread.start()
    true, box._control = box._control, theirs
    try:
        yield
    finally:
        box._control = true
        theirs.close()
        thread.join()
        ours.close()


REQUESTS: dict[str, Callable[[Sandbox], object]] = {
    "run": lambda box: box.run("true", timeout=5),
    "call": lambda box: box.call(os.getpid),
    "popen": lambda box: box.popen(["true"]).communicate(timeout=5),
    "make": lambda box: box.sandbox("uts", timeout=5),
    "interpret": lambda box: interpreter.Interpreter(box).run("1", 5),
}


@pytest.fixture
def open_files(bystander: Process) -> Iterator[dict[str, int]]:
    read, write = os.pipe()
    found = {
        "bystander": os.pidfd_open(bystander.pid), "notebook": os.pidfd_open(os.getpid()),
        "null": os.open(os.devnull, os.O_RDONLY), "fifo": read,
    }  # fmt: skip
    yield found
    for fd in (*found.values(), write):
        os.close(fd)


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("file", ["bystander", "notebook", "null", "fifo"])
def test_a_process_that_a_server_did_not_start_is_not_believed(
    box: Sandbox, open_files: dict[str, int], request_: str, file: str, agent: agent_client.Agent
) -> None:
    fds = [open_files[file]]
    with (
        hostile_server(
            box, [(b"started", fds), (b"born", fds), (b"ready", [])][request_ == "make" :]
        ),
        pytest.raises(NamespaceError, match="never sends"),
    ):
        REQUESTS[request_](box)


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize(
    "data",
    [b"noise", marshal.dumps({"exit": 0}), crash_marshal(), b"x" * 60_000, b"ended", b"ready"],
)
def test_a_wrong_answer_is_one_sentence(box: Sandbox, request_: str, data: bytes) -> None:
    with (
        hostile_server(box, [(data, [])] * 2),
        pytest.raises(NamespaceError, match="never sends"),
    ):
        REQUESTS[request_](box)


words = st.sampled_from([name.encode() for name in protocol.TABLE] + [b"own", b""])
fields = st.lists(st.integers(-1, 300).map(lambda n: b"%d" % n) | st.binary(max_size=5), max_size=4)
answer = st.tuples(words, fields).map(lambda parts: b"\0".join([parts[0], *parts[1]]))


@settings(max_examples=int(os.environ.get("NSEDU_EXAMPLES", "25")))
@given(st.sampled_from(sorted(REQUESTS)), st.lists(st.tuples(answer, st.booleans()), max_size=4))
def test_no_answer_does_more_than_raise(name: str, answers: list[tuple[bytes, bool]]) -> None:
    agent_client.agent()  # it stays
    before = len(os.listdir("/proc/self/fd"))
    with Sandbox("uts", name="evil") as box:
        said: Answers = [(data, [box._pidfd] if with_fd else []) for data, with_fd in answers]
        with (
            hostile_server(box, said),
            contextlib.suppress(NamespaceError, CommandFailed, TypeError, python_cell.CellFailed),
        ):
            REQUESTS[name](box)
    if len(os.listdir("/proc/self/fd")) != before:
        gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_server_that_reads_nothing_does_not_stall_the_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent_client, "PATIENCE", 1)
    with Sandbox("uts") as box:
        os.kill(box.pid, signal.SIGSTOP)
        try:
            with pytest.raises(NamespaceError, match="did not finish within 1 s"):
                for _ in range(10_000):
                    agent_client.request(
                        box._control, {"op": "end", "id": "none", "force": False}
                    ).close()
        finally:
            os.kill(box.pid, signal.SIGCONT)


# What a cell's process says of its error


@pytest.mark.parametrize(
    "said",
    [
        b"{}", b"[]", b"\xff", b"[" * 10_000, b'{"said":"a"}', plain_data.dumps(True, None),
        plain_data.dumps(True, {"said": 1, "lines": [], "why": ""}),
        plain_data.dumps(False, ValueError()),
        plain_data.dumps(True, {"said": "a", "lines": [1], "why": ""}),
        plain_data.dumps(True, {"said": "a", "lines": "abc", "why": ""}),
        plain_data.dumps(True, {"said": "a", "lines": [], "why": None, "more": 1}),
    ],
    ids=lambda said: said[:30].decode("latin-1"),
)  # fmt: skip
def test_an_error_that_is_none_is_one_sentence(said: bytes) -> None:
    assert "what the cell's process sent as its error is none" in str(python_cell.failure(said))


def test_a_cell_that_writes_its_own_error_ends_in_a_sentence(box: Sandbox) -> None:
    code = (
        "import os\nfor fd in range(3, 40):\n"
        '    try: os.write(fd, b\'{"said": [1], "__class__": 2}\')\n    except OSError: pass'
    )
    with pytest.raises((python_cell.CellFailed, NamespaceError)) as caught:
        interpreter.of(box).run(code, 10)
    assert "Traceback" not in str(caught.value)
