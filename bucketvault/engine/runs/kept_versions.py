"""The kept versions of one backup, in its destination's bucket: listing them, letting old ones go.

One folder a run, named by the run's stamp. Its age is read from that name, never from an object's
own date: an object of 2020 that was replaced a minute ago is a minute old here.
"""

import contextlib
import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import peewee as pw

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.usage import EndUse
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.listing.asking import bucket_at
from bucketvault.engine.listing.bucket import Lister, ListingError
from bucketvault.engine.rclone import call as process
from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.runs import stamps
from bucketvault.engine.runs.restore_text import made_words, restore_text, text_hash
from bucketvault.engine.runs.stamps import read_stamp
from bucketvault.errors import BucketvaultError
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.store.restoring import lately_restored
from bucketvault.vocabulary import WarningCode

log = logging.getLogger(__name__)

PATIENCE_S = 10.0  # with the service, over a question that the next run asks again
NAMES_TOLD = 5
# With a clock that is years ahead for an hour, every kept version and every log would be old.
BEFORE = dt.timedelta(hours=12)  # so long a clock has to stay wrong before it is believed
AHEAD = dt.timedelta(days=8)  # a weekly backup alone never waits for this
REFUSALS_TAKEN = 10  # folders that may not go, before the rest is left for the next run
NO_TIMES: Mapping[str, dt.datetime] = MappingProxyType({})


class KeptVersionsError(BucketvaultError):
    """The kept versions could not be listed or changed; the detail is rclone's word."""


class KeptVersionsSilentError(KeptVersionsError):
    """The destination did not answer at all."""


@contextlib.contextmanager
def asked_without_a_run() -> Iterator[None]:
    """Give KeptVersionsError a hint for a person who looks: its own speaks of a run."""
    try:
        yield
    except KeptVersionsError as error:
        hint = "Check that the provider responds and that the key can list, then refresh."
        raise KeptVersionsError(error.summary, hint, error.detail) from error


@dataclass(frozen=True, slots=True)
class Names:
    """An entry directly in a backup's archive. A file is never a run's, whatever its name."""

    folders: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """The kept versions of one run."""

    stamp: str
    replaced_at: dt.datetime  # UTC; when these were replaced or removed
    goes_at: dt.datetime  # UTC; from then on the next good run removes the folder
    objects: int
    size_bytes: int
    is_misplaced: bool = False  # its name tells another time


@dataclass(frozen=True, slots=True)
class Kept:
    """All kept versions of a backup; `foreign` are names in there that are not ours."""

    folders: tuple[KeptFolder, ...]
    foreign: tuple[str, ...]


def expired(
    names: Iterable[str],
    *,
    now: dt.datetime,
    retention_days: int,
    own_stamp: str,
    times: Mapping[str, dt.datetime] = NO_TIMES,
) -> list[str]:
    """The folders that may go, oldest first, after the run of `own_stamp` has succeeded.

    Kept for `retention_days` from the day it was replaced, and never what this run itself or a
    later one put aside. `times`: when those were made whose names tell another time.
    """
    oldest_kept, own = now - dt.timedelta(days=retention_days), read_stamp(own_stamp)
    made = ((name, stamps.told(times, name)) for name in names)
    old = [
        (at, name)
        for name, at in made
        if at is not None and at < oldest_kept and own is not None and at < own
    ]
    return [name for _, name in sorted(old)]


