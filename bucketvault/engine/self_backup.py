"""The daily copy of our own database: seven are kept, named by their day (UTC), each checked whole.

Which day has one is read from the folder, so that neither a restart nor a clock that was set makes
one too many or forgets one.
"""

import datetime as dt
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from bucketvault.errors import BucketvaultError
from bucketvault.store.database import backup_database, database_bytes

KEPT = 7
FEWEST_TO_TELL = 4
SPARE_BYTES = 200 * 1000 * 1000  # stay free beside a new copy: runs write their logs meanwhile

_NAME = re.compile(r"bucketvault-(\d{4}-\d\d-\d\d)\.sqlite3")


class NoRoomError(BucketvaultError):
    """The disk has no room for a copy of the database."""


@dataclass(frozen=True, slots=True)
class SelfBackup:
    """One copy that passed its check."""

    path: Path
    day: dt.date  # UTC
    made_at: dt.datetime
    size_bytes: int


def is_due(folder: Path, now: dt.datetime) -> bool:
    """True if today has no copy yet; asks for one file."""
    return not _of_day(folder, now).exists()


def make(folder: Path, now: dt.datetime) -> Path:
    """Copy the database into `folder`, check the copy, and let the oldest ones go.

    Nothing goes unless the new one is whole. Raises NoRoomError, DatabaseError.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    for unfinished in folder.glob("bucketvault-*.unfinished"):  # the machine stopped in between
        unfinished.unlink()
    _find_room(folder)
    made = _of_day(folder, now)
    backup_database(made)
    for old in _oldest_first(folder, now.date())[:-KEPT]:
        if old.path != made:
            old.path.unlink(missing_ok=True)
    return made


def newest(folder: Path, now: dt.datetime) -> SelfBackup | None:
    """The newest copy; None: there is none. Raises OSError where the folder may not be read."""
    found = _oldest_first(folder, now.date())
    return found[-1] if found else None


def growth_a_day(folder: Path, now: dt.datetime) -> float | None:
    """By how many bytes a day the database and its copies grow; None: too few copies to tell."""
    found = [copy for copy in _oldest_first(folder, now.date()) if copy.day <= now.date()]
    if len(found) < FEWEST_TO_TELL:
        return None
    days = (found[-1].day - found[0].day).days
    return (found[-1].size_bytes - found[0].size_bytes) / days * (1 + KEPT)


def _of_day(folder: Path, now: dt.datetime) -> Path:
    return folder / f"bucketvault-{now.astimezone(dt.UTC):%Y-%m-%d}.sqlite3"


def _oldest_first(folder: Path, today: dt.date) -> list[SelfBackup]:
    """All copies; one of a day to come is from a clock that was wrong, and goes first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        try:
            stat, day = path.stat(), dt.date.fromisoformat(match[1])
        except (OSError, ValueError):  # gone meanwhile; a day that no calendar has
            continue
        made_at = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
        found.append(SelfBackup(path, day, made_at, stat.st_size))
    return sorted(found, key=lambda copy: (copy.day <= today, copy.day))


def _find_room(folder: Path) -> None:
    needed, free = database_bytes() + SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(
            f"There is no room for a copy of the database: {free / 1e6:,.0f} MB are free, "
            f"{needed / 1e6:,.0f} MB are needed.",
            "Make room on the disk of the data folder; the copy is then made within the hour.",
        )
