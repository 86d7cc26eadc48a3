"""Where namespaces are forbidden, every public call ends in one error that names the rule.

Each rule is made for a program in a process of its own, which tries everything and tells what came
of it; the rules last as long as that process.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import seccomp_filter
from nsedu import TYPES, NamespaceError, Sandbox
from ordinary_user import Learner

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
Outcome = dict[str, Any]

# Tries each call and prints how it ended, as JSON.
TRY = """
import json, os, sys
import nsedu
from nsedu import NamespaceError, Sandbox, TYPES
from nsedu.requirements import missing

def outcome(function):
    try:
        value = function()
    except NamespaceError as refused:
        return {"error": "NamespaceError", "step": refused.step, "errno": refused.errno,
                "cause": refused.cause, "remedy": refused.remedy, "text": str(refused)}
    except BaseException as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"error": None, "value": value}

def made(*types, **options):
    with Sandbox(*types, timeout=20, **options) as box:
        box.run("true")

calls = {f"Sandbox {kind}": lambda kind=kind: made(kind) for kind in TYPES}
calls["Sandbox all eight"] = lambda: made(*TYPES)
calls["Sandbox with a range"] = lambda: made("user", user="range")
calls["Sandbox with limits"] = lambda: made("uts", limits={"pids": 20})
calls["Sandbox with a host name"] = lambda: made("uts", hostname="mars")
calls["Sandbox with clocks"] = lambda: made("time", boottime=5)
if os.geteuid() == 0:
    calls["Sandbox without user"] = lambda: made("uts", user=False)
"""
TELL = """
print(json.dumps({name: outcome(call) for name, call in calls.items()}))
"""
SANDBOXES = (
    *(f"Sandbox {kind}" for kind in TYPES), "Sandbox all eight", "Sandbox with a range",
    "Sandbox with limits", "Sandbox with a host name", "Sandbox with clocks",
)  # fmt: skip


def run(command: list[str]) -> dict[str, Outcome]:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


# A seccomp filter, as in a Docker container

needs_filter = pytest.mark.skipif(
    not seccomp_filter.KNOWN, reason="the filter is written for x86_64 and aarch64."
)


def filtered(code: str, *arguments: object, **rule: object) -> dict[str, Outcome]:
    words = ", ".join(f"{name}={value!r}" for name, value in rule.items())
    program = f"import seccomp_filter\nseccomp_filter.forbid({words})\n{TRY}{code}{TELL}"
    return run([sys.executable, "-c", program, *map(str, arguments)])


@pytest.fixture(scope="module")
def other() -> Iterator[Sandbox]:
    """A sandbox made before the filter, to be joined from under it."""
    with Sandbox("net", "ipc") as box:
        yield box


@pytest.fixture(scope="module")
def under_the_filter(other: Sandbox) -> dict[str, Outcome]:
    return filtered(
        """
calls["join and make"] = lambda: made("uts", join=int(sys.argv[1]))
calls["join alone"] = lambda: made(join=int(sys.argv[1]))
calls["doctor"] = lambda: json.loads(nsedu.doctor().to_json())
calls["snapshot"] = lambda: len(nsedu.snapshot("mine").processes)
calls["deep snapshot"] = lambda: len(nsedu.snapshot("mine", deep=True).processes)
calls["missing"] = lambda: missing(["userns", "proc", "nested"])
calls["tree"] = lambda: str(nsedu.tree())
""",
        other.pid,
    )


def names_seccomp(outcome: Outcome) -> bool:
    return (
        outcome["error"] == "NamespaceError"
        and outcome["errno"] in (errno.EPERM, errno.ENOSYS)
        and "seccomp filter" in outcome["cause"]
        and "Seccomp: 2 in /proc/self/status" in outcome["cause"]
        and "--security-opt seccomp=unconfined" in outcome["remedy"]
        and outcome["text"].count("What to do") == 1
    )


@needs_filter
@pytest.mark.needs("userns")
@pytest.mark.parametrize("call", [*SANDBOXES, "join and make"])
def test_a_sandbox_is_refused_by_an_error_that_names_seccomp(
    under_the_filter: dict[str, Outcome], call: str
) -> None:
    assert names_seccomp(under_the_filter[call]), under_the_filter[call]


@needs_filter
@pytest.mark.needs("userns")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do without a user namespace.")
def test_root_is_refused_as_well(under_the_filter: dict[str, Outcome]) -> None:
    assert names_seccomp(under_the_filter["Sandbox without user"])


@needs_filter
@pytest.mark.needs("userns")
@pytest.mark.parametrize("kind", TYPES)
def test_the_step_is_that_of_the_first_type_refused(
    under_the_filter: dict[str, Outcome], kind: str
) -> None:
    assert under_the_filter[f"Sandbox {kind}"]["step"] == "unshare user"


@needs_filter
@pytest.mark.needs("userns")
def test_what_exists_can_still_be_joined(under_the_filter: dict[str, Outcome]) -> None:
    assert under_the_filter["join alone"] == {"error": None, "value": None}


@needs_filter
@pytest.mark.needs("userns")
def test_the_doctor_has_a_row_for_each_type_that_names_seccomp(
    under_the_filter: dict[str, Outcome],
) -> None:
    report = under_the_filter["doctor"]["value"]
    assert [row["type"] for row in report["types"]] == list(TYPES)
    for row in report["types"]:
        assert not row["can"]
        assert "seccomp filter" in row["note"] and "seccomp=unconfined" in row["remedy"]


@needs_filter
@pytest.mark.needs("userns")
def test_a_need_that_is_missing_says_why(under_the_filter: dict[str, Outcome]) -> None:
    absent = under_the_filter["missing"]["value"]
    assert set(absent) == {"userns", "proc", "nested"}
    assert all("seccomp filter" in reason for reason in absent.values())


@needs_filter
@pytest.mark.needs("userns")
@pytest.mark.parametrize("call", ["snapshot", "deep snapshot", "tree"])
def test_looking_is_not_forbidden(under_the_filter: dict[str, Outcome], call: str) -> None:
    assert under_the_filter[call]["error"] is None and under_the_filter[call]["value"]


@needs_filter
@pytest.mark.needs("userns", *TYPES)
@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "user"])
def test_a_nested_sandbox_is_refused_by_an_error_that_names_seccomp(kind: str) -> None:
    flag = next(k.flag for k in seccomp_filter.CATALOGUE if k.name == kind)
    said = filtered(
        f"""
