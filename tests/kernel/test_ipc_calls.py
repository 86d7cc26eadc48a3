"""The calls of System V IPC and POSIX message queues, made in a sandbox."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nsedu import Sandbox
from nsedu.kernel import ipc_syscalls
from nsedu.kernel.ipc_syscalls import IPC_CREAT, IPC_NOWAIT, IPC_RMID

pytestmark = pytest.mark.needs("userns", "ipc", "mqueue")


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox("ipc") as box:
        yield box


def test_what_is_written_into_a_segment_is_read_from_it(box: Sandbox) -> None:
    def write_and_read() -> bytes:
        segment = ipc_syscalls.shmget(1, 100, IPC_CREAT | 0o600)
        ipc_syscalls.shmat(segment, 100).value = b"hello"
        return ipc_syscalls.shmat(ipc_syscalls.shmget(1), 5).raw

    assert box.call(write_and_read) == b"hello"


def test_a_semaphore_has_the_value_that_was_set(box: Sandbox) -> None:
    def set_and_get() -> tuple[int, int]:
        semaphores = ipc_syscalls.semget(1, 2, IPC_CREAT | 0o600)
        ipc_syscalls.semctl(semaphores, 1, ipc_syscalls.SETVAL, 7)
        values = [ipc_syscalls.semctl(semaphores, n, ipc_syscalls.GETVAL) for n in (0, 1)]
        ipc_syscalls.semctl(semaphores, 0, IPC_RMID)
        return values[0], values[1]

    assert box.call(set_and_get) == (0, 7)


def test_messages_come_out_in_the_order_in_which_they_went_in(box: Sandbox) -> None:
    def send_and_receive() -> list[bytes]:
        queue = ipc_syscalls.msgget(1, IPC_CREAT | 0o600)
        for text in (b"one", b"", b"\0three"):
            ipc_syscalls.msgsnd(queue, text)
        return [ipc_syscalls.msgrcv(queue) for _ in range(3)]

    assert box.call(send_and_receive) == [b"one", b"", b"\0three"]


def test_a_posix_queue_is_found_by_its_name(box: Sandbox) -> None:
    def send() -> str:
        fd = ipc_syscalls.mq_open("/jobs", os.O_RDWR | os.O_CREAT)
        ipc_syscalls.mq_send(fd, b"work")
        return os.read(ipc_syscalls.mq_open("/jobs", os.O_RDONLY), 80).decode()

    assert box.call(send).split()[0] == "QSIZE:4"


def test_posix_shared_memory_is_a_file() -> None:
    def write() -> int:
        return os.write(ipc_syscalls.shm_open("/note", os.O_RDWR | os.O_CREAT), b"hello")

    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs tmpfs /dev/shm")
        box.call(write)
        assert box.run("cat /dev/shm/note").stdout == "hello"


@pytest.mark.parametrize(
    ("call", "arguments", "number", "said"),
    [
        (ipc_syscalls.shmget, (0x2A,), errno.ENOENT, "shmget(0x2a, 0, 0o0)"),
        (ipc_syscalls.shmget, (0x2A, 0, IPC_CREAT), errno.EINVAL, "shmget(0x2a, 0, 0o1000)"),
        (ipc_syscalls.shmat, (99, 1), errno.EINVAL, "shmat(99)"),
        (ipc_syscalls.semget, (0x2A,), errno.ENOENT, "semget(0x2a, 0, 0o0)"),
        (ipc_syscalls.semctl, (99, 0, IPC_RMID), errno.EINVAL, "semctl(99, 0, 0)"),
        (ipc_syscalls.msgget, (0x2A,), errno.ENOENT, "msgget(0x2a, 0o0)"),
        (ipc_syscalls.msgsnd, (99, b"x"), errno.EINVAL, "msgsnd(99, b'x')"),
        (ipc_syscalls.msgrcv, (99, 1, IPC_NOWAIT), errno.EINVAL, "msgrcv(99)"),
        (ipc_syscalls.mq_open, ("/nothing",), errno.ENOENT, 'mq_open("/nothing", 0o2)'),
        (ipc_syscalls.mq_send, (0, b"x"), errno.EBADF, "mq_send(0, b'x')"),
        (ipc_syscalls.shm_open, ("/nsedu-none",), errno.ENOENT, 'shm_open("/nsedu-none", 0o2)'),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_refusal_reads_like_the_call(
    box: Sandbox, call: Callable[..., Any], arguments: tuple[Any, ...], number: int, said: str
) -> None:
    with pytest.raises(OSError) as refused:
        box.call(call, *arguments)
    assert (refused.value.errno, refused.value.filename) == (number, said)
