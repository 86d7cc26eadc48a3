"""Whoever sits at a front end gets widgets; tests, converters and terminals get text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from notebook_env import PrivateSockets

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
