"""Id maps as bars: every line of a map is said, its holes too, and much is summed up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand_made import lines, parsed, texts
from nsedu.draw.idmap import idmap
from nsedu.kernel.id_maps import ALL_IDS, NO_ID, IdRange
from nsedu.observe.id_maps import IdMaps

OWN = (1000, 1000)
ONE = (IdRange(0, 1000, 1),)


def box(uid: tuple[IdRange, ...], gid: tuple[IdRange, ...] = ONE, name: str = "box") -> IdMaps:
    return IdMaps(f'sandbox "{name}"', uid, gid, "deny")


def test_one_id_is_yours_and_all_others_look_the_same():
    assert str(idmap([box(ONE)], OWN)) == lines(
        """
outside: as you see it
sandbox "box" · setgroups(2) denied
  uid, gid 0 is yours outside
  uid, gid: anyone else outside looks like 65534 inside
"""
    )


def test_ranges_and_the_holes_between_them_are_said_for_each_map():
    uid = (IdRange(0, 1000, 1), IdRange(1000, 100000, 10), IdRange(1, 200000, 5))
    assert str(idmap([box(uid)], OWN)) == lines(
        """
outside: as you see it
sandbox "box" · setgroups(2) denied
  uid 0 is yours outside
  uid 1 … 5 is 200000 … 200004 outside
  uid 6 … 999 is no one
  uid 1000 … 1009 is 100000 … 100009 outside
  uid: anyone else outside looks like 65534 inside
  gid 0 is yours outside
  gid: anyone else outside looks like 65534 inside
"""
    )


def test_before_the_map_is_written_everyone_looks_the_same():
    picture = idmap([IdMaps("sleep", (), (), "allow")], OWN)
    assert "everyone, no map yet" in texts(picture)
    text = str(picture)
    assert "sleep · setgroups(2) allowed\n  uid, gid: no map yet, everyone looks like 65534" in text


def test_the_first_user_namespace_leaves_no_id_out():
    everyone = (IdRange(0, 0, ALL_IDS),)
    text = str(idmap([IdMaps("this notebook", everyone, everyone, "allow")], OWN))
    said = "uid, gid 0 … 4294967294 is 0 … 4294967294 outside\n  uid, gid: no id is left out"
    assert said in text


def test_ids_that_the_reader_has_not_are_named_so():
    assert "uid 0 … 9 has no id here" in str(idmap([box((IdRange(0, NO_ID, 10),))], OWN))


def test_another_id_than_ones_own_is_a_number():
    assert "uid 0 is 1000 outside" in str(idmap([box(ONE)], (1001, 1000)))
    assert "uid, gid 0 is 1000 outside" in str(idmap([box(ONE)]))


def test_nothing_to_look_at_is_said():
    assert str(idmap([])).splitlines()[-1] == "nothing to look at"


def test_many_places_that_are_alike_are_drawn_once_with_their_number():
    text = str(idmap([box(ONE, name=f"w{i}") for i in range(200)], OWN))
    assert 'sandbox "w0" and 199 alike' in text
    assert len(text.splitlines()) == 4


def test_of_many_places_that_differ_the_rest_is_counted():
    picture = idmap([box((IdRange(0, i, 1),)) for i in range(200)])
    assert "… 184 more places, not drawn" in str(picture)
    assert "… 184 more places, not drawn" in texts(picture)


def test_of_the_longest_map_the_kernel_takes_the_rest_is_counted():
    longest = tuple(IdRange(10 * i, 7 * i, 2) for i in range(340))
    picture = idmap([box(longest)], OWN)
    assert "uid … 667 more parts, not drawn" in str(picture)
    assert "not drawn" in texts(picture)
    assert float(parsed(picture).get("width", "0")) <= 830


@st.composite
def maps(draw_from: st.DrawFn) -> tuple[IdRange, ...]:
    steps = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
    ranges, inside, outside = [], 0, 2000
    for gap, jump, count in draw_from(st.lists(steps, max_size=6)):
        ranges.append(IdRange(inside + gap, outside + jump, count))
        inside, outside = ranges[-1].inside + count, ranges[-1].outside + count
    return tuple(draw_from(st.permutations(ranges)))


@settings(max_examples=30)
@given(maps())
def test_every_line_of_a_map_is_drawn_and_said_inside_the_picture(uid: tuple[IdRange, ...]):
    picture = idmap([box(uid)], OWN)
    drawn = texts(picture)
    for entry in uid:
        for first in (entry.inside, entry.outside):
            last = first + entry.count - 1
            label = str(first) if entry.count == 1 else f"{first} … {last}"
            assert label in drawn
            assert label in str(picture)
    width = float(parsed(picture).get("width", "0"))
    for shape in parsed(picture).iter("{http://www.w3.org/2000/svg}rect"):
        assert float(shape.get("x", "0")) + float(shape.get("width", "0")) <= width


@pytest.mark.parametrize("name", ["<&>\x1b[31m", "x" * 300, "箱" * 80])
def test_a_name_may_be_anything(name: str):
    assert parsed(idmap([box(ONE, name=name)], OWN)) is not None
