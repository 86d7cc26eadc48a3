"""The sockets a process has open."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from nsedu.kernel.proc_net import Socket, address, sockets


def of(number: int) -> Socket:
    return next(one for one in sockets(os.getpid()) if number in one.fds)


def test_a_listener_and_both_ends_of_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        with socket.create_connection((host, port)) as client:
            assert of(server.fileno())[:4] == ("tcp", f"127.0.0.1:{port}", "", "LISTEN")
            assert of(client.fileno())[2:4] == (f"127.0.0.1:{port}", "ESTABLISHED")


def test_an_address_of_version_6() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as made:
        made.bind(("::1", 0))
        assert of(made.fileno())[:2] == ("udp6", f"[::1]:{made.getsockname()[1]}")


def test_an_abstract_name_is_shown_as_the_kernel_does() -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("\0nsedu test of sockets")
        made.listen()
        assert of(made.fileno())[:4] == ("unix", "@nsedu test of sockets", "", "listening")


def test_a_socket_that_is_open_twice_is_one() -> None:
    one, other = socket.socketpair()
    with one, other, one.dup() as twice:
        assert of(one.fileno()).fds == tuple(sorted((one.fileno(), twice.fileno())))
        assert of(other.fileno()).state == "connected"


def test_one_that_no_list_has_is_there_all_the_same() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:  # neither bound nor connected
        assert of(made.fileno()).kind == ""


def test_a_process_that_has_ended_is_said_to_have() -> None:
    with pytest.raises(FileNotFoundError):
        sockets(4194305)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0100007F:1F90", "127.0.0.1:8080"), ("00000000:0000", "*:*"),
     ("00000000000000000000000001000000:0016", "[::1]:22")],
)  # fmt: skip
def test_an_address_as_people_write_it(text: str, expected: str) -> None:
    if sys.byteorder != "little":
        pytest.skip("the examples are of a little-endian machine.")
    assert address(text) == expected
