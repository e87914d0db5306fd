"""Daily maintenance: old logs and ledgers are deleted, and the database is copied.

All is due while today (UTC) has no copy of the database yet, which the folder of copies tells:
neither a restart nor a clock that was set makes one too many or forgets one.
Logs go first, so that the copy is small, and also where there is no room for one.

Decisions: docs/decisions/clocks.md.
"""

import datetime as dt
import logging
import shutil
import threading
from pathlib import Path

import peewee as pw

from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.runs import ledgers
from bucketvault.engine.runs.kept_versions import expiry_clock
from bucketvault.errors import BucketvaultError
from bucketvault.store import run_logs
from bucketvault.store.copies import SelfBackup, copy_of_day, daily_copies, richer_copies
from bucketvault.store.database import (
    BusyError,
    backup_database,
    connection,
    database_bytes,
    give_back_space,
    write_log_back,
    writing,
)
from bucketvault.store.models import HAS_ENDED, BackupRun, utcnow
from bucketvault.vocabulary import RunKind

log = logging.getLogger(__name__)

LOOK_S = 60.0
AFTER_A_FAULT_S = 3600.0
STEP_PAGES = 1000  # given back in one transaction: 4 MB, some milliseconds
STEP_PAUSE_S = 0.02  # between two transactions: other writers go first
KEPT = 7
FEWEST_TO_TELL = 4
SPARE_BYTES = 200 * 1000 * 1000  # stay free beside a new copy: runs write their logs meanwhile


class Housekeeper:
    """A thread of its own: neither the beat of the schedule nor a run waits for a large copy."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Look once a minute, for the first time in a minute."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End between two steps. A copy that is being made is left: it is not under its name."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _keep(self) -> None:
        pause = LOOK_S
        while not self._ending.wait(pause):
            pause = AFTER_A_FAULT_S
            try:
                work(self._config, utcnow(), self._ending)
                pause = LOOK_S
            except (BucketvaultError, BusyError, OSError) as error:
                log.warning("housekeeping failed", extra={"why": error})
            except Exception:  # the edge of a thread: it must not die
                log.exception("housekeeping failed unexpectedly")


def work(config: Config, now: dt.datetime, ending: threading.Event | None = None) -> bool:
    """Do what is due; False when nothing was. Blocks for as long as a copy of the database takes.

    Stops early once `ending` is set. Raises NoRoomError, DatabaseError, BusyError, OSError.
    """
    if not copy_is_due(config.backups, now):
        return False
    ending = ending or threading.Event()
    ledgers.sweep(config.ledgers)
    removed = remove_old_logs(now, settings.load().log_retention_days, ending)
    while not ending.is_set() and give_back_space(STEP_PAGES):
        ending.wait(STEP_PAUSE_S)
    write_log_back()
    if removed:
        log.info("old logs removed", extra={"runs": removed})
    if ending.is_set():
        return True
    made = copy_database(config.backups, now)
    log.info("database copied", extra={"to": str(made), "bytes": made.stat().st_size})
    return True


def remove_old_logs(now: dt.datetime, days: int, ending: threading.Event | None = None) -> int:
    """Drop the logs of runs that ended more than `days` ago; how many were dropped. 0 days: none.

    The newest log of a run of each backup stays, and the rows of all runs with their results.
    """
    if not days:
        return 0
    removed, ending = 0, ending or threading.Event()
    for run_id in _runs_with_old_logs(expiry_clock(now) - dt.timedelta(days=days)):
        if ending.is_set():
            break
        with writing():  # one transaction: a log is whole, or it is said to be gone
            run_logs.clear(run_id)
            BackupRun.update(log_removed_at=now).where(BackupRun.id == run_id).execute()
        removed += 1
        ending.wait(STEP_PAUSE_S)
    return removed


def _runs_with_old_logs(before: dt.datetime) -> list[int]:
    newer = BackupRun.alias()
    has_newer_log = newer.select(newer.id).where(
        newer.backup == BackupRun.backup,
        newer.id > BackupRun.id,
        newer.log_lines > 0,
        newer.kind == RunKind.COPY,
    )
    query = (
        BackupRun.select(BackupRun.id)
        .where(
            HAS_ENDED,
            BackupRun.finished_at < before,
            BackupRun.log_removed_at.is_null(),
            BackupRun.log_lines > 0,
            pw.fn.EXISTS(has_newer_log),
        )
        .order_by(BackupRun.id)
    )
    with connection():
        return [run.id for run in query]


# ---- the daily copy: named by its day (UTC), checked whole


class NoRoomError(BucketvaultError):
    """The disk has no room for a copy of the database."""


def copy_is_due(folder: Path, now: dt.datetime) -> bool:
    """True if today has no copy yet; asks for one file."""
    return not copy_of_day(folder, now).exists()


def copy_database(folder: Path, now: dt.datetime) -> Path:
    """Copy the database into `folder`, check the copy, and let the oldest ones go.

    Nothing goes unless the new one is whole, and none that holds far more than it. Raises
    NoRoomError, DatabaseError.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    for unfinished in folder.glob("bucketvault-*.unfinished"):  # the machine stopped in between
        unfinished.unlink()
    needed, free = database_bytes() + SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(
            f"There is not enough space for a copy of the database: {free / 1e6:,.0f} MB are free, "
            f"{needed / 1e6:,.0f} MB are needed.",
            "Free some space on the disk of the data folder; the copy is then made within an hour.",
        )
    made = copy_of_day(folder, now)
    backup_database(made)
    today = now.astimezone(dt.UTC).date()
    richer = richer_copies(folder, today)  # this one may be of a loss that nobody has seen yet
    others = [each for each in daily_copies(folder, today) if each not in richer]
    for old in others[:-KEPT]:
        if old.path != made:
            old.path.unlink(missing_ok=True)
    return made


def newest_copy(folder: Path, now: dt.datetime) -> SelfBackup | None:
    """The newest copy; None: there is none. Raises OSError where the folder may not be read."""
    return next(reversed(daily_copies(folder, now.date())), None)


def growth_a_day(folder: Path, now: dt.datetime) -> float | None:
    """By how many bytes a day the database and its copies grow; None: too few copies to tell.

    Also None where the folder may not be read.
    """
    try:
        found = [copy for copy in daily_copies(folder, now.date()) if copy.day <= now.date()]
    except OSError:
        return None
    if len(found) < FEWEST_TO_TELL:
        return None
    days = (found[-1].day - found[0].day).days
    return (found[-1].size_bytes - found[0].size_bytes) / days * (1 + KEPT)
