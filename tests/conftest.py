"""Fixtures that the tests share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_user import Learner, make_learner


@pytest.fixture(scope="session")
def learner() -> Iterator[Learner]:
    """An ordinary user, to run programs and Python as."""
    home = Path(tempfile.mkdtemp(prefix="nsedu-learner-", dir="/tmp"))
    try:
        yield make_learner(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
