"""The picture of one thing seen from several places, from records made by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from nsedu.draw.eyes import MOST, eyes
from nsedu.observe.comparisons import Comparison, Observation

HOME = Observation("this notebook", True, "p1", "4711")
LAB = Observation('sandbox "lab"', False, "1", "1")
FAR = Observation(
    'sandbox "far"', False, "no such process", "no such process", "it lives elsewhere"
)
CLOSED = Observation("sshd", None, "cannot be asked", "cannot be asked")


def view(*sights: Observation) -> Comparison:
    return Comparison(
        "The process number of lab", "pid", sights, "an ioctl tells it", "p1: another"
    )


def test_the_text_twin_says_who_sees_what_and_why() -> None:
    assert str(eyes(view(HOME, LAB, FAR, HOME._replace(name="twin")))).splitlines() == [
        "The process number of lab, as each place sees it",
        "this notebook     p1",
        'sandbox "lab"  ≠  1',
        'sandbox "far"  ≠  no such process  · it lives elsewhere',
        "twin           =  p1",
        "= in your PID namespace, ≠ in another PID namespace",
        "an ioctl tells it",
        "p1: another",
    ]


def test_the_drawing_has_the_numbers_of_this_machine() -> None:
    drawn = eyes(view(HOME, LAB)).svg.partition("</desc>")[2]
    assert ">4711<" in drawn
    assert "p1" not in drawn


def test_what_may_not_be_asked_is_said() -> None:
    said = str(eyes(view(HOME, CLOSED)))
    assert "sshd           ?  cannot be asked" in said
    assert "? in which PID namespace it is may not be read" in said


def test_of_very_many_places_some_are_drawn_and_the_rest_counted() -> None:
    picture = eyes(view(HOME, *[LAB] * (MOST + 6)))
    assert "… 7 more places, which are not drawn" in str(picture)
    assert float(ET.fromstring(picture.svg).attrib["height"]) < 2200


def test_a_name_that_is_no_text_does_no_harm() -> None:
    picture = eyes(view(HOME, LAB._replace(name="<b>\x1b[31m", told="a\nb", drawn="a\nb")))
    ET.fromstring(picture.svg)
    assert "\x1b" not in str(picture)
    assert len(str(picture).splitlines()) == 6
