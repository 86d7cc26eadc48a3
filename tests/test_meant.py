"""A word that is none of those accepted: which one was meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import nsedu as ns
from nsedu.kernel.namespace_types import CATALOGUE
from nsedu.suggestions import nearest, no_such

TYPOS: dict[str, tuple[Callable[[], object], str]] = {
    "check": (lambda: ns.check("uts1"), "uts-1"),
    "exercise": (lambda: ns.exercise("UTS-1"), "uts-1"),
    "answer": (lambda: ns.answer("uts_1", 1), "uts-1"),
    "broken": (lambda: ns.broken("uts.1"), "uts-1"),
    "quiz": (lambda: ns.quiz("basic"), "basics"),
    "quiz by a type's other name": (lambda: ns.quiz("network"), "net"),
    "measure": (lambda: ns.measure("creat"), "create"),
    "network": (lambda: ns.Sandbox("network"), "net"),
    "mount": (lambda: ns.Sandbox("mount"), "mnt"),
    "hostname": (lambda: ns.Sandbox("hostname"), "uts"),
    "a flag": (lambda: ns.Sandbox("CLONE_NEWNS"), "mnt"),
    "a type in capitals": (lambda: ns.Sandbox("PID"), "pid"),
    "join": (lambda: ns.Sandbox(join={"process": 1}), "pid"),
    "user": (lambda: ns.Sandbox("uts", user="rang"), "range"),
    "limits": (lambda: ns.Sandbox("uts", limits={"mem": 1}), "memory"),
    "hierarchy": (lambda: ns.hierarchy("users"), "user"),
    "why_alive": (lambda: ns.why_alive(1, "network"), "net"),
    "clock": (lambda: ns.eyes(clock="monotone"), "monotonic"),
    "scope": (lambda: ns.snapshot("machin"), "machine"),
    "needs": (lambda: ns.needs("stracee"), "strace"),
    "choices": (lambda: ns.predict("Dies it?", ["yes", "no"], guess="Yes!"), "yes"),
    "links": (lambda: ns.predict(links=["hostname"]), "uts"),
    "told": (lambda: ns.predict("Dies it?", ["yes", "no"], guess="no").grade("yess"), "yes"),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPOS)
def test_a_typo_is_told_with_the_word_that_was_meant(name: str) -> None:
    use, meant = TYPOS[name]
    with pytest.raises(ValueError, match=f"did you mean {meant!r}\\?") as caught:
        use()
    assert "\n" not in str(caught.value)


def test_of_few_words_all_are_named_and_of_many_only_the_one_that_was_meant() -> None:
    assert no_such("no x 'abd'", "abd", ["abc", "xyz"]) == (
        "no x 'abd'; there are: abc, xyz; did you mean 'abc'?"
    )
    many = [f"uts-{number}" for number in range(40)]
    assert no_such("no x 'uts3'", "uts3", many) == "no x 'uts3'; did you mean 'uts-3'?"
    assert "uts-39." in no_such("no x 'qq'", "qq", many)


@pytest.mark.parametrize("given", [None, 7, "", "x" * 5000, "\ud800", b"uts"])
def test_what_is_like_no_word_is_answered_by_none(given: object) -> None:
    assert nearest(given, ["uts", "pid"]) == ""


def test_each_type_is_known_by_its_title_and_by_its_flag() -> None:
    for one in CATALOGUE:
        for other in (one.title, one.clone_flag, one.title.upper()):
            if other != one.name:
                with pytest.raises(ValueError, match=f"did you mean '{one.name}'"):
                    ns.Sandbox(other)


def test_an_attribute_that_is_none_is_told_with_the_one_that_was_meant() -> None:
    for typo, meant in (("excercise", "exercise"), ("sandbxo", "Sandbox"), ("Check", "check")):
        with pytest.raises(AttributeError, match=f"did you mean '{meant}'"):
            getattr(ns, typo)
    with pytest.raises(AttributeError, match=r"nsedu\.help\(\) says what there is"):
        _ = ns.xyzzy  # type: ignore[attr-defined]


def test_a_module_that_is_called_says_what_was_meant() -> None:
    assert ns.Sandbox
    with pytest.raises(TypeError, match=r"is a module, .*; did you mean nsedu\.Sandbox\?"):
        ns.sandbox("uts")  # type: ignore[operator]
