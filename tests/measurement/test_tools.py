"""Runtimes timed for what people get: each makes namespaces, says why not, and leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import nsedu as ns
from nsedu.agent.cgroups import hierarchies
from nsedu.measurement.questions import tools
from nsedu.measurement.result import Result
from nsedu.measurement.runtimes import isolation, runtimes
from nsedu.measurement.runtimes.runtimes import BEFORE, DOCKER, RUNTIMES, Runtime
from nsedu.measurement.sampler.operations import PreparedProcess, Refused, Unmet

NAMES = [runtime.name for runtime in RUNTIMES]


def traces() -> set[str]:
    """What the runtimes leave on a machine when they are just run."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    places = ["/run", "/dev/shm", "/tmp"]
    tops = {w.mount + top for _, w in hierarchies() for top in ("", w.path.rstrip("/"))}
    words = ("firejail", "podman", "libpod", "lxc", "nspawn", "crun", "runc", "nsedu-tools")
    groups = ("payload", "supervisor", "lxc.pivot", "libpod_parent")
    return {
        *(line for line in mounts if any(word in line for word in words)),
        *(f"{p}/{n}" for p in places for n in os.listdir(p) if any(word in n for word in words)),
        *(path for top in tops for name in groups if os.path.exists(path := f"{top}/{name}")),
    }  # fmt: skip


@pytest.fixture(scope="module")
def answer() -> Iterator[Result]:
    before = traces()
    yield ns.measure("tools", 3)
    assert traces() == before


@pytest.mark.needs("userns")
def test_each_tool_has_a_row_or_a_reason(answer: Result) -> None:
    rows = {row.name for row in answer.results}
    assert rows | answer.unmet.keys() == {"Sandbox, all eight", *NAMES, DOCKER.name}
    assert not rows & answer.unmet.keys()
    assert {(row.n, row.unit, row.x) for row in answer.results} == {(3, "us", None)}
    assert all(answer.unmet.values())


@pytest.mark.needs("userns")
def test_without_any_tool_there_is_still_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    answer = ns.measure("tools", 3)
    assert "Sandbox, all eight" in {row.name for row in answer.results}
    assert answer.unmet["unshare, user"] == (
        "the program unshare is not installed: apt install util-linux."
    )
    assert answer.unmet["podman"].startswith("the program podman is not installed")


def test_an_ordinary_user_is_told_what_needs_root_or_many_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(runtimes, "lacking", lambda _: "")
    monkeypatch.setattr(runtimes, "missing", lambda _: {"range": "there is no grant; ask for one"})
    said = {runtime.name: runtime.lacking() for runtime in RUNTIMES if runtime.lacking()}
    assert said.keys() == {"systemd-nspawn", "LXC", "firejail", "podman"}
    assert said["LXC"] == "lxc-execute needs root: ask again as root."
    assert said["podman"] == "podman needs more ids than one: there is no grant; ask for one."


INSIDE = ["/bin/sh", "-c", f"cd /proc/self/ns; exec readlink {' '.join(ns.TYPES)}"]


def namespaces(words: list[str]) -> list[str]:
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return [line for line in done.stdout.split() if ":[" in line]


def look(runtime: Runtime) -> list[list[str]]:
    """The namespaces here, and those in which the runtime runs something."""
    if runtime.room:  # crun and runc read there what they are to run
        bundle = Path(runtimes.BUNDLE, "config.json")
        config = json.loads(bundle.read_text())
        config["process"]["args"] = INSIDE
        bundle.write_text(json.dumps(config))
    return [namespaces(INSIDE), namespaces(runtime.command(INSIDE))]


def made_by(runtime: Runtime) -> set[str]:
    """The types of the namespaces in which a runtime runs something, and which are not ours."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(isolation.without_new_groups(runtime.leaves))
        enter = partial(isolation.enter, runtime.room) if runtime.room else list
        outside, inside = stack.enter_context(PreparedProcess(enter, partial(look, runtime))).call()
    assert len(outside) == len(inside) == len(ns.TYPES)
    return {line.split(":")[0] for line in set(inside) - set(outside)}


@pytest.mark.needs("userns", "proc")
@pytest.mark.parametrize("name", NAMES)
def test_what_a_tool_runs_is_in_new_namespaces(name: str, answer: Result) -> None:
    if name in answer.unmet:
        pytest.skip(answer.unmet[name])
    made = made_by(RUNTIMES[NAMES.index(name)])
    if name == BEFORE:
        assert made == set()
    elif name == "unshare, user":
        assert made == {"user"}
    elif name == "unshare, all eight":
        assert made == set(ns.TYPES)
    else:
        assert made >= {"mnt", "uts", "ipc", "pid"}


def docker(directory: Path, script: str) -> None:
    program = directory / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_docker_without_an_engine_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, "echo Cannot connect to the Docker daemon >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(OSError, match=r"does not answer \(Cannot connect to the Docker daemon\)"):
        tools.docker_image().__enter__()


def test_dockers_image_is_made_of_our_tree_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(
        tmp_path,
        f'echo "$1" >> {tmp_path}/log; [ "$1" = import ] && tar -t > {tmp_path}/tree; true',
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with tools.docker_image():
        assert (tmp_path / "log").read_text().split() == ["version", "import"]
    assert (tmp_path / "log").read_text().split() == ["version", "import", "rmi"]
    tree = {line.strip("./") for line in (tmp_path / "tree").read_text().split()}
    assert {"usr", "proc", "dev", *runtimes.LINKS} <= tree


@pytest.mark.needs("userns")
def test_a_refused_room_is_the_reason_of_all_that_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Refused({"failed": "mount proc", "errno": 1, "call": "mount(2)"})

    def refuse(*_: object) -> PreparedProcess:
        raise refusal

    monkeypatch.setattr(tools, "PreparedProcess", refuse)
    with contextlib.ExitStack() as stack:
        found = tools.in_sandbox(stack, list(RUNTIMES), ("mnt", "pid"))
    assert [entry.name for entry in found] == NAMES
    assert all(entry == Unmet(entry.name, refusal.message) for entry in found)
