"""Paths between network namespaces: what each goes through, who is measured, and what ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nsedu as ns
from awaiting import ended
from nsedu.measurement.questions import network, network_paths
from nsedu.measurement.sampler.operations import PreparedProcess, in_child, own_user_namespace
from nsedu.sandbox.agent_client import environment

pytestmark = pytest.mark.needs("userns", "net")
laid = pytest.mark.needs("veth", "ip", "nft")
NAMES = [f"{series} over {path}" for series in network.SERIES for path in network_paths.PATHS]
MUCH = 100_000  # bytes


@pytest.fixture(autouse=True)
def roots_programs_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the process that measures: many systems leave nft off an ordinary user's PATH."""
    monkeypatch.setenv("PATH", environment()["PATH"])


@laid
def test_latency_and_throughput_are_measured_on_each_path() -> None:
    result = ns.measure("network", 3)
    assert [row.name for row in result.results] == NAMES
    assert {(row.series, row.unit) for row in result.results} == set(network.SERIES.items())
    assert {(row.n, row.x) for row in result.results} == {(3, None)}
    assert all(value > 0 for m in result.measured for value in (*m.samples, *m.nulls))
    assert not result.unmet


@pytest.mark.parametrize(
    ("program", "need", "left"),
    [
        pytest.param("ip", "ip", ["loopback"], marks=laid),
        pytest.param("nft", "nft", ["loopback", "veth", "bridge", "router"], marks=laid),
    ],
)
def test_a_path_that_cannot_be_laid_is_unmet_and_the_others_are_measured(
    program: str, need: str, left: list[str], open_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = open_path / program
    fake.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{open_path}:{os.environ['PATH']}")
    result = ns.measure("network", 2)
    assert [row.name for row in result.series("latency")] == [f"latency over {p}" for p in left]
    assert len(result.results) + len(result.unmet) == len(NAMES)
    for reason in result.unmet.values():
        assert f"lacks {need} (" in reason
        assert "not today" in reason
        assert reason.endswith("nsedu.doctor() tells what to do.")


def received() -> dict[str, int]:
    """How many bytes each link of this network namespace has received."""
    found = {}
    for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        found[name.strip()] = int(numbers.split()[0])
    return found


def sent_along(lay: Callable[[], network_paths.Path]) -> Callable[[], dict[str, Any]]:
    """Send much along a path, in a process that may; tells what was seen where."""

    def look() -> dict[str, Any]:
        own_user_namespace()
        path = lay()
        client, server = network_paths.connected(path, ())
        for _ in range(MUCH // 1000):
            client.sendall(bytes(1000))
            server.recv(1000, 0x100)  # MSG_WAITALL
        found: dict[str, Any] = {"seen from": server.getpeername()[0]}
        for place in ("near", "far", "between"):
            if getattr(path, place) is not None:
                network_paths.enter_namespace(getattr(path, place))
                found[place] = os.readlink("/proc/self/ns/net"), received()
        return found

    return look


def travelled(found: dict[str, Any]) -> set[tuple[str, str]]:
    """The links that much was received by: (place, name)."""
    return {
        (place, name)
        for place in ("near", "far", "between")
        if place in found
        for name, count in found[place][1].items()
        if count >= MUCH
    }


def test_loopback_is_one_namespace_and_not_the_hosts() -> None:
    found = in_child(sent_along(network_paths.loopback))
    assert found["near"][0] == found["far"][0] != os.readlink("/proc/self/ns/net")
    assert travelled(found) == {("near", "lo"), ("far", "lo")}


@laid
@pytest.mark.parametrize(
    ("name", "seen_from", "between"),
    [
        ("veth", network_paths.NEAR, []),
        ("bridge", network_paths.NEAR, [("between", "near")]),
        ("router", network_paths.NEAR, [("between", "near")]),
        ("NAT", network_paths.ROUTER_FAR, [("between", "near")]),
    ],
)
def test_a_path_goes_through_what_it_is_named_after(
    name: str, seen_from: str, between: list[tuple[str, str]]
) -> None:
    found = in_child(sent_along(network_paths.PATHS[name]))
    places = [found[place][0] for place in ("near", "far", "between") if place in found]
    assert len({*places, os.readlink("/proc/self/ns/net")}) == len(places) + 1
    assert found["seen from"] == seen_from
    assert travelled(found) == {("far", "eth0"), *between}


def test_a_sample_is_taken_of_two_processes_on_one_core() -> None:
    client = network.Client()
    inside: list[Any] = []

    def sampled() -> list[Any]:
        def measured() -> tuple[float, float]:
            inside.extend(sorted(os.sched_getaffinity(pid)) for pid in (0, client.server_pid))
            return 1.0, 1.0

        client.pairs["latency", "loopback"] = measured
        client.sample("latency", "loopback")
        return [*inside, sorted(os.sched_getaffinity(0))]

    with PreparedProcess(client.prepare, sampled) as stand:
        ours, servers, after = stand.call()
    assert ours == servers
    assert len(ours) == 1
    assert after == sorted(os.sched_getaffinity(0))


def test_the_server_ends_with_its_client() -> None:
    client = network.Client()
    with PreparedProcess(client.prepare, lambda: client.server_pid) as stand:
        server = stand.call()
        os.kill(stand.pid, signal.SIGKILL)
        assert ended(server)
