"""Messages over the socket pairs: whole or not at all, with their descriptors."""

from __future__ import annotations

import marshal
import os
import signal
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsedu.agent import wire

Pair = tuple[socket.socket, socket.socket]


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(), json_values, min_size=1))
def test_a_message_arrives_as_it_was_sent(ends: Pair, message: dict[str, object]) -> None:
    wire.send(ends[0], message)
    assert wire.receive(ends[1]) == (message, [])


def test_an_argument_that_is_not_utf8_arrives_as_it_was_sent(ends: Pair) -> None:
    message = {"argv": [os.fsdecode(b"caf\xe9")]}
    wire.send(ends[0], message)
    assert wire.receive(ends[1]) == (message, [])


def test_a_subclass_of_a_plain_type_arrives_as_the_plain_type(ends: Pair) -> None:
    class Name(str):
        pass

    wire.send(ends[0], {"argv": [Name("true")], "kill": signal.SIGTERM})
    received = wire.receive(ends[1])
    assert received == ({"argv": ["true"], "kill": 15}, [])
    assert type(received[0]["argv"][0]) is str


def test_messages_keep_their_boundaries(ends: Pair) -> None:
    for number in range(3):
        wire.send(ends[0], {"number": number})
    received = [wire.receive(ends[1]) for _ in range(3)]
    assert received == [({"number": number}, []) for number in range(3)]


def test_a_message_far_beyond_the_socket_buffer_arrives_whole(ends: Pair) -> None:
    message = {"env": {"HUGE": "x" * 5_000_000}}
    wire.send(ends[0], message)
    assert wire.receive(ends[1]) == (message, [])


@pytest.mark.parametrize("length", [-1, 0, 1])
def test_a_message_about_as_long_as_the_longest_plain_one_arrives_whole(
    ends: Pair, length: int
) -> None:
    around = len(marshal.dumps({"text": "x" * 300})) - 300  # beyond 255 bytes the header is longer
    message = {"text": "x" * (wire.LONGEST - around + length)}
    wire.send(ends[0], message)
    assert wire.receive(ends[1]) == (message, [])


def test_descriptors_arrive_in_order_and_close_on_exec(ends: Pair) -> None:
    parcels = [wire.parcel(text) for text in (b"first", b"second")]
    wire.send(ends[0], {"op": "run"}, parcels)
    received = wire.receive(ends[1])
    assert received is not None
    assert [os.read(fd, 10) for fd in received[1]] == [b"first", b"second"]
    assert not any(os.get_inheritable(fd) for fd in received[1])
    for fd in [*parcels, *received[1]]:
        os.close(fd)


def test_descriptors_of_a_huge_message_arrive_without_the_one_that_carried_it(ends: Pair) -> None:
    parcel = wire.parcel(b"mine")
    wire.send(ends[0], {"huge": "x" * 1_000_000}, [parcel])
    received = wire.receive(ends[1])
    assert received is not None
    assert [os.read(fd, 10) for fd in received[1]] == [b"mine"]
    for fd in [parcel, *received[1]]:
        os.close(fd)


def test_sending_and_receiving_leave_no_descriptor_open(ends: Pair) -> None:
    before = open_descriptors()
    wire.send(ends[0], {"huge": "x" * 1_000_000})
    wire.receive(ends[1])
    assert open_descriptors() == before


def test_the_end_of_the_other_party_is_none(ends: Pair) -> None:
    ends[0].close()
    assert wire.receive(ends[1]) is None


def test_the_end_of_the_other_party_with_unread_messages_is_none(ends: Pair) -> None:
    wire.send(ends[1], {"unread": True})
    ends[0].close()  # which the kernel reports as ECONNRESET first
    assert wire.receive(ends[1]) is None


def test_a_message_sent_before_the_end_is_still_read(ends: Pair) -> None:
    wire.send(ends[0], {"last": "words"})
    ends[0].close()
    assert wire.receive(ends[1]) == ({"last": "words"}, [])
    assert wire.receive(ends[1]) is None


def test_a_message_sent_before_the_end_is_read_even_if_the_other_left_some_unread(
    ends: Pair,
) -> None:
    wire.send(ends[1], {"unread": True})
    wire.send(ends[0], {"last": "words"})
    ends[0].close()
    assert wire.receive(ends[1]) == ({"last": "words"}, [])
    assert wire.receive(ends[1]) is None


def test_sending_to_one_who_has_gone_is_an_error_and_no_signal(ends: Pair) -> None:
    ends[0].close()
    with pytest.raises(BrokenPipeError):
        wire.send(ends[1], {"anyone": "there?"})


def test_not_waiting_for_a_message_that_is_not_there_yet(ends: Pair) -> None:
    with pytest.raises(BlockingIOError):
        wire.receive(ends[1], socket.MSG_DONTWAIT)


def test_peeking_leaves_the_message_there(ends: Pair) -> None:
    wire.send(ends[0], {"seen": "twice"})
    assert wire.receive(ends[1], socket.MSG_PEEK) == ({"seen": "twice"}, [])
    assert wire.receive(ends[1]) == ({"seen": "twice"}, [])


@settings(max_examples=30)
@given(st.binary(max_size=100_000))
def test_a_parcel_holds_what_was_put_into_it(data: bytes) -> None:
    with open(wire.parcel(data), "rb") as file:
        assert file.read() == data


def test_descriptors_that_find_no_room_are_an_error_that_says_so(ends: Pair) -> None:
    import resource

    parcels = [wire.parcel(b"") for _ in range(4)]
    wire.send(ends[0], {"op": "run"}, parcels)
    before = open_descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    fillers = []
    try:
        try:
            while True:
                fillers.append(os.dup(parcels[0]))
        except OSError:
            os.close(fillers.pop())  # room for one
        with pytest.raises(OSError, match="Too many open files"):
            wire.receive(ends[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in fillers:
            os.close(fd)
    assert open_descriptors() == before
    for fd in parcels:
        os.close(fd)
