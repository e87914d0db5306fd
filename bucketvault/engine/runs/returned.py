"""Counts objects that earlier failed runs had set aside and this run restored.

Their names are in those runs' logs and nowhere else.
"""

from bucketvault.engine.rclone.tally import Tally
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.engine.runs.last_good import last_good, same_ends
from bucketvault.store import run_logs
from bucketvault.store.database import connection
from bucketvault.store.models import IS_COPY, BackupRun
from bucketvault.vocabulary import LineKind

MOST_LINES = 2_000_000  # of all these logs: ten seconds of a processor. Of more nothing is said.

# What leaves an object only among the kept versions, or ends that; None: not known, look at it.
_TELLING = {None, LineKind.NEW, LineKind.KEPT, LineKind.REPLACED, LineKind.REMOVED, LineKind.ERROR}


def count_returned(run: BackupRun) -> int:
    """How many objects a good `run`, whose log is stored, copied that were not in the copy before.

    Only those are meant that failed runs between the same places, since the last good one, had
    set aside and not replaced. Fewer where a log is gone, 0 where they are too long to be read
    again: no name, no claim.
    """
    failed = _with_holes(run)
    with connection():
        run = BackupRun.get_by_id(run.id)  # as long as its log is now
    if not failed or sum(each.log_lines for each in (*failed, run)) > MOST_LINES:
        return 0
    names = set[str]().union(*(_tally(each).waiting for each in failed))
    tally = _tally(run, frozenset(names))
    tally.end_well()
    return len(tally.back)


def _with_holes(run: BackupRun) -> list[BackupRun]:
    good = last_good(run)
    with connection():
        found = BackupRun.select().where(
            BackupRun.backup == run.backup_id,
            BackupRun.id.between(good.id + 1 if good else 0, run.id - 1),
            IS_COPY,
            BackupRun.holes > 0,
        )
        return [each for each in found if same_ends(each, run)]


def _tally(run: BackupRun, sought: frozenset[str] = frozenset()) -> Tally:
    transcript = Transcript(sought)
    lines = run_logs.lines_and_kinds(run.id)
    transcript.feed(line for line, kind in lines if kind in _TELLING)
    return transcript.tally
