"""Queues the reading that follows a planned run, for backups that have a budget for it.

Decisions: docs/decisions/verify.md.
"""

import datetime as dt

from bucketvault.engine.runs import queue
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, BackupRun
from bucketvault.vocabulary import RunKind, RunStatus, Trigger

FOLLOWS = dt.timedelta(hours=1)  # later it waits for the next planned run: nothing is made up for


def backups_to_read(now: dt.datetime) -> list[int]:
    """Return backups whose newest run was a planned one, and has just ended well."""
    newest = BackupRun.alias()
    last_id = (
        newest.select(newest.id)
        .where(newest.backup == Backup.id)
        .order_by(newest.id.desc())
        .limit(1)
    )
    query = (
        Backup.select(Backup.id)
        .join(BackupRun)
        .where(
            Backup.enabled,
            Backup.verify_gb_per_night > 0,
            BackupRun.id == last_id,
            BackupRun.kind == RunKind.COPY,
            BackupRun.status == RunStatus.SUCCESS,
            BackupRun.scheduled_for.is_null(False),
            BackupRun.finished_at.between(now - FOLLOWS, now),
        )
    )
    with connection():
        return [backup.id for backup in query]


def queue_reading(backup_id: int) -> None:
    """Queue a run that reads as much as the backup's budget allows."""
    queue.enqueue(backup_id, Trigger.SCHEDULE, kind=RunKind.VERIFY)
