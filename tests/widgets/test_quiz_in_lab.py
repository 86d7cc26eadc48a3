"""A quiz is answered in JupyterLab, by mouse and by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from in_lab import THEMES, Lab, code_cell, faults, run_cell, set_theme

pytestmark = pytest.mark.browser


def test_a_quiz_is_answered_and_each_answer_explained(scratch: Lab, page: Page) -> None:
    scratch.open(page, scratch.notebook("quiz.ipynb", "import nsedu as ns\nns.quiz('uts')"))
    run_cell(page, 0)
    cell = code_cell(page, 0)
    first = cell.get_by_role("radiogroup", name="A process gets a new UTS namespace")
    first.get_by_text("empty").click()
    expect(cell.get_by_role("status").first).to_contain_text("This one begins as a copy")
    first.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(cell.get_by_role("status").first).to_contain_text("Yes: the names are copied")
    expect(first.get_by_role("radio", name="the one outside")).to_be_focused()
    link = cell.get_by_role("link", name="uts_namespaces(7)")
    expect(link).to_have_attribute(
        "href", "https://man7.org/linux/man-pages/man7/uts_namespaces.7.html"
    )
    for theme in THEMES:
        set_theme(page, theme)
        assert faults(page, ".jp-CodeCell .jp-OutputArea") == []
