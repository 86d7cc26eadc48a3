"""What a learner has solved, and the scores of quizzes: a small file that all kernels share.

It lies in the learner's data directory. Losing it is no disaster, and failing over it would be:
whatever is wrong with the file or with its directory is said once, and from then on this process
remembers by itself.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_VERSION = 1
_PATIENCE = 2.0  # seconds to wait for another kernel that is just writing


@dataclass(frozen=True)
class Solved:
    """One exercise that was solved.

    Attributes:
        solved: when for the first time: ISO 8601, UTC, to the second.
        seconds: how long that took since it was shown; None if the time was not taken.
        hints: how many of its hints had been asked for.
    """

    solved: str
    seconds: int | None = None
    hints: int = 0


@dataclass(frozen=True)
class Answered:
    """One quiz that was answered to its end.

    Attributes:
        answered: when its score was reached: ISO 8601, UTC, to the second.
        right: how many questions were answered right at the first try.
        of: how many it has.
    """

    answered: str
    right: int
    of: int


@dataclass(frozen=True)
class _Ledger:
    """What the file holds: exercises by id, quizzes by name."""

    exercises: dict[str, Solved] = field(default_factory=dict)
    quizzes: dict[str, Answered] = field(default_factory=dict)


memory: dict[str, Solved] = {}  # what could not be written
quiz_memory: dict[str, Answered] = {}
said: set[str] = set()


def file() -> Path | None:
    """Where it is kept (XDG Base Directory: $XDG_DATA_HOME/nsedu); None without a home."""
    from platformdirs import user_data_path

    path = user_data_path("nsedu") / "progress.json"
    home = Path("~").expanduser()
    if not os.environ.get("XDG_DATA_HOME") and not home.is_dir():
        return None  # root could make it, but a home is not ours to make
    return path if path.is_absolute() else None


def all_solved() -> dict[str, Solved]:
    """Exercise id → when and how it was solved, for those that were."""
    return _all().exercises | memory


def all_answered() -> dict[str, Answered]:
    """Quiz → its best score, for those that were answered to their end."""
    return _all().quizzes | quiz_memory


def _all() -> _Ledger:
    path = file()
    if path is None:
        return _Ledger()
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        pass
    except OSError as error:
        _say(_cannot("read", path, error))
    except ValueError:
        with contextlib.suppress(OSError), _locked(path):
            _read(path)  # which sets it aside
    return _Ledger()


def record(id: str, seconds: int | None = None, hints: int = 0) -> None:
    """Remember that an exercise is solved; the first time counts.

    Args:
        id: the exercise.
        seconds: how long it took, if known.
        hints: how many hints were asked for.
    """
    new = Solved(_now(), seconds, hints)
    if not _update(lambda found: found.exercises.setdefault(id, new) is new):
        memory.setdefault(id, new)


def record_quiz(name: str, right: int, of: int) -> None:
    """Remember the score of a quiz; the best one counts.

    Args:
        name: the quiz.
        right: how many questions were answered right at the first try.
        of: how many it has.
    """
    new = Answered(_now(), right, of)
    if not _update(lambda found: _better(found.quizzes, name, new)):
        _better(quiz_memory, name, new)


def _better(quizzes: dict[str, Answered], name: str, new: Answered) -> bool:
    old = quizzes.get(name)
    if old is not None and old.right * new.of >= new.right * old.of:
        return False
    quizzes[name] = new
    return True


def _now() -> str:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return now.replace("+00:00", "Z")


def _update(change: Callable[[_Ledger], bool]) -> bool:
    """Change what the file holds, if `change` says that it did; False if that cannot be done."""
    path = file()
    if path is None:
        _say("nsedu: there is no home directory to keep your progress in, so it ends with this"
             " notebook or program.")  # fmt: skip
        return False
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path):
            found = _read(path)
            found = _Ledger(found.exercises | memory, found.quizzes | quiz_memory)
            if change(found):
                _write(path, found)
    except OSError as error:
        _say(_cannot("write", path, error))
        return False
    return True


def reset_progress() -> None:
    """Forget which exercises were solved and which quizzes answered, and say how many they were.

    Raises:
        OSError: the file cannot be removed.
    """
    count, quizzes = len(all_solved()), len(all_answered())
    memory.clear()
    quiz_memory.clear()
    path = file()
    if path is not None and path.exists():
        with _locked(path):
            path.unlink(missing_ok=True)
    also = f", {quizzes} quiz{'' if quizzes == 1 else 'zes'}" if quizzes else ""
    print(f"Forgotten: {count} solved exercise{'' if count == 1 else 's'}{also}.")


def _read(path: Path) -> _Ledger:
    """What the file says, nothing if there is none; a damaged one is set aside first."""
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return _Ledger()
    except ValueError as wrong:
        aside = path.with_name(f"{path.stem}.damaged-{int(time.time())}{path.suffix}")
        path.replace(aside)
        _say(f"nsedu: the file of your progress was damaged ({wrong}); it is now {aside}, and a new"
             " one is begun.")  # fmt: skip
        return _Ledger()


def _parse(text: bytes) -> _Ledger:
    """Read the file's text.

    Raises:
        ValueError: it is not what `_write` wrote.
    """
    try:
        data = json.loads(text)  # UnicodeDecodeError and RecursionError are possible, too
        found = {str(id): Solved(**entry) for id, entry in data["exercises"].items()}
        quizzes = {str(n): Answered(**entry) for n, entry in data.get("quizzes", {}).items()}
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as wrong:
        raise ValueError(f"{type(wrong).__name__} at reading it") from None
    if not (all(map(_fits, found.values())) and all(map(_fits_quiz, quizzes.values()))):
        raise ValueError("an entry is not one of ours")
    return _Ledger(found, quizzes)


def _fits(entry: Solved) -> bool:
    counted = entry.seconds is None or isinstance(entry.seconds, int)
    return isinstance(entry.solved, str) and counted and isinstance(entry.hints, int)


def _fits_quiz(entry: Answered) -> bool:
    counted = isinstance(entry.right, int) and isinstance(entry.of, int)
    return isinstance(entry.answered, str) and counted and 0 <= entry.right <= entry.of


def _write(path: Path, found: _Ledger) -> None:
    data: dict[str, Any] = {"version": _VERSION}
    data["exercises"] = {id: asdict(entry) for id, entry in found.exercises.items()}
    data["quizzes"] = {name: asdict(entry) for name, entry in found.quizzes.items()}
    # A file of its own and a rename: who reads, or dies, meanwhile finds the old one whole.
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".new")
    try:
        with open(fd, "w", encoding="utf-8") as new:
            json.dump(data, new, indent=1)
            new.flush()
            os.fsync(fd)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other kernels away from the file meanwhile (flock(2)).

    The lock is on a file beside it, since a rename puts another in the place of the file itself.

    Raises:
        OSError: it cannot be locked; TimeoutError if another has had it for too long.
    """
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another program has had it for {_PATIENCE:g} s") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(fd)  # and the lock with it


def _cannot(verb: str, path: Path, error: OSError) -> str:
    why = error.strerror or str(error)
    return (f"nsedu: cannot {verb} {path} ({why}), so your progress ends with this notebook or"
            " program.")  # fmt: skip


def _say(text: str) -> None:
    """Say something once."""
    if text not in said:
        said.add(text)
        print(text, file=sys.stderr)
