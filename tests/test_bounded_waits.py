"""No wait without an end: every call that may wait for ever is found, and needs a reason."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "nsedu"

_GROUP = "it ends with its process group, which the notebook kills when the time is up"
_HELPER = "a helper that `helper.run` kills, with all it has started, when the time is up"
_WORKER = "in the measuring process, which `measure` kills when it has been silent for too long"
_EOF = "it ends by the end of file when the other party goes, which is what it waits for"
_PROC = "a file of /proc, which the kernel answers itself"
_READY = "called when the descriptor is readable"

ALLOWED = {
    # (module, function): (how many such calls, why it has an end all the same)
    ("notebook/cells/unprivileged.py", "_await"): (1, _GROUP),
    ("notebook/cells/unprivileged.py", "_mind"): (
        1,
        "what it waits for has been killed; an alarm ends it",
    ),
    ("notebook/cells/interpreter.py", "_hear"): (1, _READY),
    ("notebook/cells/interpreter.py", "main"): (1, _EOF),
    ("agent/birth.py", "await_limits"): (
        2,
        f"{_EOF}: the notebook, which has a deadline, or the maker",
    ),
    ("agent/commands.py", "settle_in"): (1, _EOF),
    ("agent/limit_groups.py", "_keep"): (1, _EOF),
    ("agent/protocol.py", "hear"): (1, "whoever calls it is listed here, or has waited"),
    ("agent/first_process.py", "_try_each"): (1, "the only writer has been reaped"),
    ("kernel/process_events.py", "_receive"): (1, _READY),
    ("observe/mount_namespace_reader.py", "look"): (1, _READY),
    ("observe/mount_namespace_reader.py", "main"): (
        2,
        f"{_EOF}; its reader kills it when it gives no answer",
    ),
    ("observe/helper.py", "gather"): (1, _READY),
    ("observe/helper.py", "in_fork"): (2, "the fork has been killed, and an alarm ends it, too"),
    ("kernel/proc_net_tcp.py", "_asked"): (1, "netlink of the kernel, which answers at once"),
    ("kernel/netnsid.py", "_ask"): (1, "netlink of the kernel, which answers at once"),
    ("kernel/rtnetlink.py", "netns_id"): (1, "netlink of the kernel, which answers at once"),
    ("observe/questions.py", "receive"): (1, _HELPER),
    ("observe/questions.py", "read_when_prompted"): (1, "in a fork, which an alarm ends"),
    ("observe/questions.py", "listen"): (2, "in a fork, which an alarm ends"),
    ("observe/questions.py", "talk"): (3, _HELPER),
    ("sandbox/process.py", "_take"): (1, "with MSG_DONTWAIT"),
    ("sandbox/process.py", "wait_and_collect"): (1, _READY),
    ("sandbox/process.py", "_exit_status"): (1, _READY),
    ("sandbox/process.py", "__init__"): (1, _READY),
    ("sandbox/process.py", "_drain"): (1, "it reads no more than is there already (FIONREAD)"),
    ("kernel/procfs.py", "read"): (2, _PROC),
    ("observe/process_scan.py", "_command"): (1, _PROC),
    ("sandbox/sandbox.py", "_receive_event"): (1, _READY),
    ("agent/server.py", "_on_event"): (1, _READY),
    ("agent/children.py", "on_command_socket"): (1, _READY),
    ("agent/children.py", "on_signals"): (1, "the pipe does not block"),
    ("agent/children.py", "end_all"): (1, _READY),
    ("agent/wire.py", "receive"): (1, "whoever calls it is listed here, or has waited"),
    ("agent/wire.py", "receive_bytes"): (2, "whoever calls it is listed here, or has waited"),
    ("measurement/questions/clone.py", "timed_clone"): (
        1,
        f"{_WORKER}; a further call would be measured along",
    ),
    ("measurement/sampler/process_pool.py", "end"): (1, _WORKER),
    ("measurement/questions/destroy.py", "_receive"): (1, "its socket has a timeout"),
    ("measurement/questions/enter.py", "inside"): (1, "`join` of a namespace, not of a thread"),
    ("measurement/questions/network_paths.py", "connected"): (
        1,
        f"the other end has connected; {_WORKER}",
    ),
    ("measurement/questions/fork.py", "_fork"): (
        1,
        f"{_WORKER}; a further call would be measured along",
    ),
    ("measurement/questions/network.py", "_throughput"): (1, _WORKER),
    ("measurement/questions/network.py", "_trips"): (1, _WORKER),
    ("measurement/questions/network.py", "_serve"): (2, f"{_EOF}; {_WORKER}"),
    ("measurement/questions/network.py", "_received"): (3, _WORKER),
    ("measurement/sampler/operations.py", "vfork"): (
        1,
        f"{_WORKER}; a further call would be measured along",
    ),
    ("measurement/sampler/operations.py", "continue_in_child"): (
        1,
        f"{_WORKER}; it is bound to its parent",
    ),
    ("measurement/sampler/operations.py", "__init__"): (1, f"the orders of a stand: {_EOF}"),
    ("measurement/runtimes/isolation.py", "_wide_user_namespace"): (2, f"{_EOF}; {_WORKER}"),
    ("measurement/sampler/cleanup.py", "cleanup_on_exit"): (1, _EOF),
    ("measurement/sampler/slots.py", "change"): (4, _WORKER),
    ("measurement/sampler/slots.py", "_succeed"): (1, _EOF),
    ("measurement/sampler/slots.py", "_wait"): (1, _EOF),
    ("measurement/questions/syscall.py", "_mapped"): (2, f"{_EOF}; {_WORKER}"),
    ("measurement/questions/vm.py", "_read_until"): (1, _READY),
    ("measurement/questions/memory.py", "measured"): (
        1,
        "`MemoryBaseline.wait` has a deadline of its own",
    ),
    ("measurement/sampler/process_pool.py", "growth"): (
        1,
        "`MemoryBaseline.wait` has a deadline of its own",
    ),
    ("measurement/questions/scale.py", "create_at"): (
        1,
        "`MemoryBaseline.wait` has a deadline of its own",
    ),
}

RECEIVING = {"recv", "recvmsg", "recvfrom", "recv_into", "accept"}
TIMED = {"run", "call", "check_call", "check_output"}  # of subprocess


def unbounded(call: ast.Call) -> bool:
    """Whether a call may wait for ever, as far as its own text tells."""
    words = {keyword.arg for keyword in call.keywords}
    match call.func:
        case ast.Attribute(value=owner, attr=name):
            of = ast.unparse(owner)
        case ast.Name(id=name):
            of = ""
        case _:
            return False
    given = len(call.args)
    if name in ("join", "wait", "acquire", "result", "get"):
        return not given and not words & {"timeout", "blocking", "block"}
    if name == "communicate":
        return "timeout" not in words and given < 2
    if of == "subprocess" and name in TIMED:
        return "timeout" not in words
    if name in ("waitpid", "waitid"):
        return "WNOHANG" not in ast.unparse(call)
    if name == "select" and of == "select":
        return given < 4
    if name == "poll" and of.split(".")[-1] == "poll":
        return not given and not words
    if of == "signal" and name in ("sigwait", "sigwaitinfo", "pause"):
        return True
    if name in ("flock", "lockf"):
        return "LOCK_NB" not in ast.unparse(call) and "LOCK_UN" not in ast.unparse(call)
    if (of in ("wire", "") and name in ("receive", "receive_bytes")) or (of, name) == (
        "protocol",
        "hear",
    ):
        return "MSG_DONTWAIT" not in ast.unparse(call)
    return name in RECEIVING or (of == "os" and name in ("read", "wait3", "wait4"))


def waits(tree: ast.AST, function: str = "") -> Iterator[tuple[str, int]]:
    """The function and the line of every such call, nested functions by their own name."""
    for node in ast.iter_child_nodes(tree):
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(node, ast.Call) and unbounded(node):
            yield inner, node.lineno
        yield from waits(node, inner)


@functools.cache
def found() -> dict[tuple[str, str], list[int]]:
    places: dict[tuple[str, str], list[int]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function, line in waits(tree):
            places.setdefault((str(path.relative_to(ROOT)), function), []).append(line)
    return places


def test_every_wait_has_an_end_or_a_reason_to_have_none() -> None:
    new = {
        place: lines for place, lines in found().items()
        if len(lines) > ALLOWED.get(place, (0, ""))[0]
    }  # fmt: skip
    assert new == {}


def test_no_reason_is_given_for_what_is_not_there_any_more() -> None:
    here = found()
    old = {
        place: count for place, (count, _) in ALLOWED.items() if len(here.get(place, "")) < count
    }
    assert old == {}


@pytest.mark.parametrize(
    "call",
    [
        "thread.join()", "process.wait()", "lock.acquire()", "future.result()", "queue.get()",
        "process.communicate()", "process.communicate(text)", "subprocess.run(['true'])",
        "os.waitpid(pid, 0)", "os.wait()", "os.waitid(os.P_PID, pid, os.WEXITED)",
        "select.select([fd], [], [])", "self.poll.poll()", "fcntl.flock(fd, fcntl.LOCK_EX)",
        "sock.recv(1)", "os.read(fd, 1)", "wire.receive(sock)", "signal.pause()",
    ],
)  # fmt: skip
def test_a_wait_without_an_end_is_found(call: str) -> None:
    assert [place for place, _ in waits(ast.parse(f"def f():\n  {call}"))] == ["f"]


@pytest.mark.parametrize(
    "call",
    [
        "', '.join(words)", "thread.join(5)", "process.wait(timeout=5)", "lock.acquire(timeout=1)",
        "process.communicate(timeout=5)", "subprocess.run(['true'], timeout=5)",
        "os.waitpid(pid, os.WNOHANG)", "select.select([fd], [], [], 5)", "self.poll.poll(1000)",
        "process.poll()", "wire.receive(sock, socket.MSG_DONTWAIT)", "found.get(name)",
    ],
)  # fmt: skip
def test_a_wait_with_an_end_is_not(call: str) -> None:
    assert list(waits(ast.parse(call))) == []
