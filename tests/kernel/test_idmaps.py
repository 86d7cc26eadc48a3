"""Id maps: parsed, rendered, followed both ways; and the grants of /etc/subuid."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsedu.kernel import id_maps
from nsedu.kernel.id_maps import NO_ID, OVERFLOW_ID, IdRange

relaxed = settings(max_examples=60)
ids = st.integers(0, 2**32 - 2)


@st.composite
def ranges(draw: st.DrawFn) -> IdRange:
    inside, outside = draw(ids), draw(ids)
    return IdRange(inside, outside, draw(st.integers(1, 2**32 - 1 - max(inside, outside))))


@st.composite
def maps(draw: st.DrawFn) -> list[IdRange]:
    """Maps without overlaps, as the kernel demands, of a few small ranges."""
    entries, inside, outside = [], 0, 0
    for gap, jump, count in draw(st.lists(st.tuples(*[st.integers(1, 50)] * 3), max_size=6)):
        inside, outside = inside + gap, outside + jump
        entries.append(IdRange(inside, outside, count))
        inside, outside = inside + count, outside + count
    return entries


@relaxed
@given(st.lists(ranges()))
def test_parsing_what_was_rendered_gives_the_same(entries: list[IdRange]) -> None:
    assert id_maps.parse(id_maps.render(entries)) == entries


@relaxed
@given(st.lists(ranges()), st.sampled_from([" ", "\t", "      "]))
def test_the_columns_of_the_kernel_may_be_apart_by_any_blanks(
    entries: list[IdRange], blank: str
) -> None:
    text = "\n".join(blank + blank.join(map(str, entry)) for entry in entries)
    assert id_maps.parse(text) == entries


@relaxed
@given(st.text())
def test_any_other_text_is_either_parsed_or_refused_with_the_line(text: str) -> None:
    try:
        entries = id_maps.parse(text)
    except ValueError as error:
        assert any(repr(line) in str(error) for line in text.splitlines())
    else:
        assert id_maps.parse(id_maps.render(entries)) == entries


def test_a_range_that_its_reader_has_no_ids_for_is_mapped_to_none() -> None:
    (entry,) = id_maps.parse(f"0 {NO_ID} 65536")  # user_namespaces(7), Unmapped user and group IDs
    assert entry == IdRange(0, NO_ID, 65536)
    assert id_maps.to_outside([entry], 7) == OVERFLOW_ID


@pytest.mark.parametrize(
    "line",
    ["0 0", "0 0 0", "0 0 1 1", "-1 0 1", "0 0 4294967297", "4294967295 0 2", "0 4294967294 3",
     "a b c", "0x1 0 1", "٣ 0 1", "0 0 1.0", "+1 0 1"],
)  # fmt: skip
def test_a_line_that_is_no_map_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"id map line|beyond the ids"):
        id_maps.parse(f"0 1000 1\n{line}\n")


def test_the_map_of_the_first_user_namespace_is_parsed() -> None:
    assert id_maps.parse("         0          0 4294967295\n") == [IdRange(0, 0, 4294967295)]


def test_our_own_map_is_parsed() -> None:
    assert id_maps.to_inside(id_maps.parse(Path("/proc/self/uid_map").read_text()), 0) in (
        0, OVERFLOW_ID,
    )  # fmt: skip


@relaxed
@given(maps(), st.integers(0, 400))
def test_there_and_back_is_the_same_id_or_the_overflow_id(entries: list[IdRange], one: int) -> None:
    outside = id_maps.to_outside(entries, one)
    mapped = any(entry.inside <= one < entry.inside + entry.count for entry in entries)
    assert (outside != OVERFLOW_ID) == mapped
    if mapped:
        assert id_maps.to_inside(entries, outside) == one


@relaxed
@given(maps(), st.integers(0, 400))
def test_an_outside_id_without_a_mapping_looks_like_the_overflow_id(
    entries: list[IdRange], one: int
) -> None:
    mapped = any(entry.outside <= one < entry.outside + entry.count for entry in entries)
    assert (id_maps.to_inside(entries, one) != OVERFLOW_ID) == mapped


def test_the_overflow_id_is_the_kernels() -> None:
    assert int(Path("/proc/sys/kernel/overflowuid").read_text()) == OVERFLOW_ID


# Grants


@pytest.fixture
def subuid(tmp_path: Path) -> Path:
    return tmp_path / "subuid"


NOBODY_AT_ALL = 4_000_000_000  # a uid that no account has


def test_grants_of_a_uid_are_numbered_from_one_on(subuid: Path) -> None:
    subuid.write_text(f"{NOBODY_AT_ALL}:100000:65536\nother:1:1\n{NOBODY_AT_ALL}:300000:10\n")
    assert id_maps.grants(str(subuid), NOBODY_AT_ALL) == [
        IdRange(1, 100000, 65536), IdRange(65537, 300000, 10),
    ]  # fmt: skip


def test_grants_may_name_the_user(subuid: Path) -> None:
    subuid.write_text("root:100000:65536\n")
    assert id_maps.grants(str(subuid), 0) == [IdRange(1, 100000, 65536)]


@pytest.mark.parametrize(
    "line",
    ["", "# comment", "4000000000", "4000000000:1", "4000000000:a:1", "4000000000:100000:0",
     "4000000000:-5:10", "4000000000:5:"],
)  # fmt: skip
def test_a_line_that_grants_nothing_is_passed_over(subuid: Path, line: str) -> None:
    subuid.write_text(f"{line}\n4000000000:7:3\n")
    assert id_maps.grants(str(subuid), NOBODY_AT_ALL) == [IdRange(1, 7, 3)]


def test_a_file_that_is_not_utf8_is_no_obstacle(subuid: Path) -> None:
    subuid.write_bytes(b"caf\xe9:1:1\n4000000000:7:3\n")
    assert id_maps.grants(str(subuid), NOBODY_AT_ALL) == [IdRange(1, 7, 3)]


def test_a_missing_file_grants_nothing(subuid: Path) -> None:
    assert id_maps.grants(str(subuid), NOBODY_AT_ALL) == []


def test_the_widest_map_begins_with_ones_own_id() -> None:
    widest = id_maps.wide_map("uid", os.geteuid())
    if os.geteuid() == 0:
        ours = id_maps.parse(Path("/proc/self/uid_map").read_text())
        assert [(entry.inside, entry.outside) for entry in widest] == [
            (entry.inside, entry.inside) for entry in ours
        ]
    else:
        assert widest[0] == IdRange(0, os.geteuid(), 1)