outer = Sandbox("user")
calls = {{"nested": lambda: outer.sandbox("{kind}", user=False).close(),
          "after": lambda: outer.run("echo fine").stdout}}
""",
        flags=int(flag),
    )
    assert names_seccomp(said["nested"]), said
    assert said["nested"]["step"] == f"unshare {kind}"
    assert said["after"]["value"] == "fine\n"


@needs_filter
@pytest.mark.needs("userns", *TYPES)
@pytest.mark.parametrize(
    ("call", "step", "sandbox"),
    [
        ("mount", "mount private", 'made("mnt")'),
        ("sethostname", "sethostname", 'made("uts", hostname="mars")'),
        ("setns", "setns user", "made(join=int(sys.argv[1]))"),
        ("setns", "setns time", 'made("time")'),
    ],
)
def test_a_later_step_is_refused_by_an_error_that_names_seccomp(
    other: Sandbox, call: str, step: str, sandbox: str
) -> None:
    code = f'calls = {{"it": lambda: {sandbox}}}'
    said = filtered(code, other.pid, flags=0, calls=[call])["it"]
    assert names_seccomp(said), said
    assert said["step"] == step


@needs_filter
@pytest.mark.parametrize(
    ("words", "status"),
    [(["doctor"], 1), (["doctor", "--json"], 1), (["tree"], 0), (["ls"], 0), (["exercises"], 0)],
)
def test_the_command_line_ends_without_a_traceback(words: list[str], status: int) -> None:
    code = f"import seccomp_filter; seccomp_filter.forbid(); sys.exit(main({words!r}))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; from nsedu.cli import main; {code}"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == status and "Traceback" not in done.stderr
    assert done.stdout


# A limit of zero


@pytest.fixture(scope="module")
def under_the_limit(learner: Learner) -> dict[str, Outcome]:
    """A user namespace of an ordinary user's in which no more of them can be made."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed: apt install util-linux.")
    shell = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    code = f'{TRY}calls["doctor"] = lambda: json.loads(nsedu.doctor().to_json()){TELL}'
    done = learner.run(["unshare", "-Ur", "sh", "-c", shell, "sh", learner.python, "-c", code])
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


@pytest.mark.needs("userns")
@pytest.mark.parametrize("call", SANDBOXES)
def test_a_sandbox_is_refused_by_an_error_that_names_the_sysctl(
    under_the_limit: dict[str, Outcome], call: str
) -> None:
    outcome = under_the_limit[call]
    assert (outcome["error"], outcome["errno"]) == ("NamespaceError", errno.ENOSPC), outcome
    assert outcome["step"] == "unshare user"
    assert "the sysctl user.max_user_namespaces allows 0" in outcome["cause"]
    assert "sysctl user.max_user_namespaces=" in outcome["remedy"]


