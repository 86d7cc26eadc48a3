"""The command line: nsedu doctor, ls, tree, bench, exercises, check, progress.

``python -m nsedu`` is the same.  Exit status: 0 fine, 1 a problem was found, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from nsedu.kernel.namespace_types import NAMES
from nsedu.measurement.questions import QUESTIONS
from nsedu.printable import clean

if TYPE_CHECKING:
    from nsedu.table import Table


def parser() -> argparse.ArgumentParser:
    """The argument parser, with a subcommand for each verb."""
    top = argparse.ArgumentParser(
        prog="nsedu", description="Linux namespaces: make them, see them, prove it."
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    doctor = verbs.add_parser("doctor", help="try what works on this machine")
    doctor.add_argument("--json", action="store_true", help="as one JSON object")
    ls = verbs.add_parser("ls", help="list every namespace that can be seen")
    ls.add_argument("--json", action="store_true", help="as one JSON list")
    ls.add_argument("--type", choices=NAMES, help="only this type")
    tree = verbs.add_parser("tree", help="draw processes and namespaces as text")
    tree.add_argument("--type", choices=("user", "pid"), help="nest namespaces of this type")
    tree.add_argument("--machine", action="store_true", help="every process, not just this shell's")
    bench = verbs.add_parser("bench", help="measure what namespaces cost here")
    bench.add_argument(
        "question", nargs="?", metavar="QUESTION", choices=QUESTIONS, help=", ".join(QUESTIONS)
    )
    bench.add_argument("--json", action="store_true", help="as one JSON object")
    bench.add_argument("--repeat", type=_count, metavar="N", help="rounds (as suits the question)")
    bench.add_argument(
        "--budget",
        type=_seconds,
        metavar="S",
        help="seconds after which no round begins (20, unless N is given)",
    )
    bench.add_argument(
        "--report", metavar="DIR", help="measure all, or QUESTION, and write a report to DIR"
    )
    bench.add_argument(
        "--compare", nargs=2, metavar=("A", "B"), help="compare two reports, or two JSON files"
    )
    verbs.add_parser("exercises", help="list the exercises")
    check = verbs.add_parser("check", help="check an exercise against the state of the kernel")
    check.add_argument("id", metavar="ID", help="the exercise, for example uts-1")
    progress = verbs.add_parser("progress", help="show which exercises you have solved")
    what = progress.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="as one JSON object")
    what.add_argument("--reset", action="store_true", help="forget them all")
    return top


def _word(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _show(table: Table) -> None:
    """Print a table: drawn to the terminal's width, or plain lines for another program."""
    if not sys.stdout.isatty():
        print(table)
        return
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(*table.columns)
    for row in table.rows:
        drawn.add_row(*map(Text, row))  # which has no markup: square brackets are text
    Console().print(drawn)


def _doctor(options: argparse.Namespace) -> int:
    from nsedu.requirements import doctor

    report = doctor()
    if options.json:
        print(report.to_json())
        return 0 if report.ok else 1
    _show(report.table())
    print(report.also)
    return 0 if report.ok else 1


def _ls(options: argparse.Namespace) -> int:
    from nsedu.draw.labels import unread
    from nsedu.observe.records import rows
    from nsedu.observe.snapshot import snapshot

    found = snapshot("machine", deep=True)
    listed = rows(found, options.type)
    if options.json:
        print(json.dumps(listed))
    else:
        from nsedu.table import Table as Listing

        keys = (
            "ns",
            "type",
            "nprocs",
            "pid",
            "uid",
            "parent",
            "owner",
            "netnsid",
            "pins",
            "command",
        )
        _show(Listing(keys, [[_word(row[key]) for key in keys] for row in listed]))
    for sentence in unread(found):
        print(f"nsedu: {sentence}", file=sys.stderr)
    return 0


def _tree(options: argparse.Namespace) -> int:
    from nsedu import pictures
    from nsedu.kernel.procfs import parse_stat, read
    from nsedu.observe.snapshot import check_proc, look

    check_proc(numbered=False)
    shell = parse_stat(read("/proc/self/stat"))[1]  # by the number that /proc here has for it
    seen = look("machine" if options.machine or not shell else shell)
    picture = pictures.hierarchy(options.type, seen) if options.type else pictures.tree(seen)
    print(picture)
    return 0


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 100000, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds


def _bench(options: argparse.Namespace) -> int:
    from nsedu.measurement import report
    from nsedu.measurement.measure import measure

    if options.compare:
        try:
            print(report.compare(*map(report.load, options.compare)))
        except ValueError as wrong:
            print(f"nsedu: {wrong}", file=sys.stderr)
            return 2
        return 0
    if options.report:
        asked = [options.question] if options.question else list(QUESTIONS)
        results = (report.attempt(name, options.repeat, options.budget) for name in asked)
        print(f"Written: {report.write(options.report, results)}")
        return 0
    if not options.question:
        print(
            f"nsedu: say what to measure: one of {', '.join(QUESTIONS)};"
            " or --report DIR for all of them, or --compare A B.",
            file=sys.stderr,
        )
        return 2
    result = measure(options.question, options.repeat, options.budget)
    print(result.to_json() if options.json else result)
    return 0


def _exercises(_: argparse.Namespace) -> int:
    from nsedu.learning.exercises import EXERCISES

    for exercise in EXERCISES.values():
        print(f"{exercise.id:<8} {exercise.title}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from nsedu.learning.exercises import EXERCISES, verdict

    if options.id not in EXERCISES:
        print(
            f"nsedu: there is no exercise {options.id!r}; `nsedu exercises` lists them.",
            file=sys.stderr,
        )
        return 2
    result = verdict(options.id)
    print(result)
    if result.solved:
        from nsedu.learning.progress_store import record

        record(options.id)
    return 0 if result.solved else 1


def _progress(options: argparse.Namespace) -> int:
    from nsedu.learning import progress_store
    from nsedu.learning.progress_map import progress

    if options.reset:
        progress_store.reset_progress()
    elif options.json:
        print(json.dumps({id: asdict(entry) for id, entry in progress_store.all_solved().items()}))
    else:
        _show(progress())
    return 0


_VERBS = {
    "doctor": _doctor,
    "ls": _ls,
    "tree": _tree,
    "bench": _bench,
    "exercises": _exercises,
    "check": _check,
    "progress": _progress,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Args:
        arguments: the words after the program's name; those of the process unless given.
    """
    from nsedu.errors.namespace_error import NamespaceError

    options = parser().parse_args(arguments)
    try:
        status = _VERBS[options.verb](options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `nsedu ls | head` is no error; nor is what the exit would still write
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except NamespaceError as refused:
        print(f"nsedu: {refused}", file=sys.stderr)
        return 1
    except (FileNotFoundError, PermissionError) as refused:
        said = f"nsedu: cannot read {refused.filename}: {refused.strerror}."
        print(clean(said), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
