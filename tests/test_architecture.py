"""The layers of the package: an import points down, a lazy one too, and never in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "nsedu"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """The modules of ours that a module imports when it is loaded itself."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return (found & MODULES.keys()) - {"nsedu"}


ORDER = (
    "printable", "table", "suggestions", "programs",
    "kernel", "errors", "agent", "sandbox", "observe", "requirements", "draw", "learning",
    "measurement", "pictures", "notebook", "cli", "__main__",
)  # fmt: skip
"""The modules and packages in `nsedu`, lowest first, as the table in CONTRIBUTING.md has them."""

UP = {
    # A sandbox shows its host name at the end of a cell, and who asks the kernel for it is above.
    ("nsedu.sandbox.displays", "nsedu.observe.questions"),
}


def every_import(path: Path) -> set[str]:
    """The modules of ours that a module imports, when it is loaded or later; not for types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & MODULES.keys()) or {node.module}
    return (found & MODULES.keys()) - {"nsedu"}


def test_every_import_points_down() -> None:
    assert {name.split(".")[1] for name in MODULES if "." in name} == set(ORDER)
    place = {name: ORDER.index(name.split(".")[1]) for name in MODULES if "." in name}
    up = {
        (name, other)
        for name in place
        for other in every_import(MODULES[name])
        if place[other] >= place[name] and other.split(".")[1] != name.split(".")[1]
    }
    assert up == UP


def test_no_import_goes_in_a_circle() -> None:
    graph = {name: imports(path) - {name} for name, path in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(MODULES) - 1


def test_the_agent_needs_nothing_beyond_the_standard_library() -> None:
    todo, seen = ["nsedu.agent.main"], set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += imports(MODULES[name])
    assert not seen & {"nsedu.draw", "nsedu.sandbox", "nsedu.doctor", "nsedu.notebook.magics"}
    for name in seen:
        for node in ast.parse(MODULES[name].read_text()).body:
            if isinstance(node, ast.Import):
                import sys

                assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names


def test_a_test_imports_only_from_tests_beside_it() -> None:
    """Or it could not be run alone: what is shared lies in tests/support."""
    tests = ROOT.parent / "tests"
    for path in tests.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("test_"):
                assert (path.parent / f"{node.module}.py").exists(), f"{path}: {node.module}"


HEAVY = {"typing", "re", "json", "inspect", "dataclasses", "subprocess"}


def loaded_by(*modules: str) -> set[str]:
    """What is loaded in a bare interpreter after these modules of ours have been imported."""
    code = f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); import {', '.join(modules)}"
    words = [sys.executable, "-I", "-S", "-c", f"{code}; print(*sys.modules)"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


def test_the_agent_carries_nothing_heavy_into_its_forks() -> None:
    loaded = loaded_by("nsedu.agent.main")
    assert "nsedu.agent.server" in loaded
    assert not HEAVY & loaded


TIMED_IN_FORKS = ("create", "clone", "destroy", "enter", "fork")


def test_nor_does_the_process_that_is_forked_to_be_timed() -> None:
    loaded = loaded_by(
        "nsedu.measurement.sampler.worker",
        *(f"nsedu.measurement.questions.{q}" for q in TIMED_IN_FORKS),
    )
    assert "nsedu.measurement.sampler.operations" in loaded
    assert not HEAVY & loaded
