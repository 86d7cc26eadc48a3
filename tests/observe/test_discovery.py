"""The growing knowledge of one look."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsedu.kernel.namespace_files import open_file, parse_link
from nsedu.kernel.namespace_types import LINKS, NAMES
from nsedu.kernel.procfs import DIRECTORY
from nsedu.observe.namespace_graph import NamespaceGraph


@pytest.fixture
def ns_directory() -> Iterator[int]:
    directory = os.open("/proc/self/ns", DIRECTORY)
    yield directory
    os.close(directory)


def texts() -> tuple[bytes, ...]:
    return tuple(os.readlink(f"/proc/self/ns/{link}").encode() for link in LINKS)


@pytest.mark.parametrize("kind", NAMES)
def test_the_text_of_a_namespace_link_is_its_type_and_number(kind: str) -> None:
    assert parse_link(f"{kind}:[4026531838]".encode()) == (kind, 4026531838)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"pipe:[77]",
        b"socket:[77]",
        b"/net:[77]",
        b"net:[77] (deleted)",
        b"net:[]",
        b"net:[7]\n",
    ],
)
def test_other_links_are_no_namespaces(text: bytes) -> None:
    assert parse_link(text) is None


def test_processes_with_the_same_links_are_one_group(ns_directory: int) -> None:
    graph = NamespaceGraph()
    group = graph.add_group(texts(), ns_directory)
    assert graph.groups[texts()] is group


def test_a_process_that_moved_on_meanwhile_is_tried_again_with_the_next(ns_directory: int) -> None:
    graph = NamespaceGraph()
    stale = (b"mnt:[1]", *texts()[1:])
    graph.add_group(stale, ns_directory)
    assert stale not in graph.groups


def test_what_a_process_took_with_it_meanwhile_is_left_out(ns_directory: int) -> None:
    graph = NamespaceGraph()
    graph.add_group(texts(), ns_directory)  # and it ended before the rest of it was read
    assert graph.namespaces([]) == {}


def test_a_path_that_leads_elsewhere_by_now_is_not_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # opening it would wait for a writer
    with pytest.raises(OSError) as error:
        open_file(str(fifo), ("net", fifo.stat().st_ino))
    assert error.value.errno == errno.ESTALE
