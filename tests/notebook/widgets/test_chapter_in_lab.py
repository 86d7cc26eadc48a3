"""A chapter in JupyterLab: its questions are answered by hand, and graded where it checks them."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Page, expect

from in_lab import ROOT, SLOW, Lab, choose, run_cell

pytestmark = pytest.mark.browser


@pytest.mark.needs("userns", "uts", "pid", "strace", "unshare", "hostname")
def test_the_predictions_of_chapter_2_are_answered_and_graded(scratch: Lab, page: Page) -> None:
    # A copy: JupyterLab saves by itself what is run in it.
    shutil.copy(ROOT / "notebooks/02_uts.ipynb", scratch.directory)
    scratch.open(page, "02_uts.ipynb")
    run_cell(page, 0)
    run_cell(page, 1)
    asked = page.locator(".nsedu-prediction")
    expect(asked).to_have_count(3, timeout=SLOW)
    links, start, renamed = asked.all()
    for link in ("uts", "user"):
        links.get_by_role("checkbox", name=link, exact=True).check()
    start.get_by_role("radio", name="empty").check()
    renamed.get_by_role("radio", name="yes").check()
    page.locator(".jp-CodeCell").nth(2).locator(".jp-InputArea-editor").click()
    choose(page, "Run", "Run Selected Cell and All Below")
    expect(links.get_by_role("status")).to_have_text(
        "✔ you said uts and user, and so it is", timeout=SLOW
    )
    expect(start.get_by_role("status")).to_have_text("… you said empty; the answer is: yours")
    expect(renamed.get_by_role("status")).to_have_text("✔ you said yes, and so it is", timeout=SLOW)
    quiz = page.get_by_role("radiogroup", name="A process gets a new UTS namespace")
    expect(quiz.get_by_role("radio")).to_have_count(3, timeout=SLOW)