@pytest.mark.needs("userns")
def test_the_doctor_names_the_sysctl(under_the_limit: dict[str, Outcome]) -> None:
    for row in under_the_limit["doctor"]["value"]["types"]:
        assert not row["can"] and "user.max_user_namespaces" in row["note"] + row["remedy"]


@pytest.mark.needs("userns", *TYPES)
@pytest.mark.parametrize("kind", TYPES)
def test_a_limit_on_one_type_is_named(kind: str) -> None:
    def set_limit() -> None:
        with open(f"/proc/sys/user/max_{kind}_namespaces", "w") as file:
            file.write("0")

    with Sandbox("user") as box:
        box.call(set_limit)
        with pytest.raises(NamespaceError) as caught:
            box.sandbox(kind, user=False)
    assert (caught.value.step, caught.value.errno) == (f"unshare {kind}", errno.ENOSPC)
    assert f"user.max_{kind}_namespaces" in caught.value.cause
    assert f"sysctl user.max_{kind}_namespaces=" in caught.value.remedy


# Other rules, live


@pytest.mark.needs("userns", "pid")
@pytest.mark.parametrize("kind", ["user", "pid"])
def test_nesting_ends_at_the_depth_limit_with_an_error_that_names_it(kind: str) -> None:
    with Sandbox(kind) as outermost:
        box = outermost
        boxes = []
        with pytest.raises(NamespaceError) as caught:
            for _ in range(40):
                box = box.sandbox(kind)
                boxes.append(box)
        assert 25 < len(boxes) < 35
        assert box.run(["echo", "fine"]).stdout == "fine\n"
    assert caught.value.errno == errno.ENOSPC
    assert "nest at most 32 deep" in caught.value.cause
    assert "further out" in caught.value.remedy


@pytest.mark.needs("userns", "mnt", "pid")
def test_a_masked_proc_is_named_with_what_covers_it() -> None:
    with Sandbox("mnt") as outer:
        outer.run(["mount", "--bind", "/dev/null", "/proc/version"])
        with pytest.raises(NamespaceError) as caught:
            outer.sandbox("mnt", "pid")
        assert outer.sandbox("pid").run(["echo", "fine"]).stdout == "fine\n"
    assert (caught.value.step, caught.value.errno) == ("mount proc", errno.EPERM)
    assert "mounted over: /proc/version" in caught.value.cause
    assert "systempaths=unconfined" in caught.value.remedy
    assert "make the sandbox with pid but not mnt" in caught.value.remedy


MASK = """
for file in kcore keys latency_stats timer_list; do
    [ ! -e /proc/$file ] || mount --bind /dev/null /proc/$file
done
for directory in acpi scsi; do
    [ ! -e /proc/$directory ] || mount -t tmpfs none /proc/$directory
done
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
"""


@needs_filter
@pytest.mark.needs("userns", "mnt", "pid")
def test_in_a_podman_container_masked_paths_are_named_and_not_the_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    code = f"""
import seccomp_filter
seccomp_filter.forbid(flags=0)
{TRY}
calls = {{"it": lambda: made("mnt", "pid"), "without": lambda: made("pid"),
         "doctor": lambda: json.loads(nsedu.doctor().to_json())}}
{TELL}"""
    with Sandbox("mnt") as outer:
        outer.run(MASK)
        said = json.loads(outer.run([sys.executable, "-c", code], timeout=60).stdout)
    assert said["it"]["step"] == "mount proc"
    assert said["it"]["cause"].startswith("parts of /proc are covered here")
    assert "--security-opt unmask=ALL" in said["it"]["remedy"]
    assert said["without"]["error"] is None
    report = said["doctor"]["value"]
    assert report["machine"]["seccomp"] == 2
    assert all(row["can"] for row in report["types"])
    (proc,) = (row for row in report["extras"] if row["type"] == "proc")
    assert "parts of /proc are covered here" in proc["note"] and "seccomp" not in proc["note"]


CHAPTER = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"
UNDER_DOCKER = """
import sys
import seccomp_filter
from pathlib import Path
import nbformat
import refresh_notebooks

seccomp_filter.forbid(calls=["mount", "setns"])  # what its default profile refuses
notebook = refresh_notebooks.normalise(nbformat.read(sys.argv[1], as_version=4))
refresh_notebooks._run(notebook, Path(sys.argv[1]).parent)
print(nbformat.writes(notebook))
"""


@needs_filter
@pytest.mark.needs("userns")
def test_chapter_0_in_a_docker_container_explains_once_and_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNDER_DOCKER, str(CHAPTER)],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = [cell for cell in json.loads(done.stdout)["cells"] if cell["cell_type"] == "code"]
    outputs = {cell["id"]: cell["outputs"] for cell in cells}
    del outputs["doctor"]  # whose table says it in every row
    assert "NameError" not in json.dumps(outputs)
    assert not [one for some in outputs.values() for one in some if one["output_type"] == "error"]
    explained = [id for id, some in outputs.items() if "seccomp filter" in json.dumps(some)]
    assert explained == ["first"]
    assert "seccomp=unconfined" in json.dumps(outputs["first"])
    skipped = [id for id, some in outputs.items() if "needs userns, too" in json.dumps(some)]
    assert "first-claim" in skipped and "close" in skipped


