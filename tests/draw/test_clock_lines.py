"""The picture of clocks, from records made by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from nsedu.draw.clocks import MOST, OFFSET, WIDTH, _x, clocks
from nsedu.draw.svg import measure
from nsedu.observe.clocks import SECOND, TimeNamespace, words
from nsedu.observe.viewpoints import Place

SVG = "{http://www.w3.org/2000/svg}"
HOME = TimeNamespace(11, 0, 0, (Place("this notebook", 1), Place('sandbox "plain"', 2)))
OLD = TimeNamespace(12, -60 * SECOND, 10 * 365 * 86400 * SECOND, (Place('sandbox "old"', 3),))


def test_the_text_twin_says_who_and_how_far() -> None:
    waiting = TimeNamespace(13, 0, 3600 * SECOND, (), (Place("python3", 4),))
    assert str(clocks([HOME, OLD, waiting])).splitlines()[:5] == [
        "time  who                             realtime  monotonic  boottime",
        'A     this notebook, sandbox "plain"  yours     yours      yours',
        'B     sandbox "old"                   yours     −1 min     +10 years',
        "C     children to come of python3     yours     yours      +1 h",
        "time A time:[11]  B time:[12]  C time:[13]",
    ]


def test_what_is_not_known_is_said() -> None:
    said = str(clocks([TimeNamespace(None, None, None, (Place("other", 9),))]))
    assert "?     other  yours     ?          ?" in said
    assert "whose time namespace may not be read" in said
    said = str(clocks([TimeNamespace(7, None, None, (Place("other", 9),))]))
    assert "? not known: nobody in it" in said


def test_no_process_is_said() -> None:
    assert "no process to look at" in str(clocks([]))


def test_many_are_cut_and_counted() -> None:
    spaces = [TimeNamespace(100 + n, n * SECOND, 0, (Place(f"box {n}", n),)) for n in range(200)]
    picture = clocks(spaces)
    left_out = f"… {200 - MOST} more time namespaces, which are not drawn: monotonic from +40 s"
    assert f"{left_out} to +3 min 19 s, boottime from yours to yours" in str(picture)
    assert float(ET.fromstring(picture.svg).attrib["height"]) < 2000


def test_of_many_those_with_the_same_clocks_share_a_row() -> None:
    alike = [OLD._replace(ns=100 + n, inside=(Place(f"box {n}", n),)) for n in range(200)]
    rows = str(clocks([HOME, *alike])).splitlines()
    assert rows[2].split() == ["B", "box", "0", "yours", "−1", "min", "+10", "years"]
    assert rows[3].strip() == "and 199 more like it"
    assert rows[4].startswith("time A")


def test_the_line_of_time_keeps_the_order_and_both_sides() -> None:
    offsets = [0, 1e-3, 1, 59, 60, 3599, 86400, 86401, 365 * 86400, 10**9, 146 * 365 * 86400]
    places = [_x(offset) for offset in offsets]
    assert places == sorted(set(places))
    assert [_x(-offset) + _x(offset) for offset in offsets] == [2 * _x(0)] * len(offsets)


def test_the_longest_words_are_wrapped_not_clipped() -> None:
    offsets = [(145 * 365 + 364) * 86400 * SECOND, -(86399 * SECOND + 123_456_789)]
    svg = ET.fromstring(clocks([TimeNamespace(1, *offsets, (Place("x", 1),))]).svg)
    mono = [e for e in svg.iter(f"{SVG}text") if "monospace" in e.attrib["font-family"]]
    for offset in offsets:
        said = words(offset).split()
        lines = [e for e in mono if set((e.text or "").split()) <= set(said)]
        assert " ".join(line.text or "" for line in lines).split() == said
        assert all(measure(line.text or "", 12, mono=True) < OFFSET for line in lines)


def test_nothing_lies_outside_the_picture() -> None:
    far = [
        TimeNamespace(1, s * 146 * 365 * 86400 * SECOND, 0, (Place("x" * 300, 1),)) for s in (-1, 1)
    ]
    tree = ET.fromstring(clocks([HOME, *far]).svg)
    for shape in tree.iter(f"{SVG}rect"):
        assert float(shape.attrib["x"]) >= 0
        assert float(shape.attrib["x"]) + float(shape.attrib["width"]) <= WIDTH


def test_it_has_a_title_and_its_text_as_description() -> None:
    picture = clocks([HOME, OLD])
    tree = ET.fromstring(picture.svg)
    names = {child.tag.rpartition("}")[2]: child.text for child in tree}
    assert names["title"].startswith("Clocks")
    assert names["desc"] == picture.text
