"""Re-execute the notebooks and write them in a normal form: a diff then shows what changed.

refresh_notebooks.py [NOTEBOOK...]            execute, normalise, write
refresh_notebooks.py --keep-outputs [NOTEBOOK...]    normalise and write, but execute nothing
refresh_notebooks.py --check [NOTEBOOK...]    only name those that are not in normal form

It also writes the pages that are made from the notebooks: the map and the glossary (pages.py).
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns

from notebook_env import PrivateSockets, isolate, private_directory
from pages import bind, generated

ROOT = Path(__file__).resolve().parent.parent
SANITIZE = ROOT / "tests" / "sanitize.cfg"
CELL_SECONDS = 60

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT_OF_A_CELL = ("nbgrader", "nsedu", "tags")
IGNORED = "nbval-ignore-output"
# What stands at the top of a cell for nbval, and why, is no part of what a learner reads.
BOOKKEEPING = re.compile(r"# NBVAL_IGNORE_OUTPUT\n(?:# Not compared: (?P<why>.*)\n)?\n*")
VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A widget is named by a random number and lives in its kernel; its text stays.
LIVE_ONLY = "application/vnd.jupyter.widget-view+json"


class PrivateKernelManager(PrivateSockets, AsyncKernelManager):
    """What nbclient starts kernels with."""


def execute(nb: NotebookNode, directory: Path) -> None:
    """Run the cells of `nb` from top to bottom in a new kernel, and keep what they put out.

    Args:
        nb: the notebook; its outputs and execution counts are replaced.  A cell keeps its outputs
            if this machine cannot meet the cell's own `nsedu.needs`, or if it says so itself.
        directory: the directory in which the kernel starts.

    Raises:
        CellExecutionError: a cell raised, and does not carry the tag raises-exception.
        CellTimeoutError: a cell took longer than a minute.
        DeadKernelError: the kernel ended.
    """
    run = copy.deepcopy(nb)
    short_of = _short_of(run)
    for cell in _code_cells(run):
        cell.outputs, cell.execution_count = [], None
        if cell.id in short_of:
            cell.metadata["tags"] = ["raises-exception"]
    _run(run, directory)
    ran = {cell.id: cell for cell in _code_cells(run)}
    for count, cell in enumerate(_code_cells(nb), start=1):
        cell.execution_count = count
        if cell.id not in short_of and not any(map(_lacks, ran[cell.id].outputs)):
            cell.outputs = ran[cell.id].outputs


def _run(nb: NotebookNode, directory: Path) -> None:
    NotebookClient(
        nb,
        timeout=CELL_SECONDS,
        kernel_name=KERNELSPEC["name"],
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(directory)}},
        kernel_manager_class=PrivateKernelManager,
    ).execute()


def normalise(nb: NotebookNode) -> NotebookNode:
    """Return `nb` with stable ids, without what differs from run to run or machine to machine."""
    metadata: dict[str, Any] = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    if "nsedu" in nb.metadata:
        metadata["nsedu"] = nb.metadata["nsedu"]
    cells = [_normal_cell(cell) for cell in nb.cells if cell.source.strip()]
    for cell, cell_id in zip(cells, _stable_ids(cells), strict=True):
        cell["id"] = cell_id
    return nbformat.from_dict(
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    )


def read(path: Path) -> NotebookNode:
    """Read the notebook at `path` as it stands: nbformat's reader would invent missing ids."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    nb = nbformat.from_dict(raw)
    if nb.get("nbformat") != 4:
        raise ValueError(f"{path} is in notebook format {nb.get('nbformat')}; save it as format 4.")
    return nbformat.v4.rwbase.rejoin_lines(nb)


def write(nb: NotebookNode) -> str:
    """Return the text of `nb` as a file holds it."""
    nbformat.validate(nb)
    return nbformat.writes(nb) + "\n"


def out_of_form(path: Path) -> str | None:
    """Say in one sentence what keeps the notebook at `path` from its normal form, if anything."""
    nb = read(path)
    counts = [cell.get("execution_count") for cell in _code_cells(nb)]
    if counts != list(range(1, len(counts) + 1)):
        return f"{path}: its cells were not each executed once, in order; run make notebooks."
    if write(bind(normalise(nb), path)) != path.read_text(encoding="utf-8"):
        return f"{path}: its ids, metadata or outputs are not in normal form; run make notebooks."
    return None


def refresh(path: Path) -> str | None:
    """Execute and rewrite the notebook at `path`; say what went wrong, if anything."""
    nb = bind(normalise(read(path)), path)
    try:
        execute(nb, path.parent)
    except CellExecutionError as error:
        return f"{path}: left as it was, since a cell raised:\n{error}"
    except CellTimeoutError:
        return f"{path}: left as it was, since a cell took more than {CELL_SECONDS} s."
    except DeadKernelError:
        return f"{path}: left as it was, since its kernel died."
    text = write(bind(normalise(nb), path))
    if text != path.read_text(encoding="utf-8"):
        path.write_text(text, encoding="utf-8")
    return None


def _stale(paths: list[Path]) -> list[Path]:
    """The pages beside the notebooks that are not what is made from them."""
    return [
        page
        for directory in sorted({path.parent for path in paths})
        for page, text in generated(directory).items()
        if not page.exists() or page.read_text(encoding="utf-8") != text
    ]


def _make_pages(paths: list[Path]) -> None:
    for page in _stale(paths):
        page.write_text(generated(page.parent)[page], encoding="utf-8")


