"""A prediction is answered and graded in JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from in_lab import SLOW, THEMES, Lab, code_cell, faults, run_all, run_cell, set_theme

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


def test_a_guess_is_noted_and_outlives_run_all(scratch: Lab, page: Page) -> None:
    scratch.open(page, scratch.notebook("again.ipynb", *CELLS))
    run_cell(page, 0)
    cell = code_cell(page, 0)
    expect(cell.get_by_text("noted")).to_have_count(0)
    cell.get_by_role("checkbox", name="uts").check()
    cell.get_by_role("radio", name="yes").check()
    expect(cell.get_by_text("noted: run on, and the kernel will answer.")).to_have_count(2)
    run_all(page, 3)
    expect(cell.get_by_role("checkbox", name="uts")).to_be_checked()
    expect(cell.get_by_text("… you said uts; the kernel changed uts and user")).to_be_visible()
    expect(cell.get_by_text("… you said yes; the answer is: no")).to_be_visible()


def test_an_answer_is_heard_while_a_cell_runs(scratch: Lab, page: Page) -> None:
    wait = """\
import time
for _ in range(200):
    if guess.guess: break
    time.sleep(0.1)
print("heard", guess.guess)
"""
    scratch.open(page, scratch.notebook("heard.ipynb", CELLS[0], wait))
    run_cell(page, 0)
    code_cell(page, 1).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    expect(code_cell(page, 1).locator(".jp-InputPrompt").first).to_have_text("[*]:")
    code_cell(page, 0).get_by_role("checkbox", name="uts").check()
    expect(code_cell(page, 1).get_by_text("heard ['uts']")).to_be_visible(timeout=SLOW)


def test_keys_pressed_on_a_box_or_a_button_are_no_commands(scratch: Lab, page: Page) -> None:
    show = "import nsedu as ns\nns.predict(links=True)\nns.exercise('uts-1')"
    scratch.open(page, scratch.notebook("keys.ipynb", show, "1"))
    run_cell(page, 0)
    cell = code_cell(page, 0)
    for control in (
        cell.get_by_role("checkbox", name="uts"),
        cell.get_by_role("button", name="Hint 1"),
    ):
        control.focus()
        page.keyboard.type("dd")  # which would delete the cell
        expect(page.locator(".jp-CodeCell")).to_have_count(2)
        expect(control).to_be_visible()


def test_axe_finds_no_serious_fault_in_a_prediction(scratch: Lab, page: Page) -> None:
    ask = "import nsedu as ns\nguess = ns.predict(links=True)\nname = ns.predict('Which name?')"
    scratch.open(page, scratch.notebook("axe.ipynb", ask, "guess.grade(ns.Sandbox('uts'))"))
    run_cell(page, 0)
    run_cell(page, 1)
    for theme in THEMES:
        set_theme(page, theme)
        assert faults(page, ".nsedu") == []
