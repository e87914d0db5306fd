"""After a good run, never after a bad one: RESTORE.txt is kept true, and old kept versions go."""

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Iterable

import peewee as pw

from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.runs.kept_versions import (
    Archive,
    ArchiveError,
    ArchiveSilentError,
    outlived,
)
from bucketvault.engine.runs.restore_text import restore_text, text_hash
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import Backup, BackupRun, utcnow

# With a clock that is years ahead for an hour, every kept version and every log would be old.
BEFORE = dt.timedelta(hours=12)  # so long a clock has to stay wrong before it is believed
AHEAD = dt.timedelta(days=8)  # a weekly backup alone never waits for this
REFUSALS_TAKEN = 10  # folders that may not go, before the rest is left for the next run


def tidy(
    binary: Binary,
    destination: Remote,
    run: BackupRun,
    *,
    stopped: threading.Event,
    keep_open: Iterable[int],
    on_log: Callable[[bytes], None],
) -> None:
    """Write RESTORE.txt when it changed; let go what is older than the backup keeps.

    Raises ArchiveError when the destination refuses, or when this machine has no room to ask it:
    the copy is not affected. Raises CancelledError on Stop.
    """
    spec = RunSpec.from_json(run.spec)
    archive = Archive(
        binary,
        destination,
        spec.destination.bucket,
        spec.archive_key,
        stopped=stopped,
        keep_open=keep_open,
        on_log=on_log,
    )
    try:
        with connection():
            backup = Backup.get_by_id(run.backup_id)
        names = archive.names()
        # First: where a key may not delete, people must still find out how to bring it all back.
        _keep_restore_text(archive, spec, backup, names.files)
        if backup.enabled:  # switched off, its versions stay: nobody is there to notice
            _let_go(archive, run, spec, backup, names.folders)
    except (OSError, BusyError) as error:  # the disk is full, or the database is held
        raise ArchiveError(
            "Old kept versions could not be looked after.",
            "The copy itself is not affected. The next good run tries again.",
            str(error),
        ) from error


def _keep_restore_text(
    archive: Archive, spec: RunSpec, backup: Backup, files: Iterable[str]
) -> None:
    text = restore_text(spec, backup.name)
    if command.RESTORE_NAME in files and text_hash(text) == backup.restore_text_hash:
        return
    archive.write_restore_text(text)
    with contextlib.suppress(BusyError), writing():  # not noted: the next run writes it again
        Backup.update(restore_text_hash=text_hash(text)).where(Backup.id == backup.id).execute()


def _let_go(
    archive: Archive, run: BackupRun, spec: RunSpec, backup: Backup, folders: Iterable[str]
) -> None:
    """Remove what is old; a folder that may not go does not keep the others."""
    refusals: list[ArchiveError] = []
    for stamp in outlived(
        folders,
        now=expiry_clock(utcnow()),
        # retention raised since the run began must count for that run
        retention_days=max(spec.retention_days, backup.retention_days),
        own_stamp=str(run.archive_stamp),
    ):
        try:
            archive.purge(stamp)
        except ArchiveSilentError:
            raise
        except ArchiveError as error:
            refusals.append(error)
            if len(refusals) == REFUSALS_TAKEN:
                break
    if refusals:
        raise refusals[0]


def expiry_clock(now: dt.datetime) -> dt.datetime:
    """`now`, but no later than `AHEAD` after the last end of a run that is `BEFORE` ago or older.

    After a longer time without any run, what is old goes half a day after the first one.
    """
    earlier = BackupRun.finished_at <= now - BEFORE
    with connection():
        last = BackupRun.select(pw.fn.MAX(BackupRun.finished_at)).where(earlier).scalar()
    return now if last is None else min(now, last + AHEAD)
