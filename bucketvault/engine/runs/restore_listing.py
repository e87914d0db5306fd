"""List the kept versions of a backup, and bring what its runs did to its copy into one order.

`restoring.History` is what comes of it.
"""

import gzip
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from bucketvault.engine.catalogue import rows
from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.listing.asking import bucket_at
from bucketvault.engine.listing.bucket import Lister, ListingError
from bucketvault.engine.listing.ledger import LedgerError, quoted
from bucketvault.engine.listing.merge import What
from bucketvault.engine.listing.order import sorted_on_disk
from bucketvault.engine.listing.page import Entry, NoListingError
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.commands import STAMP_FORMAT
from bucketvault.engine.rclone.explain import explain_look
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.runs import ledgers, queue, stamps
from bucketvault.engine.runs.passes import MOST_PASSES, stamp_of
from bucketvault.engine.runs.restoring import (
    KEPT,
    MADE,
    MENDED,
    Cut,
    Day,
    History,
    Pass,
    Reach,
    RestoreError,
    unproven,
)
from bucketvault.store.database import connection
from bucketvault.store.models import IS_COPY, Backup, BackupRun
from bucketvault.vocabulary import RunStatus

PATIENCE_S = 10.0  # with the destination: a person waits
MOST_DAYS = 400
MOST_RUNS = 5000  # looked at, newest first


def open_history(
    folder: Path,
    backup_id: int,
    remote: Remote,
    *,
    on_count: Callable[[int], None] = lambda count: None,
    stopped: threading.Event | None = None,
) -> History:
    """List all kept versions of a backup and bring them in order; `folder` is that of ledgers.

    `remote` is its destination; `on_count` gets the number listed so far. Blocks. Raises
    RestoreError, NotFoundError, and CancelledError once `stopped` is set.
    """
    with connection():
        backup = rows.get(Backup, backup_id)
        spec = queue.freeze(backup)
        runs = _runs(backup_id)
    if any(run.status == RunStatus.RUNNING for run in runs):
        raise RestoreError(
            "A run of this backup is in progress, and may change the copy.",
            "Wait until it ends, or stop it on its page.",
        )
    known, passes = _passes(backup_id, spec, runs)
    listing = _Listing(spec, remote, {each.stamp: n for n, each in enumerate(passes)})
    listing.on_count, listing.stopped = on_count, stopped
    # a run that only made objects anew left no folder in the bucket
    listing.strange |= ledgers.noted_passes(folder, spec.archive_key) - _stamps_of(runs)
    events = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with the history
    try:
        history = History(spec, ledgers.ledger_of(folder, spec), passes, events)
    except (LedgerError, FileNotFoundError) as error:
        events.close()
        raise unproven() from error
    try:
        write_events(sorted_on_disk(listing.events(folder, passes), folder), events)
        history.days, history.reach = _days(folder, spec, runs, known, passes, listing)
        history.folders = frozenset(listing.objects) | frozenset(listing.strange)
    except ListingError as error:
        history.close()
        told = explain_look(
            "copy",
            error.status,
            error.code,
            error.summary,
            spec.source,
            spec.destination,
            error.region,
            again="search again",
        )
        raise RestoreError(told.summary, told.hint, told.detail) from error
    except (NoListingError, LedgerError, OSError) as error:
        history.close()
        why = "The old versions could not be listed."
        raise RestoreError(why, "Search again.", str(error)) from error
    except BaseException:
        history.close()
        raise
    return history


def _runs(backup_id: int) -> list[BackupRun]:
    """Return the runs that copy, newest first, with what is needed of them."""
    wanted = (
        *(BackupRun.id, BackupRun.status, BackupRun.kind, BackupRun.archive_stamp, BackupRun.spec),
        *(BackupRun.passes, BackupRun.archived, BackupRun.started_at, BackupRun.finished_at),
    )
    mine = BackupRun.backup == backup_id
    query = BackupRun.select(*wanted).where(mine, IS_COPY).order_by(BackupRun.id.desc())
    return list(query.limit(MOST_RUNS))


def _passes(backup_id: int, spec: RunSpec, runs: list[BackupRun]) -> tuple[int, list[Pass]]:
    """Return how many of the runs, newest first, had the same ends, and the passes of those."""
    times = stamps.known_times(backup_id)
    passes: list[Pass] = []
    known = 0
    for run in runs:
        frozen = RunSpec.stored(run.spec)
        if frozen is not None and frozen.locations != spec.locations:
            break
        known += 1
        for number in range(run.passes, 0, -1):
            stamp = stamp_of(str(run.archive_stamp), number)
            if (made := stamps.told(times, stamp)) is not None:
                passes.append(Pass(run.id, stamp, made))
    passes.reverse()
    return known, passes


