"""What is shown of the machine is text to be seen, and never an order to the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsedu.printable import clean


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("two\nlines\r\tand a tab", r"two\nlines\r\tand a tab"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        (b"\xff\xfe".decode("utf-8", "surrogateescape"), r"\xff\xfe"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("", ""),
        ("a b [c] <d> & \\ é 日本 😀", "a b [c] <d> & \\ é 日本 😀"),
    ],
    ids=["title", "lines", "C1", "bidi", "no width", "bytes", "surrogate", "tag", "none", "plain"],
)
def test_what_acts_is_written_as_an_escape_and_what_is_seen_stays(text: str, seen: str) -> None:
    assert clean(text) == seen


@given(st.text())
def test_cleaned_text_stays_on_its_line_and_is_clean(text: str) -> None:
    assert clean(text).isprintable()
    assert clean(clean(text)) == clean(text)
    clean(text).encode()
