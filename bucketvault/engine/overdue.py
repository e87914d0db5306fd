"""Overdue episodes: a backup of which nothing came begins one, its next good copy ends it.

Whether a backup is overdue is worked out anew by whoever asks (`overview`). An episode is what
people were told of it, once, and it lasts until they can be told that it is over.
"""

import datetime as dt

from bucketvault.engine import outbox, overview
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup


def backups_to_tell() -> list[int]:
    """Backups whose episode begins or is over now."""
    with connection():
        told = Backup.select(Backup.id, Backup.overdue_since).where(
            Backup.overdue_since.is_null(False)
        )
        since = {backup.id: backup.overdue_since for backup in told}
        return [row.id for row in overview.backups() if _is_news(row, since.get(row.id))]


def tell(backup_id: int) -> bool:
    """Begin or end the episode of a backup, with its mail; whether there was anything to tell."""
    with writing():
        row = overview.backup_row(backup_id)
        backup = Backup.get_or_none(Backup.id == backup_id)
        if row is None or backup is None or not _is_news(row, backup.overdue_since):
            return False
        if row.missed_at is not None and backup.overdue_since is None:
            outbox.overdue(backup, row.missed_at)
        else:
            outbox.overdue_over(backup)
        return True


def _is_news(row: overview.BackupRow, since: dt.datetime | None) -> bool:
    if since is None:
        return row.missed_at is not None
    return row.last_good_at is not None and row.last_good_at >= since