IN_CELLS = """
from IPython.core.interactiveshell import InteractiveShell
import seccomp_filter
seccomp_filter.forbid(calls=["mount", "setns"])
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "nsedu")
assert shell.run_cell(CELL).success
"""


@needs_filter
@pytest.mark.needs("userns")
@pytest.mark.parametrize(
    "cell",
    [
        "%%byhand\nunshare(CLONE_NEWUSER | CLONE_NEWUTS)",
        "%%byhand\nclone3(CLONE_NEWUSER)",
        "%%byhand\nif os.fork() == 0:\n    unshare(CLONE_NEWUSER)\nos.wait()",
        pytest.param("%%trace\nunshare -Ur true", marks=pytest.mark.needs("strace", "unshare")),
        pytest.param("%%trace\nunshare -Um true", marks=pytest.mark.needs("strace", "unshare")),
    ],
)
def test_a_cell_by_hand_and_a_traced_one_name_seccomp(cell: str) -> None:
    code = IN_CELLS.replace("CELL", repr(cell))
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "runs under a seccomp filter" in done.stdout
    assert done.stdout.count("seccomp=unconfined") == 1


@pytest.mark.needs("userns", "mnt", "pid")
def test_a_notebook_in_a_chroot_is_told_so(
    open_path: Path, monkeypatch: pytest.MonkeyPatch, learner: Learner
) -> None:
    monkeypatch.setenv("PYTHONPATH", learner.environment["PYTHONPATH"])
    code = f'{TRY}calls = {{"it": lambda: made("uts")}}{TELL}'
    with Sandbox("mnt") as outer:
        outer.run(["mount", "--rbind", "/", str(open_path)])
        chroot = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin")
        assert chroot is not None
        done = outer.run([chroot, str(open_path), learner.python, "-c", code])
        said = json.loads(done.stdout)["it"]
    assert (said["error"], said["step"], said["errno"]) == (
        "NamespaceError", "unshare user", errno.EPERM,
    ), said  # fmt: skip
    assert "inside a chroot" in said["cause"] and "leave the chroot" in said["remedy"]


@pytest.mark.needs("userns")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends ids.")
def test_root_that_has_no_id_to_lend_makes_no_sandbox_that_would_be_roots() -> None:
    code = f"""{TRY}calls = {{"it": lambda: made("uts"), "byhand": lambda: byhand.run("1"),
        "root's own": lambda: made("uts", user=False)}}{TELL}"""
    said = run(
        [
            "unshare",
            "-Ur",
            sys.executable,
            "-c",
            f"from nsedu.notebook.cells import byhand\n{code}",
        ]
    )
    for name in ("it", "byhand"):
        assert (said[name]["error"], said[name]["step"]) == ("NamespaceError", "lend"), said
        assert "user=False" in said[name]["remedy"]
    assert said["root's own"]["error"] is None, said


@pytest.mark.needs("userns")
def test_an_ordinary_user_without_a_grant_of_ids_is_told_how_to_get_one(learner: Learner) -> None:
    said = learner.run_python("""
from nsedu import NamespaceError, Sandbox
from nsedu.kernel.id_maps import wide_map
if len(wide_map("uid", 0)) > 1:
    print("granted")
else:
    try:
        Sandbox("user", user="range")
    except NamespaceError as refused:
        print(refused)
""")
    if said.stdout == "granted\n":
        pytest.skip("this user has a grant in /etc/subuid.")
    assert said.stderr == ""
    assert said.stdout.startswith("could not map a range of user ids (/etc/subuid: ENOENT).\n")
    assert "usermod --add-subuids" in said.stdout and "user=True maps one id" in said.stdout


@pytest.mark.needs("range")
@pytest.mark.skipif(os.geteuid() == 0, reason="root needs no newuidmap.")
def test_a_user_whose_setuid_programs_gain_nothing_is_told_so() -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed: apt install util-linux.")
    code = f'{TRY}calls = {{"it": lambda: made("user", user="range")}}{TELL}'
    said = run(["setpriv", "--no-new-privs", sys.executable, "-c", code])["it"]
    assert (said["error"], said["step"]) == ("NamespaceError", "newuidmap"), said
    assert "NoNewPrivs is set" in said["cause"] and "user=True" in said["remedy"]
