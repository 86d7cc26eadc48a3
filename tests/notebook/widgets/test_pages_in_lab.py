"""The pages of the course in JupyterLab: they fit, are read aloud, follow the theme, lead on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Page, expect

from in_lab import ROOT, SLOW, THEMES, Lab, serving, set_theme
from nsedu.draw.svg import Canvas

pytestmark = pytest.mark.browser

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What is ours on the page; around it JupyterLab 4.6 has faults of its own: editors without a name,
# a feed whose children are no articles, buttons without a word.
OURS = {"include": [[".jp-RenderedMarkdown"], [".jp-OutputArea"]]}
PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
SCROLLED = """() => [...document.querySelectorAll(
    ".jp-WindowedPanel-outer, .jp-OutputArea-output, .jp-OutputArea-child, .jp-RenderedMarkdown"
)].filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX != "visible"
).map(e => `${e.className}: ${e.scrollWidth} > ${e.clientWidth}: ${e.innerText.slice(0, 60)}`)"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab over a copy of the course that its reader trusts, as after running it."""
    books = tmp_path_factory.mktemp("course")
    for path in (ROOT / "notebooks").glob("*.*"):
        shutil.copy(path, books)
    trust(*sorted(books.glob("*.ipynb")))
    with serving(tmp_path_factory.mktemp("settings"), books) as lab:
        yield lab


def trust(*books: Path) -> None:
    """Sign notebooks, as JupyterLab does with what it has run."""
    subprocess.run([sys.executable, "-m", "jupyter", "trust", *map(str, books)], check=True)


def picture(books: Path, name: str, *, trusted: bool) -> str:
    """Write a notebook whose only output is a picture; returns its path."""
    canvas = Canvas()
    canvas.text(20, 40, f"{name}: $a_1$ and $b_2$", 14)
    shown = canvas.picture("A word in a box", ["a word"], 300, 80)
    data = shown._repr_mimebundle_()
    cell = new_code_cell("word", outputs=[new_output("display_data", data=data)])
    nbformat.write(new_notebook(cells=[cell], metadata=PYTHON), books / name)
    if trusted:
        trust(books / name)
    return name


def background(page: Page) -> str:
    """The colour of a picture's panel, as it is seen."""
    panel = page.locator(".nsedu-picture svg > rect").first
    return str(panel.evaluate("panel => getComputedStyle(panel).fill"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_page_fits_and_can_be_read_aloud_in_both_themes(
    course: Lab, page: Page, path: Path
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(error.message))
    page.set_viewport_size({"width": 1280, "height": 800})
    course.open(page, path.name)
    expect(page.locator("#filebrowser")).to_be_visible()
    for theme in THEMES:
        set_theme(page, theme)
        assert page.evaluate(SCROLLED) == []
        faults = Axe().run(page, context=OURS).response["violations"]
        serious = [fault for fault in faults if fault["impact"] in ("serious", "critical")]
        assert [(f["id"], f["nodes"][0]["html"][:200]) for f in serious] == []
    assert errors == []


def test_a_picture_follows_the_theme(scratch: Lab, page: Page) -> None:
    scratch.open(page, picture(scratch.directory, "themes.ipynb", trusted=True))
    set_theme(page, THEMES[0])
    assert background(page) == "rgb(255, 255, 255)"
    set_theme(page, THEMES[1])
    assert background(page) == "rgb(17, 17, 17)"


def test_dollars_in_a_picture_are_no_formula(scratch: Lab, page: Page) -> None:
    scratch.open(page, picture(scratch.directory, "dollars.ipynb", trusted=True))
    drawing = page.get_by_role("img", name="A word in a box")
    expect(drawing.locator("text")).to_have_text("dollars.ipynb: $a_1$ and $b_2$", timeout=SLOW)
    expect(page.locator(".nsedu-undrawn")).to_be_hidden()


def test_of_an_untrusted_picture_a_sentence_is_seen(scratch: Lab, page: Page) -> None:
    scratch.open(page, picture(scratch.directory, "untrusted.ipynb", trusted=False))
    sentence = page.get_by_text("Here is a picture: A word in a box. It is drawn when you run")
    expect(sentence).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("$a_1$")).to_be_hidden()


def test_a_link_to_the_glossary_lands_on_its_word_and_the_map_leads_on(
    course: Lab, page: Page
) -> None:
    cell = new_markdown_cell("[go](glossary.md#zombie) or [map](course.md)")
    nbformat.write(new_notebook(cells=[cell], metadata=PYTHON), course.directory / "link.ipynb")
    course.open(page, "link.ipynb")
    page.get_by_role("link", name="go").click()
    expect(page.get_by_role("heading", name="zombie")).to_be_in_viewport(timeout=SLOW)
    page.get_by_role("tab", name="link.ipynb").first.click()
    page.get_by_role("link", name="map", exact=True).first.click()
    way = page.locator(".jp-MarkdownViewer").get_by_role("link", name="2 · UTS")
    way.click(timeout=SLOW)
    expect(page.get_by_role("heading", name="2 · UTS")).to_be_in_viewport(timeout=SLOW)
