"""Names of folders of kept versions: the time of a run, by a clock that can be believed.

What must hold, and why, is in docs/decisions/clocks.md.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping

from bucketvault.engine.rclone import commands as command
from bucketvault.engine.runs.passes import MOST_PASSES, stamp_of
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import Phase

WRONG = dt.timedelta(minutes=5)  # services refuse a signature after 15
NEAR = dt.timedelta(hours=1)  # so far ahead, names keep their order, and catch up by themselves
_APART = dt.timedelta(seconds=MOST_PASSES)  # a folder a pass, a second each
_STAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


def read_stamp(name: str) -> dt.datetime | None:
    """The time a folder's name tells, UTC; None for any other name, which is then not ours."""
    if _STAMP.fullmatch(name) is None:
        return None
    try:
        return dt.datetime.strptime(name, command.STAMP_FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:  # such as a 13th month
        return None


def next_stamp(backup_id: int) -> str:
    """The name that a run which begins now has until a service has told the time.

    Later than any earlier one of this backup that may have been used, also when the clock went
    back: two runs in one folder would lose the first old version. A run that only checked used
    none, so a clock that was wrong meanwhile leaves no trace.
    """
    now = utcnow().replace(microsecond=0)
    last = max(_used(backup_id), default=None)
    return _named(now if last is None else max(now, last + _APART))


def settled(run: BackupRun, ahead: dt.timedelta | None) -> str:
    """The name of a run's folder, once its first look has been made and before it keeps anything.

    `ahead`: this machine's clock, by that of the destination; None: it told no time. Where both
    agree, a name that an earlier clock was ahead of is not followed: it is the time now.
    """
    now = utcnow().replace(microsecond=0)
    given = read_stamp(str(run.archive_stamp))
    is_right = ahead is not None and abs(ahead) <= WRONG
    if given is None or given <= now + NEAR or not is_right:
        return str(run.archive_stamp)
    used = _used(run.backup_id, but=run.id)
    while any(abs(now - each) < _APART for each in used):
        now += _APART
    return _named(now)


def misplaced(backup_id: int, names: Iterable[str], ahead: dt.timedelta | None) -> list[str]:
    """The folders whose name tells another time than they were made at, or may, by name.

    They are in the future by this machine's clock and by the destination's, see `settled`, or a
    later run has an earlier name.
    """
    lowest_later, wrong = "", set()
    for stamp in reversed(_in_order(backup_id)):
        if lowest_later and stamp > lowest_later:
            wrong |= _folders(stamp)
        lowest_later = min(lowest_later or stamp, stamp)
    now = utcnow()
    limit = _named(max(now, now - (ahead or dt.timedelta(0))) + NEAR)
    ours = (name for name in names if read_stamp(name) is not None)
    return sorted(name for name in ours if name in wrong or name > limit)


def made_at(
    backup_id: int, names: Iterable[str], ask: Callable[[str], dt.datetime | None]
) -> dict[str, dt.datetime]:
    """When these misplaced folders were made, where that is known.

    `ask` asks the service for the date of an object in a folder: once, then the run's row has it.
    """
    known = known_times(backup_id)
    for name in names:
        if name not in known and (found := ask(name)) is not None:
            known[name] = found
            of_it = BackupRun.archive_stamp.in_(sorted(_beginnings(name)))
            with writing():
                BackupRun.update(kept_at=found).where(
                    BackupRun.backup == backup_id, of_it
                ).execute()
    return {name: known[name] for name in names if name in known}


def noted(backup_id: int) -> dict[str, dt.datetime]:
    """When runs have made the folders whose names tell another time, by the name of the first."""
    of_it = BackupRun.select(BackupRun.archive_stamp, BackupRun.kept_at).where(
        BackupRun.backup == backup_id, BackupRun.kept_at.is_null(False)
    )
    with connection():
        return {str(run.archive_stamp): run.kept_at for run in of_it if run.kept_at}


def known_times(backup_id: int) -> dict[str, dt.datetime]:
    """The same by the names of all that their runs may have made, one a pass."""
    return {name: made for stamp, made in noted(backup_id).items() for name in _folders(stamp)}


def forget(backup_id: int, name: str) -> None:
    """Note that a folder is gone whose name told another time."""
    of_it = BackupRun.archive_stamp.in_(sorted(_beginnings(name)))
    with writing():
        BackupRun.update(kept_at=None).where(BackupRun.backup == backup_id, of_it).execute()


def told(times: Mapping[str, dt.datetime], name: str) -> dt.datetime | None:
    """The time at which a folder was made: as known otherwise, else as its name tells."""
    return times.get(name) or read_stamp(name)


def _used(backup_id: int, but: int = 0) -> list[dt.datetime]:
    """The times in names that runs of this backup may have used, but that of the run `but`."""
    with connection():
        floor = Backup.select(Backup.stamp_floor).where(Backup.id == backup_id).scalar()
        found = [floor, *_in_order(backup_id, but)]
    return [time for name in found if name and (time := read_stamp(name)) is not None]


def _in_order(backup_id: int, but: int = 0) -> list[str]:
    query = BackupRun.select(BackupRun.archive_stamp).where(
        BackupRun.backup == backup_id,
        BackupRun.id != but,
        BackupRun.archive_stamp.is_null(False),
        BackupRun.phase != Phase.CHECKING,
    )
    with connection():
        return [str(run.archive_stamp) for run in query.order_by(BackupRun.id)]


def _folders(stamp: str) -> set[str]:
    """The folders of a run, by the name of its first."""
    return {stamp_of(stamp, number + 1) for number in range(MOST_PASSES)}


def _beginnings(folder: str) -> set[str]:
    """The names that the first folder of the run may have which made this one."""
    return {stamp_of(folder, 1 - number) for number in range(MOST_PASSES)}


def _named(moment: dt.datetime) -> str:
    return moment.strftime(command.STAMP_FORMAT)
