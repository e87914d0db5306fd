"""Runs that wait: putting one in, taking the next out, within the limits.

Everybody inserts the same row: the Run now button, the command line, the schedule. The database
keeps at most one pending or running run a backup.
"""

import datetime as dt
from pathlib import Path
from typing import Any

import peewee as pw

from bucketvault.engine.rclone import command
from bucketvault.engine.rclone.explain import REASON_TEXTS
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.errors import NotFoundError
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, Provider, Storage, utcnow
from bucketvault.vocabulary import Phase, Reason, RunStatus, Trigger

ACTIVE = (RunStatus.PENDING, RunStatus.RUNNING)


def enqueue(backup_id: int, trigger: Trigger) -> tuple[int, bool]:
    """The run that will copy `backup_id`, and whether it is new: pressing twice queues once.

    Raises NotFoundError when the backup is gone.
    """
    with writing():
        if Backup.get_or_none(Backup.id == backup_id) is None:
            raise NotFoundError("This backup is not there any more.")
        active = BackupRun.get_or_none(BackupRun.backup == backup_id, BackupRun.status.in_(ACTIVE))
        if active is not None:
            return active.id, False
        run = BackupRun.create(backup=backup_id, trigger=trigger)
        return run.id, True


def claim(runs: Path, max_parallel: int) -> tuple[BackupRun, RunFolder, int] | None:
    """Take the next pending run: now RUNNING and checking, with its folder and the folder's lock.

    `runs` is the folder of run folders. None when nothing waits or enough runs. The settings are
    frozen here: later edits of the backup do not touch a run under way.
    """
    with writing():
        if BackupRun.select().where(BackupRun.status == RunStatus.RUNNING).count() >= max_parallel:
            return None
        run = (
            BackupRun.select()
            .where(BackupRun.status == RunStatus.PENDING)
            .order_by(pw.fn.COALESCE(BackupRun.scheduled_for, BackupRun.created_at), BackupRun.id)
            .first()
        )
        if run is None:
            return None
        folder = RunFolder(runs, run.uuid)
        folder.remove()  # of an attempt that never got beyond checking
        lock = folder.create()
        stamp = next_stamp(run.backup_id)
        now = utcnow()
        run.change(
            RunStatus.PENDING,
            status=RunStatus.RUNNING,
            phase=Phase.CHECKING,
            started_at=now,
            archive_stamp=stamp,
            spec=freeze(run.backup, stamp),
        )
        Backup.update(last_run_at=now).where(Backup.id == run.backup_id).execute()
        return run, folder, lock


def cancel_pending(run_id: int) -> bool:
    """Whether a run that had not started yet was ended as stopped by you."""
    summary, hint = REASON_TEXTS[Reason.STOPPED]
    with writing():
        run = BackupRun.get_or_none(BackupRun.id == run_id)
        return run is not None and run.change(
            RunStatus.PENDING,
            status=RunStatus.FAILED,
            reason=Reason.STOPPED,
            finished_at=utcnow(),
            explanation=summary,
            hint=hint,
        )


def next_stamp(backup_id: int) -> str:
    """The name of the next run's folder of kept versions: the time now, UTC.

    At least one second later than any earlier one of this backup, also when the clock went back:
    two runs in one folder would lose the first old version.
    """
    last = (
        BackupRun.select(pw.fn.MAX(BackupRun.archive_stamp))
        .where(BackupRun.backup == backup_id)
        .scalar()
    )
    now = utcnow().replace(microsecond=0)
    if last is not None:
        earlier = dt.datetime.strptime(last, command.STAMP_FORMAT).replace(tzinfo=dt.UTC)
        now = max(now, earlier + dt.timedelta(seconds=1))
    return now.strftime(command.STAMP_FORMAT)


def freeze(backup: Backup, stamp: str) -> dict[str, Any]:
    """The settings of a run as they are now, without secrets; what `arguments` rclone gets."""
    source, destination = backup.source_storage, backup.destination_storage
    return {
        "source": _frozen_end(source, source.provider, backup.source_path),
        "destination": _frozen_end(destination, destination.provider, backup.destination_path),
        "comparison_mode": backup.comparison_mode,
        "retention_days": backup.retention_days,
        "shrink_limit_percent": backup.shrink_limit_percent,
        "archive_key": backup.archive_key,
        "rclone_version": "",
        "arguments": command.sync(
            command.location("source", source.bucket_name, backup.source_path),
            command.location("dest", destination.bucket_name, backup.destination_path),
            destination_bucket=destination.bucket_name,
            archive_key=backup.archive_key,
            stamp=stamp,
            comparison_mode=backup.comparison_mode,
        ),
    }


def _frozen_end(storage: Storage, provider: Provider, path: str) -> dict[str, Any]:
    return {
        "provider_id": provider.id,
        "provider": provider.name,
        "provider_type": provider.provider_type,
        "endpoint": provider.endpoint,
        "region": provider.region,
        "bucket": storage.bucket_name,
        "display_name": storage.display_name,
        "path": path,
    }


def run_under_way(backup_id: int) -> BackupRun | None:
    """The pending or running run of a backup, if there is one."""
    with connection():
        return BackupRun.get_or_none(BackupRun.backup == backup_id, BackupRun.status.in_(ACTIVE))
