"""Backups start at their planned times, once each, whatever the clock and the machine do."""

import datetime as dt
import itertools
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
import time_machine

from bucketvault.engine.catalogue import backups
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.runs import queue
from bucketvault.engine.schedule.scheduler import Scheduler, plan
from bucketvault.store.database import connection, writing
from bucketvault.store.models import IS_ACTIVE, Backup, BackupRun, Storage
from bucketvault.vocabulary import RunKind, RunStatus, Schedule, Topic, Trigger, Weekday
from tests import store_fixtures as make

pytestmark = pytest.mark.usefixtures("open_store")

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def utc(month: int, day: int, hour: int = 0, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=dt.UTC)


class Fired(NamedTuple):
    """A run the schedule asked for: its planned time, how, and how many were skipped before it."""

    planned: dt.datetime | None
    trigger: Trigger
    skipped: int = 0


@pytest.fixture
def ends() -> tuple[Storage, Storage]:
    here, there = make.a_provider("Here"), make.a_provider("There")
    return make.a_storage(here, "photos"), make.a_storage(there, "copies")


@pytest.fixture
def new(ends: tuple[Storage, Storage]) -> Callable[..., Backup]:
    """A backup made at a moment, with the planned times it then has."""

    def make_one(made_at: dt.datetime, name: str = "Photos", **given: object) -> Backup:
        given = {"time_zone": "Europe/Berlin", **given}
        backup = make.a_backup(name, *ends, planned_since=made_at, **given)
        with writing():
            backup.next_due_at = timetable.next_due(backup, made_at)
            backup.save()
        return backup

    return make_one


def beat(now: dt.datetime, scheduler: Scheduler | None = None) -> None:
    """One beat at a given time; of a program that was just started, unless one is given."""
    # seconds since 1970: an aware datetime would also move the local time zone to UTC
    with time_machine.travel(now.timestamp(), tick=False):
        (scheduler or Scheduler()).beat()


def end_runs(now: dt.datetime) -> None:
    with writing():
        BackupRun.update(status=RunStatus.SUCCESS, started_at=now, finished_at=now).where(
            IS_ACTIVE
        ).execute()


def live(moments: Iterable[dt.datetime]) -> None:
    """Beat at each of these moments; each run ends before the next."""
    for now in moments:
        beat(now)
        end_runs(now)


def every(step: dt.timedelta, begin: dt.datetime, end: dt.datetime) -> Iterable[dt.datetime]:
    return itertools.takewhile(lambda now: now < end, (begin + n * step for n in itertools.count()))


def fired() -> list[Fired]:
    with connection():
        runs = BackupRun.select().order_by(BackupRun.id)
        return [Fired(run.scheduled_for, run.trigger, run.skipped_slots) for run in runs]


def next_due(backup: Backup) -> dt.datetime | None:
    with connection():
        return Backup.get_by_id(backup.id).next_due_at


# ---- day by day


@pytest.mark.slow  # takes seconds
@pytest.mark.parametrize(
    ("begin", "planned"),
    [
        (
            utc(3, 27, 12),
            [utc(3, 28, 1, 30), utc(3, 29, 1, 30), utc(3, 30, 0, 30), utc(3, 31, 0, 30)],
        ),
        (
            utc(10, 23, 12),
            [utc(10, 24, 0, 30), utc(10, 25, 0, 30), utc(10, 26, 1, 30), utc(10, 27, 1, 30)],
        ),
    ],
    ids=["clocks go forward", "clocks go back"],
)
def test_one_run_a_day_over_both_changes_of_the_clocks(
    new: Callable[..., Backup], begin: dt.datetime, planned: list[dt.datetime]
) -> None:
    new(begin)

    live(every(15 * MINUTE, begin, begin + 4 * DAY))

    assert fired() == [Fired(time, Trigger.SCHEDULE) for time in planned]


@pytest.mark.slow  # takes seconds
def test_a_program_that_restarts_every_twenty_minutes_runs_each_once(
    new: Callable[..., Backup],
) -> None:
    new(utc(3, 27, 12))

    live(every(20 * MINUTE, utc(3, 27, 12, 10), utc(4, 3)))

    assert [run.planned for run in fired()] == [
        *(utc(3, 28, 1, 30), utc(3, 29, 1, 30)),
        *(utc(month, day, 0, 30) for month, day in ((3, 30), (3, 31), (4, 1), (4, 2))),
    ]


