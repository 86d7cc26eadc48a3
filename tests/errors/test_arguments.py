"""Whatever is given for an argument of the public names: a result, or an error that names it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

import nsedu
from nsedu import NamespaceError, Sandbox
from nsedu.measurement.measure import Result
from nsedu.measurement.result import Measured

pytestmark = pytest.mark.needs("userns", "uts", "pid")

BAD: list[Any] = [
    None, -1, 0, 10**30, float("nan"), float("inf"), "", b"bytes", "x" * 5000, "a\nb", "a\0b",
    "%s%d", "\u202e\U0001f4a9", "\x1b[31mred\x1b]0;t\x07", "<script>alert(1)</script>", [], {},
    object(), True, "\udc80", "\ud800",
]  # fmt: skip

INTERNAL = (
    "object has no", "not iterable", "unhashable", "subscriptable", "NoneType", "codec can't",
    "cannot be interpreted", "not supported between", "embedded null", "unpack", "bad operand",
    "unsupported operand", "argument must be", "surrogates not allowed",
)  # fmt: skip

Use = Callable[[Any], Any]
PICTURE = nsedu.Picture("<svg/>", "text")
SNAPSHOT = nsedu.Snapshot({}, {}, "mine")
RESULT = Result(
    "create", "title", {}, (Measured("uts", "", None, "us", (1.0, 2.0), (0.5, 0.5)),), {}
)


def closed(make: Callable[[Any], Any]) -> Use:
    """To make something, and close it again should that work."""

    def use(value: Any) -> None:
        made = make(value)
        if hasattr(made, "close"):
            made.close()

    return use


def expected(number: Any = 1, reason: Any = "a rule") -> None:
    with nsedu.expect(number, reason):
        raise OSError(number, "refused")


# What can be given wrong, without a sandbox. A name with nothing takes no arguments.
USES: dict[str, dict[str, Use]] = {
    "TYPES": {},
    "ClaimFailed": {},
    "CommandFailed": {},
    "CommandTimedOut": {},
    "NamespaceError": {},
    "OutputTooLong": {},
    "Picture": {
        "svg": lambda v: nsedu.Picture(v, "text"),
        "text": lambda v: nsedu.Picture("<svg/>", v),
        "save": PICTURE.save,
    },
    "Report": {
        "rows": lambda v: repr(nsedu.Report(v, [], {})),
        "extras": lambda v: repr(nsedu.Report([], v, {})),
        "machine": lambda v: nsedu.Report([], [], v).to_json(),
    },
    "Sandbox": {
        "types": closed(lambda v: Sandbox(v)),
        "name": closed(lambda v: Sandbox("uts", name=v)),
        "hostname": closed(lambda v: Sandbox("uts", hostname=v)),
        "join": closed(lambda v: Sandbox("uts", join=v)),
        "join uts": closed(lambda v: Sandbox(join={"uts": v})),
        "join key": closed(lambda v: Sandbox(join={str(v): os.getpid()})),
        "user": closed(lambda v: Sandbox("uts", user=v)),
        "boottime": closed(lambda v: Sandbox("time", boottime=v)),
        "monotonic": closed(lambda v: Sandbox("time", monotonic=v)),
        "limits": closed(lambda v: Sandbox("uts", limits=v)),
        "limits pids": closed(lambda v: Sandbox("uts", limits={"pids": v})),
        "limits cpu": closed(lambda v: Sandbox("uts", limits={"cpu": v})),
        "timeout": closed(lambda v: Sandbox("uts", timeout=v)),
    },
    "Snapshot": {
        "processes": lambda v: nsedu.tree(nsedu.Snapshot(v, {}, "mine")),
        "namespaces": lambda v: nsedu.tree(nsedu.Snapshot({}, v, "mine")),
        "scope": lambda v: nsedu.tree(nsedu.Snapshot({}, {}, v)),
        "of_type": SNAPSHOT.of_type,
        "children": SNAPSHOT.children,
        "diff": SNAPSHOT.diff,
        "from_json": nsedu.Snapshot.from_json,
    },
    "cable": {
        "one": lambda v: nsedu.cable(v),
        "two": lambda v: nsedu.cable(v, v),
        "sandbox": lambda v: nsedu.cable((v, "eth0"), (v, "eth1")),
    },
    "catalogue": {},
    "cgroup_tree": {"who": lambda v: nsedu.cgroup_tree(v)},
    "answer": {"id": lambda v: nsedu.answer(v, 1)},
    "broken": {"id": lambda v: nsedu.broken(v)},
    "check": {"id": lambda v: nsedu.check(v)},
    "claim": {"text": lambda v: nsedu.claim(v, True)},
    "clocks": {"who": lambda v: nsedu.clocks(v)},
    "compare": {
        "one": lambda v: nsedu.compare(v, os.getpid()),
        "other": lambda v: nsedu.compare(os.getpid(), v),
    },
    "course": {"directory": lambda v: nsedu.course(v)},
    "diff": {
        "before": lambda v: nsedu.diff(v),
        "after": lambda v: nsedu.diff(SNAPSHOT, v),
    },
    "doctor": {},
    "exercise": {
        "id": lambda v: nsedu.exercise(v),
        "hints": lambda v: nsedu.exercise("uts-1", hints=v),
        "solution": lambda v: nsedu.exercise("uts-1", solution=v),
    },
    "expect": {"number": expected, "reason": lambda v: expected(1, v)},
    "explore": {
        "what": closed(lambda v: nsedu.explore(v)),
        "look": lambda v: look(lambda e: e.look(v)),
        "look_at": lambda v: look(lambda e: e.look_at(v)),
        "show": lambda v: look(lambda e: (e.show(v), str(e))),
    },
    "eyes": {
        "who": lambda v: nsedu.eyes(v, hostname=True),
        **{
            word: lambda v, word=word: nsedu.eyes(**{word: v})  # type: ignore[misc]
            for word in ("hostname", "pid", "uid", "owner", "mount", "clock", "port")
        },
    },
    "help": {},
    "hierarchy": {
        "type": lambda v: nsedu.hierarchy(v),
        "what": lambda v: nsedu.hierarchy("uts", v),
    },
    "idmap": {"who": lambda v: nsedu.idmap(v)},
    "ipc": {"who": lambda v: nsedu.ipc(v)},
    "matrix": {"what": lambda v: nsedu.matrix(v)},
    "measure": {
        "question": lambda v: nsedu.measure(v),
        "repeat": lambda v: None if v is None else nsedu.measure("create", repeat=v),
        "budget": lambda v: None if v is None else nsedu.measure("create", budget=v),
        "samples": RESULT.samples,
        "ratio": lambda v: RESULT.ratio("uts", v),
        "series": RESULT.series,
        "slope": RESULT.slope,
        "item": lambda v: RESULT[v],
        "from_json": Result.from_json,
        "load": Result.load,
    },
    "mounts": {
        "who": lambda v: nsedu.mounts(v),
        "below": lambda v: nsedu.mounts(below=v),
        "everything": lambda v: nsedu.mounts(everything=v, below="/proc"),
    },
    "needs": {"names": lambda v: nsedu.needs(v)},
    "ownership": {"what": lambda v: nsedu.ownership(v)},
    "pids": {"who": lambda v: nsedu.pids(v)},
    "predict": {
        "question": lambda v: nsedu.predict(v, ["yes", "no"]),
        "choices": lambda v: nsedu.predict("q?", v),
        "choice": lambda v: nsedu.predict("q?", [v, "no"]),
        "links": lambda v: nsedu.predict(links=v),
        "several": lambda v: nsedu.predict("q?", ["yes", "no"], several=v),
        "guess": lambda v: nsedu.predict("q?", ["yes", "no"], guess=v),
        "guess typed": lambda v: nsedu.predict("q?", guess=v),
        "guess of links": lambda v: nsedu.predict(links=True, guess=v),
        "told": lambda v: nsedu.predict("q?", ["yes", "no"], guess="no").grade(v),
        "told several": lambda v: nsedu.predict(
            "q?", ["a", "b"], several=True, guess=["a"]
        ).grade(v),
        "told typed": lambda v: nsedu.predict("q?", guess="5").grade(v),
        "told of links": lambda v: nsedu.predict(links=["uts"]).grade(v),
        "within": lambda v: nsedu.predict("q?", guess="5").grade(5, within=v),
        "told within": lambda v: nsedu.predict("q?", guess="5").grade(v, within=2),
    },
    "progress": {"directory": lambda v: repr(nsedu.progress(v))},
    "quiz": {
        "name": lambda v: nsedu.quiz(v),
        "answers": lambda v: nsedu.quiz("uts", answers=v),
    },
    "reset_progress": {},
    "shutdown": {},
    "snapshot": {
        "scope": lambda v: nsedu.snapshot(v),
        "deep": lambda v: nsedu.snapshot(os.getpid(), deep=v),
    },
    "terminal": {},
    "topology": {"who": lambda v: nsedu.topology(v)},
    "tree": {"what": lambda v: nsedu.tree(v)},
    "why_alive": {
        "what": lambda v: nsedu.why_alive(v),
        "what of type": lambda v: nsedu.why_alive(v, "uts"),
        "type": lambda v: None if v is None else nsedu.why_alive(os.getpid(), v),
        "before": lambda v: nsedu.why_alive(os.getpid(), "uts", before=v),
        "scope": lambda v: nsedu.why_alive(os.getpid(), "uts", scope=v),
    },
}  # fmt: skip

# Beside TypeError, ValueError and NamespaceError, what the docstrings name.
DOCUMENTED: dict[str, type[Exception]] = {
    "course": FileNotFoundError,
    "Picture save": OSError,
    "eyes owner": OSError,
    "measure samples": KeyError,
    "measure ratio": KeyError,
    "measure item": KeyError,
    "measure load": OSError,
    **dict.fromkeys(
        ("explore what", "explore look_at", "hierarchy what", "matrix what", "ownership what",
         "pids who", "snapshot scope", "tree what", "why_alive scope"),
        ProcessLookupError,
    ),
}  # fmt: skip


def look(use: Callable[[nsedu.explore.Explorer], object]) -> None:  # type: ignore[name-defined]
    with closing(nsedu.explore(os.getpid())) as explorer:
        use(explorer)


def wrong(use: Use, value: Any, documented: type[Exception]) -> str:
    """What is wrong with how a use ends; "" if nothing is."""
    try:
        use(value)
    except (TypeError, ValueError, NamespaceError, documented) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error!s:.200} @ {last.filename}:{last.lineno}"
        ours = f"{os.sep}nsedu{os.sep}" in last.filename
        if not ours and not isinstance(error, documented):
            return f"not ours: {said}"
        inner = [word for word in INTERNAL if word in str(error)]
        return f"speaks of {inner}: {said}" if inner else ""
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error!s:.200} @ {last.filename}:{last.lineno}"
    return ""


def findings(name: str, uses: dict[str, Use]) -> list[str]:
    found = []
    for label, use in uses.items():
        documented = DOCUMENTED.get(f"{name} {label}", DOCUMENTED.get(name, NamespaceError))
        for value in BAD:
            if said := wrong(use, value, documented):
                found.append(f"{name}({label}: {value!r:.40}) -> {said}")
    return found


def test_every_public_name_is_tried() -> None:
    assert sorted(USES) == sorted(nsedu.__all__)


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("capsys")
@pytest.mark.parametrize("name", [name for name, uses in USES.items() if uses])
def test_a_wrong_argument_ends_in_an_error_that_names_it(name: str) -> None:
    found = findings(name, USES[name])
    assert not found, "\n".join(found)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox("uts", "pid", timeout=10) as sandbox:
        yield sandbox


METHODS: dict[str, Callable[[Sandbox, Any], Any]] = {
    "run": lambda box, v: box.run(v, check=False),
    "run list": lambda box, v: box.run([v], check=False),
    "run word": lambda box, v: box.run(["echo", v], check=False),
    "run input": lambda box, v: box.run("cat", input=v),
    "run output_limit": lambda box, v: box.run("true", output_limit=v),
    "run timeout": lambda box, v: box.run("true", timeout=v),
    "popen": lambda box, v: box.popen(v).close(),
    "popen list": lambda box, v: box.popen([v]).close(),
    "call": lambda box, v: box.call(v),
    "call argument": lambda box, v: box.call(bool, v),
    "sandbox": lambda box, v: box.sandbox(v).close(),
    "sandbox timeout": lambda box, v: box.sandbox("uts", timeout=v).close(),
}
PROCESS_METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "send_signal": lambda command, v: command.send_signal(v),
    "wait": lambda command, v: (command.stdin.close(), v == 0 or command.wait(v)),
    "communicate": lambda command, v: command.communicate(v),
    "communicate timeout": lambda command, v: command.communicate(timeout=v),
    "communicate output_limit": lambda command, v: command.communicate(output_limit=v),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_argument_of_a_sandboxs_method_leaves_it_alive(box: Sandbox, method: str) -> None:
    with box.popen(["sleep", "1000"]) as other:
        found = findings(f"box.{method}", {"": lambda v: METHODS[method](box, v)})
        assert box.run(["echo", "fine"]).stdout == "fine\n" and other.poll() is None
    assert not found, "\n".join(found)


@pytest.mark.parametrize("method", PROCESS_METHODS)
def test_a_wrong_argument_of_a_commands_method_ends_in_an_error(box: Sandbox, method: str) -> None:
    def use(value: Any) -> None:
        with box.popen(["cat"]) as command:
            PROCESS_METHODS[method](command, value)

    found = findings(f"command.{method}", {"": use})
    assert not found, "\n".join(found)
