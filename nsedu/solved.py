"""What a learner has solved: a small file in their data directory, shared by all their kernels.

Losing it is no disaster, and failing over it would be: whatever is wrong with the file or with its
directory is said once, and from then on this process remembers by itself.
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
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_VERSION = 1
_PATIENCE = 2.0  # seconds to wait for another kernel that is just writing


@dataclass(frozen=True)
class Solved:
    """One exercise that was solved.

    Attributes:
        solved: when for the first time: ISO 8601, UTC, to the second.
        seconds: how long that took since it was shown; None if nobody took the time.
        hints: how many of its hints had been asked for.
    """

    solved: str
    seconds: int | None = None
    hints: int = 0


_kept: dict[str, Solved] = {}  # what could not be written
_said: set[str] = set()


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
    path = file()
    if path is None:
        return dict(_kept)
    try:
        found = _parse(path.read_bytes())
    except FileNotFoundError:
        found = {}
    except OSError as error:
        _say(_cannot("read", path, error))
        found = {}
    except ValueError:
        with contextlib.suppress(OSError), _locked(path):
            _read(path)  # which sets it aside
        found = {}
    return _kept | found


def record(id: str, seconds: int | None = None, hints: int = 0) -> None:
    """Remember that an exercise is solved; the first time counts.

    Args:
        id: the exercise.
        seconds: how long it took, if known.
        hints: how many hints were asked for.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    new = Solved(now.replace("+00:00", "Z"), seconds, hints)
    path = file()
    if path is not None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(path):
                found = _kept | _read(path)
                if id not in found:
                    _write(path, found | {id: new})
            return
        except OSError as error:
            _say(_cannot("write", path, error))
    else:
        _say("nsedu: there is no home directory to keep your progress in, so it ends with this"
             " notebook or program.")  # fmt: skip
    _kept.setdefault(id, new)


def reset_progress() -> None:
    """Forget which exercises were solved, and say how many they were.

    Raises:
        OSError: the file cannot be removed.
    """
    count = len(all_solved())
    _kept.clear()
    path = file()
    if path is not None and path.exists():
        with _locked(path):
            path.unlink(missing_ok=True)
    print(f"Forgotten: {count} solved exercise{'' if count == 1 else 's'}.")


def _read(path: Path) -> dict[str, Solved]:
    """What the file says, nothing if there is none; a damaged one is set aside first."""
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as wrong:
        aside = path.with_name(f"{path.stem}.damaged-{int(time.time())}{path.suffix}")
        path.replace(aside)
        _say(f"nsedu: the file of your progress was damaged ({wrong}); it is now {aside}, and a new"
             " one is begun.")  # fmt: skip
        return {}


def _parse(text: bytes) -> dict[str, Solved]:
    """Read the file's text.

    Raises:
        ValueError: it is not what `_write` wrote.
    """
    try:
        data = json.loads(text)  # UnicodeDecodeError and RecursionError are possible, too
        found = {str(id): Solved(**entry) for id, entry in data["exercises"].items()}
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as wrong:
        raise ValueError(f"{type(wrong).__name__} at reading it") from None
    if not all(_fits(entry) for entry in found.values()):
        raise ValueError("an entry is not one of ours")
    return found


def _fits(entry: Solved) -> bool:
    counted = entry.seconds is None or isinstance(entry.seconds, int)
    return isinstance(entry.solved, str) and counted and isinstance(entry.hints, int)


def _write(path: Path, found: dict[str, Solved]) -> None:
    data: dict[str, Any] = {"version": _VERSION}
    data["exercises"] = {id: asdict(entry) for id, entry in found.items()}
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
    if text not in _said:
        _said.add(text)
        print(text, file=sys.stderr)
