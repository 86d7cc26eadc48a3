"""What the explorer costs in JupyterLab: with few processes, and with 5 000 more of them.

Time of the kernel is that of the thread that looks (its CPU time, with making the message); time in
the browser is what its own performance interface says.  bench_explorer.py [COUNT]
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

SECONDS = 20
NAMES = ("chromium", "chromium-browser", "google-chrome")

SHOW = """\
import json, pathlib, time
import nsedu as ns
from nsedu.notebook.widgets.explorer.widget import ExplorerWidget

looks, look = [], ExplorerWidget.look

def timed(self):
    began = time.thread_time()
    look(self)
    looks.append(time.thread_time() - began)

ExplorerWidget.look = timed
explorer = ns.explore("machine")
explorer
"""
REPORT = """\
pathlib.Path("looks").write_text(json.dumps([looks, len(explorer.snapshot.processes)]))
"""
# Long tasks are those of more than 50 ms (w3.org, Long Tasks API).
OBSERVE = """() => {
  window.blocked = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.blocked.push(entry.duration);
  }).observe({ entryTypes: ["longtask"] });
}"""
PAINT = """() => new Promise((done) => {
  const began = performance.now();
  const look = () => {
    const rows = document.querySelectorAll(".nsedu-explorer [role=treeitem]");
    if (rows.length > 10) requestAnimationFrame(() => done(performance.now() - began));
    else requestAnimationFrame(look);
  };
  look();
})"""


@contextlib.contextmanager
def crowd(count: int) -> Iterator[None]:
    """So many sleeps, in a pid namespace that ends with this process or after ten minutes."""
    loop = f"for ((i = 0; i < {count}; i++)); do sleep 600 & done; echo ready; read -t 600"
    words = ["unshare", "-Urpf", "--kill-child", "bash", "-c", loop]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.communicate(b"\n", timeout=60)


def browsing(seconds: int) -> tuple[float, list[float], list[float], int]:
    """Show it for a while: ms to the first rows, long tasks, seconds of each look, processes."""
    from playwright.sync_api import sync_playwright

    from in_lab import code_cell, run_cell, serving

    program = next(filter(None, map(shutil.which, NAMES)))
    flags = ["--no-sandbox", "--disable-background-networking"]
    with (
        tempfile.TemporaryDirectory() as settings,
        tempfile.TemporaryDirectory() as books,
        serving(Path(settings), Path(books)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        lab.open(page, lab.notebook("explorer.ipynb", "import nsedu.explore", SHOW, REPORT))
        run_cell(page, 0)
        page.evaluate(OBSERVE)
        code_cell(page, 1).locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        paint = page.evaluate(PAINT)
        page.wait_for_timeout(seconds * 1000)
        run_cell(page, 2)
        blocked = page.evaluate("window.blocked")
        looks, processes = json.loads((Path(books) / "looks").read_text())
        browser.close()
    return paint, blocked, looks, processes


def report(count: int) -> None:
    """Print what it costs beside so many idle processes."""
    with crowd(count):
        paint, blocked, looks, processes = browsing(SECONDS)
    first, rest = looks[0], sorted(looks[1:])
    share = sum(looks[1:]) / SECONDS
    print(
        f"{processes} processes: rows after {paint:.0f} ms, {len(looks)} looks in {SECONDS} s;"
        f" first look {first * 1e3:.0f} ms of CPU, later ones {rest[len(rest) // 2] * 1e3:.1f} ms"
        f" (longest {rest[-1] * 1e3:.1f} ms), {share:.1%} of a core; longest task of the browser"
        f" {max(blocked, default=0):.0f} ms ({len(blocked)} above 50 ms)"
    )


def main() -> None:
    if not any(map(shutil.which, NAMES)):
        print("No Chromium is installed, so the explorer was not measured: apt install chromium.")
        return
    for count in [int(word) for word in sys.argv[1:]] or [100, 5_000]:
        report(count)


if __name__ == "__main__":
    main()
