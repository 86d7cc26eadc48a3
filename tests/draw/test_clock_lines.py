"""The picture of clocks, from records made by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from nsedu import draw
from nsedu.draw.clock_lines import MOST, WIDTH
from nsedu.places import Place
from nsedu.timens import SECOND, TimeNamespace

HOME = TimeNamespace(11, 0, 0, (Place("this notebook", 1), Place('sandbox "plain"', 2)))
OLD = TimeNamespace(12, -60 * SECOND, 10 * 365 * 86400 * SECOND, (Place('sandbox "old"', 3),))


def test_the_text_twin_says_who_and_how_far() -> None:
    waiting = TimeNamespace(13, 0, 3600 * SECOND, (), (Place("python3", 4),))
    assert str(draw.clocks([HOME, OLD, waiting])).splitlines()[:5] == [
        "time  who                             realtime  monotonic  boottime",
        'A     this notebook, sandbox "plain"  yours     yours      yours',
        'B     sandbox "old"                   yours     −1 min     +10 years',
        "C     children to come of python3     yours     yours      +1 h",
        "time A time:[11]  B time:[12]  C time:[13]",
    ]


def test_what_is_not_known_is_said() -> None:
    said = str(draw.clocks([TimeNamespace(None, None, None, (Place("other", 9),))]))
    assert "?     other  yours     ?          ?" in said
    assert "? not known" in said


def test_no_process_is_said() -> None:
    assert "no process to look at" in str(draw.clocks([]))


def test_many_are_cut_and_counted() -> None:
    spaces = [TimeNamespace(100 + n, n * SECOND, 0, (Place(f"box {n}", n),)) for n in range(200)]
    picture = draw.clocks(spaces)
    assert f"… {200 - MOST} more time namespaces, which are not drawn" in str(picture)
    assert ET.fromstring(picture.svg).attrib["height"] < "3000"


def test_nothing_lies_outside_the_picture() -> None:
    far = [
        TimeNamespace(1, s * 146 * 365 * 86400 * SECOND, 0, (Place("x" * 300, 1),)) for s in (-1, 1)
    ]
    tree = ET.fromstring(draw.clocks([HOME, *far]).svg)
    for shape in tree.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(shape.attrib["x"]) >= 0
        assert float(shape.attrib["x"]) + float(shape.attrib["width"]) <= WIDTH


def test_it_has_a_title_and_its_text_as_description() -> None:
    picture = draw.clocks([HOME, OLD])
    tree = ET.fromstring(picture.svg)
    names = {child.tag.rpartition("}")[2]: child.text for child in tree}
    assert names["title"].startswith("Clocks")
    assert names["desc"] == picture.text
