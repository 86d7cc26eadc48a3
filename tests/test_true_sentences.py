"""What chapters once said and was not so, and what they must keep saying."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import refresh_notebooks as refresher

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
COMING = re.compile(r"\b[Cc]hapters? (1[2-8])\b")


def prose(number: str) -> str:
    path = next(NOTEBOOKS.glob(f"{number}*.ipynb"))
    return "\n\n".join(c.source for c in refresher.read(path).cells if c.cell_type == "markdown")


FALSE = {
    "as root, sandboxes did own what root owns": ("00", "root inside has no power"),
    "files on a disk of one's own stay": ("00", "nothing remains"),
    "Docker's root is the host's": ("03", "most common mistake"),
    "a birth's times vary by more than the namespace costs": ("03", "The difference is the"),
    "a pod's containers see the same files until one mounts some": ("01", "not their files"),
    "bubblewrap makes one clone": ("01", "All of them make the three calls"),
    "there are ids and file handles": ("01", "There is no other name"),
    "an ordinary user sees a part of them": ("01", "every namespace on this machine"),
    "some of the types are in clone(2) only": ("01", "those of namespaces(7)"),
    "a file system may be read-only, too": ("04", "not of the file system"),
    "a descriptor leads back": ("04", "no way back"),
    "there is an above, and a door to it": ("04", "There is no above"),
    "it depends on who reads": ("02", "depends on who opens it"),
    "gethostname is uname": ("02", "Three ways"),
    "the rest was the point": ("02", "The rest is the plumbing"),
    "what user 0 may do hangs on capabilities": ("03", "all there is to being root"),
    "one figure can be negative": ("05", "The difference is the namespace"),
    "who was put in from outside is adopted outside": ("glossary", "each orphan of its namespace"),
    "with nsdelegate it is a border": ("08", "that view limits nothing"),
    "logind removes them": ("06", "nobody tidies up"),
    "a new nsproxy is made": ("11", "Nothing is made"),
    "how many runtimes do was not counted": ("10", "Most do."),
    "a UTS namespace has six strings": ("06", "the two names of"),
    "the answer was in the heading: one link": ("01", "### Nine equal"),
    "the answer was in the heading: capabilities": ("03", "### All capabilities"),
    "the answer was in the heading: requests": ("03", "### Four things that this root cannot"),
    "the answer was in the heading: tables": ("04", "the files are not"),
    "the answer was in the heading: root": ("02", "### Root, and yet not allowed"),
}


@pytest.mark.parametrize(("number", "phrase"), FALSE.values(), ids=FALSE.keys())
def test_what_was_not_so_is_not_said_again(number: str, phrase: str) -> None:
    assert phrase not in prose(number)


@pytest.mark.parametrize("number", ["00", "01", "02", "03", "04", "appendix_mount", "glossary"])
def test_a_chapter_that_does_not_exist_is_named_as_coming(number: str) -> None:
    there = {path.name[:2] for path in NOTEBOOKS.glob("[01][0-9]_*.ipynb")}
    paragraphs = [p for p in prose(number).split("\n\n") if COMING.search(p)]
    bare = [
        text
        for text in paragraphs
        if not set(COMING.findall(text)) <= there
        and not re.search(r"not written yet|to come|coming", text)
    ]
    assert bare == []


TRUE = {
    "Docker takes the capability away": ("03", "--cap-add"),
    "a delegation hands over more than two files": ("glossary", "`cgroup.subtree_control`"),
    "what a new network namespace begins with": ("07", "devconf_inherit_init_net"),
    "who removes what was left": ("06", "RemoveIPC="),
    "what setns makes": ("11", "kernel/nsproxy.c"),
    "what of a tool is no namespace": ("11", "a good part is no namespace"),
    "how a figure of a network is to be read": ("07", "1.00"),
}


@pytest.mark.parametrize(("number", "phrase"), TRUE.values(), ids=TRUE.keys())
def test_what_was_found_missing_is_still_said(number: str, phrase: str) -> None:
    assert phrase in prose(number)


ELSEWHERE = {
    "the quiz: a border where the hierarchy has that option": (
        "nsedu/learning/quizzes/cgroup.json", "<code>nsdelegate</code>"
    ),
    "the task: a pod's containers have both in common": (
        "nsedu/learning/exercises/ipc.py", "(In a Kubernetes pod both are in common.)"
    ),
    "the paths of chapter 7 take turns": ("notebooks/07_network.ipynb", "# in turns: what slows"),
    "and their ends have a processor each": ("notebooks/07_network.ipynb", "sched_getaffinity(0)"),
    "the clock by the vDSO is printed with its interval": (
        "notebooks/11_overhead.ipynb", "clock by vDSO"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "phrase"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_what_is_no_prose_is_still_said_too(file: str, phrase: str) -> None:
    assert phrase in (NOTEBOOKS.parent / file).read_text()


def test_no_hint_says_that_a_namespace_limits_nothing() -> None:
    directory = NOTEBOOKS.parent / "nsedu" / "learning" / "exercises"
    assert not [f for f in directory.glob("*.py") if "limits nothing" in f.read_text()]


WORDS = """mount, mount namespace, UTS namespace, IPC namespace, network namespace,
cgroup namespace, time namespace, slab, outlier, null operation, netlink, route, tmpfs,
capability, hook, prefix length"""


def test_the_glossary_has_each_word_once() -> None:
    words = re.findall(r"^## (.+)$", prose("glossary"), flags=re.MULTILINE)
    assert [word for word in words if words.count(word) > 1] == []
    assert set(WORDS.replace("\n", " ").split(", ")) <= set(words)
