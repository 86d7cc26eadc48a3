"""The host after the whole course is what it was before, whatever others do on it meanwhile."""

from __future__ import annotations

import copy
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nbformat import NotebookNode

import refresh_notebooks as refresher
from nsedu.requirements import missing
from own_host import left_by

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.host, pytest.mark.needs("userns", "mnt", "uts", "ipc", "net")]


def every_cell_twice(nb: NotebookNode) -> NotebookNode:
    """The notebook as a learner runs it who runs a cell, looks, and runs it again.

    Not what measures: that takes its time, and is done by a process that ends with the cell.
    """
    nb = refresher.normalise(nb)
    cells = []
    for cell in nb.cells:
        cells.append(cell)
        if "ns.measure(" not in cell.source:
            cells.append(copy.deepcopy(cell))
            cells[-1].id += "-again"
    nb.cells = cells
    return nb


def run_the_course() -> None:
    """Every notebook in any order, side by side, as many at once as there are cores."""
    found = {path: refresher.read(path) for path in (ROOT / "notebooks").glob("*.ipynb")}
    absent = missing({need for nb in found.values() for need in needs(nb)})
    paths = [path for path, nb in found.items() if not absent.keys() & needs(nb)]
    random.shuffle(paths)
    with ThreadPoolExecutor(os.cpu_count()) as several:
        runs = {
            path.stem: several.submit(refresher.execute, every_cell_twice(found[path]), path.parent)
            for path in paths
        }
    failed = {name: str(run.exception()) for name, run in runs.items() if run.exception()}
    if failed:
        sys.exit("\n".join(f"{name}: {said}" for name, said in failed.items()))


def needs(nb: NotebookNode) -> set[str]:
    return set(nb.metadata.get("nsedu", {}).get("needs", []))


@pytest.mark.timeout(600)
def test_the_course_in_any_order_each_cell_twice_leaves_nothing_behind() -> None:
    code = "import test_host, nsedu; test_host.run_the_course(); nsedu.shutdown()"
    assert left_by(code, settle=10, timeout=580) == {}


@pytest.mark.parametrize("aspect", ["/tmp", "/dev/shm"])
def test_a_file_left_behind_would_be_seen(aspect: str) -> None:
    assert left_by(f"open('{aspect}/left-behind', 'w').close()").keys() == {aspect}


@pytest.mark.parametrize(
    ("aspect", "code"),
    [
        ("host name", "import socket; socket.sethostname('phobos')"),
        ("mounts", "from nsedu.kernel.syscalls import mount; mount('tmpfs', '/mnt', 'tmpfs')"),
        ("users", "open('/etc/passwd', 'a').write('x:x:1:1::/:/bin/sh')"),
    ],
)
def test_what_only_root_could_leave_behind_would_be_seen(aspect: str, code: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user cannot change it.")
    assert aspect in left_by(code)


def test_a_process_left_behind_would_be_seen() -> None:
    code = (
        "import os; r, w = os.pipe()\n"  # which only those have open who are no sleep yet
        "if os.fork(): os.close(w); os.read(r, 1)\n"
        "else: (os.fork() and os._exit(0)) or os.execlp('sleep', 'sleep', '60')"
    )
    assert left_by(code) == {"processes": [[], ["sleep"]]}


@pytest.mark.needs("cgroup-write")
def test_a_control_group_left_behind_would_be_seen() -> None:
    code = "import builtins, nsedu; builtins.kept = nsedu.Sandbox('user', limits={'pids': 20})"
    assert left_by(code).keys() == {
        "control groups", "processes",
    }  # fmt: skip


def test_what_a_neighbour_does_meanwhile_is_not_ours(tmp_path: Path) -> None:
    """Another program writes to /tmp, and starts processes that are called as ours are."""
    neighbour = (
        "import os, tempfile, time\n"
        "while True:\n"
        "    with tempfile.NamedTemporaryFile(dir='/tmp'): time.sleep(0.01)\n"
    )
    with subprocess.Popen([sys.executable, "-c", neighbour]) as other:
        try:
            assert left_by("import time; time.sleep(0.5)") == {}
        finally:
            other.kill()
