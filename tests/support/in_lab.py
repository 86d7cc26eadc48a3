"""JupyterLab as `make lab` serves it, and what a person does in it, for the browser tests."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from awaiting import eventually

ROOT = Path(__file__).resolve().parents[2]
THEMES = ("JupyterLab Light", "JupyterLab Dark")
SLOW = 60_000  # ms; what JupyterLab may take on a busy machine


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that serves.

    Attributes:
        address: of its first page, token included, as `make lab` prints it.
        directory: what it serves, for notebooks of the tests' own.
    """

    address: str
    directory: Path

    def open(self, page: Page, path: str) -> None:
        """Open a notebook in a fresh workspace, and wait until its kernel is idle."""
        base, token = self.address.split("/lab", 1)[0], self.address.rsplit("token=", 1)[1]
        # A new name rather than ?reset, which loads the page, and starts the kernel, twice.
        page.goto(f"{base}/lab/workspaces/{uuid.uuid4().hex}/tree/{path}?token={token}")
        wait_for_kernel(page)

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells into the directory; returns its path there."""
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(book, self.directory / name)
        return name


@contextlib.contextmanager
def serving(settings: Path, directory: Path = ROOT, theme: str = "") -> Iterator[Lab]:
    """Serve a directory by `make lab`, with an empty directory for JupyterLab's own settings."""
    # Else JupyterLab takes the cells that are out of sight off the page, and we look at all.
    write_setting(settings, "notebook-extension/tracker", '{"windowingMode": "none"}')
    if theme:
        write_setting(settings, "apputils-extension/themes", f'{{"theme": "{theme}"}}')
    flags = f"--no-browser --port=0 --LabApp.user_settings_dir={settings}"
    server = subprocess.Popen(  # which ends with us, however we end
        ["setpriv", "--pdeathsig", "TERM", "make", "lab", f"LAB_FLAGS={flags}"],
        cwd=ROOT,
        env={**os.environ, "LAB_ROOT": str(directory)},
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
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/\S+token=\w+", line):
                # It is printed a moment before anybody can connect.
                assert eventually(lambda port=int(found[1]): _listens(port))
                yield Lab(found[0], directory)
                break
        else:
            pytest.fail("make lab ended without printing an address:\n" + "".join(said))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=60)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def write_setting(settings: Path, plugin: str, text: str) -> None:
    """Write a setting of JupyterLab's, as its Settings Editor does."""
    file = settings / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def wait_for_kernel(page: Page) -> None:
    """Wait until a notebook is open and its kernel idle."""
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=SLOW)
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_attached(
        timeout=SLOW
    )
    # The indicator says idle before there is a kernel; a cell that is run then asks for one.
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=SLOW)
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def set_theme(page: Page, theme: str) -> None:
    """Choose one of `THEMES` by the menu, and wait for it."""
    choose(page, "Settings", "Theme", theme)
    expect(page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached(timeout=SLOW)


def faults(page: Page, where: str) -> list[str]:
    """The faults of accessibility that axe-core finds there and calls serious or critical."""
    return [
        f"{fault['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for fault in Axe().run(page, context=where).response["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"][:3]
    ]


def choose(page: Page, menu: str, *items: str) -> None:
    """Choose an item of JupyterLab's menu bar, whatever key it names beside."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    for item in items:
        page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()


def run_all(page: Page, cells: int) -> None:
    """Run all cells, and wait until the last of them has run; an error fails the test."""
    page.locator(".jp-Notebook .jp-Cell").first.click()
    choose(page, "Run", "Run All Cells")
    finished = page.locator(".jp-CodeCell .jp-InputPrompt", has_text=re.compile(rf"\[{cells}\]:"))
    error = page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")
    expect(finished.or_(error).first).to_be_visible(timeout=2 * SLOW)
    assert error.count() == 0, error.first.inner_text()


def run_cell(page: Page, number: int) -> None:
    """Run one code cell, counted from 0, and wait until it has run."""
    cell = code_cell(page, number)
    prompt = cell.locator(".jp-InputPrompt").first
    before = prompt.inner_text()
    for _ in range(10):  # JupyterLab takes no keys before it has started altogether
        dialogs = page.locator(".jp-Dialog").all_inner_texts()
        assert not dialogs, f"JupyterLab asks: {dialogs}"
        cell.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(AssertionError):
            expect(prompt).not_to_have_text(before, timeout=2000)
            expect(prompt).not_to_have_text("[ ]:", timeout=2000)  # run, but nobody was there
            break
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=SLOW)


def code_cell(page: Page, number: int) -> Locator:
    """A code cell, counted from 0."""
    return page.locator(".jp-CodeCell").nth(number)
