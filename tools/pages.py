"""What leads from page to page: the line at the ends of a chapter, the map, the glossary's page.

`refresh_notebooks.py` calls this; what is written by hand are the chapters and the glossary.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from nsedu.learning.course_map import COMING, Chapter, chapters

MAP, GLOSSARY = "course.md", "glossary.md"
WORDS = "glossary.ipynb"
"""The notebook in which the words stand; its page is made from it."""
# JupyterLab opens a notebook at its top, whatever word a link names, and a rendered Markdown file
# at the word. Who does not click reads what the word means beside the mouse.
_WORD = re.compile(r"\]\(glossary\.(?:ipynb|md)#([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_SOURCES = re.compile(r"(?<=[.!?])(?:\s+\[[^\]]*\]\([^)]*\)\)?[,.;]?(?: ·)?)+\s*$")
"""The man pages at the end of a word's meaning, which are no part of it."""
_PLAIN = str.maketrans({'"': "'", "*": "", "`": ""})
_LONGEST = 240
"""Of a word's meaning, so many characters are shown beside the mouse at most."""


def bind(nb: NotebookNode, path: Path) -> NotebookNode:
    """Return the notebook with its lines to the chapters around it, and its links to the glossary.

    Args:
        nb: the notebook, in normal form.
        path: where it lies, beside the other chapters.
    """
    line = navigation(path)
    cells = list(nb.cells)
    if line and cells:
        head, *rest = cells[0].source.split("\n")
        cells[0].source = _joined(head, line, _without_line("\n".join(rest)))
        if len(cells) == 1 or cells[-1].cell_type != "markdown":
            cells.append(_markdown("nav-bottom", ""))
        cells[-1].source = _joined(_without_line(cells[-1].source), line)
    if (path.parent / WORDS).exists() and path.name != WORDS:
        known = meanings(path.parent / WORDS)
        for cell in cells:
            if cell.cell_type == "markdown":
                cell.source = _WORD.sub(lambda found: _to_word(found[1], known), cell.source)
    nb.cells = cells
    return nb


def navigation(path: Path) -> str:
    """← previous · map · next →, for a chapter or an appendix; "" for any other notebook."""
    every = chapters(path.parent)
    files = [chapter.notebook for chapter in every]
    if path.name in files:
        here = files.index(path.name)
        before = every[here - 1] if here else None
    elif path.name.startswith("appendix_") and every:
        here = _belongs_to(path, files)
        before = every[here]
    else:
        return ""
    after = every[here + 1] if here + 1 < len(every) else None
    left = f"[← {_short(before)}]({before.notebook})" if before else "← the first chapter"
    right = f"[{_short(after)} →]({after.notebook})" if after else _what_comes(every)
    return f"{left} · [map]({MAP}) · {right}"


def map_page(directory: Path) -> str:
    """The map of the course as a page: every chapter with its minutes, and what is coming."""
    lines = [
        "# The map of the course",
        "",
        "Read the chapters in order; each uses only what came before.",
        "",
        "| chapter | minutes | exercises |",
        "|---|---|---|",
    ]
    every = chapters(directory)
    lines += [
        f"| [{c.title}]({c.notebook}) | {c.minutes} | {', '.join(c.exercises)} |" for c in every
    ]
    lines += [f"| {number} · {title} | coming | |" for number, title in _coming(every).items()]
    files = [chapter.notebook for chapter in every]
    beside = sorted(directory.glob("appendix_*.ipynb"), key=lambda p: (_belongs_to(p, files), p))
    lines += ["", "Beside the chapters:", ""]
    lines += [f"- [{_title(path)}]({path.name})" for path in beside]
    lines += [
        f"- [{_title(directory / name)}]({shown})"
        for name, shown in (("explorer.ipynb", "explorer.ipynb"), (WORDS, GLOSSARY))
        if (directory / name).exists()
    ]
    return "\n".join(lines) + "\n"


def glossary_page(directory: Path) -> str:
    """The words of the glossary as one page, to whose headings links can lead."""
    return "\n\n".join(_sources(directory / WORDS)) + "\n"


def generated(directory: Path) -> dict[Path, str]:
    """The pages that are made from the notebooks of a directory: path to text."""
    pages = {directory / MAP: map_page(directory)} if chapters(directory) else {}
    if (directory / WORDS).exists():
        pages[directory / GLOSSARY] = glossary_page(directory)
    return pages


@cache
def meanings(path: Path) -> dict[str, str]:
    """What each word of a glossary means, in plain text, by the id of its heading."""
    found = {}
    for source in _sources(path)[1:]:
        head, _, text = source.partition("\n")
        plain = _LINK.sub(r"\1", _SOURCES.sub("", text)).translate(_PLAIN)
        shown = ""
        for sentence in re.split(r"(?<=[.!?]) ", " ".join(plain.split())):
            if shown and len(shown) + len(sentence) > _LONGEST:
                break
            shown = f"{shown} {sentence}".lstrip()
        found[head.removeprefix("## ").strip().replace(" ", "-")] = shown
    return found


def _to_word(word: str, known: dict[str, str]) -> str:
    meaning = f' "{known[word]}"' if word in known else ""
    return f"]({GLOSSARY}#{word}{meaning})"


def _belongs_to(appendix: Path, files: list[str]) -> int:
    """Which chapter leads to an appendix; the last unless one does."""
    texts = [(appendix.parent / name).read_text(encoding="utf-8") for name in files]
    leads = [number for number, text in enumerate(texts) if f"]({appendix.name}" in text]
    return leads[0] if leads else len(files) - 1


def _coming(every: list[Chapter]) -> dict[int, str]:
    written = {chapter.notebook[:2] for chapter in every}
    return {number: title for number, title in COMING.items() if f"{number:02}" not in written}


def _what_comes(every: list[Chapter]) -> str:
    """In place of the link to a next chapter, after the last one."""
    for number, title in _coming(every).items():
        return f"{number} · {title} (coming) →"
    return "the last chapter →"


def _short(chapter: Chapter) -> str:
    return chapter.title.partition(":")[0]


def _title(path: Path) -> str:
    return _sources(path)[0].splitlines()[0].lstrip("# ")


def _sources(path: Path) -> list[str]:
    nb = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    return [cell.source for cell in nb.cells if cell.cell_type == "markdown"]


def _without_line(text: str) -> str:
    """The text without such a line, and without the links to a next chapter that stood there."""
    kept = [
        line
        for line in text.split("\n")
        if f"[map]({MAP})" not in line and not line.startswith("**Next:**")
    ]
    return "\n".join(kept).strip("\n")


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _markdown(name: str, source: str) -> Any:
    return nbformat.from_dict(
        {"id": name, "cell_type": "markdown", "metadata": {}, "source": source}
    )
