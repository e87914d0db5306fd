"""Daily maintenance: old logs are deleted, and the database is copied.

Both are due while today (UTC) has no copy of the database yet, which the folder of copies tells.
Logs go first, so that the copy is small, and also where there is no room for one.
"""

import datetime as dt
import logging
import threading

import peewee as pw

from bucketvault.config import Config
from bucketvault.engine import self_backup, settings
from bucketvault.engine.ages import settled
from bucketvault.errors import BucketvaultError
from bucketvault.store import run_logs
from bucketvault.store.database import (
    BusyError,
    connection,
    give_back_space,
    write_log_back,
    writing,
)
from bucketvault.store.models import HAS_ENDED, BackupRun, utcnow

log = logging.getLogger(__name__)

LOOK_S = 60.0
AFTER_A_FAULT_S = 3600.0
STEP_PAGES = 1000  # given back in one transaction: 4 MB, some milliseconds
STEP_PAUSE_S = 0.02  # between two transactions: other writers go first


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
            try:
                work(self._config, utcnow(), self._ending)
                pause = LOOK_S
            except (BucketvaultError, BusyError, OSError) as error:
                log.warning("housekeeping failed", extra={"why": error})
                pause = AFTER_A_FAULT_S
            except Exception:  # the edge of a thread: it must not die
                log.exception("housekeeping met a fault")
                pause = AFTER_A_FAULT_S


def work(config: Config, now: dt.datetime, ending: threading.Event | None = None) -> bool:
    """Do what is due; False when nothing was. Blocks for as long as a copy of the database takes.

    Stops early once `ending` is set. Raises NoRoomError, DatabaseError, BusyError, OSError.
    """
    if not self_backup.is_due(config.backups, now):
        return False
    ending = ending or threading.Event()
    removed = remove_old_logs(now, settings.load().log_retention_days, ending)
    _give_back(ending)
    if removed:
        log.info("old logs removed", extra={"runs": removed})
    if ending.is_set():
        return True
    made = self_backup.make(config.backups, now)
    log.info("database copied", extra={"to": str(made), "bytes": made.stat().st_size})
    return True


def remove_old_logs(now: dt.datetime, days: int, ending: threading.Event | None = None) -> int:
    """Drop the logs of runs that ended more than `days` ago; how many were dropped. 0 days: none.

    The newest log of a run of each backup stays, and the rows of all runs with their results.
    """
    if not days:
        return 0
    removed, ending = 0, ending or threading.Event()
    for run_id in _runs_with_old_logs(settled(now) - dt.timedelta(days=days)):
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
        ~newer.preview,
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


def _give_back(ending: threading.Event) -> None:
    while not ending.is_set() and give_back_space(STEP_PAGES):
        ending.wait(STEP_PAUSE_S)
    write_log_back()
