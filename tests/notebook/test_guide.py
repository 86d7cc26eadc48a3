"""`ns.help()`."""

from __future__ import annotations

import re

import pytest

import nsedu as ns
from nsedu.notebook.magics import NamespaceMagics


def text(capsys: pytest.CaptureFixture[str]) -> str:
    ns.help()
    return capsys.readouterr().out


def test_it_has_ten_lines_that_fit_on_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    lines = text(capsys).splitlines()
    assert len(lines) == 10
    assert max(map(len, lines)) <= 100


def test_it_names_every_function_and_every_magic(capsys: pytest.CaptureFixture[str]) -> None:
    words = set(re.findall(r"\w+", text(capsys)))
    functions = {name for name in ns.__all__ if name[0].islower()} - {"help"}
    magics = {name for names in NamespaceMagics.magics.values() for name in names}
    assert functions | magics | {"Sandbox", "TYPES"} <= words
