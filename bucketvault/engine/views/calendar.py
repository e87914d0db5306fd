"""The last 30 days of every backup, in its own time zone: the worst of each day, and the size.

A run belongs to the day it was asked for; a planned one to the day of its planned time. A day is
missed when a planned time fell on it and nothing was asked for on it. Of that we know from the
moment on from which planned times count (`planned_since`), and from late runs, which name the
planned time they make up for. Of earlier days nothing is made up: they are shown without a run.
"""

import datetime as dt
import functools
import threading
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import peewee as pw

from bucketvault.engine.domain import times as timetable
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.situation import Tone, tone_of_status
from bucketvault.errors import TimingError
from bucketvault.store.database import connection, database
from bucketvault.store.models import IS_COPY, Backup, BackupRun
from bucketvault.vocabulary import Schedule, Trigger, Weekday

LENGTH = 30
DAY = dt.timedelta(days=1)
# The worst first. A run that still waits leaves no trace but that it was asked for, one that does
# not copy none at all.
WORST = (Tone.BAD, Tone.HELD, Tone.MISS, Tone.STOP, Tone.WARN, Tone.RUN, Tone.OK, Tone.NONE)
RANK = {tone: rank for rank, tone in enumerate(WORST)}


class Days(NamedTuple):
    """The last days of one backup on its own clocks, oldest first."""

    tones: tuple[Tone, ...]
    sizes: tuple[int | None, ...]  # bytes of the source, as last measured on a day; None: was not
    last: dt.date  # today


@dataclass(slots=True)
class _Past:
    """One backup: worst and size of each day, and the days a planned time was late for."""

    worst: dict[dt.date, Tone] = field(default_factory=dict)
    late: set[dt.date] = field(default_factory=set)
    sizes: dict[dt.date, int] = field(default_factory=dict)


