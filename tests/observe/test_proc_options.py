"""What the mount options of /proc hide is said, by whatever looks."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator

import pytest

import nsedu as ns
from nsedu.observe.proc_options import HIDDEN, LEFT_OUT
from ordinary_user import Learner

pytestmark = pytest.mark.needs("userns", "mnt", "pid", "proc", "nested", "unshare")

LOOK = """
import nsedu
from nsedu.requirements import _PROBES
seen = nsedu.snapshot("machine")
print([(reason, n) for reason, n in seen.unread.items() if "/proc" in reason])
print(nsedu.tree(seen))
print(_PROBES["all-processes"][1]())
"""


@pytest.fixture
def box() -> Iterator[ns.Sandbox]:
    with ns.Sandbox("mnt", "pid") as box:
        yield box


def look(box: ns.Sandbox, options: str, learner: Learner, before: str = "") -> list[str]:
    """What is said inside, under a /proc mounted with these options."""
    path = learner.environment["PYTHONPATH"]
    command = f"export PYTHONPATH={path}; mount -t proc -o {options} proc /proc"
    command += f"; {before} {learner.python} -c"
    return box.run(f"{command} '{LOOK}'").stdout.splitlines()


IN_ANOTHER = "unshare --user --map-root-user"
"""Where a process may not look into those of the sandbox."""


@pytest.mark.parametrize("options", ["hidepid=2", "hidepid=4"])
def test_processes_that_are_not_even_listed_are_told_without_a_number(
    box: ns.Sandbox, options: str, learner: Learner
) -> None:
    said = look(box, options, learner, IN_ANOTHER)
    assert said[0] == str([(HIDDEN, 0)])
    assert f"could not read {HIDDEN}" in said
    assert said[-1].startswith("/proc is mounted with hidepid=")


@pytest.mark.parametrize("options", ["hidepid=1", "hidepid=2", "hidepid=4"])
def test_an_ordinary_user_hears_of_the_processes_of_others(learner: Learner, options: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a /proc that shows the whole machine.")
    become = f"setpriv --reuid {learner.uid} --regid {learner.gid} --clear-groups"
    script = f"mount -t proc -o {options} proc /proc; exec {become} {learner.python} -c '{LOOK}'"
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script]
    done = subprocess.run(words, capture_output=True, text=True, env=learner.environment, cwd="/")
    said = done.stdout.splitlines()
    (seen,) = ast.literal_eval(said[0])
    assert seen[0] == HIDDEN
    assert (seen[1] > 0) == (options == "hidepid=1")
    assert any(line.startswith(f"could not read {HIDDEN}") for line in said)
    assert "which hides the processes of other users" in said[-1]


def test_a_proc_of_processes_alone_is_told(box: ns.Sandbox, learner: Learner) -> None:
    said = look(box, "subset=pid", learner)
    assert said[0] == str([(LEFT_OUT, 0)])
    assert f"could not read {LEFT_OUT}" in said


@pytest.mark.parametrize("options", ["hidepid=0", "hidepid=2"])
def test_whoever_may_look_at_all_hears_of_nothing_hidden(
    box: ns.Sandbox, options: str, learner: Learner
) -> None:
    said = look(box, options, learner)
    assert (said[0], said[-1]) == ("[]", "None")
