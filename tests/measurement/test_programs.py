"""Whole programs: how long, how they ended, and what they said; none is waited for in vain."""

from __future__ import annotations

import os

import pytest

from awaiting import ended
from nsedu.measurement.runtimes import programs


def test_a_program_that_ends_well_has_taken_some_time() -> None:
    assert programs.run(["true"]) > 0


def test_a_program_that_fails_is_told_with_its_last_line() -> None:
    with pytest.raises(OSError, match=r"^sh was refused: second$"):
        programs.run(["sh", "-c", "echo first >&2; echo second >&2; echo >&2; exit 3"])
    with pytest.raises(OSError, match=r"^false was refused: exit status 1$"):
        programs.run(["false"])


def test_a_program_that_hangs_is_ended_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "LIMIT", 0.5)
    with pytest.raises(OSError, match=r"did not end within 0.5 s"):
        programs.run(["sh", "-c", "sleep 1000 & echo $! >&2; wait"])
    assert ended(int(programs.last_words()))


def test_its_output_goes_where_it_is_told_to() -> None:
    read, write = os.pipe()
    try:
        assert programs.ended(programs.start(["echo", "word"], stdout=write)) == 0
        assert os.read(read, 100) == b"word\n"
    finally:
        os.close(read)
        os.close(write)
