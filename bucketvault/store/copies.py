"""The copies of the database in `backups/`: which there are, what they hold, when one is needed.

Decisions: docs/decisions/store.md.
"""

import contextlib
import datetime as dt
import functools
import re
import sqlite3
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bucketvault.config import Config
from bucketvault.errors import BrokenDatabaseError
from bucketvault.humanize import many
from bucketvault.store.database import RESTORE, is_blank

FEW_RUNS = 8  # of fewer nothing is concluded
BY_FAR = 4  # a copy with a fourth of the runs of another has lost something

_DAILY = re.compile(r"bucketvault-(\d{4}-\d\d-\d\d)\.sqlite3")
_BEFORE = re.compile(r"before-.+\.sqlite3")  # of an upgrade


@dataclass(frozen=True, slots=True)
class SelfBackup:
    """One copy that passed its check."""

    path: Path
    day: dt.date  # UTC
    made_at: dt.datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Contents:
    """How much a database holds."""

    backups: int
    runs: int


def copy_of_day(folder: Path, now: dt.datetime) -> Path:
    """Return where the daily copy of this day (UTC) is, or would be."""
    return folder / f"bucketvault-{now.astimezone(dt.UTC):%Y-%m-%d}.sqlite3"


def daily_copies(folder: Path, today: dt.date) -> list[SelfBackup]:
    """Return all daily copies, oldest first; one of a day to come is from a wrong clock, and first.

    Raises OSError where the folder may not be read.
    """
    found = [copy for copy in _copies(folder) if _DAILY.fullmatch(copy.path.name)]
    return sorted(found, key=lambda copy: (copy.day <= today, copy.day))


def newest_first(folder: Path, today: dt.date) -> list[SelfBackup]:
    """Return all daily copies and those of upgrades, in the order in which one is put back."""
    return sorted(_copies(folder), key=lambda c: (c.day <= today, c.made_at), reverse=True)


def _copies(folder: Path) -> Iterator[SelfBackup]:
    for path in folder.iterdir() if folder.is_dir() else ():
        daily = _DAILY.fullmatch(path.name)
        if daily or _BEFORE.fullmatch(path.name):
            # gone meanwhile; a day that no calendar has
            with contextlib.suppress(OSError, ValueError):
                stat = path.stat()
                made_at = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
                day = dt.date.fromisoformat(daily[1]) if daily else made_at.date()
                yield SelfBackup(path, day, made_at, stat.st_size)


def contents(path: Path) -> Contents | None:
    """Return what a closed database holds, such as a copy; None: it cannot be read."""
    try:
        stat = path.stat()
        return _contents(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, sqlite3.Error):
        return None


def contents_in_words(copy: SelfBackup) -> str:
    """Return `3 backups and 412 runs`."""
    held = contents(copy.path)
    if held is None:  # gone meanwhile
        return "an unknown number of runs"
    return f"{many(held.backups, 'backup')} and {many(held.runs, 'run')}"


@functools.lru_cache(maxsize=32)
def _contents(path: Path, _changed: int, _size: int) -> Contents:
    with contextlib.closing(read_only(path)) as plain:
        counts = [
            plain.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("backup", "backup_run")
        ]
    return Contents(*counts)


def read_only(path: Path) -> sqlite3.Connection:
    """Open a database that nobody writes: no file is made beside it. Raises sqlite3.Error."""
    log_file = path.with_name(f"{path.name}-wal")
    how = "mode=ro" if log_file.exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?{how}", uri=True)


def is_poorer(one: Contents, other: Contents) -> bool:
    """True if `one` lacks so much of what `other` holds that it may be a loss.

    Bytes tell nothing of that: nearly all of them are logs, which expire.
    """
    no_backup_left = other.backups > 0 and not one.backups
    few_runs_left = other.runs >= FEW_RUNS and one.runs * BY_FAR < other.runs
    return no_backup_left or few_runs_left


def richer_copies(folder: Path, today: dt.date) -> list[SelfBackup]:
    """Return the daily copies that hold far more than the newest one, oldest first."""
    found = daily_copies(folder, today)
    newest = contents(found[-1].path) if found else None
    if newest is None:
        return []
    held = ((copy, contents(copy.path)) for copy in found[:-1])
    return [copy for copy, has in held if has is not None and is_poorer(newest, has)]


def refuse_to_begin_anew(config: Config) -> None:
    """Raise BrokenDatabaseError where the database is gone and its data folder was in use.

    Call it before anything is made there. A key file alone says nothing in a folder that is new:
    several data folders may share one.
    """
    if not is_blank(config.database):
        return
    is_there = "is empty" if config.database.exists() else "is missing"
    try:
        copies = newest_first(config.backups, dt.datetime.now(dt.UTC).date())
        traces = [
            *([many(len(copies), "copy", "copies")] if copies else []),
            *(["runs"] if _has_any(config.runs) else []),
            *(["ledgers"] if _has_any(config.ledgers) else []),
            *(["a password"] if config.password.exists() else []),
            *(["a key file"] if config.lock.exists() and config.key_file.exists() else []),
        ]
    except OSError as error:
        raise BrokenDatabaseError(
            f"The database {config.database} {is_there}, and {error.filename} cannot be read: "
            f"{error.strerror}.",
            "Check its owner and mode (0700), then start again.",
        ) from error
    if not traces:
        return
    todo = (
        f"Restore the newest copy, of {copies[0].day}: {RESTORE}"
        if copies
        else "There is no copy of it. Look for the file; if it is lost, rename the data folder, "
        "start again, and set up every provider and backup again."
    )
    raise BrokenDatabaseError(
        f"The database {config.database} {is_there}, but this folder was in use: "
        f"it has {_listed(traces)}.",
        todo,
    )


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _has_any(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
