"""The explorer in JupyterLab: what a person sees and does."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from awaiting import ended
from in_lab import SLOW, THEMES, Lab, choose, code_cell, faults, run_cell, set_theme
from nsedu.observe.records import Snapshot

pytestmark = pytest.mark.browser

SHOW = """\
import nsedu as ns
web = ns.Sandbox("uts", "pid", hostname="web", name="web")
sleeps = [web.popen(["sleep", "1000"]) for _ in range(2)]
explorer = ns.explore()
explorer
"""
MAKE = 'mars = ns.Sandbox("uts", name="mars")'
CLOSE = "mars.close()"
MANY = 'sleeps += [web.popen(["sleep", "1000"]) for _ in range(40)]'
CHANGE = 'sleeps.pop(0).kill()\nsleeps += [web.popen(["sleep", "1000"]) for _ in range(2)]'
AT_TOP = """(tree) => {
  const { x, y } = tree.getBoundingClientRect();
  return document.elementFromPoint(x + 60, y + 4).closest("[role=treeitem]").ariaLabel;
}"""
NUMBERS = itertools.count()
WITHIN = 2_000  # ms, from the end of the cell that makes something until it is to be seen


def shown(lab: Lab, page: Page, *cells: str) -> Locator:
    """A notebook with an explorer in its first cell; gives the explorer."""
    name = f"{next(NUMBERS)}.ipynb"  # each has a kernel of its own
    lab.open(page, lab.notebook(name, SHOW, *cells))
    run_cell(page, 0)
    explorer = code_cell(page, 0).locator(".nsedu-explorer")
    expect(row(explorer, 'sandbox "web"')).to_be_visible()
    return explorer


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Wait as long as a busy machine may need, where a test does not say how long."""
    expect.set_options(timeout=SLOW)
    yield
    expect.set_options(timeout=5_000)  # Playwright's own


@pytest.fixture(autouse=True)
def ending_kernels(scratch: Lab, page: Page) -> Iterator[None]:
    """End the kernels of a test after it."""
    yield
    base, token = scratch.address.split("/lab", 1)[0], scratch.address.rsplit("=", 1)[1]
    for session in page.request.get(f"{base}/api/sessions?token={token}").json():
        page.request.delete(f"{base}/api/sessions/{session['id']}?token={token}")


def row(explorer: Locator, name: str) -> Locator:
    tree = explorer.get_by_role("tree", name="Processes")
    return tree.get_by_role("treeitem", name=re.compile(f"^{re.escape(name)}, pid"))


def namespace(explorer: Locator, name: str) -> Locator:
    tree = explorer.get_by_role("tree", name="Namespaces")
    return tree.get_by_role("treeitem", name=re.compile(f"^{re.escape(name)}, "))


def said(explorer: Locator) -> Locator:
    return explorer.get_by_role("status")


def test_a_sandbox_made_in_another_cell_comes_and_goes(scratch: Lab, page: Page) -> None:
    explorer = shown(scratch, page, MAKE, CLOSE)
    run_cell(page, 1)
    mars = row(explorer, 'sandbox "mars"')
    expect(mars).to_be_visible(timeout=WITHIN)
    expect(mars.get_by_text("new")).to_be_visible()
    expect(namespace(explorer, "uts C")).to_be_visible()
    mars.click()
    panel = explorer.get_by_role("region", name="Details")
    expect(panel.get_by_role("heading", name=re.compile('sandbox "mars", pid'))).to_be_visible()
    expect(panel.get_by_text("effective")).to_be_visible()
    run_cell(page, 2)
    expect(mars.get_by_text("gone")).to_be_visible(timeout=WITHIN)
    expect(mars).to_have_count(0)
    expect(panel.get_by_text("gone", exact=True)).to_be_visible()
    expect(panel.get_by_text("effective")).to_be_visible()  # what was read of it stays


def test_selection_and_scrolling_stay_over_ten_refreshes(scratch: Lab, page: Page) -> None:
    explorer = shown(scratch, page, CHANGE, MANY)
    tree = explorer.get_by_role("tree", name="Processes")
    sums = explorer.locator(".sums")
    run_cell(page, 2)
    count = 45  # the notebook, its agent, the sandbox and 42 in there
    expect(sums).to_have_text(re.compile(f"^{count} "))
    expect(tree.locator(".new")).to_have_count(0)
    tree.evaluate("(element) => (element.scrollTop = 20 * 24 + 7)")
    expect(tree.locator("[aria-posinset='25'][aria-level='4']")).to_be_visible()
    expect(tree.locator(".new")).to_have_count(0)  # nor of those that are in sight only now
    chosen = tree.locator("[aria-posinset='25'][aria-level='4']")
    label = chosen.get_attribute("aria-label") or ""
    chosen.click()
    before = tree.evaluate(AT_TOP)
    for number in range(10):
        run_cell(page, 1)
        expect(sums).to_have_text(re.compile(f"^{count + number + 1} "))
    expect(tree.locator(".gone")).to_have_count(0)
    assert tree.evaluate(AT_TOP) == before
    expect(tree.get_by_role("treeitem", name=label)).to_have_attribute("aria-selected", "true")
    expect(tree.locator("[aria-selected=true]")).to_have_count(1)
    panel = explorer.get_by_role("region", name="Details")
    expect(panel.get_by_role("heading", level=3)).to_have_text(re.compile("^sleep, pid"))


