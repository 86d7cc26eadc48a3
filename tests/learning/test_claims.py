"""`claim` and `expect`: what they print, and that they can fail."""

from __future__ import annotations

import errno
import os

import pytest

from nsedu.learning.claims import ClaimFailed, claim, expect


def test_a_claim_that_holds_is_ticked(capsys: pytest.CaptureFixture[str]) -> None:
    claim("one is one", 1 == 1)
    assert capsys.readouterr().out == "✔ one is one\n"


def test_a_claim_that_does_not_hold_says_what_was_seen() -> None:
    name, wanted = "venus", "mars"
    with pytest.raises(ClaimFailed) as caught:
        claim("the host is mars", name == wanted)
    assert str(caught.value) == (
        "✘ the host is mars\n  seen: name == wanted is false, where name = 'venus', wanted = 'mars'"
    )


def test_a_failing_claim_does_not_repeat_its_calls() -> None:
    calls = []

    def ask() -> bool:
        calls.append(1)
        return False

    with pytest.raises(ClaimFailed):
        claim("it is so", ask())
    assert calls == [1]


def test_a_failing_claim_is_shown_without_a_traceback() -> None:
    with pytest.raises(ClaimFailed) as caught:
        claim("it is so", False)
    assert caught.value._render_traceback_() == ["ClaimFailed: ✘ it is so\n  seen: False is false"]


def test_the_arguments_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(TypeError, match="text must be a string"):
        claim(True, "the host is mars")  # type: ignore[arg-type]


def test_an_expected_refusal_is_ticked(capsys: pytest.CaptureFixture[str]) -> None:
    with expect(errno.ENOENT, "open(2), no such file"):
        os.open("/nonexistent", os.O_RDONLY)
    assert capsys.readouterr().out == "✔ refused with ENOENT: open(2), no such file\n"


def test_another_refusal_than_the_expected_one_fails() -> None:
    with (
        pytest.raises(ClaimFailed, match="seen: ENOENT"),
        expect(errno.EPERM, "open(2), not permitted"),
    ):
        os.open("/nonexistent", os.O_RDONLY)


def test_no_refusal_where_one_was_expected_fails() -> None:
    with pytest.raises(ClaimFailed, match="nothing was refused"), expect(errno.EPERM, "a rule"):
        pass


def test_an_error_that_is_no_refusal_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), expect(errno.EPERM, "a rule"):
        _ = 1 / 0
