"""When things are planned, in the time zones people live in. Pure: nothing here asks the clock.

A planned time is a date and a time of day on the clocks of a zone, once a date: where the clocks
skip it, it moves forward by what they skip; where they show it twice, it is the first. Everything
is handed in and given back in UTC.
"""

import datetime as dt
import os
import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from bucketvault.errors import TimingError
from bucketvault.vocabulary import Reason, RunKind, RunStatus, Schedule, Weekday

WEEKDAYS = tuple(Weekday)
DAYS_BETWEEN = {Schedule.DAILY: 1, Schedule.WEEKLY: 7}
LEAST_GRACE = dt.timedelta(hours=1)


class Timing(Protocol):
    """When a Backup is planned: the row, and what is shown of it, are both one."""

    @property
    def schedule(self) -> Schedule:
        """How often."""

    @property
    def at(self) -> str:
        """HH:MM on the clocks of `time_zone`."""

    @property
    def weekday(self) -> Weekday | None:
        """Of a weekly one."""

    @property
    def time_zone(self) -> str:
        """An IANA name."""


def next_due(timing: Timing, after: dt.datetime) -> dt.datetime:
    """The first planned time after `after`. Raises TimingError when it cannot be worked out."""
    dates = _Dates(timing)
    return dates.moment(dates.latest(after) + dates.step)


def latest_due(timing: Timing, until: dt.datetime) -> dt.datetime:
    """The last planned time that is not after `until`. Raises TimingError."""
    dates = _Dates(timing)
    return dates.moment(dates.latest(until))


def planned_times(timing: Timing, after: dt.datetime, until: dt.datetime) -> int:
    """Count the planned times after `after` and not after `until`. Raises TimingError."""
    return sum(1 for _ in all_between(timing, after, until))


def all_between(timing: Timing, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """Every planned time after `after` and not after `until`. Raises TimingError."""
    dates = _Dates(timing)
    date = dates.latest(after) + dates.step
    while (moment := dates.moment(date)) <= until:
        yield moment
        date += dates.step


def grace(schedule: Schedule) -> dt.timedelta:
    """How long after a planned time a backup may take before it is overdue."""
    return max(LEAST_GRACE, dt.timedelta(days=DAYS_BETWEEN[schedule]) / 4)


def proof_is_old(schedule: Schedule, proven_at: dt.datetime, now: dt.datetime) -> bool:
    """True if two runs should have proven the copy since."""
    return now - proven_at > proof_lasts(schedule)


def proof_lasts(schedule: Schedule) -> dt.timedelta:
    """How long a proof of the copy is good enough: two times the time between two runs."""
    return dt.timedelta(days=2 * DAYS_BETWEEN[schedule])


def overdue(
    timing: Timing, now: dt.datetime, *, planned_since: dt.datetime, answered_at: dt.datetime | None
) -> dt.datetime | None:
    """The planned time that has passed, with its grace, and nothing came of it; None: all is well.

    Times up to `planned_since` do not count: the backup was not there, was switched off, or had
    other times. `answered_at` is when the newest run ended that came to something; one in the
    future comes from a clock that was wrong, and answers nothing. Raises TimingError.
    """
    planned = latest_due(timing, now - grace(timing.schedule))
    if planned <= planned_since:
        return None
    if answered_at is not None and planned <= answered_at <= now + LEAST_GRACE:
        return None
    return planned


def missed_at(  # Any: rows, which this room does not know
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
    found = overdue(backup, now, planned_since=backup.planned_since, answered_at=answered_at)
    if last is not None and last.reason == Reason.BRAKE:
        return None  # it waits for a person, and says so
    if active is not None and active.kind == RunKind.COPY:
        waits_since = active.created_at if active.status == RunStatus.PENDING else now
        if now - waits_since < LEAST_GRACE:
            return None
    return found


class _Dates:
    """The dates a timing names, and the moment each of them means."""

    def __init__(self, timing: Timing) -> None:
        self.step = dt.timedelta(days=DAYS_BETWEEN[timing.schedule])
        self._weekday = None
        try:
            self._zone = zoneinfo.ZoneInfo(timing.time_zone)
            self._at = dt.time.fromisoformat(timing.at).replace(tzinfo=self._zone)
            if timing.schedule == Schedule.WEEKLY:
                self._weekday = WEEKDAYS.index(Weekday(timing.weekday or ""))
        except (KeyError, ValueError, OSError) as error:  # all of these, for an odd zone's name
            raise TimingError(
                "The next run of this backup cannot be calculated, so it does not start.",
                "Edit it and choose its time and time zone again.",
                f"{timing.schedule} {timing.at} {timing.time_zone}",
            ) from error

    def moment(self, date: dt.date) -> dt.datetime:
        """The planned time of a date, in UTC."""
        # fold=0 takes the first of two, and before a gap the offset that held until then
        return dt.datetime.combine(date, self._at).astimezone(dt.UTC)

    def latest(self, until: dt.datetime) -> dt.date:
        """The last date whose planned time is not after `until`."""
        # where clocks go back over midnight, the first of two times can be of tomorrow
        date = until.astimezone(self._zone).date() + dt.timedelta(days=1)
        if self._weekday is not None:
            date -= dt.timedelta(days=(date.weekday() - self._weekday) % 7)
        while self.moment(date) > until:
            date -= self.step
        return date


def zone_of(name: str, otherwise: zoneinfo.ZoneInfo) -> zoneinfo.ZoneInfo:
    """Return the zone of this IANA name; `otherwise` where this machine does not know it."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # all of these, for an odd zone's name
        return otherwise


NAMES_OF_UTC = frozenset(  # the links to Etc/UTC in tzdata's `backward`
    f"{area}{name}" for area in ("", "Etc/") for name in ("UTC", "UCT", "Universal", "Zulu")
)


def server_time_zone(environ: Mapping[str, str] = os.environ, etc: Path = Path("/etc")) -> str:
    """The IANA name of this machine's time zone; `UTC` where nothing names one.

    The first that names a zone we know: `TZ`, the target of /etc/localtime, /etc/timezone. The
    many names of UTC are told as one, as browsers do.
    """
    known = zoneinfo.available_timezones()
    found = next((name for name in _candidates(environ, etc) if name in known), "UTC")
    return "UTC" if found in NAMES_OF_UTC else found


def _candidates(environ: Mapping[str, str], etc: Path) -> Iterator[str]:
    yield environ.get("TZ", "").removeprefix(":")  # the C library takes a colon before a name
    # the first link as well as the last: some zones are links to a zone of another name
    for look in (Path.readlink, Path.resolve):
        with suppress(OSError, RuntimeError):
            target = str(look(etc / "localtime"))
            yield target.rpartition("zoneinfo/")[2].removeprefix("posix/")
    with suppress(OSError, UnicodeDecodeError):
        yield (etc / "timezone").read_text("ascii").strip()