def test_a_broken_file_is_refused_in_words_and_nothing_is_lost(
    scratch: Lab, page: Page, tmp_path: Path
) -> None:
    explorer = shown(scratch, page)
    file = explorer.locator("input[type=file]")
    saved = '{"scope": "mine", "deep": false, "unread": {}, "namespaces": [], "processes": '
    person = '{"pid": 1, "ppid": 0, "name": 7, "nspid": [], "links": {}}'
    for text in ("{ not JSON", "[]", saved + "[{}]}", saved + f"[{person}]}}", "\0" * 10):
        broken = tmp_path / "broken.json"
        broken.write_text(text)
        file.set_input_files(broken)
        expect(said(explorer)).to_have_text(re.compile("^This is not a snapshot saved by"))
        explorer.get_by_role("button", name="Mark").click()
        expect(said(explorer)).to_have_text(re.compile("^Marked"))
    expect(row(explorer, 'sandbox "web"')).to_be_visible()
    expect(explorer.get_by_text("live", exact=True)).to_be_visible()


def test_a_snapshot_is_saved_and_loaded_and_live_again(
    scratch: Lab, page: Page, tmp_path: Path
) -> None:
    explorer = shown(scratch, page, CLOSE.replace("mars", "web"))
    with page.expect_download() as download:
        explorer.get_by_role("button", name="Save").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    saved = Snapshot.from_json(path.read_text())
    assert 'sandbox "web"' in [process.role for process in saved.processes.values()]
    run_cell(page, 1)
    expect(row(explorer, 'sandbox "web"')).to_have_count(0)
    explorer.locator("input[type=file]").set_input_files(path)
    expect(explorer.get_by_text("a saved snapshot, not live")).to_be_visible()
    row(explorer, 'sandbox "web"').click()
    expect(explorer.get_by_text("can be read only of a living process")).to_be_visible()
    expect(explorer.locator(".sums")).to_have_text(re.compile(f"^{len(saved.processes)} "))
    with page.expect_download() as again:
        explorer.get_by_role("button", name="Save").click()
    again.value.save_as(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(path.read_text())
    explorer.get_by_role("button", name="Back to live").click()
    expect(row(explorer, 'sandbox "web"')).to_have_count(0)
    expect(explorer.get_by_text("live", exact=True)).to_be_visible()


def test_pictures_are_saved_as_svg_and_png(scratch: Lab, page: Page, tmp_path: Path) -> None:
    explorer = shown(scratch, page)
    for form, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            explorer.get_by_role("button", name=form).click()
        download.value.save_as(tmp_path / "picture")
        assert (tmp_path / "picture").read_bytes().startswith(begins)
        assert download.value.suggested_filename.endswith(f".{form.lower()}")


def test_what_changed_since_a_mark_is_listed(scratch: Lab, page: Page) -> None:
    explorer = shown(scratch, page, MAKE)
    expect(explorer.get_by_role("button", name="Compare")).to_be_disabled()
    explorer.get_by_role("button", name="Mark").click()
    explorer.get_by_role("button", name="Compare").click()
    expect(explorer.get_by_text("Nothing has come, gone or moved.")).to_be_visible()
    run_cell(page, 1)
    panel = explorer.get_by_role("region", name="Details")
    expect(panel.get_by_text(re.compile('process .*sandbox "mars"'))).to_be_visible()
    expect(panel.get_by_text(re.compile("namespace uts:"))).to_be_visible()


def test_a_pause_ends_the_looking_until_it_goes_on(scratch: Lab, page: Page) -> None:
    watching = (
        "from nsedu.notebook.widgets.polling import beat\nprint('looks', beat.thread is not None)"
    )
    explorer = shown(scratch, page, MAKE, watching)
    explorer.get_by_role("button", name="Pause").click()
    expect(explorer.get_by_text("paused", exact=True)).to_be_visible()
    run_cell(page, 1)
    run_cell(page, 2)
    expect(code_cell(page, 2).get_by_text("looks False")).to_be_visible()
    expect(row(explorer, 'sandbox "mars"')).to_have_count(0)
    explorer.get_by_role("button", name="Resume").click()
    expect(row(explorer, 'sandbox "mars"')).to_be_visible()


def test_the_machine_is_shown_instead_and_searched(scratch: Lab, page: Page) -> None:
    explorer = shown(scratch, page)
    explorer.get_by_role("button", name="machine").click()
    expect(explorer.get_by_role("button", name="machine")).to_have_attribute("aria-pressed", "true")
    explorer.get_by_role("searchbox").fill('sandbox "web"')
    expect(row(explorer, 'sandbox "web"')).to_be_visible()
    expect(said(explorer)).to_have_text(re.compile(r"^\d+ of \d+ processes found\.$"))
    explorer.get_by_role("searchbox").fill("no such process, anywhere")
    expect(said(explorer)).to_have_text(re.compile("^0 of"))
    explorer.get_by_role("searchbox").fill("")


def test_a_namespace_tells_of_its_members_and_of_what_keeps_it(scratch: Lab, page: Page) -> None:
    explorer = shown(scratch, page)
    explorer.get_by_label("Type of namespace").select_option("pid")
    expect(namespace(explorer, "uts B")).to_have_count(0)
    namespace(explorer, "pid B").click()
    panel = explorer.get_by_role("region", name="Details")
    expect(panel.get_by_role("heading", name="3 processes in it")).to_be_visible()
    expect(panel.get_by_text("its process 1 is as old")).to_be_visible()
    expect(row(explorer, 'sandbox "web"')).to_have_class(re.compile("member"))
    panel.get_by_role("button", name="Look at descriptors, mounts and sockets, too").click()
    expect(panel.get_by_text(re.compile("things keep it alive"))).to_be_visible()
    panel.get_by_role("button", name='sandbox "web"').click()
    expect(panel.get_by_role("heading", name=re.compile('sandbox "web", pid'))).to_be_visible()
    expect(panel.get_by_text(re.compile("further in"))).to_be_visible()


def test_everything_is_reached_by_keyboard_and_the_notebook_takes_no_key(
    scratch: Lab, page: Page
) -> None:
    explorer = shown(scratch, page, MAKE)
    cells = page.locator(".jp-Cell").count()
    explorer.get_by_role("button", name="mine").focus()
    tree = explorer.get_by_role("tree", name="Processes")
    for _ in range(40):
        if tree.evaluate("(element) => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(tree).to_be_focused()

    def active() -> str:
        inner = tree.get_attribute("aria-activedescendant")
        return page.locator(f'[id="{inner}"]').get_attribute("aria-label") or ""

    page.keyboard.press("Home")
    assert active().startswith("this notebook")
    page.keyboard.press("ArrowDown")
    assert active().startswith("agent")
    page.keyboard.type("sa")  # the first that begins so
    assert active().startswith('sandbox "web"')
    page.keyboard.press("Enter")
    panel = explorer.get_by_role("region", name="Details")
    expect(panel.get_by_role("heading", name=re.compile('sandbox "web"'))).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(row(explorer, 'sandbox "web"')).to_have_attribute("aria-expanded", "false")
    expect(row(explorer, "sleep")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    assert active().startswith("agent")
    page.keyboard.press("End")
    assert active().startswith('sandbox "web"')
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert active().startswith("sleep")
    page.keyboard.press("End")
    expect(tree).to_be_focused()
    button = explorer.get_by_role("button", name="Collapse")
    for place in (tree, button):
        place.focus()
        for key in ("d", "d", "a", "x", "m"):  # which delete, add, cut and turn cells in JupyterLab
            page.keyboard.press(key)
    tree.focus()
    assert page.locator(".jp-Cell").count() == cells
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(explorer.get_by_role("tree", name="Namespaces")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("heading", name=re.compile(r"mnt:\[\d+\], letter A"))).to_be_visible()


def test_no_row_is_lost_when_the_theme_changes(scratch: Lab, page: Page) -> None:
    explorer = shown(scratch, page, MAKE)
    rows = explorer.get_by_role("tree", name="Namespaces").locator(".nsedu-row")
    expect(rows).not_to_have_count(0)
    explorer.get_by_role("button", name="Pause").click()  # nothing else draws them anew
    before = rows.count()
    for theme in (*reversed(THEMES), *reversed(THEMES)):
        set_theme(page, theme)
        expect(rows).to_have_count(before)


@pytest.mark.parametrize("theme", THEMES)
def test_there_is_no_serious_fault_of_accessibility(scratch: Lab, page: Page, theme: str) -> None:
    explorer = shown(scratch, page, MAKE)
    set_theme(page, theme)
    explorer.get_by_role("button", name="Mark").click()
    run_cell(page, 1)
    expect(row(explorer, 'sandbox "mars"')).to_be_visible()
    panel = explorer.get_by_role("region", name="Details")
    assert faults(page, ".nsedu-explorer") == []
    row(explorer, 'sandbox "web"').click()
    expect(panel.get_by_text("effective")).to_be_visible()
    panel.get_by_text(re.compile("mounts")).click()
    assert faults(page, ".nsedu-explorer") == []
    namespace(explorer, "uts B").click()
    panel.get_by_role("button", name="Look at descriptors, mounts and sockets, too").click()
    expect(panel.get_by_text(re.compile("things keep it alive"))).to_be_visible()
    assert faults(page, ".nsedu-explorer") == []
    explorer.get_by_role("button", name="Compare").click()
    expect(panel.get_by_text(re.compile("namespace uts:"))).to_be_visible()
    assert faults(page, ".nsedu-explorer") == []


def test_a_notebook_that_is_opened_again_shows_it_again(scratch: Lab, page: Page) -> None:
    explorer = shown(scratch, page, MAKE)
    name = page.url.rsplit("/", 1)[1].split("?")[0]
    choose(page, "File", "Save Notebook")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    page.goto("about:blank")
    scratch.open(page, name)
    run_cell(page, 1)
    explorer = code_cell(page, 0).locator(".nsedu-explorer")
    expect(row(explorer, 'sandbox "mars"')).to_be_visible()
    row(explorer, 'sandbox "mars"').click()
    expect(explorer.get_by_text("effective")).to_be_visible()


def test_an_explorer_that_is_closed_leaves_the_page(scratch: Lab, page: Page) -> None:
    explorer = shown(scratch, page, "explorer.close()")
    run_cell(page, 1)
    expect(explorer).to_have_count(0)


def test_a_kernel_that_is_killed_leaves_nothing_and_breaks_nothing(
    scratch: Lab, page: Page
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    explorer = shown(scratch, page, "import os\nprint('kernel', os.getpid(), web.pid)")
    run_cell(page, 1)
    told = code_cell(page, 1).get_by_text(re.compile(r"kernel \d+")).inner_text()
    kernel, first = map(int, told.split()[1:])
    row(explorer, 'sandbox "web"').click()
    os.kill(kernel, signal.SIGKILL)
    assert ended(first)
    dialog = page.locator(".jp-Dialog", has_text="Kernel Restarting")
    dialog.get_by_role("button", name="Ok").click()
    expect(page.locator(".nsedu-explorer.nsedu-ended")).to_be_visible()
    row(explorer, "agent").click()  # what was seen last can still be walked through
    explorer.get_by_role("button", name="Pause").click()
    run_cell(page, 0)
    expect(row(explorer, 'sandbox "web"')).to_be_visible()
    expect(page.locator(".nsedu-ended")).to_have_count(0)
    assert errors == []


DEEP = """\
boxes = [web]
for _ in range(%d):
    boxes.append(boxes[-1].sandbox("user", "net", name="a name that is rather long"))
"""
CUT_NUMBERS = """(explorer) => [...explorer.querySelectorAll(
  ".right .name > code")].filter((code) => {
  const end = code.getBoundingClientRect().right;
  const clipped = (box) => box.getBoundingClientRect().right + 0.5 < end;
  return clipped(code.closest(".name")) || clipped(code.closest(".nsedu-tree"));
}).map((code) => code.textContent)"""
SHRUNK_NAMES = """(explorer) => [...explorer.querySelectorAll(".left .badge")].map((badge) => {
  const name = badge.parentElement.children[1];
  return [name.textContent, name.clientWidth, Math.min(name.scrollWidth, 50)];
}).filter(([, width, least]) => width < least)"""


@pytest.mark.parametrize(("width", "deep"), [(1280, 12), (1000, 12), (820, 2)])
def test_no_number_is_cut_and_no_name_is_shrunk_by_a_badge(
    scratch: Lab, page: Page, width: int, deep: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    explorer = shown(scratch, page, DEEP % deep)
    run_cell(page, 1)
    explorer.get_by_label("Type of namespace").select_option("user")
    expect(explorer.locator(".right .badge.new").first).to_be_visible()
    expect(explorer.locator(".left .badge.new").first).to_be_visible()
    assert explorer.evaluate(CUT_NUMBERS) == []
    tree = explorer.get_by_role("tree", name="Namespaces")
    tree.evaluate("(tree) => { tree.scrollTop = tree.scrollHeight; }")
    expect(tree.locator(".nsedu-row").last).to_contain_text("a name that is")
    assert explorer.evaluate(CUT_NUMBERS) == []
    assert explorer.evaluate(SHRUNK_NAMES) == []


def test_one_process_is_one(scratch: Lab, page: Page) -> None:
    lonely = "import nsedu as ns\nbox = ns.Sandbox('uts', name='alone')\nns.explore(box)"
    name = f"{next(NUMBERS)}.ipynb"
    scratch.open(page, scratch.notebook(name, lonely))
    run_cell(page, 0)
    expect(page.locator(".nsedu-explorer .sums")).to_have_text(
        re.compile(r"^1 process, \d namespaces")
    )
