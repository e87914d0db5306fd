"""The time by which things are old enough to go for good: a clock put forward must not age them.

With a clock that is years ahead for an hour, every kept version and every log would be old. So for
this the time is at most a few days after something that happened at least half a day before.
"""

import datetime as dt

import peewee as pw

from bucketvault.store.database import connection
from bucketvault.store.models import BackupRun

BEFORE = dt.timedelta(hours=12)  # so long a clock has to stay wrong before it is believed
AHEAD = dt.timedelta(days=8)  # a weekly backup alone never waits for this


def settled(now: dt.datetime) -> dt.datetime:
    """`now`, but no later than `AHEAD` after the last end of a run that is `BEFORE` ago or older.

    After a longer time without any run, what is old goes half a day after the first one.
    """
    earlier = BackupRun.finished_at <= now - BEFORE
    with connection():
        last = BackupRun.select(pw.fn.MAX(BackupRun.finished_at)).where(earlier).scalar()
    return now if last is None else min(now, last + AHEAD)
