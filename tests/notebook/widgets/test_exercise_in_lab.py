"""A learner solves exercises in JupyterLab, and the lamp of the card notices."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from in_lab import SLOW, THEMES, Lab, choose, code_cell, faults, run_cell, set_theme
from nsedu.learning.exercises import EXERCISES

pytestmark = [pytest.mark.browser, pytest.mark.needs("userns", "uts", "unshare", "hostname")]

SHOW = "import nsedu as ns\nns.exercise('uts-1')"
BY_HAND = EXERCISES["uts-1"].one_way
HINTS = len(EXERCISES["uts-1"].hints)


@pytest.fixture(autouse=True)
def nothing_goes_on(page: Page) -> Iterator[None]:
    """End what a test has begun in its terminal and in its kernel, for the sake of the next."""
    yield
    for kind, name in (("terminals", "name"), ("sessions", "id")):
        for one in page.request.get(f"{base(page)}/api/{kind}").json():
            told = page.request.delete(f"{base(page)}/api/{kind}/{one[name]}", headers=token(page))
            assert told.ok


def base(page: Page) -> str:
    return page.url.split("/lab", 1)[0]


def token(page: Page) -> dict[str, str]:
    """What the server wants to see before it changes anything for a page."""
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    return {"X-XSRFToken": cookies["_xsrf"]}


def card(page: Page, id: str = "uts-1") -> Locator:
    return page.get_by_role("group", name=re.compile(f"^Exercise {id}:"))


def status(page: Page, id: str = "uts-1") -> Locator:
    return card(page, id).get_by_role("status")


def show(lab: Lab, page: Page, name: str, *cells: str) -> None:
    """Open a notebook whose first cell shows exercises, and run that."""
    lab.open(page, lab.notebook(f"{name}.ipynb", *cells))
    run_cell(page, 0)
    expect(status(page)).to_contain_text("not yet")


def start(page: Page, number: int) -> None:
    """Have a code cell run, without waiting for its end."""
    code_cell(page, number).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")


def test_the_lamp_turns_green_for_what_is_typed_in_the_terminal_that_the_card_opens(
    scratch: Lab, page: Page
) -> None:
    room = scratch.directory / "a room"
    room.mkdir()
    show(scratch, page, "a room/terminal", SHOW)
    expect(status(page)).to_contain_text("found no running process")
    card(page).get_by_role("button", name="Open a terminal here").click()
    expect(page.locator(".jp-Terminal textarea")).to_be_focused(timeout=SLOW)
    notebook, terminal = (
        page.locator(kind).bounding_box() for kind in (".jp-Notebook", ".jp-Terminal")
    )
    assert notebook and terminal and notebook["x"] + notebook["width"] <= terminal["x"]
    page.keyboard.type("pwd > here; nsedu progress > progress; " + BY_HAND + "\n")
    expect(status(page)).to_contain_text("a process of yours is on a host called phobos")
    expect(status(page)).to_contain_text("solved")
    assert (room / "here").read_text() == f"{room}\n"
    assert "uts-1" in (room / "progress").read_text()


def test_the_lamp_turns_green_while_the_cell_that_solves_it_still_runs(
    scratch: Lab, page: Page
) -> None:
    show(scratch, page, "running", SHOW, f"!{BY_HAND}")
    start(page, 1)
    expect(status(page)).to_contain_text("solved", timeout=SLOW)
    expect(code_cell(page, 1).locator(".jp-InputPrompt").first).to_have_text("[*]:")


def test_a_card_answers_while_the_cell_that_shows_it_still_runs(scratch: Lab, page: Page) -> None:
    cell = f"{SHOW}\nimport time\nbox = ns.Sandbox('uts')\ntime.sleep(100)"
    scratch.open(page, scratch.notebook("busy.ipynb", "'JupyterLab takes keys now'", cell))
    run_cell(page, 0)
    start(page, 1)
    expect(status(page)).to_contain_text("its name is not phobos", timeout=SLOW)
    card(page).get_by_role("button", name=f"Hint 1 of {HINTS}").click()
    expect(card(page).get_by_role("listitem")).to_have_count(1)
    expect(code_cell(page, 1).locator(".jp-InputPrompt").first).to_have_text("[*]:")


def test_a_wrong_answer_leaves_it_amber_with_what_was_found(scratch: Lab, page: Page) -> None:
    show(scratch, page, "wrong", SHOW, "copied = ns.Sandbox('uts')")
    run_cell(page, 1)
    expect(status(page)).to_have_text(
        "not yetfound a UTS namespace of its own, but its name is not phobos."
    )
    expect(card(page)).not_to_have_class(re.compile("solved"))


def test_the_lamp_turns_green_for_what_is_done_inside(scratch: Lab, page: Page) -> None:
    make = "%load_ext nsedu\nbox = ns.Sandbox('uts')"
    show(scratch, page, "inside", SHOW, make, "%%inside box\nhostname phobos")
    run_cell(page, 1)
    run_cell(page, 2)
    expect(status(page)).to_contain_text("solved")


def test_hints_come_one_by_one_by_keyboard(scratch: Lab, page: Page) -> None:
    show(scratch, page, "hints", SHOW)
    hints = card(page).get_by_role("list", name="hints").get_by_role("listitem")
    for number in range(1, HINTS + 1):
        button = card(page).get_by_role("button", name=f"Hint {number} of {HINTS}")
        button.focus()
        page.keyboard.press("Enter")
        expect(hints).to_have_count(number)
    expect(card(page).get_by_role("button", name="No more hints")).to_be_disabled()
    expect(card(page)).not_to_contain_text(BY_HAND)  # which only the solution says


def test_a_solution_is_shown_if_asked_for_and_can_be_copied(scratch: Lab, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    show(scratch, page, "solution", SHOW)
    expect(card(page).get_by_role("button", name="Copy")).to_be_hidden()
    button = card(page).get_by_role("button", name="Show a solution")
    button.focus()
    page.keyboard.press("Enter")
    expect(card(page).locator("pre")).to_have_text(BY_HAND)
    expect(button).to_be_hidden()
    copy = card(page).get_by_role("button", name="Copy")
    copy.click()
    expect(card(page).get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == BY_HAND


def outputs(page: Page, number: int) -> Locator:
    """What stands below a cell besides widgets."""
    return code_cell(page, number).locator(".jp-OutputArea-output:not(:has(.nsedu))")


def test_a_check_below_the_card_leaves_the_verdict_to_it(scratch: Lab, page: Page) -> None:
    check = "_ = ns.check('uts-1')"
    box = "box = ns.Sandbox('uts', hostname='phobos')"
    show(scratch, page, "verdict", f"{SHOW}\n{check}", check, box, check, "box.close()", check)
    expect(status(page)).to_contain_text("found no running process")
    expect(outputs(page, 0)).to_have_count(0)
    run_cell(page, 1)
    told = "uts-1: its card has just been told, and says what was found."
    expect(outputs(page, 1)).to_have_text(told)
    run_cell(page, 2)
    run_cell(page, 3)
    expect(status(page)).to_contain_text("solved")
    run_cell(page, 4)
    run_cell(page, 5)
    expect(outputs(page, 5)).to_have_text(told)
    expect(status(page)).to_contain_text("solved")


def test_a_check_says_it_itself_when_the_card_has_gone(scratch: Lab, page: Page) -> None:
    show(scratch, page, "away", SHOW, "_ = ns.check('uts-1')")
    code_cell(page, 0).locator(".jp-InputArea-editor").click()
    choose(page, "Edit", "Clear Cell Output")
    expect(card(page)).to_have_count(0)
    run_cell(page, 1)
    expect(outputs(page, 1)).to_contain_text("… uts-1: found no running process")


def test_a_demonstration_is_no_progress(scratch: Lab, page: Page) -> None:
    other = SHOW.replace("uts-1", "ipc-1").replace(")", ", demo=True)")
    made = "box = ns.Sandbox('ipc')\nbox.run('ipcmk --shmem 12345')"
    look = "from nsedu.learning.progress_store import all_solved\nprint('ipc-1' in all_solved())"
    scratch.open(page, scratch.notebook("demo.ipynb", other, made, SHOW, look))
    run_cell(page, 0)
    expect(card(page, "ipc-1").get_by_text("it does not count as solved")).to_be_visible()
    run_cell(page, 1)
    expect(status(page, "ipc-1")).to_contain_text("solved")
    run_cell(page, 2)
    expect(card(page).get_by_text("it does not count")).to_be_hidden()
    run_cell(page, 3)
    expect(outputs(page, 3)).to_contain_text("False")


def test_another_view_shows_the_same_card(scratch: Lab, page: Page) -> None:
    show(scratch, page, "twice", SHOW, "ns.exercise('uts-1', hints=2)")
    run_cell(page, 1)
    expect(page.get_by_role("list", name="hints")).to_have_count(2)
    for number in (0, 1):
        hints = code_cell(page, number).get_by_role("list", name="hints").get_by_role("listitem")
        expect(hints).to_have_count(2)


def test_a_solved_card_can_be_begun_anew(scratch: Lab, page: Page) -> None:
    box = "box = ns.Sandbox('uts', hostname='phobos')"
    show(scratch, page, "anew", SHOW, box, "box.close()")
    run_cell(page, 1)
    expect(status(page)).to_contain_text("solved")
    card(page).get_by_role("button", name="Begin anew").click()
    expect(status(page)).to_contain_text("what solved it still stands")
    run_cell(page, 2)
    expect(status(page)).to_contain_text("found no running process")
    run_cell(page, 1)
    expect(status(page)).to_contain_text("solved")


COUNT = """from nsedu.notebook.widgets import exercise_checker as lamps
looks, world = [], lamps.world
lamps.world = lambda: looks.append(1) or world()"""
UNTIL_ONE_MORE = """import time
before = len(looks)
deadline = time.monotonic() + 30
while len(looks) == before and time.monotonic() < deadline: time.sleep(0.02)
print('looked' if len(looks) > before else 'stopped')"""
BEAT = """import threading
def beating(): return any(t.name == 'nsedu beat' for t in threading.enumerate())
deadline = time.monotonic() + 30
while beating() and time.monotonic() < deadline: time.sleep(0.02)
print('beating' if beating() else 'no thread is left')"""


def test_a_card_out_of_sight_costs_nothing(scratch: Lab, page: Page) -> None:
    far = "print('line\\n' * 200)"
    show(scratch, page, "hidden", SHOW, COUNT, UNTIL_ONE_MORE, far, BEAT)
    run_cell(page, 1)
    run_cell(page, 2)
    expect(code_cell(page, 2).get_by_text("looked", exact=True)).to_be_visible()
    run_cell(page, 3)
    run_cell(page, 4)
    expect(code_cell(page, 4).get_by_text("no thread is left", exact=True)).to_be_visible()
    card(page).scroll_into_view_if_needed()
    page.keyboard.press("Escape")
    expect(status(page)).to_contain_text("found no running process")


def test_a_solved_card_costs_nothing(scratch: Lab, page: Page) -> None:
    box = "box = ns.Sandbox('uts', hostname='phobos')"
    show(scratch, page, "solved", SHOW, box, "import time\n" + BEAT)
    run_cell(page, 1)
    expect(status(page)).to_contain_text("solved")
    run_cell(page, 2)
    expect(code_cell(page, 2).get_by_text("no thread is left", exact=True)).to_be_visible()


@pytest.mark.parametrize("theme", THEMES)
def test_the_cards_are_accessible(scratch: Lab, page: Page, theme: str) -> None:
    box = "box = ns.Sandbox('uts', hostname='phobos')"
    cell = "import nsedu as ns\nns.exercise('uts-1', hints=1)\nns.exercise('pid-2')\nns.terminal()"
    show(scratch, page, "axe", cell, box, "ns.progress()")
    set_theme(page, theme)
    run_cell(page, 1)
    expect(status(page)).to_contain_text("solved")
    run_cell(page, 2)
    expect(page.get_by_title("A name of its own: solved")).to_be_visible()
    assert faults(page, ".nsedu") == []
    assert faults(page, ".jp-RenderedHTMLCommon table") == []
