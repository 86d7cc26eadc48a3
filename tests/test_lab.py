"""`make lab`, as a newcomer meets it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import notebooks
import pytest
from playwright.sync_api import Page, expect

ROOT = Path(__file__).resolve().parent.parent
FIRST = ROOT / "notebooks" / "00_start_here.ipynb"

pytestmark = pytest.mark.browser


@pytest.fixture
def lab() -> Iterator[str]:
    """The address that `make lab` prints, token included, while it serves."""
    server = subprocess.Popen(
        ["make", "lab", "LAB_FLAGS=--no-browser --port=0"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S+token=\w+", line):
                yield found[0]
                break
        else:
            pytest.fail("make lab ended without printing an address:\n" + "".join(said))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=60)


def test_make_lab_serves_jupyterlab_at_the_first_notebook(lab: str, page: Page) -> None:
    assert "/lab/tree/notebooks/00_start_here.ipynb?" in lab
    page.goto(lab)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)


@pytest.mark.skipif(not FIRST.exists(), reason="notebooks/00_start_here.ipynb is not written yet")
def test_the_first_notebook_runs_to_its_last_cell_and_shows_its_picture(
    lab: str, page: Page
) -> None:
    cells = [cell for cell in notebooks.read(FIRST).cells if cell.cell_type == "code"]
    before = FIRST.read_bytes()
    page.goto(lab)
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_attached(
        timeout=60_000
    )
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Restart Kernel and Run All Cells", exact=False).click()
    page.get_by_role("button", name="Restart", exact=True).click()
    last = page.locator(".jp-CodeCell .jp-InputPrompt").last
    expect(last).to_have_text(f"[{len(cells)}]:", timeout=120_000)
    expect(page.locator(".jp-OutputArea-output svg").first).to_be_attached()
    assert page.locator('.jp-OutputArea-output[data-mime-type*="stderr"]').count() == 0
    assert FIRST.read_bytes() == before, "running a notebook must not rewrite the file by itself"
