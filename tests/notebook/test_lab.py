"""`make lab`, as a newcomer meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import refresh_notebooks as refresher
from in_lab import Lab, choose, run_all, wait_for_kernel

ROOT = Path(__file__).resolve().parents[2]
FIRST = ROOT / "notebooks" / "00_start_here.ipynb"

pytestmark = pytest.mark.browser


def test_make_lab_serves_jupyterlab_at_the_first_notebook(lab: Lab, page: Page) -> None:
    assert "/lab/tree/notebooks/00_start_here.ipynb?" in lab.address
    page.goto(lab.address)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)


@pytest.mark.skipif(not FIRST.exists(), reason="notebooks/00_start_here.ipynb is not written yet")
def test_the_first_notebook_runs_to_its_last_cell_and_shows_its_picture(
    lab: Lab, page: Page
) -> None:
    cells = [cell for cell in refresher.read(FIRST).cells if cell.cell_type == "code"]
    before = FIRST.read_bytes()
    page.goto(lab.address)
    wait_for_kernel(page)
    expect(page.locator(".jp-CodeCell")).to_have_count(len(cells))
    page.locator(".jp-Notebook .jp-Cell").first.click()
    choose(page, "Edit", "Clear Outputs of All Cells")
    expect(page.locator(".jp-OutputArea-output")).to_have_count(0)
    run_all(page, len(cells))
    picture = page.locator(".jp-OutputArea-output .nsedu-picture svg").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    assert picture.evaluate("drawing => drawing.getBoundingClientRect().width") > 500
    assert FIRST.read_bytes() == before, "running a notebook must not rewrite the file by itself"
