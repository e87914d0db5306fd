"""Missed times: a planned time of a Backup passed and nothing came of it."""

import datetime as dt
from typing import Any

from bucketvault.engine.domain import times as timetable
from bucketvault.vocabulary import Reason, RunStatus


def missed_at(
    backup: Any, active: Any, last: Any, good_at: dt.datetime | None, now: dt.datetime
) -> dt.datetime | None:
    """The planned time of which nothing came: no copy, and no failed run that says why.

    `active` is the run of `backup` that waits or runs, `last` the newest that ended, `good_at` the
    end of the newest good one. None while a run is under way: a stalled one is ended. One
    that waits counts for an hour, so that after the program was off a late run has its turn.
    Raises TimingError.
    """
    answered_at = good_at
    if last is not None and last.reason != Reason.STOPPED:
        answered_at = last.finished_at
    found = timetable.overdue(
        backup, now, planned_since=backup.planned_since, answered_at=answered_at
    )
    if last is not None and last.reason == Reason.BRAKE:
        return None  # it waits for a person, and says so
    if active is not None and not active.preview:
        waits_since = active.created_at if active.status == RunStatus.PENDING else now
        if now - waits_since < timetable.LEAST_GRACE:
            return None
    return found
