"""How to open a terminal, said where there is no button for it."""

from __future__ import annotations

import pytest

import nsedu as ns


def test_without_a_front_end_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    ns.terminal()
    said = capsys.readouterr().out
    assert said.startswith("Open a terminal: in JupyterLab by File → New → Terminal")
    assert said.count("\n") == 2
