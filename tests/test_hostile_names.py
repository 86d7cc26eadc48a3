"""Names that a hostile process gives to things: no picture, page or terminal ever obeys them."""

from __future__ import annotations

import inspect
import os
import pty
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator

import pytest

import nsedu as ns
from ordinary_user import Learner

pytestmark = pytest.mark.needs("userns", "mnt", "uts", "ipc", "net")

TITLE = "\x1b]0;x\x07<b>[/x]"
"""At most 15 bytes, as a process's name and a network interface's must be, without a blank."""
PLANT = r"""
import ctypes, os, socket, subprocess, sys
title, libc = sys.argv[1].encode(), ctypes.CDLL(None)
path = b"/mnt/" + title.replace(b"/", b"!") + b"\n\xe2\x80\xae\x9b2J\xff"
libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)
os.mkdir(path)
libc.mount(title, path, b"tmpfs", 0, None)
open(path + b"/ns", "w").close()
libc.mount(b"/proc/self/ns/uts", path + b"/ns", None, 0x1000, None)
libc.sethostname(title + b"\n\xff", len(title) + 2)
libc.prctl(15, title, 0, 0, 0)
if sys.argv[2]:
    subprocess.run([sys.argv[2], "link", "add", "name", title.replace(b"/", b"!"), "type", "veth"])
opened = open(path + b"/ns")
libc.unshare(0x4000000)  # a UTS namespace that it is the first process of, so that ls names it
print("planted", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def hostile(learner: Learner) -> Iterator[ns.Sandbox]:
    with ns.Sandbox("mnt", "uts", "ipc", "net", name=f"{TITLE}\n") as box:
        words = [learner.python, "-c", PLANT, TITLE, shutil.which("ip") or ""]
        # What a process calls itself is the first word of its command line.
        script = 'name=$1; shift; exec -a "$name" "$@"'
        with box.popen(["bash", "-c", script, "bash", f"{TITLE}\n[bold]\u202e", *words]) as planted:
            assert planted.stdout.readline() == "planted\n"
            yield box


PICTURES: dict[str, Callable[[ns.Sandbox], list[ns.Picture]]] = {
    "cgroup_tree": lambda box: [ns.cgroup_tree(box)],
    "clocks": lambda box: [ns.clocks(box)],
    "compare": lambda box: [ns.compare(os.getpid(), box)],
    "diff": lambda box: [ns.diff(ns.Snapshot({}, {}), ns.snapshot())],
    "eyes": lambda box: [ns.eyes(box, hostname=True), ns.eyes(box, pid=box)],
    "hierarchy": lambda box: [ns.hierarchy(type) for type in ns.TYPES],
    "idmap": lambda box: [ns.idmap(box)],
    "ipc": lambda box: [ns.ipc(box)],
    "matrix": lambda box: [ns.matrix()],
    "mounts": lambda box: [ns.mounts(box)],
    "ownership": lambda box: [ns.ownership()],
    "pids": lambda box: [ns.pids()],
    "topology": lambda box: [ns.topology(box)],
    "tree": lambda box: [ns.tree(), ns.tree(box)],
    "why_alive": lambda box: [ns.why_alive(box, type) for type in ns.TYPES],
}


def test_every_function_that_draws_is_asked() -> None:
    drawing = {
        name
        for name in ns.__all__
        if inspect.isfunction(value := getattr(ns, name))
        and inspect.signature(value).return_annotation == "Picture"
    }
    assert drawing == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_no_picture_lets_a_name_out(hostile: ns.Sandbox, name: str) -> None:
    for picture in PICTURES[name](hostile):
        assert [line for line in str(picture).split("\n") if not line.isprintable()] == []
        tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(picture.svg).iter()}
        assert tags <= {"svg", "title", "desc", "rect", "path", "text"}
        assert [part for part in picture.svg.split("\n") if not part.isprintable()] == []
        picture._repr_mimebundle_()["text/plain"].encode()


@pytest.mark.parametrize("name", ["tree", "mounts", "eyes", "why_alive"])
def test_the_names_are_seen_all_the_same(hostile: ns.Sandbox, name: str) -> None:
    assert any(r"\x1b]0;x\x07<b>[" in str(picture) for picture in PICTURES[name](hostile))


def test_the_explorers_text_lets_no_name_out(hostile: ns.Sandbox) -> None:
    assert repr(ns.explore()).replace("\n", "").isprintable()


def on_a_terminal(*words: str) -> tuple[int, str]:
    """The exit status of nsedu, and what it writes to a wide terminal, without the colours."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nsedu", *words],
        stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "2000"},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    try:
        while more := os.read(ours, 65536):
            written += more
    except OSError:  # EIO: nobody has the terminal any more
        pass
    os.close(ours)
    return process.wait(), re.sub("\x1b\\[[0-9;]*m", "", written.decode())


@pytest.mark.parametrize(
    "words",
    [["ls"], ["ls", "--type", "uts"], ["tree", "--machine"], ["tree", "--machine", "--type", "pid"],
     ["check", "uts-1"], ["doctor"], ["ls", "--json"]],
    ids=" ".join,
)  # fmt: skip
def test_no_command_sends_a_name_to_the_terminal(hostile: ns.Sandbox, words: list[str]) -> None:
    status, written = on_a_terminal(*words)
    assert status in (0, 1)
    assert "Traceback" not in written
    assert [line for line in written.split("\r\n") if not line.isprintable()] == []


def test_brackets_in_a_command_line_are_no_markup(hostile: ns.Sandbox) -> None:
    _, written = on_a_terminal("ls", "--type", "uts")
    assert r"\x1b]0;x\x07<b>[/x]\n[bold]\u202e" in written


def test_a_table_on_a_page_has_no_markup_but_its_own(hostile: ns.Sandbox) -> None:
    from nsedu.observe.records import rows
    from nsedu.table import Table

    listed = rows(ns.snapshot(deep=True))
    page = Table(list(listed[0]), [list(map(str, row.values())) for row in listed])._repr_html_()
    assert page.isprintable()
    assert "<b>" not in page
    ET.fromstring(page)
