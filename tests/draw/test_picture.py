"""What holds for every picture: valid SVG, a text twin, the same for the same records."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand_made import FIRST, SVG, nested, parsed
from nsedu.draw.compare import compare
from nsedu.draw.diff import diff
from nsedu.draw.hierarchy import hierarchy
from nsedu.draw.matrix import matrix
from nsedu.draw.picture import Picture
from nsedu.draw.tree import tree
from nsedu.kernel.namespace_types import LINKS
from nsedu.observe.records import Namespace, Pin, Process, Snapshot


def compared(snapshot: Snapshot) -> Picture:
    first, *_, last = snapshot.processes.values()
    return compare(first, last)


DRAWINGS: dict[str, Callable[[Snapshot], Picture]] = {
    "tree": tree,
    "user": lambda snapshot: hierarchy(snapshot, "user"),
    "net": lambda snapshot: hierarchy(snapshot, "net"),
    "diff": lambda snapshot: diff(replace(snapshot, processes={}), snapshot),
    "matrix": matrix,
    "compare": compared,
}
every_drawing = pytest.mark.parametrize("drawn", DRAWINGS.values(), ids=DRAWINGS)

# Names as the kernel may hand them on: any characters, and bytes that are no UTF-8.
names = st.text(max_size=60) | st.binary(max_size=60).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
links = st.dictionaries(st.sampled_from(LINKS), st.integers(0, 3))
people = st.builds(
    Process, pid=st.integers(1, 9), ppid=st.integers(0, 9), name=names, command=names,
    uid=st.integers(0, 2), links=links, role=names,
)  # fmt: skip
spaces = st.builds(
    Namespace,
    type=st.sampled_from(list(FIRST)),
    ns=st.integers(0, 3),
    parent=st.none() | st.integers(0, 3),
    owner=st.none() | st.integers(0, 3),
    uid=st.none() | st.integers(0, 2),
    pins=st.lists(st.builds(Pin, st.just("fd"), st.none(), names), max_size=2).map(tuple),
)
snapshots = st.builds(
    Snapshot,
    processes=st.lists(people, min_size=2, max_size=9, unique_by=lambda p: p.pid).map(
        lambda some: {p.pid: p for p in some}
    ),
    namespaces=st.lists(spaces, max_size=6).map(lambda some: {(n.type, n.ns): n for n in some}),
    unread=st.dictionaries(names, st.integers(1, 9), max_size=2),
)


@every_drawing
@given(snapshot=snapshots)
def test_whatever_processes_call_themselves_the_svg_is_well_formed(
    drawn: Callable[[Snapshot], Picture], snapshot: Snapshot
):
    picture = drawn(snapshot)
    assert parsed(picture).find(f"{SVG}desc") is not None
    assert (
        "\n".join(line for line in picture.text.split("\n") if line.isprintable()) == picture.text
    )
    picture.svg.encode()


@every_drawing
def test_title_and_description_tell_the_picture_to_who_cannot_see_it(
    drawn: Callable[[Snapshot], Picture],
):
    picture = drawn(nested())
    root = parsed(picture)
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root[1].text == picture.text


@every_drawing
def test_the_drawing_scales_and_fits_into_a_notebook(drawn: Callable[[Snapshot], Picture]):
    root = parsed(drawn(nested()))
    width, height = root.get("width", ""), root.get("height", "")
    assert root.get("viewBox") == f"0 0 {width} {height}"
    assert float(width) <= 830


@every_drawing
def test_nothing_is_fetched_from_elsewhere(drawn: Callable[[Snapshot], Picture]):
    svg = drawn(nested()).svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not any(word in svg for word in ("http", "href", "url(", "<style", "<script"))


@every_drawing
def test_a_snapshot_through_json_draws_the_same(drawn: Callable[[Snapshot], Picture]):
    live, loaded = drawn(nested()), drawn(Snapshot.from_json(nested().to_json()))
    assert (live.svg, live.text) == (loaded.svg, loaded.text)


@every_drawing
def test_the_same_records_give_the_same_bytes_in_another_process(
    drawn: Callable[[Snapshot], Picture], request: pytest.FixtureRequest
):
    name = next(name for name, value in DRAWINGS.items() if value is drawn)
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from test_picture import DRAWINGS, nested\n"
        "sys.stdout.buffer.write(DRAWINGS[sys.argv[1]](nested()).svg.encode())"
    )
    here = request.path.parent
    command = [sys.executable, "-c", code, name, str(here), str(here.parent / "support")]
    done = subprocess.run(command, capture_output=True, check=True, cwd=request.config.rootpath)
    assert done.stdout.decode() == drawn(nested()).svg


def test_a_notebook_gets_page_drawing_and_text():
    picture = Picture("<svg/>", "words")
    bundle = picture._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/svg+xml", "text/plain"]
    assert "<svg/>" in bundle["text/html"]
    assert (bundle["image/svg+xml"], bundle["text/plain"]) == ("<svg/>", "words")


def test_a_picture_prints_as_its_text():
    picture = Picture("<svg/>", "words")
    assert (str(picture), repr(picture), picture.svg) == ("words", "words", "<svg/>")


@pytest.mark.parametrize(("name", "content"), [("a.svg", "<svg/>\n"), ("b.TXT", "wörter\n")])
def test_it_saves_as_drawing_or_as_text(tmp_path, name: str, content: str):
    written = Picture("<svg/>", "wörter").save(tmp_path / name)
    assert written.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("name", ["a.png", "picture"])
def test_another_format_is_refused_with_what_to_do(tmp_path, name: str):
    with pytest.raises(ValueError, match=r"save it as \.svg and convert that"):
        Picture("<svg/>", "words").save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_importing_the_package_imports_no_drawing():
    code = "import sys, nsedu.draw; print([m for m in sys.modules if m.startswith('nsedu.draw.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_drawing_does_without_matplotlib():
    code = (
        "import sys; from nsedu.draw.tree import tree; from nsedu.observe.records import Snapshot\n"
        "tree(Snapshot({}, {})); print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