@pytest.mark.slow  # takes seconds
def test_a_weekly_backup_runs_once_a_week(new: Callable[..., Backup]) -> None:
    new(utc(10, 11), schedule=Schedule.WEEKLY, weekday=Weekday.SUNDAY, at="02:30")

    live(every(2 * HOUR, utc(10, 11, 1), utc(11, 3)))

    sundays = [utc(10, 11, 0, 30), utc(10, 18, 0, 30), utc(10, 25, 0, 30), utc(11, 1, 1, 30)]
    assert [run.planned for run in fired()] == sundays


# ---- nobody there


def test_after_three_days_off_one_late_run_makes_up_for_all(new: Callable[..., Backup]) -> None:
    photos = new(utc(11, 1, 12))
    live([utc(11, 2, 1, 30)])

    live(every(HOUR, utc(11, 5, 12), utc(11, 6, 3)))

    assert fired() == [
        Fired(utc(11, 2, 1, 30), Trigger.SCHEDULE),
        Fired(utc(11, 5, 1, 30), Trigger.CATCH_UP, skipped=2),
        Fired(utc(11, 6, 1, 30), Trigger.CATCH_UP),  # on the hour: half an hour late
    ]
    assert next_due(photos) == utc(11, 7, 1, 30)


def test_a_late_run_does_not_move_the_next_one(new: Callable[..., Backup]) -> None:
    photos = new(utc(11, 1, 12))

    beat(utc(11, 5, 1, 29))  # a minute before the next

    assert fired() == [Fired(utc(11, 4, 1, 30), Trigger.CATCH_UP, skipped=2)]
    assert next_due(photos) == utc(11, 5, 1, 30)


def test_a_run_within_minutes_of_its_planned_time_is_not_late(new: Callable[..., Backup]) -> None:
    new(utc(11, 1, 12))

    beat(utc(11, 2, 1, 34))

    assert fired() == [Fired(utc(11, 2, 1, 30), Trigger.SCHEDULE)]


def test_what_has_run_is_not_run_again_however_often_it_is_looked_at(
    new: Callable[..., Backup],
) -> None:
    photos = new(utc(11, 1, 12))
    live([utc(11, 5, 12)])
    with writing():  # as after a database of yesterday was put back for the backups alone
        Backup.update(next_due_at=utc(11, 2, 1, 30)).where(Backup.id == photos.id).execute()

    live([utc(11, 5, 13), utc(11, 5, 14)])

    assert len(fired()) == 1
    assert next_due(photos) == utc(11, 6, 1, 30)


# ---- the clock


@pytest.mark.slow  # takes seconds
@pytest.mark.parametrize("hour", [3, 12])  # shortly after a planned time, and between two
def test_a_clock_forty_days_ahead_and_back_costs_one_run_and_no_planned_time(
    new: Callable[..., Backup], hour: int
) -> None:
    photos = new(utc(3, 1, 12), time_zone="UTC")
    ahead = utc(3, 5, hour) + 40 * DAY

    live(every(12 * HOUR, utc(3, 1, 14, 30), utc(3, 5, 12)))
    live([ahead, ahead + MINUTE])
    during = fired()[4:]
    live(every(6 * HOUR, utc(3, 5, 14, 30), utc(4, 20)))

    assert during == [Fired(utc(4, 14, 2, 30), Trigger.CATCH_UP, skipped=39)]
    planned = [run.planned for run in fired() if run.planned is not None]
    assert planned == [utc(3, 2, 2, 30) + n * DAY for n in range(49)]
    assert next_due(photos) == utc(4, 20, 2, 30)


def test_a_clock_two_hours_back_repeats_nothing(new: Callable[..., Backup]) -> None:
    photos = new(utc(3, 1, 12), time_zone="UTC")
    live([utc(3, 2, 2, 30)])

    live(every(5 * MINUTE, utc(3, 2, 0, 31), utc(3, 2, 4)))

    assert [run.planned for run in fired()] == [utc(3, 2, 2, 30)]
    assert next_due(photos) == utc(3, 3, 2, 30)


