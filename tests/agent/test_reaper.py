"""What a server believes of its children."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable

from nsedu.agent import protocol, wire
from nsedu.agent.children import Child, Children
from nsedu.agent.limit_groups import LimitGroups


def in_fork(test: Callable[[Children], None]) -> None:
    """Run a test in a process of its own, for the table takes over signals and orphans."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            test(Children(select.poll(), LimitGroups(), inner=False))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def idle() -> int:
    """A child that does nothing."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    return pid


def end(pid: int) -> int:
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def settling(children: Children, pid: int) -> tuple[Child, socket.socket]:
    ours, theirs = wire.pair()
    record = children.by_pid[pid] = Child("sandbox", ours, "nsedu-1-1")
    record.types = ["uts"]
    children.settling[ours.fileno()] = pid
    children.poll.register(ours)
    return record, theirs


def test_a_first_process_that_has_settled_is_looked_at_and_told_so() -> None:
    def test(children: Children) -> None:
        pid = idle()
        record, theirs = settling(children, pid)
        protocol.say(theirs, "settled")
        children.on_settled(record.sock.fileno())
        assert record.own == []  # it is in no other namespaces than its maker
        assert wire.receive(theirs) == ({"seen": True}, []) and not children.settling
        assert end(pid) == -signal.SIGKILL

    in_fork(test)


def test_a_first_process_that_names_its_namespaces_itself_is_ended() -> None:
    def test(children: Children) -> None:
        for data in (b"own\0net", b"", b"settled\0net"):
            pid = idle()
            record, theirs = settling(children, pid)
            fd = os.open("/proc/self/ns/net", os.O_RDONLY)
            wire.send_bytes(theirs, data, [fd])
            os.close(fd)
            children.on_settled(record.sock.fileno())
            assert record.own == []
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL

    in_fork(test)


def adopted(children: Children, maker: int, said: Callable[[socket.socket], None]) -> bool:
    word, saying = wire.pair()
    wire.ask_for_senders(word)
    said(saying)
    record = Child("maker", wire.pair()[0], "nsedu-1-2")
    record.word = word
    return children.register_joined(record, word, maker, 0)


def test_only_the_maker_says_whom_it_begot() -> None:
    def test(children: Children) -> None:
        pid = idle()
        maker = os.getpid()
        assert not adopted(children, maker + 1, lambda sock: protocol.say(sock, "begot", pid))
        assert not adopted(children, maker, lambda sock: wire.send_bytes(sock, b"begot\0\xff"))
        assert not adopted(children, maker, lambda sock: None)
        assert children.by_pid == {}
        assert adopted(children, maker, lambda sock: protocol.say(sock, "begot", pid))
        assert list(children.by_pid) == [pid]
        end(pid)

    in_fork(test)


def test_a_process_that_is_no_unknown_child_is_not_adopted() -> None:
    def test(children: Children) -> None:
        pid, maker = idle(), os.getpid()
        children.by_pid[pid] = known = Child("sandbox", wire.pair()[0], "nsedu-1-1")
        children.limits.keeper = keeper = idle()
        for other in (pid, keeper, os.getppid(), 1):
            said = protocol.encode("begot", other)
            assert not adopted(children, maker, lambda sock, said=said: wire.send_bytes(sock, said))
        assert children.by_pid == {pid: known}
        end(pid)
        end(keeper)

    in_fork(test)