class KeptVersions:
    """Asks rclone about those of one backup. Blocks; raises KeptVersionsError, CancelledError."""

    def __init__(
        self,
        binary: Binary,
        destination: Remote,
        bucket: str,
        archive_key: str,
        *,
        stopped: threading.Event | None = None,
        keep_open: Iterable[int] = (),
        on_log: Callable[[bytes], None] | None = None,
    ) -> None:
        self._binary = binary
        self._destination = destination
        self._bucket = bucket
        self._key = archive_key
        self._stopped = stopped
        self._keep_open = tuple(keep_open)
        self._on_log = on_log
        self.use = EndUse()  # the requests so far, without deletes: those are lines of the log

    def names(self) -> Names:
        """Return what is in the archive."""
        self.use.lists += 1
        done = self._ask("list the kept versions", command.list_archive(self._bucket, self._key))
        lines = done.stdout.decode(errors="replace").split("\n")
        return Names(
            folders=tuple(line[:-1] for line in lines if line.endswith("/")),
            files=tuple(line for line in lines if line and not line.endswith("/")),
        )

    def all_in_bucket(self) -> tuple[str, ...]:
        """The folders of this and every other backup's kept versions in the bucket."""
        command_line = command.destination_answers(self._bucket)
        done = self._ask("list the kept versions", command_line)
        lines = done.stdout.decode(errors="replace").split("\n")
        return tuple(line[:-1] for line in lines if line.endswith("/"))

    def purge(self, stamp: str) -> None:
        """Remove one run's folder; each object is a line of the log."""
        if read_stamp(stamp) is None:
            raise ValueError(f"not a folder of kept versions: {stamp!r}")
        self.use.add(EndUse(lists=1, reads=1))  # the second: whether the bucket keeps versions
        self._ask(
            "remove old kept versions",
            command.purge(self._bucket, self._key, stamp),
            log_level="INFO",
            on_log=self._on_log,
        )

    def write_restore_text(self, spec: RunSpec, text: str) -> None:
        """Put RESTORE.txt beside the folders."""
        self.use.add(EndUse(writes=1, reads=1))
        self._ask(
            f"write {command.RESTORE_NAME}",
            command.write_restore_text(spec),
            stdin=text.encode(),
        )

    def made_at(self, folder: str) -> dt.datetime | None:
        """Return when a folder was made, by the date of an object in it; None: it is not told."""
        bucket = bucket_at(self._destination, self._bucket)
        self.use.lists += 1
        try:
            with Lister(bucket, patience_s=PATIENCE_S) as asked:
                page = asked.first_page(f"{ARCHIVE_ROOT}/{self._key}/{folder}/")
            return dt.datetime.fromisoformat(page.entries[0].modified).astimezone(dt.UTC)
        except (ListingError, IndexError, ValueError) as error:
            log.info("a folder of kept versions has no date", extra={"why": error})
            return None

    def kept(self, retention_days: int, times: Mapping[str, dt.datetime] = NO_TIMES) -> Kept:
        """Every folder with its objects and size: one listing of all kept versions.

        `times`: when those were made whose names tell another time.
        """
        done = self._ask(
            "list the kept versions", command.list_kept_versions(self._bucket, self._key)
        )
        counted: dict[str, tuple[int, int]] = {}
        foreign: set[str] = set()
        for line in done.stdout.decode(errors="replace").split("\n"):
            size, _, path = line.partition(";")
            if not path or not size.lstrip("-").isdecimal():
                continue  # the rest of a key that holds a line break
            name, slash, _ = path.partition("/")
            if not slash or read_stamp(name) is None:
                foreign.add(name)
                continue
            objects, total = counted.get(name, (0, 0))
            counted[name] = (objects + 1, total + max(0, int(size)))
        folders = [
            KeptFolder(
                name, told, told + dt.timedelta(days=retention_days), *counted[name], name in times
            )
            for name in counted
            if (told := stamps.told(times, name)) is not None
        ]
        folders.sort(key=lambda folder: (folder.replaced_at, folder.stamp), reverse=True)
        return Kept(tuple(folders), tuple(sorted(foreign - {command.RESTORE_NAME})))

    def _ask(
        self,
        what: str,
        arguments: Sequence[str],
        *,
        log_level: str = "NOTICE",
        stdin: bytes = b"",
        on_log: Callable[[bytes], None] | None = None,
    ) -> process.Done:
        done = process.call(
            self._binary,
            arguments,
            {"dest": self._destination},
            log_level=log_level,
            cancelled=self._stopped,
            keep_open=self._keep_open,
            stdin=stdin,
            on_log=on_log,
        )
        if done.stalled or done.exit_code:
            # the first one names the cause; the last only sums up
            words = [line.message for line in done.transcript.errors] or list(done.transcript.plain)
            kind = KeptVersionsSilentError if done.stalled else KeptVersionsError
            raise kind(
                f"Could not {what} at {self._destination.label}: {self._bucket}/{ARCHIVE_ROOT}/.",
                "The copy itself is not affected. The next good run tries again.",
                "It did not respond in time." if done.stalled or not words else words[0],
            )
        return done


