"""Which runs there were in the last 30 days, and how each of them ended. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from bucketvault.demo.buckets import DAY, REORGANISED_AGO
from bucketvault.vocabulary import Trigger

DAYS = 29  # before today
NOON = dt.time(
    12
)  # a day's work is done by then: a run of the morning finds that of the day before
OFF_AGO = 19  # days: the machine was off, until the next morning
BACK_ON = dt.time(8, 10)
APPROVED_AFTER = dt.timedelta(hours=1, minutes=20)
APART = dt.timedelta(minutes=30)  # a late run and the next planned one
SOON = dt.timedelta(seconds=2)  # from a planned time to its run


class End(Enum):
    """How a run ended."""

    GOOD = "good"
    WARNED = "warned"  # the copy had been changed by another program
    AWAY = "away"  # the destination did not answer
    SOURCE_AWAY = "source away"
    HELD = "held"
    STOPPED = "stopped"


STOPPED = "website"  # the newest planned run of this bucket: it is overdue since
# By bucket, and by how many days ago it was.
ENDS: Mapping[str, Mapping[int, End]] = {
    "holiday-photos": {REORGANISED_AGO: End.HELD},
    "postgres-dumps": {12: End.AWAY, 9: End.SOURCE_AWAY, 8: End.SOURCE_AWAY},
    "customer-uploads": {12: End.AWAY},
    "website": {},
    "documents": {12: End.AWAY, 3: End.WARNED},
    "bookkeeping": {},
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the past. Times are UTC."""

    at: dt.datetime  # when it was queued
    end: End
    trigger: Trigger
    planned: dt.datetime | None = None
    skipped: int = 0  # planned times before that nothing was done for


def runs_of(
    bucket: str, planned: list[dt.datetime], since: dt.datetime, today: dt.date, zone: dt.tzinfo
) -> Iterator[Run]:
    """Yield the runs of the backup of a bucket, in order of time.

    `planned` are its planned times since `since`, when a person started the first one.
    """
    yield Run(since, End.GOOD, Trigger.MANUAL)
    off = dt.datetime.combine(today - OFF_AGO * DAY, dt.time(), tzinfo=zone)
    on = dt.datetime.combine(today - (OFF_AGO - 1) * DAY, BACK_ON, tzinfo=zone)
    while any(on <= time < on + APART for time in planned):
        on += APART
    late = [time for time in planned if off <= time < on]
    special = dict(ENDS[bucket])
    stopped = planned[-1] if bucket == STOPPED else None
    for time in planned:
        if late and time == late[-1]:
            yield Run(on.astimezone(dt.UTC), End.GOOD, Trigger.CATCH_UP, time, len(late) - 1)
        if time in late:
            continue
        found = time.astimezone(zone) - dt.timedelta(hours=NOON.hour)  # when what it finds was done
        ago = (today - found.date()).days
        end = End.STOPPED if time == stopped else special.pop(ago, End.GOOD)
        yield Run(time + SOON, end, Trigger.SCHEDULE, time)
        if end is End.HELD:
            yield Run(time + APPROVED_AFTER, End.GOOD, Trigger.APPROVED)
