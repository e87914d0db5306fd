"""Overdue episodes: a backup of which nothing came begins one, its next good copy ends it.

Whether a backup is overdue is computed when asked. An episode is what people were told of it, once,
and it lasts until they can be told that it is over.
"""

import datetime as dt

from bucketvault.engine.domain import times as timetable
from bucketvault.engine.mail import outbox
from bucketvault.engine.views import backups
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, utcnow
from bucketvault.vocabulary import Topic


def backups_to_tell() -> list[int]:
    """Backups whose episode begins or is over now."""
    now = utcnow()
    with connection():
        columns = (Backup.id, Backup.schedule, Backup.next_due_at, Backup.overdue_since)
        found = {backup.id: backup for backup in Backup.select(*columns)}
        rows = [(row, found[row.id]) for row in backups.backups() if row.id in found]
        return [
            row.id for row, backup in rows if _begins(row, backup, now) or _is_over(row, backup)
        ]


def tell(backup_id: int) -> None:
    """Begin or end the episode of a backup, with its mail."""
    with writing(Topic.BACKUPS, Topic.MAIL):
        row = backups.backup_row(backup_id)
        backup = Backup.get_or_none(Backup.id == backup_id)
        if row is None or backup is None:
            return
        if planned := _begins(row, backup, utcnow()):
            outbox.overdue(backup, planned, unplannable=row.unplannable)
        elif _is_over(row, backup):
            outbox.overdue_over(backup)


def _begins(row: backups.BackupRow, backup: Backup, now: dt.datetime) -> dt.datetime | None:
    """The planned time of which nothing came, where people were not told yet."""
    if backup.overdue_since is not None:
        return None
    if not row.unplannable:
        return row.missed_at
    # later ones cannot be worked out: the one that was noted while they could
    planned, good_at = backup.next_due_at, row.last_good_at
    if planned is None or (good_at is not None and good_at >= planned):  # it was run by hand
        return None
    return planned if planned + timetable.grace(backup.schedule) <= now else None


def _is_over(row: backups.BackupRow, backup: Backup) -> bool:
    since = backup.overdue_since
    return since is not None and row.last_good_at is not None and row.last_good_at >= since