def tidy(
    binary: Binary,
    destination: Remote,
    run: BackupRun,
    ahead: dt.timedelta | None = None,
    *,
    stopped: threading.Event,
    keep_open: Iterable[int],
    on_log: Callable[[bytes], None],
    use: EndUse | None = None,
) -> list[RunWarning]:
    """Write RESTORE.txt when it changed; let go what is older than the backup keeps.

    `ahead`: this machine's clock, by that of the destination. Returns what to say of folders
    whose names tell another time than they were made at.

    `use` counts the requests, but for deletes of objects, which are lines of the log. Raises
    KeptVersionsError when the destination refuses, or when this machine has no room to ask: the
    copy is not affected. Raises CancelledError on Stop.
    """
    spec = RunSpec.from_json(run.spec)
    archive = KeptVersions(
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
        misplaced = stamps.misplaced(run.backup_id, names.folders, ahead)
        times = stamps.made_at(run.backup_id, misplaced, archive.made_at)
        # First: where a key may not delete, people must still find out how to bring it all back.
        _keep_restore_text(archive, spec, backup, names.files, misplaced, times)
        # switched off, its versions stay: nobody is there to notice; after a restore of the
        # database, too: nobody knows yet whether they are to be kept for longer by now
        if backup.enabled and lately_restored(utcnow()) is None:
            _let_go(archive, run, spec, backup, names.folders, times)
        return _told(misplaced, times)
    except (OSError, BusyError) as error:  # the disk is full, or the database is held
        raise KeptVersionsError(
            "Old kept versions could not be cleaned up.",
            "The copy itself is not affected. The next good run tries again.",
            str(error),
        ) from error
    finally:
        if use is not None:
            use.add(archive.use)


def _told(misplaced: list[str], times: Mapping[str, dt.datetime]) -> list[RunWarning]:
    if not misplaced:
        return []
    names = [f"{name} ({made_words(times.get(name))})" for name in misplaced[:NAMES_TOLD]]
    return [RunWarning(WarningCode.MISPLACED, {"n": len(misplaced)}, tuple(names))]


def _keep_restore_text(
    archive: KeptVersions,
    spec: RunSpec,
    backup: Backup,
    files: Iterable[str],
    misplaced: list[str],
    times: Mapping[str, dt.datetime],
) -> None:
    made = {name: times.get(name) for name in misplaced}
    text = restore_text(spec, backup.name, made)
    if command.RESTORE_NAME in files and text_hash(text) == backup.restore_text_hash:
        return
    archive.write_restore_text(spec, text)
    with contextlib.suppress(BusyError), writing():  # not noted: the next run writes it again
        Backup.update(restore_text_hash=text_hash(text)).where(Backup.id == backup.id).execute()


def _let_go(
    archive: KeptVersions,
    run: BackupRun,
    spec: RunSpec,
    backup: Backup,
    folders: Iterable[str],
    times: Mapping[str, dt.datetime],
) -> None:
    """Remove what is old; a folder that may not go does not keep the others."""
    refusals: list[KeptVersionsError] = []
    for stamp in expired(
        folders,
        now=expiry_clock(utcnow()),
        # retention raised since the run began must count for that run
        retention_days=max(spec.retention_days, backup.retention_days),
        own_stamp=str(run.archive_stamp),
        times=times,
    ):
        try:
            archive.purge(stamp)
            if stamp in times:
                stamps.forget(backup.id, stamp)
        except KeptVersionsSilentError:
            raise
        except KeptVersionsError as error:
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
