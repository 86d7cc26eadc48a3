"""A quiz is answered in JupyterLab, by mouse and by keyboard, and its score is kept."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from in_lab import THEMES, Lab, code_cell, faults, run_all, run_cell, set_theme

pytestmark = pytest.mark.browser

SHOW = "import nsedu as ns\nns.quiz('uts')"
SCORE = "from nsedu.learning.progress_store import all_answered\nprint(all_answered().get('uts'))"


@pytest.fixture(autouse=True)
def own_progress(scratch: Lab) -> str:
    """The start of each notebook: progress of the test's own, in its directory."""
    return f"import os\nos.environ['XDG_DATA_HOME'] = {str(scratch.directory)!r}\n"


def question(page: Page, words: str) -> Locator:
    return page.get_by_role("radiogroup", name=words)


def answer_all(page: Page) -> None:
    question(page, "A process gets a new UTS namespace").get_by_text("the one outside").click()
    question(page, "A program without CAP_SYS_ADMIN").get_by_text("no, it is the cap").click()
    question(page, "Does another host name change").get_by_text("no", exact=True).click()


def test_each_answer_is_explained_and_marked(scratch: Lab, page: Page) -> None:
    scratch.open(page, scratch.notebook("quiz.ipynb", SHOW))
    run_cell(page, 0)
    first = question(page, "A process gets a new UTS namespace")
    first.get_by_text("empty").click()
    expect(first.get_by_role("status")).to_contain_text("This one begins as a copy")
    expect(first.get_by_text("✘")).to_be_visible()
    first.get_by_text("the one outside").click()
    expect(first.get_by_role("status")).to_contain_text("Yes: the names are copied")
    expect(first.get_by_text("✔")).to_be_visible()
    expect(first.get_by_text("✘")).to_have_count(0)
    expect(first.get_by_role("link", name="uts_namespaces(7)")).to_have_attribute(
        "href", "https://man7.org/linux/man-pages/man7/uts_namespaces.7.html"
    )


def test_arrow_keys_go_to_an_answer_and_space_chooses_it(scratch: Lab, page: Page) -> None:
    scratch.open(page, scratch.notebook("keys.ipynb", SHOW, "1"))
    run_cell(page, 0)
    first = question(page, "A process gets a new UTS namespace")
    first.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(first.get_by_role("radio", name="the one outside")).to_be_focused()
    expect(first.get_by_role("status")).to_have_text("")
    page.keyboard.press("Space")
    expect(first.get_by_role("status")).to_contain_text("Yes: the names are copied")
    page.keyboard.press("ArrowDown")  # and round
    expect(first.get_by_role("radio", name="empty")).to_be_focused()
    page.keyboard.type("dd")  # which would delete the cell
    expect(page.locator(".jp-CodeCell")).to_have_count(2)


def test_the_score_counts_first_tries_and_the_best_is_kept(
    scratch: Lab, page: Page, own_progress: str
) -> None:
    cells = own_progress + SHOW, SCORE
    scratch.open(page, scratch.notebook("score.ipynb", *cells))
    run_cell(page, 0)
    question(page, "A process gets a new UTS namespace").get_by_text("empty").click()
    answer_all(page)
    quiz = page.get_by_role("group", name="Quiz uts")
    expect(quiz.get_by_text("2 of 3 right at the first try.")).to_be_visible()
    run_all(page, 3)
    expect(code_cell(page, 1)).to_contain_text("right=2, of=3")
    expect(quiz.get_by_text("2 of 3 right at the first try.")).to_be_visible()
    quiz.get_by_role("button", name="Begin anew").click()
    expect(quiz.get_by_text("right at the first try")).to_have_count(0)
    expect(question(page, "A process gets").get_by_role("status")).to_have_text("")
    answer_all(page)
    expect(quiz.get_by_text("3 of 3 right at the first try.")).to_be_visible()
    run_cell(page, 1)
    expect(code_cell(page, 1)).to_contain_text("right=3, of=3")


def test_axe_finds_no_serious_fault_in_a_quiz(scratch: Lab, page: Page, own_progress: str) -> None:
    scratch.open(page, scratch.notebook("axe.ipynb", own_progress + SHOW))
    run_cell(page, 0)
    for theme in THEMES:
        set_theme(page, theme)
        question(page, "A process gets a new UTS namespace").get_by_text("empty").click()
        assert faults(page, ".jp-CodeCell .jp-OutputArea") == []
        answer_all(page)
        expect(page.get_by_text("of 3 right at the first try.")).to_be_visible()
        assert faults(page, ".jp-CodeCell .jp-OutputArea") == []
