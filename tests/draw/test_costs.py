"""Charts of measurements: the drawing, and a text twin that compares equal from run to run."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbval.plugin import get_sanitize_patterns

import refresh_notebooks as refresher
from hand_made import SVG, parsed
from made_results import MACHINE, curve, result
from nsedu.draw import style
from nsedu.draw.picture import Picture
from nsedu.draw.style import okabe_ito
from nsedu.measurement.result import Measured, Result
from nsedu.measurement.units import quantity

SPREAD = (0.8, 0.9, 1.0, 1.1, 1.2)
PATTERNS = get_sanitize_patterns(refresher.SANITIZE.read_text(encoding="utf-8"))


def row(
    name: str,
    samples: Sequence[float],
    series: str = "",
    x: float | None = None,
    unit: str = "us",
    null: float = 1.0,
) -> Measured:
    return Measured(name, series, x, unit, tuple(samples), (null,) * len(samples))


def asked(*rows: Measured, unmet: dict[str, str] | None = None) -> Result:
    return Result("asked", "What it takes", MACHINE, rows, unmet or {})


def around(value: float) -> list[float]:
    return [value * factor for factor in SPREAD]


def grown(slope: float, unit: str = "us", base: float = 40, xs: Sequence[float] = (10, 100, 1000)):
    rows = [row(f"{x} mounts", [v + slope * x for v in around(base)], "copy", x, unit) for x in xs]
    return asked(*rows)


def sanitized(text: str) -> str:
    for pattern, replacement in PATTERNS:
        text = re.sub(pattern, replacement, text)
    return text


def words(picture: Picture) -> list[str]:
    return [text.text or "" for text in parsed(picture).iter(f"{SVG}text")]


def paths(picture: Picture) -> list[ET.Element]:
    return list(parsed(picture).iter(f"{SVG}path"))


def height(picture: Picture, word: str) -> float:
    """Where a word is drawn."""
    return next(float(t.get("y", "")) for t in parsed(picture).iter(f"{SVG}text") if t.text == word)


KINDS = {
    "rows": result(),
    "curve": curve(),
    "two units": asked(row("a", around(3), "time"), row("b", around(9), "rate", unit="Gbit/s")),
    "one sample": asked(row("uts", [3.0]), row("net", [400.0])),
    "nothing": asked(unmet={"all": "no user namespaces."}),
    "zero": asked(row("uts", [0.0] * 5, unit="KiB", null=0), row("net", around(9), unit="KiB")),
    "log": grown(1.1),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_it_is_one_of_the_family_of_pictures(kind: str) -> None:
    picture = KINDS[kind].picture()
    root = parsed(picture)
    assert root.get("role") == "img"
    assert [child.tag for child in root][:3] == [f"{SVG}title", f"{SVG}desc", f"{SVG}rect"]
    assert root[1].text == picture.text
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert float(root.get("width", "")) <= 900
    assert {text.get("font-family") for text in root.iter(f"{SVG}text")} <= {
        style.SANS, style.MONO,
    }  # fmt: skip


@every_kind
def test_it_needs_nothing_from_the_page_and_gives_nothing_to_it(kind: str) -> None:
    svg = KINDS[kind].picture().svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not any(word in svg for word in ("http", "href", "url(", "<style", " id=", "class="))


@pytest.mark.parametrize("kind", ["rows", "curve"])
def test_the_same_result_gives_the_same_bytes_in_another_process(
    kind: str, request: pytest.FixtureRequest
) -> None:
    code = (
        "import sys; from nsedu.measurement.result import Result\n"
        "sys.stdout.buffer.write(Result.from_json(sys.stdin.read()).picture().svg.encode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=KINDS[kind].to_json().encode(), capture_output=True,
        check=True, cwd=request.config.rootpath,
    )  # fmt: skip
    assert done.stdout.decode() == KINDS[kind].picture().svg


def test_the_user_s_own_plots_neither_shape_it_nor_are_changed_by_it() -> None:
    plain = curve().picture().svg
    with matplotlib.rc_context({"text.usetex": True, "axes.grid": False, "font.size": 30}):
        before = dict(matplotlib.rcParams)
        assert curve().picture().svg == plain
        assert dict(matplotlib.rcParams) == before


def test_drawing_it_brings_no_pyplot_and_looks_for_no_fonts() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from made_results import curve\n"
        "curve().picture()\n"
        "print(bool({'matplotlib.pyplot', 'matplotlib.font_manager'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parents[1] / "support")]
    assert subprocess.check_output(command, text=True) == "False\n"


def test_rows_are_drawn_by_their_figures_after_the_null_operation() -> None:
    picture = asked(
        row("net", around(400)), row("none", around(9)), row("uts", around(5))
    ).picture()
    assert height(picture, "none") < height(picture, "uts") < height(picture, "net")


def test_rates_are_drawn_from_the_highest_down() -> None:
    picture = asked(
        row("veth", around(20), unit="Gbit/s"), row("loopback", around(40), unit="Gbit/s")
    ).picture()
    assert height(picture, "loopback") < height(picture, "veth")


def test_what_every_row_says_of_its_series_is_said_once() -> None:
    rows = [row(f"{n} from 500 MB", around(4), "from 500 MB") for n in ("uts", "net")]
    said = words(asked(*rows).picture())
    assert [word for word in said if word in ("uts", "net", "from 500 MB")] == [
        "from 500 MB", "uts", "net",
    ]  # fmt: skip


def test_a_namespace_type_has_its_colour() -> None:
    fills = {path.get("fill") for path in paths(asked(row("net", around(4))).picture())}
    assert okabe_ito["net"] in fills


def test_every_outlier_is_drawn() -> None:
    samples = [*around(10), *around(10), 100.0, 2000.0, 1e6]
    picture = asked(row("uts", samples)).picture()
    faint, _ = (path for path in paths(picture) if path.get("opacity"))  # the last is the key's
    assert faint.get("d", "").count("Z") == 3


def test_outliers_that_a_curve_s_axis_does_not_reach_are_counted() -> None:
    samples = [*around(10) * 8, 1000.0, 5000.0]
    rows = [row(f"depth {x}", samples, "fork", x) for x in (0, 1)]
    said = words(asked(*rows).picture())
    assert "△ 4 outliers off the axis, as far as 5.00 ms" in said


def test_what_is_not_above_0_is_marked_at_the_end_of_a_log_axis() -> None:
    said = words(KINDS["zero"].picture())
    assert "0 KiB" in said
    assert "not above 0, left of the axis" in said


def test_nothing_but_zeroes_has_an_axis_around_0() -> None:
    said = words(asked(row("uts", [0.0], null=0), row("net", [0.0], null=0)).picture())
    assert {"−1 µs", "0", "1 µs"} <= set(said)


def test_a_curve_says_what_a_step_adds() -> None:
    said = " ".join(words(grown(1.1).picture()))
    assert "each mount adds 1.10 µs (1.10 to 1.10) above the null operation" in said


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("unshare with {} mounts", "mount"), ("{} processes", "process"),
        ("mount, {} peers", "peer"), ("fork at depth {}", "step of depth"),
        ("point {}", "step of point"), ("many", "step"),
    ],
)  # fmt: skip
def test_a_step_is_called_after_what_the_rows_count(name: str, step: str) -> None:
    rows = [row(f"{name.format(x)}", around(10 * x), "fork", x) for x in (2, 3)]
    assert f"; each {step} adds ≈ 10.0 µs" in asked(*rows).picture().text


def test_growth_that_may_be_chance_is_not_called_growth() -> None:
    rows = [row(f"depth {x}", samples, "fork", x) for x, samples in
            enumerate([around(10), [v + 0.01 for v in reversed(around(10))]])]  # fmt: skip
    assert "no growth above the null operation" in " ".join(words(asked(*rows).picture()))


def test_a_straight_line_is_bent_by_a_log_axis_only() -> None:
    def bends(result_: Result) -> bool:
        line = next(
            p.get("d", "") for p in paths(result_.picture()) if p.get("stroke-width") == "2"
        )
        points = [tuple(map(float, point.split())) for point in line[1:].split("L")]
        (x0, y0), (x1, y1), (x2, y2) = points[0], points[len(points) // 2], points[-1]
        return abs(y0 + (y2 - y0) * (x1 - x0) / (x2 - x0) - y1) > 5

    assert bends(grown(1.1))
    assert not bends(grown(1.1, xs=(10, 20, 30)))


floats = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-6)


@settings(max_examples=40)
@given(st.lists(st.tuples(*[floats] * 4), min_size=1, max_size=6), st.booleans())
def test_whatever_was_measured_is_drawn_inside_the_panel(
    samples: list[tuple[float, ...]], as_curve: bool
) -> None:
    rows = [
        row(f"row {x}", taken, "s", 10.0**x if as_curve else None, "KiB", taken[0])
        for x, taken in enumerate(samples)
    ]
    picture = asked(*rows).picture()
    root = parsed(picture)
    wide, high = float(root.get("width", "")), float(root.get("height", ""))
    for path in paths(picture):
        for x, y in re.findall(r"[ML](\S+) ([-\d.]+)", path.get("d", "")):
            assert 0 <= float(x) <= wide and 0 <= float(y) <= high


def test_the_text_keeps_the_order_of_the_question() -> None:
    text = asked(row("net", around(400)), row("uts", around(5))).picture().text
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["net", "uts"]
    assert "≈ 400 µs (≈ 320 to ≈ 480), ≈ 80.0 times uts" in text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (result(), result(factor=700)),
        (result(), asked(row("none", [0.0]), row("uts", [0.0]), row("net", [-3.5, 1e7, 4.0]))),
        (grown(1.1), grown(-0.002, base=9e5)),
        (grown(1.1, "KiB"), grown(4e5, "KiB")),
    ],
)
def test_two_runs_compare_as_equal_whatever_the_figures(one: Result, other: Result) -> None:
    assert one.picture().text != other.picture().text
    assert sanitized(one.picture().text) == sanitized(other.picture().text)


def test_what_is_compared_still_names_rows_and_series_and_what_is_unmet() -> None:
    rows = [row(f"{n}, gone", around(4), "gone") for n in ("uts", "net")]
    text = asked(*rows, unmet={"vm": "no qemu: apt install qemu-system-x86."}).picture().text
    assert sanitized(text).splitlines() == [
        "What it takes",
        "gone:",
        "  uts  ≈ N (≈ N to ≈ N); null ≈ N; at most ≈ N, ≈ N outliers",
        "  net  ≈ N (≈ N to ≈ N), ≈ N times uts; null ≈ N; at most ≈ N, ≈ N outliers",
        "not measured: vm: no qemu: apt install qemu-system-x86.",
        "machine: …",
    ]


def test_a_duration_with_a_sign_is_no_measured_figure() -> None:
    assert sanitized("yours     ≈ +57 days 20 h") == "yours     ≈ +57 days 20 h"


@pytest.mark.parametrize("kind", ["rows", "curve"])
def test_a_committed_chart_keeps_its_drawing_and_its_figures(kind: str) -> None:
    shown = KINDS[kind].picture()
    output = new_output("display_data", data=shown._repr_mimebundle_())
    cell = new_code_cell("measure", outputs=[output], execution_count=1)
    data = refresher.normalise(new_notebook(cells=[cell])).cells[0].outputs[0].data
    kept = Picture(re.findall(r"<svg.*</svg>", data["text/html"], re.DOTALL)[0], data["text/plain"])
    assert words(kept) == words(shown)
    assert parsed(kept)[1].text == kept.text == shown.text


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.642, "us", "642 ns"), (0.99996, "us", "1.00 µs"), (397, "us", "397 µs"),
        (1234, "us", "1.23 ms"), (2.1e6, "us", "2.10 s"), (3e9, "us", "3000 s"), (0, "us", "0 µs"),
        (-0.0001, "us", "−0.10 ns"), (0.0000001, "us", "0 ns"), (5.66, "ns", "5.66 ns"),
        (0.5, "KiB", "512 B"), (2048, "KiB", "2.00 MiB"), (0.694, "Gbit/s", "694 Mbit/s"),
        (float("nan"), "us", "– ns"),
    ],
)  # fmt: skip
def test_a_figure_has_three_digits_and_the_unit_that_suits_it(
    value: float, unit: str, said: str
) -> None:
    assert quantity(value, unit) == said