def _lacks(output: NotebookNode) -> str:
    """What the machine lacks, in an output by which a cell says that it ended for that."""
    return str(output.get("metadata", {}).get("nsedu", {}).get("lacks", ""))


def _short_of(nb: NotebookNode) -> set[str]:
    """The ids of the cells whose own needs this machine cannot meet."""
    wanted = {need for cell in nb.cells for need in _needs(cell)}
    absent: dict[str, str] = {}
    if wanted:
        from nsedu.requirements import (
            missing,  # only where asked for: most notebooks have no such cell
        )

        absent = missing(sorted(wanted))
    return {cell.id for cell in nb.cells if absent.keys() & _needs(cell)}


def _needs(cell: NotebookNode) -> set[str]:
    """What a cell says it needs beside what its notebook needs."""
    return set(cell.metadata.get("nsedu", {}).get("needs", []))


def _code_cells(nb: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in nb.cells if cell.cell_type == "code")


def _normal_cell(cell: NotebookNode) -> dict[str, Any]:
    kept = {key: cell.metadata[key] for key in KEPT_OF_A_CELL if cell.metadata.get(key)}
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        kept["jupyter"] = {"source_hidden": True}
    normal = {"id": cell.get("id"), "cell_type": cell.cell_type, "metadata": kept}
    normal["source"] = cell.source.rstrip("\n")
    if found := BOOKKEEPING.match(normal["source"]):
        normal["source"] = normal["source"][found.end() :]
        kept["tags"] = [*kept.get("tags", []), IGNORED]
        if found["why"]:
            kept["nsedu"] = {**kept.get("nsedu", {}), "not_compared": found["why"]}
    if cell.cell_type == "code":
        normal["execution_count"] = cell.execution_count
        normal["outputs"] = [_normal_output(output) for output in _merged(cell.outputs)]
    elif "attachments" in cell:
        normal["attachments"] = cell.attachments
    return normal


def _merged(outputs: list[NotebookNode]) -> list[dict[str, Any]]:
    """Join what was written to one stream in several pieces: where they break is chance."""
    merged: list[dict[str, Any]] = []
    for output in outputs:
        last = merged[-1] if merged else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            merged.append(dict(output))
    return merged


def _normal_output(output: dict[str, Any]) -> dict[str, Any]:
    normal = dict(output)
    if "text" in normal:
        normal["text"] = _sanitized(normal["text"])
    if "data" in normal:
        # What a picture offers to front ends without pages is in its page already.
        twice = {"image/svg+xml"} if "text/html" in normal["data"] else set()
        normal["data"] = {
            kind: _sanitized(value) if isinstance(value, str) else value
            for kind, value in normal["data"].items()
            if kind not in {LIVE_ONLY, *twice}
        }
    if normal["output_type"] == "error":
        # The frames carry the paths of the machine that ran them.
        normal["evalue"] = _sanitized(normal["evalue"])
        normal["traceback"] = [f"{normal['ename']}: {normal['evalue']}"]
    return normal


def _sanitized(text: str) -> str:
    """Replace what nbval replaces before it compares, but for what is to be kept."""
    for pattern, replacement in _unkept(SANITIZE.read_text(encoding="utf-8")):
        text = re.sub(pattern, replacement, text)
    return text


def _unkept(rules: str) -> list[tuple[str, str]]:
    """The patterns and replacements of those sections that do not say "kept: yes"."""
    sections = re.split(r"(?m)^(?=\[)", rules)
    return [
        pair
        for section in sections
        if not re.search(r"(?m)^kept: yes$", section)
        for pair in get_sanitize_patterns(section)
    ]


def _stable_ids(cells: list[dict[str, Any]]) -> Iterator[str]:
    """Keep every valid id; name a cell that has none after its text."""
    taken = set()
    for cell in cells:
        cell_id = cell["id"]
        if not isinstance(cell_id, str) or not VALID_ID.fullmatch(cell_id) or cell_id in taken:
            digest = hashlib.sha256(cell["source"].encode()).hexdigest()
            cell_id = next(
                name for length in range(8, len(digest)) if (name := digest[:length]) not in taken
            )
        taken.add(cell_id)
        yield cell_id


def main() -> int:
    """Do what the command line asks; 0 when all went well, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing, only look")
    parser.add_argument("--keep-outputs", action="store_true", help="execute nothing")
    parser.add_argument("notebook", nargs="*", type=Path, help="all of notebooks/ unless given")
    options = parser.parse_args()
    paths = options.notebook or sorted((ROOT / "notebooks").glob("*.ipynb"))
    if not paths:
        print("notebooks/ holds no notebook yet, so there is nothing to do.")
        return 0
    if options.check:
        complaints = [complaint for path in paths if (complaint := out_of_form(path))]
        complaints += [f"{page}: is not what the notebooks say; run make notebooks."
                       for page in _stale(paths)]  # fmt: skip
        print("\n".join(complaints) or "Every notebook is in normal form.")
        return 1 if complaints else 0
    if options.keep_outputs:
        for path in paths:
            path.write_text(write(bind(normalise(read(path)), path)), encoding="utf-8")
        _make_pages(paths)
        return 0
    private = private_directory()
    isolate(private)
    failed = 0
    try:
        for path in paths:
            complaint = refresh(path)
            print(complaint or f"{path}: done", flush=True)
            failed += complaint is not None
    finally:
        shutil.rmtree(private, ignore_errors=True)
    _make_pages(paths)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
