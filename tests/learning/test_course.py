"""The map of the course and the catalogue, as tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nsedu as ns
from nsedu.table import Table


def test_the_map_is_read_from_the_notebooks(tmp_path: Path) -> None:
    cell = {"cell_type": "markdown", "source": ["# 7 · Networks\n", "text"]}
    about = {"nsedu": {"minutes": 30, "needs": ["net", "veth"]}}
    (tmp_path / "07_net.ipynb").write_text(json.dumps({"metadata": about, "cells": [cell]}))
    (tmp_path / "explorer.ipynb").write_text("not a chapter")
    assert ns.course(tmp_path).rows == [["07_net.ipynb", "7 · Networks", "30", "net, veth"]]


def test_a_directory_without_chapters_says_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="start JupyterLab in notebooks/"):
        ns.course(tmp_path)


def test_the_catalogue_has_the_eight() -> None:
    assert [row[0] for row in ns.catalogue().rows] == list(ns.TYPES)


def test_a_table_wraps_long_cells_in_text() -> None:
    table = Table(("a", "b"), [("x", "one two three")], widest=8)
    assert repr(table) == "a  b\nx  one two\n   three"


def test_a_table_escapes_its_cells_in_html() -> None:
    assert "&lt;b&gt;" in Table(("a",), [("<b>",)])._repr_html_()
