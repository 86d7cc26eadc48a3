"""Whoever sits at a front end gets widgets; tests, converters and terminals get text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from notebook_env import PrivateSockets

EVERYTHING = (
    "ns.explore()",
    "ns.predict(links=['uts'])",
    "ns.exercise('uts-1')",
    "ns.progress()",
    "ns.terminal()",
    "ns.quiz('uts')",
    "ns.eyes(hostname=True)",
)
ASK = "import nsedu as ns; guess = ns.predict('Does it die?', ['yes', 'no'])"
TEXT = "? Does it die?\n  () yes   () no".replace("()", "( )")
VIEW = "application/vnd.jupyter.widget-view+json"


class Manager(PrivateSockets, KernelManager):
    """Starts a kernel that speaks by Unix sockets."""


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    manager = Manager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def outputs(kernel: BlockingKernelClient, code: str, person: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    kernel.execute_interactive(
        code,
        allow_stdin=person,
        timeout=60,
        output_hook=lambda message: found.append(message["content"] | {"is": message["msg_type"]}),
    )
    return [one for one in found if one["is"] in ("stream", "display_data", "error")]


def test_a_test_run_gets_text_and_imports_no_widgets(kernel: BlockingKernelClient) -> None:
    told = outputs(kernel, f"{ASK}\nimport sys; print('ipywidgets' in sys.modules)", person=False)
    assert "".join(one["text"] for one in told) == f"{TEXT}\nFalse\n"


def test_a_person_gets_a_widget_with_its_text_beside(kernel: BlockingKernelClient) -> None:
    (told,) = outputs(kernel, ASK, person=True)
    assert told["is"] == "display_data"
    assert told["data"]["text/plain"] == TEXT
    assert set(told["data"]) == {"text/plain", VIEW}


def test_plain_ipython_prints_text() -> None:
    command = [sys.executable, "-m", "IPython", "--colors=nocolor", "--no-banner", "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == TEXT
    assert done.stderr == ""


def test_plain_python_prints_text() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == TEXT


@pytest.mark.needs("userns")
def test_each_has_a_text_form_in_a_converted_notebook(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(f"import nsedu as ns\n{code}") for code in EVERYTHING]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "book.ipynb")
    command = ["nbconvert", "--to=notebook", "--execute", "--output=done", "book.ipynb"]
    subprocess.run(
        [sys.executable, "-m", "jupyter", *command], cwd=tmp_path, check=True, timeout=120,
        capture_output=True,
    )  # fmt: skip
    done = nbformat.read(tmp_path / "done.ipynb", as_version=4)
    assert "widgets" not in done.metadata
    for code, cell in zip(EVERYTHING, done.cells, strict=True):
        shown = [VIEW in output.get("data", {}) for output in cell.outputs]
        assert shown and not any(shown), code


@pytest.mark.needs("userns")
def test_each_has_a_text_form_in_plain_ipython(tmp_path: Path) -> None:
    script = tmp_path / "script.ipy"
    shown = [f"print('== {number}'); display({code})" for number, code in enumerate(EVERYTHING)]
    script.write_text("\n".join(["import nsedu as ns", *shown]))
    command = [sys.executable, "-m", "IPython", "--colors=nocolor", "--no-banner", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = done.stdout.split("== ")[1:]
    for code, text in zip(EVERYTHING, said, strict=True):
        assert len(text.split()) > 5, code
    assert "object at 0x" not in done.stdout
    assert done.stderr == ""