def _stamps_of(runs: list[BackupRun]) -> set[str]:
    first = [str(run.archive_stamp) for run in runs if run.archive_stamp]
    return {stamp_of(each, number + 1) for each in first for number in range(MOST_PASSES)}


class _Listing:
    """The kept versions in the bucket, and how many of each folder there are."""

    on_count: Callable[[int], None]
    stopped: threading.Event | None

    def __init__(self, spec: RunSpec, remote: Remote, numbers: dict[str, int]) -> None:
        self._spec, self._remote, self._numbers = spec, remote, numbers
        self.objects: Counter[str] = Counter()
        self.strange: set[str] = set()  # passes of runs that are not known

    def events(self, folder: Path, passes: list[Pass]) -> Iterator[Entry]:
        """Yield what passes did, each as a key that sorts by object and then by pass."""
        for number, each in enumerate(passes):
            for sign, what in ((MADE, What.NEW), (MENDED, What.ALTERED)):
                names = ledgers.noted_names(folder, self._spec.archive_key, each.stamp, what)
                yield from (event(key, number, sign, 0) for key in names)
        bucket = bucket_at(self._remote, self._spec.destination.bucket)
        lister = Lister(bucket, patience_s=PATIENCE_S)
        seen = 0

        def count(objects: int) -> None:
            nonlocal seen
            if self.stopped is not None and self.stopped.is_set():
                raise CancelledError("Stopped.")
            seen += objects
            self.on_count(seen)

        for entry in lister.entries(f"{ARCHIVE_ROOT}/{self._spec.archive_key}/", count):
            named, slash, key = entry.key.partition(b"/")
            stamp = named.decode("utf-8", "replace")
            if not slash or stamps.read_stamp(stamp) is None:
                continue  # RESTORE.txt, and what is not ours
            if (place := self._numbers.get(stamp)) is None:
                self.strange.add(stamp)
                continue
            self.objects[stamp] += 1
            yield event(key, place, KEPT, entry.size)


def write_events(events: Iterable[Entry], file: IO[bytes]) -> None:
    """Write what `event` gave, sorted by key, as `History` reads it."""
    with gzip.open(file, "wb", compresslevel=1) as lines:
        for entry in events:
            key, _, place = entry.key.rpartition(b"\0")
            fields = b"%d\t%s\t%d\n" % (int(place[:-1]), place[-1:], entry.size)
            lines.write(quoted(key) + b"\t" + fields)


def event(key: bytes, number: int, kind: str, size: int) -> Entry:
    """Return what a pass did, with a key that sorts by object and then by pass."""
    # a key of S3 holds no NUL: the answer is XML
    return Entry(b"%s\0%08d%s" % (key, number, kind.encode()), size, "", "", "")


def _days(
    folder: Path,
    spec: RunSpec,
    runs: list[BackupRun],
    known: int,
    passes: list[Pass],
    listing: _Listing,
) -> tuple[list[Day], Reach]:
    """Return the days whose state is known whole, newest first, and why there are no more."""
    by_run: dict[int, list[str]] = {}
    for each in passes:
        by_run.setdefault(each.run_id, []).append(each.stamp)
    newest_strange = max(listing.strange, default="")
    after, days = len(passes), list[Day]()
    for run in runs[:known]:
        mine = by_run.get(run.id, [])
        began = f"{run.started_at:{STAMP_FORMAT}}" if run.started_at else ""
        ended = run.finished_at or run.started_at
        if newest_strange and began <= newest_strange:
            return days, Reach(Cut.STRANGE, run.id, ended)
        if run.status == RunStatus.SUCCESS and ended is not None:
            if len(days) == MOST_DAYS:
                return days, Reach(Cut.MANY, run.id, ended)
            days.append(Day(run.id, ended, after))
        begins = [ledgers.began_empty(folder, spec.archive_key, stamp) for stamp in mine]
        if any(begins):
            return days, Reach(Cut.FIRST, run.id, ended)
        if None in begins or len(mine) < run.passes:
            return days, Reach(Cut.NAMES, run.id, ended)
        missing = run.archived - sum(listing.objects[stamp] for stamp in mine)
        if missing > 0:
            return days, Reach(Cut.VERSIONS, run.id, ended, missing)
        after -= len(mine)
    if known < len(runs):
        return days, Reach(Cut.MOVED, runs[known].id, runs[known].finished_at)
    return days, Reach(Cut.STRANGE if listing.strange else Cut.FIRST)
