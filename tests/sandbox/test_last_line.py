"""What a cell shows whose last line is a sandbox, a command or its result."""

from __future__ import annotations

import configparser
import pickle
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import nsedu as ns
from ordinary_user import Learner

pytestmark = pytest.mark.needs("userns", "uts", "pid")


@pytest.fixture
def web() -> Iterator[ns.Sandbox]:
    with ns.Sandbox("uts", "pid", hostname="web", name="web") as box:
        yield box


def text(shown: object) -> str:
    bundle = shown._repr_mimebundle_()  # type: ignore[attr-defined]
    return str(bundle["text/plain"])


def rows(shown: object) -> dict[str, str]:
    return dict(re.split(r"  +", line, maxsplit=1) for line in text(shown).splitlines())  # type: ignore[misc]


def test_a_sandbox_says_its_name_its_types_its_pid_and_its_host_name(web: ns.Sandbox) -> None:
    assert rows(web) == {
        "sandbox": "web",
        "state": "running",
        "pid": f"{web.pid} in this notebook, 1 inside",
        "new": "uts, pid, user",
        "as here": "mnt, ipc, net, cgroup, time",
        "host name": "web",
    }


def test_what_it_says_in_html_is_the_same(web: ns.Sandbox) -> None:
    html = web._repr_mimebundle_()["text/html"]
    for word, value in rows(web).items():
        assert word in html and value in html


def test_the_host_name_is_asked_for_now(web: ns.Sandbox) -> None:
    web.run("hostname venus || python3 -c 'import socket; socket.sethostname(\"venus\")'")
    assert rows(web)["host name"] == "venus"


def test_one_without_a_name_of_its_own_has_that_of_here() -> None:
    with ns.Sandbox("ipc") as box:
        assert rows(box)["host name"] == "as here"


def test_one_inside_another_says_what_it_has_from_there(web: ns.Sandbox) -> None:
    with web.sandbox("ipc", name="db") as inner, ns.Sandbox("ipc", join=web) as guest:
        assert rows(inner)["made in"] == 'sandbox "web"'
        assert rows(inner)["as there"] == "uts, pid"
        assert rows(inner)["as here"] == "mnt, net, cgroup, time"
        assert rows(guest)["joined"] == "uts, pid, user"


def test_a_closed_one_says_so(web: ns.Sandbox) -> None:
    web.close()
    assert rows(web)["state"] == "closed, and all it held has ended"
    assert "pid" not in rows(web)


def test_names_from_anywhere_are_cleaned() -> None:
    with ns.Sandbox("uts", hostname="a\x1b[31m", name="\x1b]0;t\x07<b>") as box:
        bundle = box._repr_mimebundle_()
        command = box.popen(["sleep", "100", "\x1b[31m"])
        for shown in (*bundle.values(), *command._repr_mimebundle_().values()):
            assert "\x1b" not in shown and "\x07" not in shown and "<b>" not in shown.split("  ")
        assert "&lt;b&gt;" in bundle["text/html"]


def test_the_pid_is_what_the_comparison_of_notebooks_leaves_out(web: ns.Sandbox) -> None:
    config = configparser.RawConfigParser()
    config.read(Path(__file__).parents[1] / "sanitize.cfg")
    rule = config["pid_of_a_sandbox"]
    for shown in (web, web.popen(["sleep", "100"])):
        for said in shown._repr_mimebundle_().values():  # type: ignore[attr-defined]
            cleaned = re.sub(rule["regex"], rule["replace"], said)
            assert str(shown.pid) not in cleaned and "N in this notebook" in cleaned  # type: ignore[attr-defined]


def test_a_result_shows_what_was_written(web: ns.Sandbox) -> None:
    assert text(web.run("echo hi")) == "hi"
    assert text(web.run("true")) == "(no output, exit status 0)"
    failed = web.run("echo one; echo two >&2; exit 3", check=False)
    assert text(failed) == "one\ntwo\n(exit status 3)"
    assert text(web.run(r"printf 'a\tb\n\n\033[31mred\n'")) == "a       b\n\n\\x1b[31mred"


def test_a_long_result_is_cut_in_what_is_shown(web: ns.Sandbox) -> None:
    result = web.run("head -c 300000 /dev/zero | tr '\\0' x")
    assert len(result.stdout) == 300_000
    assert text(result).endswith("\n… 200000 more characters, which stand in the result")


def test_a_result_is_what_subprocess_gives(web: ns.Sandbox) -> None:
    result = web.run("echo hi")
    plain = subprocess.CompletedProcess("echo hi", 0, "hi\n", "")
    assert isinstance(result, subprocess.CompletedProcess) and repr(result) == repr(plain)
    assert pickle.loads(pickle.dumps(result)).stdout == "hi\n"


def test_a_running_command_says_what_it_is(web: ns.Sandbox) -> None:
    command = web.popen(["sleep", "100"])
    assert rows(command) == {
        "command": "sleep 100",
        "state": "running",
        "pid": f"{command.pid} in this notebook, {rows(command)['pid'].split()[-2]} inside",
        "in": 'sandbox "web"',
    }
    command.kill()
    command.wait()
    assert rows(command)["state"] == "ended with -9"


def test_an_ordinary_user_is_shown_the_same(learner: Learner) -> None:
    code = (
        "import nsedu as ns\n"
        "with ns.Sandbox('uts', 'pid', hostname='web', name='web') as box:\n"
        "    print(box._repr_mimebundle_()['text/plain'])\n"
        "    print(box.run('echo hi')._repr_mimebundle_()['text/plain'])"
    )
    done = learner.run_python(code)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["sandbox", "web"] and lines[2].endswith(
        "in this notebook, 1 inside"
    )
    assert lines[-2:] == ["host name  web", "hi"]
