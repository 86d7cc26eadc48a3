"""Does a deep look find every namespace that the kernel's own calls lead to? (`nsedu ls`)"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

import keepers
import nests
from nsedu.kernel.namespace_types import NAMES
from ordinary_user import Learner

HERE = Path(__file__).parent / "support"
ROWS = ("ns", "type", "nprocs", "pid", "command", "uid", "parent", "owner", "netnsid", "pins")

Run = Callable[..., Any]


@pytest.fixture(scope="module", params=["ourselves", "an_ordinary_user"])
def run(request: pytest.FixtureRequest, learner: Learner) -> Run:
    """Run a program of this directory as somebody; returns the JSON that it prints."""

    def as_ourselves(program: str, *words: str) -> Any:
        command = [sys.executable, str(HERE / program), *words]
        environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
        return json.loads(subprocess.check_output(command, env=environment, timeout=60))

    def as_learner(program: str, *words: str) -> Any:
        copy = shutil.copy(HERE / program, learner.home)
        result = learner.run([learner.python, copy, *words])
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return as_ourselves if request.param == "ourselves" else as_learner


def steps(first: bool) -> st.SearchStrategy[list[list[str]]]:
    """What to unshare in turn: a user namespace first of all, as an ordinary user must."""
    step = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
    more = st.lists(step, max_size=3)
    if not first:
        return more
    return st.tuples(step, more).map(lambda both: [["user", *both[0]], *both[1]])


def distinct(nest: nests.Nest) -> nests.Nest:
    return [list(dict.fromkeys(step)) for step in nest[0]], [distinct(one) for one in nest[1]]


within = st.recursive(
    st.tuples(steps(False), st.just([])),
    lambda inner: st.tuples(steps(False), st.lists(inner, max_size=2)),
    max_leaves=3,
)
some_nests = st.tuples(steps(True), st.lists(within, max_size=2)).map(distinct)


@given(nest=some_nests)
@settings(max_examples=15)
def test_a_random_nest_is_found_whole(run: Run, nest: nests.Nest) -> None:
    note(nests.command(nest))
    answer = run("nests.py", json.dumps(nest))
    reference = {(kind, ns): (parent, owner) for kind, ns, parent, owner in answer["reference"]}
    found = {(row["type"], row["ns"]): (row["parent"], row["owner"]) for row in answer["rows"]}
    assert found == reference
    assert not answer["unread"]
    # The whole machine shows the same relations, whatever else is there.
    machine = {(row["type"], row["ns"]): (row["parent"], row["owner"]) for row in answer["machine"]}
    assert {key: machine.get(key) for key in reference} == reference
    assert sorted(answer["processes"]) == answer["family"]


@given(nest=some_nests)
@settings(max_examples=5)
def test_members_are_counted_as_lsns_counts_them(run: Run, nest: nests.Nest) -> None:
    answer = run("nests.py", json.dumps(nest), "lsns")
    if "lsns" not in answer:
        pytest.skip("lsns is not installed: apt install util-linux.")
    theirs = {row["ns"]: (row["type"], row["nprocs"], row["pid"]) for row in answer["lsns"]}
    ours = {
        row["ns"]: (row["type"], row["nprocs"], row["pid"])
        for row in answer["rows"]
        if row["nprocs"] and row["ns"] not in answer["around"]
    }
    assert ours
    assert {ns: theirs.get(ns) for ns in ours} == ours


@pytest.mark.parametrize("name", keepers.KEEPERS)
def test_a_namespace_is_found_by_what_alone_keeps_it(run: Run, name: str) -> None:
    answer = run("keepers.py", "look", name)
    unseen = [reason for reason in answer["unread"] if "for root" in reason]
    if name == "mount_namespace_nobody_can_see" and unseen:
        pytest.skip(f"the kernel keeps it from an ordinary user: {unseen[0]}.")
    assert answer["seen"] == answer["expected"]


def test_a_file_system_that_does_not_answer_holds_up_no_look() -> None:
    if not os.access("/dev/fuse", os.W_OK):
        pytest.skip("only root may make a file system that does not answer, by /dev/fuse.")
    command = [sys.executable, HERE / "keepers.py", "look", *keepers.OF_ROOT]
    answer = json.loads(subprocess.check_output(command, timeout=60))
    assert answer["seen"] == answer["expected"]


def test_a_covered_bind_mount_is_counted_as_unread(run: Run) -> None:
    answer = run("keepers.py", "look", "covered_bind_mount")
    assert answer["unread"] == {"mounted namespace files covered by another mount": 1}


def test_a_user_namespace_left_by_its_only_process_is_listed_without_one(run: Run) -> None:
    answer = run("nests.py", json.dumps([[["user"], ["user"], ["user", "net"]], []]))
    empty = [row for row in answer["rows"] if row["type"] == "user" and not row["nprocs"]]
    assert [row["pins"] for row in empty] == [["child"], ["child"]]
    assert [(row["pid"], row["command"]) for row in empty] == [(None, None)] * 2
    assert empty[0]["owner"] == empty[0]["parent"] is not None


def test_every_row_has_the_keys_of_the_contract(run: Run) -> None:
    answer = run("nests.py", json.dumps([[list(NAMES)], []]))
    assert answer["rows"]
    assert all(tuple(row) == ROWS for row in answer["rows"])
