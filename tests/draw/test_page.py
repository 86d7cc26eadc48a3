"""A picture in a page: its colours in both themes, and what is seen of an untrusted one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import refresh_notebooks as refresher
from hand_made import nested
from nsedu.draw.page import html
from nsedu.draw.style import INK, PANEL, SOFT_INK, contrast, dark, dark_ink, ink_on, okabe_ito, tint
from nsedu.draw.tree import tree
from seen import pictures, texts

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))

colours = pytest.mark.parametrize("colour", okabe_ito.values(), ids=okabe_ito)
every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def committed(path: Path) -> dict[str, str]:
    """The drawings in a notebook's outputs, by the cell they stand below."""
    found = {}
    for cell in refresher.read(path).cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            for svg in pictures(data.get("text/html") or data.get("image/svg+xml", "")):
                found[f"{cell.id} {len(found)}"] = svg
    return found


@every_notebook
def test_every_text_of_a_committed_picture_can_be_read_in_both_themes(path: Path) -> None:
    poor = {
        (name, seen.text, "dark" if theme else "light", round(seen.ratio(theme), 2))
        for name, svg in committed(path).items()
        for seen in texts(svg)
        for theme in (False, True)
        if seen.ratio(theme) < 4.5
    }
    assert poor == set()


@every_notebook
def test_every_committed_picture_fits_beside_the_file_browser(path: Path) -> None:
    wide = {
        name: width
        for name, svg in committed(path).items()
        if (width := float(re.findall(r'<svg[^>]* width="([\d.]+)"', svg)[0])) > 830
    }
    assert wide == {}


@every_notebook
def test_a_committed_picture_is_kept_once(path: Path) -> None:
    twice = [
        cell.id
        for cell in refresher.read(path).cells
        for output in cell.get("outputs", ())
        if {"image/svg+xml", "text/html"} <= output.get("data", {}).keys()
    ]
    assert twice == []


@colours
@pytest.mark.parametrize("strength", [0.06, 0.3, 0.45, 0.7, 1.0])
def test_the_ink_for_a_colour_can_be_read_in_the_dark_theme_too(
    colour: str, strength: float
) -> None:
    ground = tint(colour, strength)
    assert contrast(dark_ink(ink_on(ground)), dark(ground)) >= 4.5


def test_paper_turns_dark_and_ink_light() -> None:
    assert contrast(dark(PANEL), "#000000") < 1.2
    assert contrast(dark_ink(INK), dark(PANEL)) > 10
    assert contrast(dark_ink(SOFT_INK), dark(PANEL)) > 4.5


@colours
def test_every_colour_of_the_palette_stands_out_from_the_dark_page(colour: str) -> None:
    assert contrast(dark(colour), dark(PANEL)) >= 3


def test_colours_that_differ_in_one_theme_differ_in_the_other() -> None:
    tints = [tint(colour, strength) for colour in okabe_ito.values() for strength in (0.2, 1.0)]
    assert len({dark(one) for one in tints}) == len(tints)


def test_the_page_has_a_rule_for_every_colour_that_changes() -> None:
    svg = tree(nested()).svg
    page = html(svg)
    for tag, attribute, colour in re.findall(r'<(rect|text)\b[^>]*(fill)="(#\w{6})"', svg):
        other = dark_ink(colour) if tag == "text" else dark(colour)
        what = "text" if tag == "text" else ":not(text)"
        rule = f'{what}[{attribute}="{colour}"]{{{attribute}:{other}}}'
        assert (rule in page) == (other != colour)


def test_without_its_style_sheet_the_page_has_a_sentence_and_no_drawing() -> None:
    page = re.sub(r"<style>.*?</style>", "", html("<svg><title>A &lt;tree&gt;</title></svg>"))
    before, hidden = page.split('style="display:none"')
    assert "<em>A &lt;tree&gt;</em>. It is drawn when you run the cell above." in before
    assert "<svg>" in hidden


def test_a_drawing_without_a_title_is_spoken_of_all_the_same() -> None:
    assert "<em>what this cell found</em>" in html("<svg/>")
