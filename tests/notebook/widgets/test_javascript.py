"""The JavaScript of the widgets: its own tests, run by node, and what no linter checks."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from nsedu.notebook.widgets.bundle import bundle

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
WIDGETS = ROOT / "nsedu/notebook/widgets"
SOURCES = sorted([*WIDGETS.rglob("*.js"), *HERE.glob("*.js")])
ENTRIES = [path for path in SOURCES if "\nexport default " in path.read_text()]


@pytest.fixture(scope="module")
def node() -> str:
    """The node that Playwright brings."""
    found = importlib.util.find_spec("playwright")
    if found is None or found.origin is None:
        pytest.skip("Playwright, which brings node, is not installed.")
    return str(Path(found.origin).parent / "driver/node")


def run(*words: str | Path, text: str | None = None) -> None:
    """Run a program; what it prints is what the test fails with."""
    done = subprocess.run(
        words, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.js")), ids=lambda path: path.name)
def test_its_own_tests_pass(node: str, path: Path) -> None:
    run(node, "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--test", path)


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_a_widget_is_one_module_without_imports(node: str, path: Path) -> None:
    text = bundle(path)
    assert "\nimport " not in text
    run(node, "--input-type=module", "--check", text=text)


def test_no_line_is_longer_than_100_characters() -> None:
    for path in SOURCES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert len(line) <= 100, f"{path.relative_to(ROOT)}:{number}"
