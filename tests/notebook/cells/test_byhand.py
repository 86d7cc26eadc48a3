"""A cell makes namespaces by hand, in a process with one thread."""

from __future__ import annotations

import threading

import pytest

from nsedu.kernel import namespace_types
from nsedu.notebook.cells import byhand
from nsedu.notebook.cells.python_cell import CellFailed
from nsedu.sandbox.process import CommandTimedOut
from ordinary_user import Learner

# As the chapter on UTS namespaces shows it.
PHOBOS = """
pid = os.fork()
if pid == 0:                                   # the child: single-threaded, so it may
    unshare(CLONE_NEWUSER | CLONE_NEWUTS)      # unshare(2)
    write("/proc/self/setgroups", "deny")      # user_namespaces(7)
    write("/proc/self/uid_map", f"0 {uid} 1")
    sethostname(b"phobos")
    os.execvp("uname", ["uname", "-n"])
"""


@pytest.mark.needs("userns", "uts")
def test_a_cell_makes_a_namespace_though_the_notebook_has_threads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        byhand.run(PHOBOS)
    finally:
        done.set()
        thread.join()
    assert capsys.readouterr() == ("phobos\n", "")


@pytest.mark.needs("userns", "uts")
def test_an_ordinary_user_makes_a_namespace(learner: Learner) -> None:
    done = learner.run_python(f"from nsedu.notebook.cells import byhand; byhand.run({PHOBOS!r})")
    assert (done.stdout, done.stderr) == ("phobos\n", "")


def test_the_names_that_the_magic_promises_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    flags = [kind.clone_flag for kind in namespace_types.CATALOGUE]
    calls = ["unshare", "setns", "clone3", "mount", "umount2", "pivot_root", "sethostname"]
    others = ["os", "socket", "errno", "write", "claim", "expect", "uid", "gid"]
    byhand.run(f"print(len([{', '.join([*flags, *calls, *others])}]))")
    assert capsys.readouterr().out == f"{len(flags + calls + others)}\n"


def test_a_refusal_can_be_awaited(capsys: pytest.CaptureFixture[str]) -> None:
    byhand.run('with expect(errno.EPERM, "sethostname(2)"):\n    sethostname(b"phobos")')
    assert capsys.readouterr().out == "✔ refused with EPERM: sethostname(2)\n"


def test_a_claim_that_fails_says_what_was_seen() -> None:
    with pytest.raises(CellFailed) as caught:
        byhand.run("x = 1\nclaim('x is two', x == 2)")
    assert caught.value._render_traceback_() == [
        "line 2: claim('x is two', x == 2)",
        "ClaimFailed: ✘ x is two\n  seen: x == 2 is false, where x = 1",
    ]


def test_an_exception_shows_the_users_line_only() -> None:
    with pytest.raises(CellFailed) as caught:
        byhand.run('sethostname(b"phobos")')
    assert caught.value._render_traceback_() == [
        'line 1: sethostname(b"phobos")',
        """PermissionError: [Errno 1] Operation not permitted: "sethostname(b'phobos')\"""",
    ]


def test_an_exception_in_a_forked_child_is_raised_too() -> None:
    with pytest.raises(CellFailed, match="ZeroDivisionError: division by zero"):
        byhand.run("if os.fork() == 0:\n    1 / 0")


def test_a_write_that_is_refused_names_the_file_and_the_text() -> None:
    with pytest.raises(CellFailed, match=r'write\("/proc/self/nothing", "deny"\)'):
        byhand.run('write("/proc/self/nothing", "deny")')


def test_a_refused_unshare_says_why_and_what_to_do() -> None:
    with pytest.raises(CellFailed) as caught:
        byhand.run("unshare(CLONE_NEWUTS)")
    assert "add CLONE_NEWUSER" in caught.value._render_traceback_()[-1]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import sys\nsys.exit(3)", "ended with exit status 3"),
        ("os._exit(4)", "ended with exit status 4"),
        ("os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
        ("os.execvp('false', ['false'])", "ended with exit status 1"),
        ("a b", "SyntaxError: invalid syntax"),
    ],
)
def test_a_bad_end_is_raised(source: str, words: str) -> None:
    with pytest.raises(CellFailed, match=words):
        byhand.run(source)


def test_an_exit_with_zero_is_no_failure() -> None:
    byhand.run("import sys\nsys.exit()")


def test_output_before_a_fork_and_before_an_exec_comes_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    byhand.run(
        "print('one')\nif os.fork() == 0:\n    print('two', end=' ')\n"
        "    os.execvp('echo', ['echo', 'three'])"
    )
    assert capsys.readouterr().out == "one\ntwo three\n"


def test_a_cell_can_import_what_the_notebook_can(capsys: pytest.CaptureFixture[str]) -> None:
    byhand.run(
        "import xml.dom.minidom, cloudpickle\nfrom nsedu import Sandbox\n"
        "print(xml.dom.minidom.__name__, cloudpickle.__name__, Sandbox.__name__)"
    )
    assert capsys.readouterr().out == "xml.dom.minidom cloudpickle Sandbox\n"


def test_a_cell_that_runs_too_long_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandTimedOut):
        byhand.run("print('before')\nimport time\ntime.sleep(1000)", timeout=0.5)
    assert capsys.readouterr().out == "before\n"


def test_nothing_is_kept_from_one_cell_to_the_next() -> None:
    byhand.run("x = 1")
    with pytest.raises(CellFailed, match="NameError: name 'x' is not defined"):
        byhand.run("x")
