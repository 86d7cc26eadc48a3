"""What every chapter on a namespace type keeps to: its beats, its references, its glossary."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from nbformat import NotebookNode

import refresh_notebooks as refresher

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
LESSONS = [p for p in sorted(NOTEBOOKS.glob("[01][0-9]_*.ipynb")) if p.name >= "01"]
CHAPTERS = [p for p in LESSONS if p.name >= "02"]
BEATS = ["Predict", "See it", "By hand", "Break it", "What it costs", "Who uses it", "Try it"]
MOST_LINES = 20  # of a code cell; around 15 is the aim

every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[NotebookNode]:
    return [cell for cell in refresher.read(path).cells if cell.cell_type == kind]


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def headings(path: Path, level: int) -> list[str]:
    return re.findall(rf"^{'#' * level} (.+)$", prose(path), flags=re.MULTILINE)


@every_chapter
def test_the_seven_beats_come_in_order(path: Path) -> None:
    assert headings(path, 2) == BEATS


@every_chapter
def test_it_opens_with_what_you_will_do_how_long_and_what_to_read(path: Path) -> None:
    first = cells(path, "markdown")[0].source
    number = int(path.name[:2])
    about = refresher.read(path).metadata["nsedu"]
    assert first.startswith(f"# {number} · ")
    assert "**You will** " in first
    assert f"{about['minutes']} minutes · needs: " in first
    assert "man7.org" in first


@every_chapter
def test_it_ends_with_what_to_read_next(path: Path) -> None:
    last = refresher.read(path).cells[-1]
    assert last.cell_type == "markdown"
    assert "**Read on:**" in last.source
    assert "man7.org" in last.source
    assert "https://lwn.net/Articles/" in last.source


@every_chapter
def test_no_code_cell_is_longer_than_a_reader_can_take_in(path: Path) -> None:
    lines = {cell.id: len(cell.source.splitlines()) for cell in cells(path, "code")}
    assert {name: n for name, n in lines.items() if n > MOST_LINES} == {}


@every_chapter
def test_a_kernel_version_stands_beside_a_man_page_or_an_article(path: Path) -> None:
    paragraphs = [p for p in re.split(r"\n\s*\n|\n(?=[-|*])", prose(path)) if "inux " in p]
    bare = [
        text
        for text in paragraphs
        if re.search(r"Linux \d\.\d", text) and not re.search(r"[a-z_0-9]+\(\d\)|lwn\.net", text)
    ]
    assert bare == []


@every_chapter
def test_it_has_three_exercises_at_least(path: Path) -> None:
    source = "\n".join(cell.source for cell in cells(path, "code"))
    asked = re.findall(r'ns\.exercise\("([a-z]+-\d)"\)', source)
    assert len(asked) >= 3
    assert asked == re.findall(r'ns\.check\("([a-z]+-\d)"\)', source)


@every_lesson
def test_it_asks_before_the_kernel_answers_and_grades_every_guess(path: Path) -> None:
    asked: dict[str, int] = {}
    graded: dict[str, int] = {}
    for number, cell in enumerate(cells(path, "code")):
        for name in re.findall(r"^(\w+) = ns\.predict\(", cell.source, flags=re.MULTILINE):
            asked[name] = number
        for name in re.findall(r"^ *(\w+)\.grade\(", cell.source, flags=re.MULTILINE):
            graded[name] = number
    assert 2 <= len(asked) <= 4
    assert asked.keys() == graded.keys()
    assert all(asked[name] < graded[name] for name in asked)


@every_lesson
def test_no_answer_of_a_prediction_is_written_down(path: Path) -> None:
    source = "\n".join(cell.source for cell in cells(path, "code"))
    grades = [
        ast.parse(f"grade({told})", mode="eval").body
        for told in re.findall(r"\.grade\((.+)\)", source)
    ]
    told = [call.args[0] for call in grades if isinstance(call, ast.Call)]
    assert [answer.value for answer in told if isinstance(answer, ast.Constant)] == []


@every_chapter
def test_its_terms_are_in_the_glossary(path: Path) -> None:
    linked = set(re.findall(r"\(glossary\.md#([^\s)]+) ", prose(path)))
    known = {name.replace(" ", "-") for name in headings(NOTEBOOKS / "glossary.ipynb", 2)}
    assert len(linked) >= 3
    assert linked <= known


def test_the_glossary_is_in_order_and_each_term_has_its_source() -> None:
    names = headings(NOTEBOOKS / "glossary.ipynb", 2)
    assert names == sorted(names, key=str.lower)
    entries = [c.source for c in cells(NOTEBOOKS / "glossary.ipynb", "markdown")[1:]]
    sources = ("man7.org", "docs.kernel.org", "doi.org")
    assert [text for text in entries if not any(source in text for source in sources)] == []
    assert [text for text in entries if not text.startswith("## ")] == []
