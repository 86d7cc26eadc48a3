"""Sets of capabilities in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsedu.kernel.capabilities import NAMES, decode, words

ALL = (1 << len(NAMES)) - 1


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (0, "none"),
        (ALL, "all 41"),
        (ALL & ~(1 << 24), "all 41 but CAP_SYS_RESOURCE"),
        (1 << 12 | 1 << 21, "CAP_NET_ADMIN, CAP_SYS_ADMIN"),
    ],
)
def test_a_set_in_words(mask: int, expected: str) -> None:
    assert words(mask) == expected


def test_one_without_a_name_is_told_by_number() -> None:
    assert decode(1 << 60) == ["capability 60"]


def test_the_kernel_knows_no_more_than_are_named() -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert last < len(NAMES)
