"""`make notebooks`: what tools/refresh_notebooks.py does to a notebook."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import refresh_notebooks as refresher


def code(source: str, *outputs: nbformat.NotebookNode, **fields: object) -> nbformat.NotebookNode:
    return new_code_cell(source, outputs=list(outputs), execution_count=1, **fields)


def first_outputs(*outputs: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    nb = new_notebook(cells=[code("pass", *outputs)])
    return refresher.normalise(nb).cells[0].outputs


def test_normal_form_is_reached_in_one_step() -> None:
    nb = new_notebook(cells=[new_markdown_cell("# A title"), code("print(1)\n")])
    once = refresher.normalise(nb)
    assert refresher.write(refresher.normalise(once)) == refresher.write(once)


def test_metadata_that_a_front_end_wrote_is_dropped_and_ours_is_kept() -> None:
    nb = new_notebook(
        metadata={
            "nsedu": {"needs": ["userns"]},
            "language_info": {"name": "python", "version": "3"},
        }
    )
    nb.cells = [code("1", metadata={"tags": ["raises-exception"], "execution": {"shell": "now"}})]
    normal = refresher.normalise(nb)
    assert normal.metadata.nsedu.needs == ["userns"]
    assert normal.metadata.language_info == {"name": "python"}
    assert normal.cells[0].metadata == {"tags": ["raises-exception"]}


def test_a_valid_cell_id_is_kept() -> None:
    nb = new_notebook(cells=[code("1", id="by-hand")])
    assert refresher.normalise(nb).cells[0].id == "by-hand"


def test_a_cell_without_an_id_is_always_given_the_same_one() -> None:
    def named() -> list[str]:
        nb = new_notebook(cells=[code("1"), code("1")])
        for cell in nb.cells:
            del cell["id"]
        return [cell.id for cell in refresher.normalise(nb).cells]

    assert named() == named()
    assert len(set(named())) == 2


def test_a_stream_that_came_in_pieces_is_joined() -> None:
    pieces = [new_output("stream", name="stdout", text=text) for text in ("a", "b\n")]
    assert [output.text for output in first_outputs(*pieces)] == ["ab\n"]


def test_a_namespace_number_is_replaced_in_text_and_in_pictures() -> None:
    data = {"text/plain": "A uts:[4026531838]", "image/svg+xml": "<text>uts:[4026531838]</text>"}
    (output,) = first_outputs(new_output("display_data", data=data))
    assert output.data["text/plain"] == "A uts:[NSID]"
    assert output.data["image/svg+xml"] == "<text>uts:[NSID]</text>"


def test_a_measured_figure_and_its_machine_stay_for_those_who_have_not_run_it() -> None:
    said = "uts:[4026531838] took ≈ 397 µs\nmachine: Linux 6.1\n"
    (output,) = first_outputs(new_output("stream", name="stdout", text=said))
    assert output.text == "uts:[NSID] took ≈ 397 µs\nmachine: Linux 6.1\n"


def test_the_random_name_of_a_widget_is_dropped_and_its_text_stays() -> None:
    data = {"text/plain": "a slider", refresher.LIVE_ONLY: {"model_id": "5f0c"}}
    (output,) = first_outputs(new_output("display_data", data=data))
    assert output.data == {"text/plain": "a slider"}


def test_the_traceback_of_an_expected_error_names_no_path() -> None:
    error = {"ename": "OSError", "evalue": "refused", "traceback": ["/home/me/cell.py, line 1"]}
    (output,) = first_outputs(new_output("error", **error))
    assert output.traceback == ["OSError: refused"]


def test_bookkeeping_at_the_top_of_a_cell_moves_to_its_metadata() -> None:
    source = "# NBVAL_IGNORE_OUTPUT\n# Not compared: a time is never the same twice.\n\nnow()"
    (cell,) = refresher.normalise(new_notebook(cells=[code(source)])).cells
    assert cell.source == "now()"
    assert cell.metadata.tags == ["nbval-ignore-output"]
    assert cell.metadata.nsedu.not_compared == "a time is never the same twice."


def test_of_what_a_front_end_hides_only_a_hidden_source_is_kept() -> None:
    hidden = {"jupyter": {"source_hidden": True, "outputs_hidden": True}}
    (cell,) = refresher.normalise(new_notebook(cells=[code("1", metadata=hidden)])).cells
    assert cell.metadata == {"jupyter": {"source_hidden": True}}


def test_a_drawing_that_is_in_its_page_is_kept_once() -> None:
    data = {"text/plain": "a tree", "image/svg+xml": "<svg/>", "text/html": "<div><svg/></div>"}
    (output,) = first_outputs(new_output("display_data", data=data))
    assert output.data == {"text/plain": "a tree", "text/html": "<div><svg/></div>"}


def test_keeping_outputs_writes_the_form_and_executes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "01_a.ipynb"
    cells = [new_markdown_cell("# 1 · A\n\nText"), code("1 / 0"), new_markdown_cell("The end")]
    path.write_text(nbformat.writes(new_notebook(cells=cells)))
    monkeypatch.setattr("sys.argv", ["refresh_notebooks.py", "--keep-outputs", str(path)])
    assert refresher.main() == 0
    assert refresher.out_of_form(path) is None
    assert "[1 · A](01_a.ipynb)" in (tmp_path / "course.md").read_text()


def test_an_empty_cell_is_dropped() -> None:
    assert refresher.normalise(new_notebook(cells=[new_code_cell("  ")])).cells == []


def test_executing_counts_the_cells_from_one_and_keeps_their_outputs(tmp_path: Path) -> None:
    path = tmp_path / "fresh.ipynb"
    cells = [new_code_cell("2 + 2"), new_markdown_cell("text"), new_code_cell("print('hello')")]
    path.write_text(nbformat.writes(new_notebook(cells=cells)))
    assert refresher.out_of_form(path) is not None
    assert refresher.refresh(path) is None
    assert refresher.out_of_form(path) is None
    first, _, last = refresher.read(path).cells
    assert (first.execution_count, last.execution_count) == (1, 2)
    assert first.outputs[0].data["text/plain"] == "4"
    assert last.outputs[0].text == "hello\n"


def test_executing_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "steady.ipynb"
    look = "import os\nos.readlink('/proc/self/ns/uts')"
    path.write_text(json.dumps(new_notebook(cells=[new_code_cell(look)])))
    refresher.refresh(path)
    before = path.read_text()
    refresher.refresh(path)
    assert path.read_text() == before


def test_a_cell_that_raises_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_text(json.dumps(new_notebook(cells=[new_code_cell("1 / 0")])))
    before = path.read_text()
    complaint = refresher.refresh(path)
    assert complaint is not None and "ZeroDivisionError" in complaint
    assert path.read_text() == before


def test_a_file_of_another_format_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "worksheets": []}))
    with pytest.raises(ValueError, match="save it as format 4"):
        refresher.read(path)
