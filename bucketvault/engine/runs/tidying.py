"""After a good run, never after a bad one: old kept versions go, and RESTORE.txt is kept true."""

import threading
from collections.abc import Callable, Iterable

from bucketvault.engine.rclone import command
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.runs.archive import Archive, outlived
from bucketvault.engine.runs.restore_text import restore_text, text_hash
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, utcnow


def tidy(
    binary: Binary,
    destination: Remote,
    run: BackupRun,
    *,
    stopped: threading.Event,
    keep_open: Iterable[int],
    on_log: Callable[[bytes], None],
) -> None:
    """Let go what is older than the backup keeps; write RESTORE.txt when it changed.

    Raises ArchiveError when the destination refuses, CancelledError on Stop.
    """
    spec = run.spec
    with connection():
        backup = Backup.get_by_id(run.backup_id)
    archive = Archive(
        binary,
        destination,
        spec["destination"]["bucket"],
        spec["archive_key"],
        stopped=stopped,
        keep_open=keep_open,
        on_log=on_log,
    )
    names = archive.names()
    if backup.enabled:  # switched off, its versions stay: nobody is there to notice
        for stamp in outlived(
            names,
            now=utcnow(),
            retention_days=spec["retention_days"],
            own_stamp=str(run.archive_stamp),
        ):
            archive.purge(stamp)
    text = restore_text(spec, backup.name)
    if command.RESTORE_NAME not in names or text_hash(text) != backup.restore_text_hash:
        archive.write_restore_text(text)
        with writing():
            Backup.update(restore_text_hash=text_hash(text)).where(Backup.id == backup.id).execute()
