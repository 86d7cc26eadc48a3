"""How pytest runs the tests and the notebooks of nsedu (the notebooks by way of nbval)."""

from __future__ import annotations

import collections
import functools
import os
import shutil
import signal
import uuid
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import nbval.kernel
import pytest
from jupyter_client.manager import KernelManager
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile

from notebook_env import PrivateSockets, isolate, private_directory

# What takes longest, longest first: whoever began with it last would be waited for at the end.
LONGEST = (
    "test_host.py", "11_overhead.ipynb", "test_net.py", "test_interrupts.py", "test_faults.py",
)  # fmt: skip


class PrivateKernelManager(PrivateSockets, KernelManager):
    """What nbval starts kernels with: to a learner who has solved nothing yet."""

    def start_kernel(self, **options: Any) -> None:
        """Start it, where tests that solve exercises cannot be seen."""
        nothing = f"{os.environ['XDG_DATA_HOME']}/{uuid.uuid4().hex}"
        super().start_kernel(env={**os.environ, "XDG_DATA_HOME": nothing}, **options)


def pytest_configure(config: pytest.Config) -> None:
    nbval.kernel.KernelManager = PrivateKernelManager
    _heed_the_keyboard()
    if hasattr(config, "workerinput"):
        return  # a worker inherits the environment of the process that started it
    private = private_directory()
    config.add_cleanup(lambda: shutil.rmtree(private, ignore_errors=True))
    isolate(private)


def _heed_the_keyboard() -> None:
    """Undo what a shell does to what it starts with ``&``: it ignores the signals of the keyboard.

    What a process ignores, all that it starts ignores, too (signal(7)), and some tests send these.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) == signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A picture or table is compared by its text twin; its looks may change without being wrong.
    for notebook in {item.parent for item in items if isinstance(item, IPyNbCell)}:
        assert isinstance(notebook, IPyNbFile)
        notebook.skip_compare += ("image/svg+xml", "text/html")
    files = collections.Counter(item.path for item in items)
    items.sort(key=lambda item: (_rank(item.path.name), -files[item.path], item.path))


def _rank(name: str) -> int:
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, or fail it where the machine was promised to."""
    _skip_if_absent(_needs(item))


def _skip_if_absent(needs: Iterable[str]) -> None:
    absent = _missing(frozenset(needs))
    promised = _promised()
    for need, reason in absent.items():
        if need in promised:
            pytest.fail(f"{need} must be present here (NSEDU_MUST_HAVE): {reason}", pytrace=False)
    if absent:
        pytest.skip("; ".join(f"needs {need}: {reason}" for need, reason in absent.items()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Skip a cell that has said itself that this machine lacks what it needs, or what it uses.

    One whose metadata has told so before runs all the same, as it does for a learner, so that the
    names which it makes are there for the next.
    """
    try:
        yield
    finally:
        if isinstance(item, IPyNbCell):
            _skip_if_absent(_cell_needs(item.cell))
        for out in getattr(item, "test_outputs", None) or ():
            lacks = out.get("metadata", {}).get("nsedu", {}).get("lacks")
            if lacks in _promised():
                said = out.data["text/plain"]
                pytest.fail(
                    f"{lacks} must be present here (NSEDU_MUST_HAVE): {said}", pytrace=False
                )
            if lacks:
                pytest.skip(out.data["text/plain"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which share of the notebooks' cells this machine could run."""
    ran, every = _cells(terminalreporter)
    if every:
        terminalreporter.line(f"notebook cells: {ran} of {every} ran ({100 * ran / every:.1f} %)")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail where fewer cells ran than NSEDU_MIN_SHARE, a percentage."""
    least = float(os.environ.get("NSEDU_MIN_SHARE") or 0)
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or exitstatus != pytest.ExitCode.OK:
        return
    ran, every = _cells(terminal)
    if every and 100 * ran < least * every:
        terminal.line(f"ERROR: fewer than {least:g} % of the cells ran (NSEDU_MIN_SHARE)", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _cells(terminal: pytest.TerminalReporter) -> tuple[int, int]:
    """How many cells of notebooks ran, and how many there were."""
    counts = {
        outcome: sum(".ipynb::" in getattr(report, "nodeid", "") for report in reports)
        for outcome, reports in terminal.stats.items()
    }
    ran = counts.get("passed", 0) + counts.get("failed", 0)
    return ran, ran + counts.get("skipped", 0) + counts.get("error", 0)


def _promised() -> set[str]:
    """What this machine must have."""
    return {name.strip() for name in os.environ.get("NSEDU_MUST_HAVE", "").split(",")} - {""}


def _needs(item: pytest.Item) -> Iterator[str]:
    for marker in item.iter_markers("needs"):
        yield from marker.args
    if isinstance(item, IPyNbCell):
        yield from _cell_needs(item.parent.nb)


def _cell_needs(of: NotebookNode) -> list[str]:
    """What a notebook, or one of its cells, says that it needs."""
    needs: list[str] = of.metadata.get("nsedu", {}).get("needs", [])
    return needs


@functools.cache
def _missing(needs: frozenset[str]) -> dict[str, str]:
    if not needs:
        return {}
    from nsedu.requirements import missing

    return missing(sorted(needs))
