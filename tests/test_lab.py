"""`make lab`, as a newcomer meets it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import refresh_notebooks as refresher

ROOT = Path(__file__).resolve().parent.parent
FIRST = ROOT / "notebooks" / "00_start_here.ipynb"

pytestmark = pytest.mark.browser


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address that `make lab` prints, token included, while it serves."""
    # Else JupyterLab takes the cells that are out of sight off the page, and we look at all.
    settings = tmp_path / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"windowingMode": "none"}')
    flags = f"--no-browser --port=0 --LabApp.user_settings_dir={tmp_path}"
    server = subprocess.Popen(
        ["make", "lab", f"LAB_FLAGS={flags}"],
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


def choose(page: Page, menu: str, item: str) -> None:
    """Choose an item of JupyterLab's menu bar."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def test_make_lab_serves_jupyterlab_at_the_first_notebook(lab: str, page: Page) -> None:
    assert "/lab/tree/notebooks/00_start_here.ipynb?" in lab
    page.goto(lab)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)


@pytest.mark.skipif(not FIRST.exists(), reason="notebooks/00_start_here.ipynb is not written yet")
def test_the_first_notebook_runs_to_its_last_cell_and_shows_its_picture(
    lab: str, page: Page
) -> None:
    cells = [cell for cell in refresher.read(FIRST).cells if cell.cell_type == "code"]
    before = FIRST.read_bytes()
    page.goto(lab)
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_attached(
        timeout=60_000
    )
    expect(page.locator(".jp-CodeCell")).to_have_count(len(cells))
    page.locator(".jp-Notebook .jp-Cell").first.click()
    choose(page, "Edit", "Clear Outputs of All Cells")
    expect(page.locator(".jp-OutputArea-output")).to_have_count(0)
    choose(page, "Run", "Run All Cells")
    finished = page.locator(".jp-CodeCell .jp-InputPrompt", has_text=f"[{len(cells)}]:")
    error = page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")
    expect(finished.or_(error).first).to_be_visible(timeout=120_000)
    assert error.count() == 0, error.first.inner_text()
    picture = page.locator('.jp-OutputArea-output[data-mime-type="image/svg+xml"] img').first
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert FIRST.read_bytes() == before, "running a notebook must not rewrite the file by itself"
