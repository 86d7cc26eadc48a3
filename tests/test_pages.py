"""From page to page: the line at both ends of a chapter, the map, the words of the glossary."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import pages
import refresh_notebooks as refresher
from nsedu.learning.course_map import COMING, chapters

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
BOUND = [path for path in PATHS if re.match(r"\d\d_|appendix_", path.name)]
NUMBERS = re.compile(r"\b[Cc]hapters? \[?(\d+)((?:(?:,| to| and|–|-) ?\d+)*)")

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
every_chapter = pytest.mark.parametrize("path", BOUND, ids=lambda path: path.stem)


def texts(path: Path) -> list[str]:
    return [cell.source for cell in refresher.read(path).cells if cell.cell_type == "markdown"]


def links(path: Path) -> list[str]:
    text = path.read_text("utf-8") if path.suffix == ".md" else "\n".join(texts(path))
    found = re.findall(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def headings(path: Path) -> set[str]:
    """The ids that JupyterLab gives the headings of a rendered page."""
    text = path.read_text(encoding="utf-8")
    return {head.replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)}


def book(path: Path, *sources: str) -> Path:
    cells = [new_markdown_cell(source) for source in sources]
    path.write_text(nbformat.writes(new_notebook(cells=cells)))
    return path


@every_chapter
def test_a_chapter_begins_and_ends_with_the_way_on(path: Path) -> None:
    cells = refresher.read(path).cells
    line = pages.navigation(path)
    assert cells[0].source.split("\n")[2] == line
    assert cells[-1].source.split("\n")[-1] == line
    assert sum(cell.source.count("[map](course.md)") for cell in cells) == 2


@pytest.mark.parametrize("path", [*PATHS, NOTEBOOKS / "course.md", NOTEBOOKS / "glossary.md"],
                         ids=lambda path: path.stem + path.suffix[:3])  # fmt: skip
def test_every_link_leads_to_a_file_and_to_a_word_of_it(path: Path) -> None:
    dead = []
    for link in links(path):
        name, _, word = link.partition("#")
        there = NOTEBOOKS / unquote(name) if name else path
        if not there.exists() or (there.suffix == ".md" and word and word not in headings(there)):
            dead.append(link)
    assert dead == []


@every_notebook
def test_a_link_to_the_glossary_says_what_the_word_means(path: Path) -> None:
    known = pages.meanings(NOTEBOOKS / "glossary.ipynb")
    for word, said in re.findall(
        r"\]\(glossary\.\w+#([^)\s]+)(?: \"([^\"]*)\")?\)", "\n".join(texts(path))
    ):
        assert said == known[word]


@every_notebook
def test_a_chapter_that_is_spoken_of_is_there_or_is_coming(path: Path) -> None:
    there = {int(chapter.notebook[:2]) for chapter in chapters(NOTEBOOKS)}
    wrong = [
        sentence
        for text in texts(path)
        for sentence in re.split(r"(?<=[.!?])\s|\n", text)
        for first, more in NUMBERS.findall(sentence)
        for number in [int(first), *map(int, re.findall(r"\d+", more))]
        if number not in there
        if number not in COMING or not re.search(r"coming|not written yet", sentence)
    ]
    assert wrong == []


def test_the_pages_are_what_the_notebooks_say() -> None:
    for page, text in pages.generated(NOTEBOOKS).items():
        assert page.read_text(encoding="utf-8") == text


def test_the_way_on_leads_past_the_ends(tmp_path: Path) -> None:
    first = book(tmp_path / "00_a.ipynb", "# 0 · A", "end")
    last = book(tmp_path / "01_b.ipynb", "# 1 · B: and more", "end")
    assert pages.navigation(first) == (
        "← the first chapter · [map](course.md) · [1 · B →](01_b.ipynb)"
    )
    assert pages.navigation(last) == (
        "[← 0 · A](00_a.ipynb) · [map](course.md) · 12 · Build a container (coming) →"
    )


def test_an_appendix_lies_between_its_chapter_and_the_next(tmp_path: Path) -> None:
    book(tmp_path / "01_a.ipynb", "# 1 · A", "more in the [appendix](appendix_x.ipynb)")
    book(tmp_path / "02_b.ipynb", "# 2 · B", "end")
    appendix = book(tmp_path / "appendix_x.ipynb", "# Appendix · X", "end")
    assert pages.navigation(appendix) == (
        "[← 1 · A](01_a.ipynb) · [map](course.md) · [2 · B →](02_b.ipynb)"
    )
    assert "- [Appendix · X](appendix_x.ipynb)" in pages.map_page(tmp_path)


def test_a_notebook_that_is_no_chapter_stays_as_it_is(tmp_path: Path) -> None:
    path = book(tmp_path / "other.ipynb", "# Other", "end")
    assert pages.bind(refresher.read(path), path) == refresher.read(path)


def test_binding_twice_is_binding_once(tmp_path: Path) -> None:
    path = book(tmp_path / "00_a.ipynb", "# 0 · A\n\nText", "**Next:** [b](01_b.ipynb)")
    once = pages.bind(refresher.read(path), path)
    path.write_text(nbformat.writes(once))
    assert pages.bind(refresher.read(path), path) == once
    assert "**Next:**" not in once.cells[-1].source


def test_after_code_the_way_on_has_a_cell_of_its_own(tmp_path: Path) -> None:
    path = book(tmp_path / "00_a.ipynb", "# 0 · A")
    nb = refresher.read(path)
    nb.cells.append(new_code_cell("1"))
    assert pages.bind(nb, path).cells[-1].id == "nav-bottom"


def test_a_meaning_is_plain_and_without_its_man_pages(tmp_path: Path) -> None:
    text = '## a word\n\nIt *is* `"this"`, as in [x(1)](https://x). [a(7)](https://a), [b(2)](u)'
    path = book(tmp_path / "glossary.ipynb", "# Glossary", text)
    assert pages.meanings(path) == {"a-word": "It is 'this', as in x(1)."}
