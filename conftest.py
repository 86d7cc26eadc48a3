"""How pytest runs the tests and the notebooks of nsedu (the notebooks by way of nbval)."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterator

import nbval.kernel
import pytest
from jupyter_client.manager import KernelManager
from nbval.plugin import IPyNbCell, IPyNbFile

from notebook_env import PrivateSockets, isolate, private_directory


class PrivateKernelManager(PrivateSockets, KernelManager):
    """What nbval starts kernels with."""


def pytest_configure(config: pytest.Config) -> None:
    nbval.kernel.KernelManager = PrivateKernelManager
    if hasattr(config, "workerinput"):
        return  # a worker inherits the environment of the process that started it
    private = private_directory()
    config.add_cleanup(lambda: shutil.rmtree(private, ignore_errors=True))
    isolate(private)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A picture is compared by its text twin; its SVG may change its looks without being wrong.
    for notebook in {item.parent for item in items if isinstance(item, IPyNbCell)}:
        assert isinstance(notebook, IPyNbFile)
        notebook.skip_compare += ("image/svg+xml",)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, or fail it where the machine was promised to."""
    absent = _missing(frozenset(_needs(item)))
    promised = {name.strip() for name in os.environ.get("NSEDU_MUST_HAVE", "").split(",")}
    for need, reason in absent.items():
        if need in promised:
            pytest.fail(f"{need} must be present here (NSEDU_MUST_HAVE): {reason}", pytrace=False)
    if absent:
        pytest.skip("; ".join(f"needs {need}: {reason}" for need, reason in absent.items()))


def _needs(item: pytest.Item) -> Iterator[str]:
    for marker in item.iter_markers("needs"):
        yield from marker.args
    if isinstance(item, IPyNbCell):  # what the notebook needs, and what this cell needs beside
        for metadata in (item.parent.nb.metadata, item.cell.metadata):
            yield from metadata.get("nsedu", {}).get("needs", [])


@functools.cache
def _missing(needs: frozenset[str]) -> dict[str, str]:
    if not needs:
        return {}
    from nsedu.doctor import (
        missing,
    )  # only where asked for: the tests of the floors below run first

    return missing(sorted(needs))
