"""Measure every question, run every benchmark, and write it all into one report.

all.py DIR
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from nsedu.measurement import report
from nsedu.measurement.questions import QUESTIONS
from nsedu.measurement.result import Result

failed: list[str] = []


def question(name: str) -> Result:
    print(f"== {name}: {QUESTIONS[name]}", flush=True)
    result = report.attempt(name)
    print(result, flush=True)
    return result


def benchmark(path: Path) -> str:
    """Run a benchmark and show what it prints; returns that."""
    print(f"== {path.name}", flush=True)
    lines = []
    with subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        failed.append(path.name)
        lines.append(f"it ended with status {process.returncode}\n")
    return "".join(lines)


def title(path: Path) -> str:
    """The first line of what a benchmark says about itself."""
    return (ast.get_docstring(ast.parse(path.read_text())) or path.name).splitlines()[0]


def main() -> int:
    results = [question(name) for name in QUESTIONS]
    paths = sorted(Path(__file__).parent.glob("bench_*.py"))
    beside = {title(path): benchmark(path) for path in paths}
    print(f"Written: {report.write(sys.argv[1], results, beside)}")
    if failed:
        print(f"These benchmarks failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
