"""What unshare(2) takes, for each namespace type and for all of them at once.

Each sample is taken in a fresh child of a small single-threaded process, for that is how namespaces
are made in earnest.  The child first makes the same call with nothing to do: after a fork, the
first use of anything costs page faults, which would count as the namespace's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from nsedu import build, explain, facts, nstypes, syscalls
from nsedu.client import ROOT
from nsedu.measure.statistics import Result, machine, summarise

_START = (
    "import sys; sys.path.insert(0, {root!r}); from nsedu.measure.create import main; main({n})"
)


def create(repeat: int) -> Result:
    """Time unshare(2) by type, "none" (no flag) and "all" (all eight flags), in µs.

    As root directly; as an ordinary user inside a user namespace of the child's own.

    Raises:
        NamespaceError: the kernel refused a namespace.
    """
    code = _START.format(root=ROOT, n=repeat)
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer = json.loads(done.stdout)
    if "failed" in answer:
        raise explain.error(answer)
    return Result(machine(), summarise(answer))


def main(repeat: int) -> None:
    """In the small process: take the samples, and print them as JSON."""
    operations = {"none": 0, **{kind.name: int(kind.flag) for kind in nstypes.CATALOGUE}}
    operations["all"] = nstypes.flags(nstypes.NAMES)
    samples: dict[str, list[float]] = {name: [] for name in operations}
    for _ in range(repeat):
        for name, flags in operations.items():
            answer = _sample(name, flags)
            if isinstance(answer, dict):
                print(json.dumps(answer))
                return
            samples[name].append(answer)
    print(json.dumps(samples))


def _sample(name: str, flags: int) -> float | dict[str, object]:
    """One sample in µs, or the refusal."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() != 0:  # mapped, too, for who has no id may not make a user namespace
                plan = {"range": False, "uid": os.geteuid(), "gid": os.getegid()}
                syscalls.unshare(nstypes.get("user").flag)
                build.write_maps(os.getpid(), plan)
            for _ in range(3):
                syscalls.unshare(0)
                time.perf_counter_ns()
            start = time.perf_counter_ns()
            syscalls.unshare(flags)
            answer: object = (time.perf_counter_ns() - start) / 1000
        except build.StepFailed as refused:
            answer = facts.failure(refused.step, refused.errno, refused.call)
        except OSError as error:
            step = f"unshare {name if name in nstypes.BY_NAME else 'user'}"
            answer = facts.failure(step, error.errno or 0, str(error.filename))
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with open(read) as file:
        text = file.read()
    os.waitpid(pid, 0)
    result: float | dict[str, object] = json.loads(text)
    return result
