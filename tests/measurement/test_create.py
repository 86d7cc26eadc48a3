"""Measuring what unshare(2) takes: the shape of the answer, never how long anything takes."""

from __future__ import annotations

import json

import pytest

import nsedu as ns


@pytest.mark.needs("userns")
def test_there_is_a_row_for_nothing_for_each_type_and_for_all() -> None:
    answer = json.loads(ns.measure("create", 4).to_json())
    assert [row["name"] for row in answer["results"]] == ["none", *ns.TYPES, "all"]
    assert {row["n"] for row in answer["results"]} == {4}
    assert answer["unit"] == "us"
