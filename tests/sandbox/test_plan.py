"""Wrong arguments are refused before anything is made, naming the argument and what it accepts."""

from __future__ import annotations

import os
from typing import Any

import pytest

from nsedu import TYPES, Sandbox
from nsedu.sandbox import agent_client, plan
from waiting import zombie

EIGHT = ", ".join(TYPES)


@pytest.fixture
def nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test as soon as an agent is asked for."""
    monkeypatch.setattr(agent_client, "agent", lambda: pytest.fail("something was made"))


@pytest.mark.usefixtures("nothing_is_made")
@pytest.mark.parametrize(
    ("types", "options", "error", "words"),
    [
        ([], {}, ValueError, f"name at least one namespace type: {EIGHT}"),
        (["utc"], {}, ValueError, f"'utc' is not a namespace type; use one of: {EIGHT}"),
        ([["uts"]], {}, ValueError, f"['uts'] is not a namespace type; use one of: {EIGHT}"),
        ([5], {}, ValueError, "5 is not a namespace type"),
        (["uts"], {"user": "yes"}, ValueError, 'user must be True, False or "range", not \'yes\''),
        (["uts"], {"user": None}, ValueError, 'user must be True, False or "range", not None'),
        (["mnt"], {"hostname": "x"}, ValueError, 'hostname needs a UTS namespace: add "uts"'),
        (["uts"], {"hostname": 5}, TypeError, "hostname must be a string, not 5"),
        (["uts"], {"hostname": ""}, ValueError, "hostname must be 1 to 64 bytes long"),
        (["uts"], {"hostname": "x" * 65}, ValueError, "hostname must be 1 to 64 bytes long"),
        (["uts"], {"hostname": "é" * 33}, ValueError, "hostname must be 1 to 64 bytes long"),
        (["uts"], {"hostname": "a\0b"}, ValueError, "hostname must be 1 to 64 bytes long"),
        (["uts"], {"boottime": 5}, ValueError, 'boottime needs a new time namespace: add "time"'),
        (["time"], {"boottime": "5"}, TypeError, "boottime must be a number of seconds, not '5'"),
        (["time"], {"monotonic": True}, TypeError, "monotonic must be a number of seconds"),
        (["time"], {"monotonic": float("nan")}, ValueError, "monotonic must be below 2**62"),
        (["time"], {"boottime": float("inf")}, ValueError, "boottime must be below 2**62"),
        (["time"], {"boottime": 10**400}, ValueError, "boottime must be below 2**62"),
        (["uts"], {"timeout": 0}, ValueError, "timeout must be above zero"),
        (["uts"], {"timeout": float("nan")}, ValueError, "timeout must be above zero"),
        (["uts"], {"timeout": None}, TypeError, "timeout must be a number of seconds, not None"),
        (["uts"], {"limits": {"io": 5}}, ValueError, "limits has no 'io'; use any of: pids"),
        (["uts"], {"limits": 5}, TypeError, "limits must map any of pids, memory, cpu"),
        (["uts"], {"join": "web"}, TypeError, "join must be a Sandbox, a pid, or a mapping"),
        (["uts"], {"join": True}, TypeError, "join must be a Sandbox, a pid, or a mapping"),
        (["uts"], {"join": {"net": "web"}}, TypeError, "join must be a Sandbox, a pid"),
        (["uts"], {"join": 0}, ValueError, "join must be a pid above zero, not 0"),
        (["uts"], {"join": -1}, ValueError, "join must be a pid above zero, not -1"),
        (["uts"], {"join": 1 << 70}, ValueError, "join must be a pid above zero"),
        ([], {"join": {"net": 1 << 70}}, ValueError, "join must be a pid above zero"),
        ([], {"join": {"nat": 1}}, ValueError, "'nat' is not a namespace type"),
        (["uts"], {"join": {"uts": 1}}, ValueError, "'uts' cannot be both new and joined"),
        ([], {"join": {}}, ValueError, "name at least one namespace type"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused(
    types: list[Any], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        Sandbox(*types, **options)
    assert words in str(caught.value)


@pytest.mark.usefixtures("nothing_is_made")
def test_an_argument_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="hostnam"):
        Sandbox("uts", hostnam="x")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("types", "user", "joined", "expected"),
    [
        (["uts"], True, (), ["uts", "user"]),
        (["uts"], False, (), ["uts"]),
        (["uts"], "range", (), ["uts", "user"]),
        (["user"], False, (), ["user"]),
        (["time", "mnt", "mnt"], True, (), ["mnt", "user", "time"]),
        (["mnt"], True, ("user", "net"), ["mnt"]),
        ([], True, ("user", "net"), []),
        ([], True, ("net",), ["user"]),
        (TYPES, True, (), list(TYPES)),
    ],
)
def test_the_types_to_make_stand_in_the_order_of_the_catalogue(
    types: list[str], user: bool | str, joined: tuple[str, ...], expected: list[str]
) -> None:
    assert plan.new_types(types, user, joined) == expected


def test_a_hostname_may_be_set_in_a_uts_namespace_that_is_joined() -> None:
    plan.check([], {"uts": 1}, "mars", None, None, 30)


def test_a_hostname_of_64_bytes_is_accepted() -> None:
    plan.check(["uts"], {}, "é" * 32, None, None, 30)


@pytest.mark.parametrize("value", [1, 0.001, 3600])
def test_a_timeout_is_a_number_of_seconds(value: float) -> None:
    assert plan.seconds(value) == value


@pytest.mark.needs("userns")
def test_a_process_to_be_joined_that_is_not_there_is_an_error_that_says_so() -> None:
    from nsedu import NamespaceError

    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    for join in (pid, {"uts": pid}):
        with pytest.raises(NamespaceError, match=f"there is no process {pid}") as caught:
            Sandbox(join=join)
        assert "What to do" in str(caught.value)


@pytest.mark.needs("userns")
def test_a_zombie_to_be_joined_is_an_error_that_says_so() -> None:
    from nsedu import NamespaceError

    with zombie() as pid, pytest.raises(NamespaceError, match=f"there is no process {pid}"):
        Sandbox(join=pid)