def test_a_clock_a_day_ahead_and_back_leaves_tomorrow_its_run(new: Callable[..., Backup]) -> None:
    new(utc(3, 1, 12), time_zone="UTC")
    live([utc(3, 2, 2, 30), utc(3, 3, 12), utc(3, 2, 12), utc(3, 3, 2, 30)])

    assert [run.planned for run in fired()] == [utc(3, 2, 2, 30), None, utc(3, 3, 2, 30)]


def test_a_machine_that_begins_in_1970_runs_nothing_for_it(new: Callable[..., Backup]) -> None:
    photos = new(utc(3, 1, 12), time_zone="UTC")
    live([utc(3, 2, 2, 30)])

    beat(dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC))
    beat(utc(3, 2, 3))

    assert [run.planned for run in fired()] == [utc(3, 2, 2, 30)]
    assert next_due(photos) == utc(3, 3, 2, 30)


def test_what_a_clock_in_1970_left_is_not_counted_as_skipped(new: Callable[..., Backup]) -> None:
    new(utc(3, 1, 12), time_zone="UTC")
    live([utc(3, 2, 2, 30)])

    beat(dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC))
    beat(utc(3, 4, 3))

    assert fired()[1:] == [Fired(utc(3, 4, 2, 30), Trigger.CATCH_UP, skipped=1)]


def test_before_the_time_is_known_nothing_is_planned_and_what_was_planned_stays(
    new: Callable[..., Backup], told: list[str]
) -> None:
    made = utc(11, 20, 12)
    backup = new(made, created_at=made)
    planned = next_due(backup)
    told.clear()
    scheduler = Scheduler()

    beat(dt.datetime(1970, 1, 1, 0, 5, tzinfo=dt.UTC), scheduler)

    assert (next_due(backup), told) == (planned, [])
    assert not scheduler.is_beating()  # and pages say so
    beat(utc(11, 20, 13), scheduler)
    assert scheduler.is_beating()
    assert fired() == []  # it was made after the planned time of that day


def test_no_planned_time_before_a_backup_was_made_counts_as_skipped(
    new: Callable[..., Backup],
) -> None:
    made = utc(11, 20, 12)
    new(made, created_at=made)

    beat(utc(11, 3, 12))  # a clock that stood still while the machine was off
    beat(utc(11, 23, 12))

    assert [run.skipped for run in fired()] == [2]


def test_when_a_zone_gets_other_rules_the_time_that_was_planned_runs_nothing(
    new: Callable[..., Backup],
) -> None:
    photos = new(utc(3, 1, 12), time_zone="UTC")
    with writing():
        Backup.update(next_due_at=utc(3, 2, 1, 30)).execute()

    beat(utc(3, 2, 2))

    assert (fired(), next_due(photos)) == ([], utc(3, 2, 2, 30))


# ---- others


@pytest.mark.parametrize("kind", RunKind)
def test_a_planned_time_waits_for_a_run_under_way_and_is_late_then(
    new: Callable[..., Backup], kind: RunKind
) -> None:
    photos = new(utc(11, 1, 12))
    under_way = make.a_run(photos, RunStatus.RUNNING, trigger=Trigger.MANUAL, kind=kind)

    beat(utc(11, 2, 1, 30))
    beat(utc(11, 3, 1, 30))
    waiting = fired()
    end_runs(utc(11, 3, 4))
    beat(utc(11, 3, 4))

    assert waiting == [Fired(None, Trigger.MANUAL)]
    assert fired()[1:] == [Fired(utc(11, 3, 1, 30), Trigger.CATCH_UP, skipped=1)]
    assert BackupRun.get_by_id(under_way.id).scheduled_for is None


def test_a_run_that_begins_at_this_moment_keeps_its_planned_time_waiting(
    new: Callable[..., Backup], told: list[str]
) -> None:
    photos = new(utc(11, 1, 12))
    make.a_run(photos, RunStatus.PENDING, trigger=Trigger.MANUAL)  # since the backups were read
    told.clear()

    plan(photos.id, utc(11, 2, 1, 30))

    assert (told, next_due(photos)) == ([], utc(11, 2, 1, 30))


