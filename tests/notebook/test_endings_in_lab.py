"""Whatever ends in JupyterLab, a tab, a browser or a kernel, nothing of ours goes on without it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from awaiting import eventually
from in_lab import SLOW, Lab, choose, code_cell, run_cell

pytestmark = pytest.mark.browser

REPORT = """\
import os, pathlib, threading, time
import nsedu as ns
from nsedu.notebook.widgets.polling import beat

def report():
    while True:
        pathlib.Path("new").write_text("at rest" if beat.thread is None else "looking")
        os.replace("new", "state")
        time.sleep(0.05)

threading.Thread(target=report, daemon=True).start()
"""
CARD, EXPLORER = 'ns.exercise("uts-1")', "ns.explore()"
MAKE = """\
box = ns.Sandbox("uts", "pid", hostname="deimos")
sleep = box.popen(["sleep", "1000"])
pids = [os.getpid(), *ns.snapshot().processes]
pathlib.Path("pids").write_text(" ".join(map(str, pids)))
"""


@pytest.fixture
def watching(scratch: Lab, page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A notebook that shows a card or the explorer, and has a sandbox."""
    show = getattr(request, "param", CARD)
    for name in ("state", "pids"):
        (scratch.directory / name).unlink(missing_ok=True)
    scratch.open(page, scratch.notebook("ends.ipynb", REPORT, show, MAKE))
    for number in (0, 1, 2):
        run_cell(page, number)
    expect(code_cell(page, 1).locator(".nsedu")).to_be_visible()
    assert eventually(lambda: state(scratch) == "looking", 30)
    yield page


def state(lab: Lab) -> str:
    file = lab.directory / "state"
    return file.read_text() if file.exists() else ""


def living(lab: Lab) -> list[int]:
    pids = map(int, (lab.directory / "pids").read_text().split())
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def kernel(lab: Lab) -> int:
    return int((lab.directory / "pids").read_text().split()[0])


@pytest.mark.parametrize("watching", [CARD, EXPLORER], indirect=True)
def test_a_closed_tab_ends_the_looking_and_an_opened_one_begins_it_anew(
    scratch: Lab, watching: Page
) -> None:
    browser = watching.context.browser
    assert browser is not None
    watching.keyboard.press("Control+s")
    expect(watching.locator(".jp-mod-dirty")).to_have_count(0)
    watching.close()
    assert eventually(lambda: state(scratch) == "at rest", 40)
    again = browser.new_page()
    scratch.open(again, "ends.ipynb")
    expect(code_cell(again, 1).locator(".nsedu")).to_be_visible(timeout=SLOW)
    assert eventually(lambda: state(scratch) == "looking", 30)


@pytest.mark.parametrize("watching", [CARD, EXPLORER], indirect=True)
def test_a_browser_that_dies_ends_the_looking(scratch: Lab, watching: Page) -> None:
    watching.context.set_offline(True)  # as far as the kernel can tell, that is the same
    assert eventually(lambda: state(scratch) == "at rest", 60)


@pytest.mark.parametrize("watching", [CARD, EXPLORER], indirect=True)
def test_a_restarted_kernel_leaves_nothing_and_the_widget_says_so(
    scratch: Lab, watching: Page
) -> None:
    choose(watching, "Kernel", "Restart Kernel…")
    watching.get_by_role("button", name="Confirm Kernel Restart").click()
    assert eventually(lambda: not living(scratch), 30)
    expect(watching.locator(".nsedu-ended")).to_be_visible(timeout=SLOW)
    run_cell(watching, 0)
    run_cell(watching, 1)
    expect(watching.locator(".nsedu-ended")).to_have_count(0)
    assert eventually(lambda: state(scratch) == "looking", 30)


def test_a_killed_kernel_leaves_nothing(scratch: Lab, watching: Page) -> None:
    errors: list[str] = []
    watching.on("pageerror", lambda error: errors.append(str(error)))
    os.kill(kernel(scratch), signal.SIGKILL)
    assert eventually(lambda: not living(scratch), 30)
    dialog = watching.locator(".jp-Dialog", has_text="Kernel Restarting")
    dialog.get_by_role("button", name="Ok").click(timeout=SLOW)
    clock = code_cell(watching, 1).get_by_role("timer")
    assert eventually(lambda: stands(watching, clock), 60)
    for number in (0, 1, 2):
        run_cell(watching, number)
    assert eventually(lambda: state(scratch) == "looking", 30)
    assert errors == []


def stands(page: Page, clock: Locator) -> bool:
    """Whether a clock shows the same for two seconds."""
    before = clock.inner_text()
    page.wait_for_timeout(2000)
    return clock.inner_text() == before
