"""Fixtures that the tests share."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Page, sync_playwright

from in_lab import Lab, serving
from ordinary_user import Learner, make_learner

# Many examples are for those who have the time: HYPOTHESIS_PROFILE=many.
for _profile, _examples in (("few", 40), ("many", 100)):
    hypothesis.settings.register_profile(
        _profile,
        max_examples=_examples,
        # On a busy machine anything may be slow: no test is about how fast an example is made.
        deadline=None,
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.function_scoped_fixture,
        ],
    )
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium's own sandbox refuses root, and its background chatter only slows a closed machine.
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def learner() -> Iterator[Learner]:
    """An ordinary user, to run programs and Python as."""
    home = Path(tempfile.mkdtemp(prefix="nsedu-learner-", dir="/tmp"))
    try:
        yield make_learner(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a socket of the kind that the live core talks by."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """An empty directory that is anybody's: pytest's own is closed to who is not its user.

    Root inside a sandbox of root's is somebody else outside.
    """
    tmp_path.chmod(0o777)
    for directory in tmp_path.parents:
        if directory.name.startswith(("pytest-", "popen-")):
            directory.chmod(0o711)
    return tmp_path


@pytest.fixture
def page() -> Iterator[Page]:
    """An empty page in the system's Chromium; skipped with its reason where there is none."""
    program = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if program is None:
        reason = "no Chromium is installed, and only root can: apt install chromium."
        if "chromium" in os.environ.get("NSEDU_MUST_HAVE", "").split(","):
            pytest.fail(f"chromium must be present here (NSEDU_MUST_HAVE): {reason}", pytrace=False)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*CHROMIUM_OPTIONS])
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 1000})
        finally:
            browser.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab over the course's own notebooks."""
    with serving(tmp_path_factory.mktemp("settings")) as lab:
        yield lab


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab over an empty directory, for notebooks that a test writes."""
    with serving(tmp_path_factory.mktemp("settings"), tmp_path_factory.mktemp("books")) as lab:
        yield lab
