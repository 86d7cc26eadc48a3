"""Running commands and Python functions in a sandbox."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nsedu
from awaiting import ended, eventually
from nsedu import CommandFailed, CommandTimedOut, NamespaceError, Sandbox
from nsedu.agent.raised import RaisedInside
from nsedu.sandbox import agent_client

pytestmark = pytest.mark.needs("userns", "uts", "pid")


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox("uts", name="web", hostname="mars") as sandbox:
        yield sandbox


def family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
    return found[1:]


# Commands


def test_a_string_is_run_by_bash(box: Sandbox) -> None:
    done = box.run("echo $((6 * 7)); echo oh >&2")
    assert (done.stdout, done.stderr, done.returncode) == ("42\n", "oh\n", 0)
    assert done.args == "echo $((6 * 7)); echo oh >&2"


@pytest.mark.parametrize("script", ["false; echo on", "false | true; echo on", "echo $UNSET; true"])
def test_what_fails_in_the_middle_of_a_string_ends_it(box: Sandbox, script: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        box.run(script)
    assert caught.value.stdout == ""
    assert box.popen(script).communicate()[0] == ""


def test_a_string_may_allow_a_part_of_it_to_fail(box: Sandbox) -> None:
    assert box.run("false || true; set +e; false; echo on").stdout == "on\n"


def test_a_list_is_executed_as_it_is(box: Sandbox) -> None:
    assert box.run(["echo", "$HOME", "a  b"]).stdout == "$HOME a  b\n"


def test_a_path_may_stand_in_the_list(box: Sandbox, open_path: Path) -> None:
    (open_path / "file").write_text("here")
    assert box.run(["cat", open_path / "file"]).stdout == "here"  # type: ignore[list-item]


def test_a_status_other_than_zero_raises_with_what_was_said(box: Sandbox) -> None:
    with pytest.raises(CommandFailed, match="no such luck") as caught:
        box.run("echo some; echo no such luck >&2; exit 3")
    assert isinstance(caught.value, subprocess.CalledProcessError)
    assert (caught.value.returncode, caught.value.stdout) == (3, "some\n")


def test_a_death_by_signal_raises_with_its_name(box: Sandbox) -> None:
    with pytest.raises(CommandFailed, match="SIGSEGV") as caught:
        box.run("kill -SEGV $$")
    assert caught.value.returncode == -signal.SIGSEGV


def test_without_check_the_status_is_in_the_result(box: Sandbox) -> None:
    assert box.run("exit 3", check=False).returncode == 3
    assert box.run("kill $$", check=False).returncode == -signal.SIGTERM


def test_without_input_there_is_nothing_to_read(box: Sandbox) -> None:
    assert box.run(["cat"]).stdout == ""


@pytest.mark.parametrize("text", ["", "one line\n", "é 😀\0nul", "x" * 10_000_000])
def test_input_is_read_and_output_written_whatever_its_length(box: Sandbox, text: str) -> None:
    assert box.run(["cat"], input=text).stdout == text


def test_both_streams_may_be_full(box: Sandbox) -> None:
    done = box.run("head -c 3000000 /dev/zero | tee /dev/stderr")
    assert len(done.stdout) == len(done.stderr) == 3_000_000


def test_output_that_is_no_text_does_not_break(box: Sandbox) -> None:
    assert box.run(r"printf 'a\xff\xfeb'").stdout == "a��b"


def test_variables_set_in_the_notebook_are_seen_inside(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANET", "mars")
    assert box.run("echo $PLANET").stdout == "mars\n"
    monkeypatch.setenv("PLANET", "m" * 100_000)  # longer than a message
    assert len(box.run("echo $PLANET").stdout) == 100_001
    monkeypatch.delenv("PLANET")
    assert box.run("echo ${PLANET-}").stdout == "\n"


def test_a_command_has_only_its_standard_streams_open(box: Sandbox) -> None:
    assert box.run(["ls", "/proc/self/fd"]).stdout.split() == ["0", "1", "2", "3"]  # 3: ls's own


def ignored(status: str) -> set[int]:
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return {number for number in range(1, 32) if int(mask, 16) >> number - 1 & 1}


def test_a_command_ignores_no_signal_that_python_alone_ignores(box: Sandbox) -> None:
    ours = ignored(Path("/proc/self/status").read_text())  # a job in the background ignores others
    inside = ignored(box.run(["cat", "/proc/self/status"]).stdout)
    assert {signal.SIGPIPE, signal.SIGXFSZ} <= ours
    assert inside <= ours - {signal.SIGPIPE, signal.SIGXFSZ}


def test_a_command_leads_a_session_of_its_own(box: Sandbox) -> None:
    pid, session = box.run("ps -o pid=,sid= $$ || cut -d' ' -f1,6 /proc/$$/stat").stdout.split()
    assert pid == session


# Time


def test_a_command_that_runs_too_long_is_killed_with_its_group(
    box: Sandbox, open_path: Path
) -> None:
    script = f"sleep 1000 & echo $$ $! > {open_path}/pids; exec sleep 1001"
    with pytest.raises(CommandTimedOut) as caught:
        box.run(script, timeout=0.5)
    assert isinstance(caught.value, subprocess.TimeoutExpired)
    assert "sleep 1001" in str(caught.value) and "0.5 s" in str(caught.value)
    assert all(ended(int(pid)) for pid in (open_path / "pids").read_text().split())


def test_a_command_that_writes_without_end_runs_too_long_as_well(box: Sandbox) -> None:
    with pytest.raises(CommandTimedOut):
        box.run("yes & yes >&2 & yes", timeout=0.3, output_limit=None)
    assert eventually(lambda: family(box.pid) == [])


def test_a_command_that_ignores_signals_is_killed_all_the_same(box: Sandbox) -> None:
    with pytest.raises(CommandTimedOut):
        box.run("trap '' TERM INT HUP; while :; do sleep 0.01; done", timeout=0.3)
    assert eventually(lambda: family(box.pid) == [])


def test_a_sandbox_gives_its_own_timeout_to_its_commands() -> None:
    with Sandbox("uts", timeout=0.5) as impatient, pytest.raises(CommandTimedOut, match=r"0\.5 s"):
        impatient.run(["sleep", "1000"])


@pytest.mark.parametrize("redirect", ["", ">/dev/null 2>&1"])
def test_a_background_process_does_not_hold_the_command_up(redirect: str) -> None:
    with Sandbox("uts") as box:
        assert box.run(f"echo started; sleep 1000 {redirect} &").stdout == "started\n"
        assert len(family(box.pid)) == 1  # it lives on, and ends with the sandbox


def test_a_background_process_that_writes_without_end_does_not_hold_the_command_up() -> None:
    with Sandbox("uts") as box:
        assert box.run("yes & echo started; sleep 0.05").stdout.count("started") == 1


def test_an_interrupt_ends_the_command(box: Sandbox) -> None:
    command = threading.Thread(
        target=lambda: eventually(lambda: family(box.pid)) and os.kill(os.getpid(), signal.SIGINT)
    )
    command.start()
    with pytest.raises(KeyboardInterrupt):
        box.run(["sleep", "1000"])
    command.join()
    assert eventually(lambda: family(box.pid) == [])
    assert box.run(["echo", "fine"]).stdout == "fine\n"


# What cannot be started


@pytest.mark.parametrize("start", ["run", "popen"])
@pytest.mark.parametrize(
    ("program", "number", "words"),
    [
        ("no-such-program", errno.ENOENT, "there is no such program"),
        ("/etc/passwd", errno.EACCES, "cannot be executed"),
        ("/proc", errno.EACCES, "cannot be executed"),
    ],
)
def test_a_program_that_cannot_be_started_is_explained(
    box: Sandbox, start: str, program: str, number: int, words: str
) -> None:
    with pytest.raises(NamespaceError, match=words) as caught:
        getattr(box, start)([program])
    assert (caught.value.step, caught.value.errno) == ("exec", number)
    assert str(caught.value).startswith("could not start the command") and caught.value.remedy


def test_arguments_that_are_too_long_are_explained(box: Sandbox) -> None:
    with pytest.raises(NamespaceError, match="longer than the kernel takes") as caught:
        box.run(["echo", "x" * 200_000])
    assert caught.value.errno == errno.E2BIG and "input=" in caught.value.remedy


def test_a_script_without_its_interpreter_is_explained(box: Sandbox, open_path: Path) -> None:
    (open_path / "script").write_text("echo hello\n")
    (open_path / "script").chmod(0o755)
    with pytest.raises(NamespaceError, match="begin it with #!") as caught:
        box.run([str(open_path / "script")])
    assert caught.value.errno == errno.ENOEXEC


def test_a_sandbox_that_another_thread_closes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox("uts") as box:
        monkeypatch.setattr(box, "require_alive", box.close)  # after it was found to be open
        with pytest.raises(NamespaceError, match="has ended"):
            box.run("true")
        with pytest.raises(NamespaceError, match="has ended"):
            box.popen("true")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((5,), {}, TypeError, "cmd must be a string for bash or a list of strings, not 5"),
        ((b"ls",), {}, TypeError, "cmd must be a string for bash"),
        ((["ls", 5],), {}, TypeError, "cmd must be a string for bash"),
        (([],), {}, ValueError, "cmd is empty: name the program to run"),
        (("a\0b",), {}, ValueError, "cmd must not contain a NUL character"),
        ((["a\0b"],), {}, ValueError, r"cmd[0] must not contain a NUL character"),
        (([""],), {}, ValueError, "cmd is empty: name the program to run"),
        (("echo \ud800",), {}, ValueError, "cmd must be whole characters: '\\ud800' at 5"),
        ((["echo", "\ud800"],), {}, ValueError, "cmd[1] must be whole characters"),
        (("true",), {"input": "\udc80"}, ValueError, "input must be whole characters"),
        (("true",), {"timeout": float("nan")}, ValueError, "timeout must be above zero"),
        (("true",), {"timeout": float("inf")}, ValueError, "timeout must be above zero"),
        (("true",), {"input": b"bytes"}, TypeError, "input must be a string or None"),
        (("true",), {"timeout": "1"}, TypeError, "timeout must be a number of seconds"),
        (("true",), {"timeout": -1}, ValueError, "timeout must be above zero"),
    ],
)
def test_wrong_arguments_are_refused(
    box: Sandbox, arguments: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        box.run(*arguments, **options)
    assert words in str(caught.value)


# Functions


def test_a_function_returns_what_it_returns_inside(box: Sandbox) -> None:
    assert box.call(os.uname).nodename == "mars"
    assert os.uname().nodename != "mars"


def test_a_function_of_the_notebook_takes_its_surroundings_along(box: Sandbox) -> None:
    number = 40

    def add(more: int, *, scale: int = 1) -> int:
        return (number + more) * scale

    assert box.call(add, 2, scale=10) == 420
    assert box.call(lambda: [box.strip() for box in (" a ", "b")]) == ["a", "b"]


def test_a_function_sent_inside_may_use_the_package(box: Sandbox) -> None:
    def types() -> tuple[str, ...]:
        return nsedu.TYPES

    assert box.call(types) == nsedu.TYPES


def test_a_large_value_travels_both_ways(box: Sandbox) -> None:
    data = os.urandom(5_000_000)
    assert box.call(bytes.upper, data) == data.upper()


def test_what_a_function_prints_appears_in_the_notebook(
    box: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    def speak() -> None:
        print("é" * 3)
        print("oh", file=sys.stderr)
        os.system("echo from a command")

    box.call(speak)
    said = capsys.readouterr()
    assert sorted(said.out.splitlines()) == ["from a command", "ééé"]
    assert said.err == "oh\n"


def test_an_exception_comes_back_with_a_note_of_where(box: Sandbox) -> None:
    def fail() -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there") as caught:
        box.call(fail)
    note = "".join(caught.value.__notes__)
    assert "raised inside the sandbox" in note and "in fail" in note


def test_a_refusal_does_not_keep_a_forgotten_sandbox_alive() -> None:
    gc.disable()  # or it might come by and hide a circle of references
    try:
        forgotten = Sandbox("uts")
        pid = forgotten.pid
        try:
            forgotten.call(os.rmdir, "/nowhere")
        except FileNotFoundError:
            del forgotten
        assert ended(pid, 5)
    finally:
        gc.enable()


def test_a_refused_system_call_comes_back_as_itself(box: Sandbox) -> None:
    with pytest.raises(OSError) as caught:
        box.call(os.kill, 1, 1000)
    assert caught.value.errno == errno.EINVAL


def test_an_exit_comes_back_as_an_exception_that_ends_nothing(box: Sandbox) -> None:
    with pytest.raises(RaisedInside, match="SystemExit: 3"):
        box.call(sys.exit, 3)


class TwoWords(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


class NotBack:
    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


def throw(kind: Callable[..., Exception], *args: Any) -> None:
    raise kind(*args)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (threading.Lock, "the function returned <unlocked _thread.lock"),
        (NotBack, "which cannot leave the sandbox: it is of type test_running.NotBack; return the"),
        (lambda: {"a": [NotBack()]}, "it holds a value of type"),
    ],
)
def test_what_cannot_travel_back_is_said(
    box: Sandbox, function: Callable[..., Any], words: str
) -> None:
    with pytest.raises(TypeError) as caught:
        box.call(function)
    assert words in str(caught.value) and "What can is None, bool, int" in str(caught.value)


def test_an_exception_of_one_s_own_comes_back_by_its_name(box: Sandbox) -> None:
    with pytest.raises(Exception, match="a b") as caught:
        box.call(throw, TwoWords, "a", "b")
    assert type(caught.value).__name__ == "TwoWords"


def test_a_child_that_a_function_forks_and_forgets_does_not_answer(box: Sandbox) -> None:
    def fork() -> str:
        if os.fork():
            os.wait()
            return "parent"
        return "child"

    assert box.call(fork) == "parent"


def test_an_argument_that_cannot_travel_inside_is_refused(box: Sandbox) -> None:
    with pytest.raises(TypeError, match="function and its arguments must be what cloudpickle can"):
        box.call(str, threading.Lock())


def test_what_is_not_callable_is_refused(box: Sandbox) -> None:
    with pytest.raises(TypeError, match="function must be callable, not 'uname'"):
        box.call("uname")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("die", "status"), [(lambda: os._exit(3), 3), (lambda: os.kill(os.getpid(), 9), -9)]
)
def test_a_function_that_ends_its_process_is_an_error(
    box: Sandbox, die: Callable[[], Any], status: int
) -> None:
    with pytest.raises(CommandFailed, match="ended without an answer") as caught:
        box.call(die)
    assert caught.value.returncode == status


def test_a_function_that_runs_too_long_is_killed_and_named() -> None:
    def dawdle() -> None:
        signal.pause()

    with Sandbox("uts", timeout=1) as box:
        with pytest.raises(CommandTimedOut, match=r"dawdle\(\)"):
            box.call(dawdle)
        assert eventually(lambda: family(box.pid) == [])


def test_each_call_is_a_process_of_its_own(box: Sandbox) -> None:
    assert box.call(os.getpid) != box.call(os.getpid)
    assert box.call(os.getppid) == box.pid


def test_a_function_does_not_see_the_sockets_of_the_first_process(box: Sandbox) -> None:
    def sockets() -> list[str]:
        links = []
        for name in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{name}"))
            except FileNotFoundError:
                continue  # the listing's own
        return sorted(link for link in links if link.startswith(("socket", "anon_inode")))

    assert len(box.call(sockets)) == 1  # its reply


def test_several_threads_use_one_sandbox_at_once(box: Sandbox) -> None:
    answers: list[bool] = []

    def work(number: int) -> None:
        for turn in range(5):
            answers.append(box.run(["echo", f"{number}.{turn}"]).stdout == f"{number}.{turn}\n")
            answers.append(box.call(lambda: (number, turn)) == (number, turn))  # noqa: B023

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 40


def test_a_sandbox_whose_root_has_nothing_any_more_explains_and_lives(open_path: Path) -> None:
    """Its root is a bare tmpfs: no package, no interpreter, no /proc."""
    swap = (
        f"import os, sys; sys.path.insert(0, {agent_client.ROOT!r})\n"
        "from nsedu.kernel.syscalls import *\n"
        f"new = {str(open_path)!r}; mount('none', new, 'tmpfs'); os.mkdir(new + '/old')\n"
        "pivot_root(new, new + '/old'); os.chdir('/'); umount2('/old', MNT_DETACH)"
    )
    with Sandbox("mnt", "pid") as box:
        box.run([sys.executable, "-c", swap])
        with pytest.raises(NamespaceError, match="no such program"):
            box.run(["true"])
        with pytest.raises(NamespaceError, match="no proc file system is mounted"):
            box.sandbox("uts", user="range")
        with pytest.raises(CommandFailed, match="without an answer"):
            box.call(os.getpid)
        with pytest.raises(NamespaceError, match="no such program"):
            box.run(["true"])


def test_programs_for_root_are_found_where_the_notebook_does_not_look(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert box.run('printf %s "$PATH"').stdout == "/usr/bin:/bin:/usr/sbin:/sbin"


def test_a_path_that_has_them_already_stays_as_it_is(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/sbin:/usr/sbin:/usr/bin:/bin")
    assert box.run('printf %s "$PATH"').stdout == "/sbin:/usr/sbin:/usr/bin:/bin"
