"""A prediction is answered and graded in JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from in_lab import Lab, code_cell, run_cell

pytestmark = pytest.mark.browser

CELLS = (
    "import nsedu as ns\nguess = ns.predict(links=True)\n"
    "dies = ns.predict('Does it die?', ['yes', 'no'])",
    "box = ns.Sandbox('uts')\nguess.grade(box)\ndies.grade('no')",
)


def test_a_prediction_is_graded_right_and_wrong(scratch: Lab, page: Page) -> None:
    scratch.open(page, scratch.notebook("guess.ipynb", *CELLS))
    run_cell(page, 0)
    cell = code_cell(page, 0)
    cell.get_by_role("checkbox", name="uts").check()
    cell.get_by_role("checkbox", name="user").check()
    cell.get_by_role("radio", name="yes").check()
    run_cell(page, 1)
    expect(cell.get_by_text("✔ you said uts and user, and so it is")).to_be_visible()
    expect(cell.get_by_text("… you said yes; the answer is: no")).to_be_visible()
    expect(cell.get_by_role("checkbox", name="uts")).to_be_disabled()
