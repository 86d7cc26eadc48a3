"""Colours: text on them can be read."""

from __future__ import annotations

import pytest

from nsedu.draw.matrix import shade
from nsedu.draw.process_grid import pale
from nsedu.draw.style import INK, SOFT_INK, contrast, ink_on, okabe_ito, tint

colours = pytest.mark.parametrize("colour", okabe_ito.values(), ids=okabe_ito)


def test_black_on_white_has_the_highest_contrast():
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)


@colours
def test_text_on_a_colour_reaches_the_contrast_that_wcag_asks_for(colour: str):
    assert contrast(ink_on(colour), colour) >= 4.5


@colours
def test_ink_on_an_inherited_colour_can_be_read(colour: str):
    assert contrast(INK, tint(colour, pale(home=False))) >= 4.5


@colours
def test_the_quiet_ink_on_the_palest_colour_can_be_read(colour: str):
    assert contrast(SOFT_INK, tint(colour, pale(home=True))) >= 4.5


@pytest.mark.parametrize("count", range(9))
def test_numbers_on_the_shades_of_sharing_can_be_read(count: int):
    assert contrast(ink_on(shade(count)), shade(count)) >= 4.5


def test_a_tint_of_one_is_the_colour_and_of_none_white():
    assert (tint("#0072B2", 1), tint("#0072B2", 0)) == ("#0072B2", "#FFFFFF")