def test_a_backup_that_cannot_be_planned_starves_no_other(
    new: Callable[..., Backup], caplog: pytest.LogCaptureFixture
) -> None:
    poison = new(utc(11, 1, 12), "A poison")
    due_poison = new(utc(11, 1, 12), "B poison")
    new(utc(11, 1, 12), "Photos")
    with writing():
        Backup.update(time_zone="Mars/Olympus").where(Backup.id != 3).execute()
        Backup.update(next_due_at=None).where(Backup.id == poison.id).execute()
    scheduler = Scheduler()

    for _ in range(3):
        beat(utc(11, 2, 1, 30), scheduler)

    assert fired() == [Fired(utc(11, 2, 1, 30), Trigger.SCHEDULE)]
    told = [record.__dict__["backup"] for record in caplog.records]
    assert sorted(told) == [poison.id, due_poison.id]  # once a minute, not at each beat


def test_what_is_switched_off_does_not_run_and_counts_from_its_return(
    new: Callable[..., Backup],
) -> None:
    photos = new(utc(11, 1, 12))
    with writing():
        Backup.update(enabled=False, next_due_at=None).execute()

    beat(utc(11, 5))
    with time_machine.travel(utc(11, 5, 12).timestamp(), tick=False):
        backups.change(photos.id, make.backup_input(1, 2, enabled=True))
    beat(utc(11, 5, 12, 1))

    assert fired() == []
    assert next_due(photos) == utc(11, 6, 1, 30)


def test_a_new_backup_knows_its_next_planned_time_with_nobody_serving(
    ends: tuple[Storage, Storage],
) -> None:
    source, destination = ends

    with time_machine.travel(utc(11, 22, 12).timestamp(), tick=False):
        made = backups.create(make.backup_input(source.id, destination.id))

    assert next_due(Backup.get_by_id(made)) == utc(11, 23, 1, 30)


def test_what_an_older_program_left_unplanned_is_planned_after_now(
    new: Callable[..., Backup],
) -> None:
    photos = new(utc(11, 1, 12))
    with writing():
        Backup.update(next_due_at=None).execute()

    beat(utc(11, 5, 12))

    assert (fired(), next_due(photos)) == ([], utc(11, 6, 1, 30))


@pytest.mark.slow  # takes seconds
def test_thirty_due_at_once_run_once_each_in_planned_order(
    new: Callable[..., Backup], tmp_path: Path
) -> None:
    names = {
        new(utc(11, 1, 12), f"backup {n:02}", at=f"02:{59 - n}").id: f"02:{59 - n}"
        for n in range(30)
    }
    (tmp_path / "runs").mkdir()

    beat(utc(11, 2, 2))
    beat(utc(11, 2, 2, 1))
    order, under_way = [], []
    for _ in names:
        while claimed := queue.claim(tmp_path / "runs", 2):
            under_way.append(claimed)
            order.append(names[claimed[0].backup_id])
            assert len(under_way) <= 2
        run, folder, lock = under_way.pop(0)
        assert run.finish(RunStatus.SUCCESS)
        os.close(lock)
        folder.remove()

    assert order == sorted(names.values())
    assert not under_way


# ---- the thread


def test_it_says_when_it_last_beat() -> None:
    scheduler = Scheduler()
    assert (scheduler.is_beating(), scheduler.last_beat_at) == (False, None)

    before = time.time()
    scheduler.beat()

    assert scheduler.is_beating()
    assert scheduler.last_beat_at is not None
    assert before <= scheduler.last_beat_at.timestamp() <= time.time()


def test_what_it_changed_is_told_and_a_beat_without_a_change_tells_nothing(
    new: Callable[..., Backup], told: list[str]
) -> None:
    for name in ("a", "b"):
        new(utc(11, 1, 12), name)
    scheduler = Scheduler()

    beat(utc(11, 2, 1, 30), scheduler)

    assert {Topic.BACKUPS, Topic.QUEUE} <= {*told}
    told.clear()
    beat(utc(11, 2, 1, 31), scheduler)
    assert not told