class DayBook:
    """Keeps what cannot change any more, so that each look reads new and open runs only.

    A run that has ended stays as it is, so it is read once; which ones are new, their ids tell.
    Safe to use from several threads.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        """`zone` is for backups whose own zone is not known on this machine."""
        self._zone = zone
        self._zones: dict[int, str] = {}  # in which the runs of each backup were read
        self._lock = threading.Lock()
        self._past: dict[int, _Past] = {}
        self._under_way: dict[int, _Past] = {}
        self._open: set[int] = set()
        self._read_to: int | None = None  # the newest run that was read
        self._first: dt.date | None = None  # no day before this one is kept

    def days(self, rows: Sequence[BackupRow], now: dt.datetime) -> dict[int, Days]:
        """Return the last 30 days of each backup, oldest first; two queries for any number."""
        first = (now - LENGTH * DAY).date()  # in UTC: as early as in any zone, or a day earlier
        with self._lock, connection(), database.atomic():
            backups = list(Backup.select(Backup.id, Backup.planned_since, Backup.time_zone))
            planned_since = {backup.id: backup.planned_since for backup in backups}
            self._move({backup.id: backup.time_zone for backup in backups})
            self._read(first)
            self._forget(planned_since, first)
            return {
                row.id: self._of(row, planned_since[row.id], now)
                for row in rows
                if row.id in planned_since
            }

    def _move(self, zones: dict[int, str]) -> None:
        """Take the zones of now; where one was changed, everything is read again."""
        if any(self._zones.get(one, zone) != zone for one, zone in zones.items()):
            self._past, self._open, self._read_to, self._first = {}, set(), None, None
        self._zones = zones

    def _zone_of(self, backup_id: int) -> ZoneInfo:
        return timetable.zone_of(self._zones.get(backup_id, ""), self._zone)

    def _read(self, first: dt.date) -> None:
        """Take in what is new, and apart from it what may still change."""
        self._under_way = {}
        still_open = set()
        for run in self._runs(first):
            run_id, backup_id, status, reason, warned, trigger, asked_at, planned, size = run
            self._read_to = max(self._read_to or 0, run_id)
            if status.is_active:
                still_open.add(run_id)
            pasts = self._under_way if status.is_active else self._past
            past = pasts.setdefault(backup_id, _Past())
            zone = self._zone_of(backup_id)
            planned_day = planned.astimezone(zone).date() if planned is not None else None
            day = asked_at.astimezone(zone).date()
            if planned_day is not None and trigger == Trigger.SCHEDULE:
                day = planned_day
            elif planned_day is not None and planned_day != day:
                past.late.add(planned_day)
            if size is not None:
                past.sizes[day] = size
            tone = tone_of_status(status, reason, warned=warned)
            _add(past.worst, day, Tone.NONE if tone == Tone.WAIT else tone)
        self._open = still_open

    def _runs(self, first: dt.date) -> Any:  # Any: peewee's queries have no types
        query = BackupRun.select(
            BackupRun.id,
            BackupRun.backup,
            BackupRun.status,
            BackupRun.reason,
            pw.SQL("t1.warnings <> '[]'"),
            BackupRun.trigger,
            BackupRun.created_at,
            BackupRun.scheduled_for,
            BackupRun.source_bytes,
        ).where(IS_COPY)
        if self._read_to is None:
            which = BackupRun.created_at >= dt.datetime.combine(first, dt.time(), tzinfo=dt.UTC)
        else:
            # from the oldest open one on: what has ended since is taken in once more, unchanged
            which = BackupRun.id >= min(self._open, default=self._read_to + 1)
        return query.where(which).tuples()

    def _forget(self, known: Container[int], first: dt.date) -> None:
        self._past = {one: past for one, past in self._past.items() if one in known}
        if self._first == first:
            return
        self._first = first
        for past in self._past.values():
            past.late = {day for day in past.late if day >= first}
            past.worst = {day: tone for day, tone in past.worst.items() if day >= first}
            past.sizes = {day: size for day, size in past.sizes.items() if day >= first}

    def _of(self, row: BackupRow, planned_since: dt.datetime, now: dt.datetime) -> Days:
        zone = self._zone_of(row.id)
        last = now.astimezone(zone).date()
        dates = _until(last)
        past = self._past.get(row.id, _Past())
        under_way = self._under_way.get(row.id, _Past())
        worst = dict(past.worst)
        for day, tone in under_way.worst.items():
            _add(worst, day, tone)
        missed = [day for day in past.late | under_way.late if day not in worst]
        if row.enabled:
            until = now - timetable.grace(row.schedule)
            timing = _Timing(row.schedule, row.at, row.weekday, row.time_zone)
            missed += [
                day
                for moment, day in _planned(timing, zone, dates[0], last)
                if day not in worst and planned_since < moment <= until
            ]
        worst |= dict.fromkeys(missed, Tone.MISS)
        sizes = past.sizes | under_way.sizes
        tones = tuple([worst.get(date, Tone.NONE) for date in dates])
        return Days(tones, tuple([sizes.get(date) for date in dates]), last)


@functools.lru_cache(maxsize=8)  # the same for hundreds of backups
def _until(last: dt.date) -> tuple[dt.date, ...]:
    return tuple(last - DAY * back for back in range(LENGTH - 1, -1, -1))


class _Timing(NamedTuple):
    schedule: Schedule
    at: str
    weekday: Weekday | None
    time_zone: str


@functools.lru_cache(maxsize=4096)  # the same all day long
def _planned(
    timing: _Timing, zone: ZoneInfo, first: dt.date, last: dt.date
) -> tuple[tuple[dt.datetime, dt.date], ...]:
    """Return every planned time from `first` to `last`, and the day of `zone` it falls on."""
    after, until = (dt.datetime.combine(day, dt.time(), tzinfo=zone) for day in (first, last + DAY))
    try:
        moments = list(timetable.all_between(timing, after, until))
    except TimingError:  # told elsewhere: nothing is planned
        return ()
    return tuple((moment, moment.astimezone(zone).date()) for moment in moments)


def _add(worst: dict[dt.date, Tone], day: dt.date, tone: Tone) -> None:
    if day not in worst or RANK[tone] < RANK[worst[day]]:
        worst[day] = tone
