"""The last 30 days of each backup, on its own clocks: the worst of each day, and its size."""

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bucketvault.config import load_config
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.engine import Engine
from bucketvault.engine.views import backups
from bucketvault.engine.views.calendar import LENGTH, RANK, DayBook, Days
from bucketvault.engine.views.situation import Tone
from bucketvault.store.database import database, writing
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import Reason, RunKind, RunStatus, Trigger, WarningCode
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

pytestmark = pytest.mark.usefixtures("open_store")

BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 22, 14, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
ENDS = {  # the worst first
    Tone.BAD: {"status": RunStatus.FAILED, "reason": Reason.RCLONE_ERROR},
    Tone.HELD: {"status": RunStatus.FAILED, "reason": Reason.BRAKE},
    Tone.STOP: {"status": RunStatus.FAILED, "reason": Reason.STOPPED},
    Tone.WARN: {
        "status": RunStatus.SUCCESS,
        "warnings": [RunWarning(WarningCode.LOST, {"n": 2}).to_json()],
    },
    Tone.OK: {"status": RunStatus.SUCCESS},
}


def asked(backup: Backup, when: dt.datetime, tone: Tone, **changes: object) -> BackupRun:
    """A run asked for at `when`, an hour long, that ended so."""
    given = {"created_at": when, "started_at": when, "finished_at": when + DAY / 24}
    return a_run(backup, **{**given, **ENDS[tone], **changes})


def days_of(
    backup: Backup, book: DayBook | None = None, now: dt.datetime = NOW
) -> tuple[Tone, ...]:
    return look(backup, book, now).tones


def look(backup: Backup, book: DayBook | None = None, now: dt.datetime = NOW) -> Days:
    rows = backups.backups()
    return (book or DayBook(BERLIN)).days(rows, now)[backup.id]


def on(days: tuple[Tone, ...], date: dt.date, today: dt.date = dt.date(2026, 11, 22)) -> Tone:
    return days[LENGTH - 1 - (today - date).days]


def new_backup(name: str) -> Backup:
    """A backup whose planned times do not count yet."""
    provider = a_provider(f"Provider of {name}")
    ends = a_storage(provider, "source"), a_storage(provider, "copy")
    zone = "Europe/Berlin"
    return a_backup(name, *ends, planned_since=NOW + 9000 * DAY, time_zone=zone)


@pytest.fixture
def backup() -> Backup:
    return new_backup("Photos")


def test_a_day_shows_the_worst_of_its_runs(backup: Backup) -> None:
    for number in range(len(ENDS)):
        for other in list(ENDS)[number:]:
            asked(backup, NOW - number * DAY, other)

    days = days_of(backup)

    assert list(reversed(days[-len(ENDS) :])) == list(ENDS)
    assert set(days[: -len(ENDS)]) == {Tone.NONE}


@pytest.mark.parametrize(
    ("zone", "book"), [("Europe/Berlin", "Asia/Tokyo"), ("Gone/Away", "Europe/Berlin")]
)
def test_days_begin_and_end_on_the_clocks_of_the_backup_or_else_of_the_server(
    backup: Backup, zone: str, book: str
) -> None:
    move(backup, zone)
    asked(backup, dt.datetime(2026, 11, 20, 22, 59, tzinfo=dt.UTC), Tone.OK)
    asked(backup, dt.datetime(2026, 11, 20, 23, 1, tzinfo=dt.UTC), Tone.BAD)

    days = days_of(backup, DayBook(ZoneInfo(book)))

    assert on(days, dt.date(2026, 11, 20)) == Tone.OK
    assert on(days, dt.date(2026, 11, 21)) == Tone.BAD


def test_a_backup_that_gets_another_zone_has_the_days_of_that_one(backup: Backup) -> None:
    book = DayBook(BERLIN)
    asked(backup, dt.datetime(2026, 11, 20, 23, 1, tzinfo=dt.UTC), Tone.BAD)
    assert on(days_of(backup, book), dt.date(2026, 11, 21)) == Tone.BAD

    move(backup, "America/New_York")
    days = look(backup, book, dt.datetime(2026, 11, 22, 2, 0, tzinfo=dt.UTC))

    assert days.last == dt.date(2026, 11, 21), "it is still yesterday there"
    assert days.tones[-2:] == (Tone.BAD, Tone.NONE)


def test_a_day_has_the_size_that_was_measured_last_on_it(backup: Backup) -> None:
    book = DayBook(BERLIN)
    asked(backup, NOW - 2 * DAY, Tone.OK, source_bytes=7)
    asked(backup, NOW - DAY, Tone.BAD)
    asked(backup, NOW - DAY / 24, Tone.OK, source_bytes=8)
    asked(backup, NOW, Tone.BAD, source_bytes=9)

    assert look(backup, book).sizes[-4:] == (None, 7, None, 9)
    assert look(backup, book, NOW + DAY).sizes[-4:] == (7, None, 9, None)


def move(backup: Backup, zone: str) -> None:
    with writing():
        Backup.update(time_zone=zone).where(Backup.id == backup.id).execute()


def test_previews_leave_no_trace_and_a_run_under_way_is_running(backup: Backup) -> None:
    asked(backup, NOW - DAY, Tone.BAD, kind=RunKind.PREVIEW)
    a_run(backup, RunStatus.RUNNING, created_at=NOW, started_at=NOW)

    days = days_of(backup)

    assert days[-2:] == (Tone.NONE, Tone.RUN)


def test_a_late_run_marks_the_day_of_its_planned_time_as_missed(backup: Backup) -> None:
    planned = NOW - 3 * DAY
    asked(backup, NOW, Tone.OK, trigger=Trigger.CATCH_UP, scheduled_for=planned)

    days = days_of(backup)

    assert days[-4:] == (Tone.MISS, Tone.NONE, Tone.NONE, Tone.OK)


def test_a_planned_run_belongs_to_the_day_of_its_planned_time(backup: Backup) -> None:
    planned = dt.datetime(2026, 11, 20, 22, 59, tzinfo=dt.UTC)
    late = planned + dt.timedelta(minutes=2)
    asked(backup, late, Tone.OK, trigger=Trigger.SCHEDULE, scheduled_for=planned)

    days = days_of(backup)

    assert on(days, dt.date(2026, 11, 20)) == Tone.OK
    assert on(days, dt.date(2026, 11, 21)) == Tone.NONE


def test_what_ends_while_somebody_looks_is_taken_in(backup: Backup) -> None:
    book = DayBook(BERLIN)
    run = a_run(backup, RunStatus.RUNNING, created_at=NOW, started_at=NOW)
    assert days_of(backup, book)[-1] == Tone.RUN

    with writing():
        run.finish(RunStatus.FAILED, reason=Reason.RCLONE_ERROR)
    failed = days_of(backup, book)[-1]
    asked(backup, NOW - 5 * DAY, Tone.STOP)  # a clock that went back

    assert failed == Tone.BAD
    assert days_of(backup, book)[-6] == Tone.STOP


def test_tomorrow_the_strip_has_moved_on(backup: Backup) -> None:
    book = DayBook(BERLIN)
    asked(backup, NOW - 29 * DAY, Tone.BAD)
    asked(backup, NOW, Tone.OK)
    assert days_of(backup, book)[0] == Tone.BAD

    days = days_of(backup, book, NOW + DAY)

    assert (days[0], days[-2], days[-1]) == (Tone.NONE, Tone.OK, Tone.NONE)


@pytest.mark.slow  # takes seconds
@pytest.mark.parametrize(
    ("zone", "now"),
    [
        (
            "Europe/Berlin",
            dt.datetime(2026, 4, 2, 21, 59, tzinfo=dt.UTC),
        ),  # the clocks went forward
        ("Europe/Berlin", dt.datetime(2026, 11, 1, 23, 30, tzinfo=dt.UTC)),  # and back
        ("America/Havana", dt.datetime(2026, 11, 8, 4, 30, tzinfo=dt.UTC)),  # back, over midnight
        ("Pacific/Kiritimati", dt.datetime(2026, 7, 1, 9, 59, tzinfo=dt.UTC)),
        ("Asia/Kathmandu", dt.datetime(2026, 1, 3, 18, 20, tzinfo=dt.UTC)),
        ("UTC", dt.datetime(2028, 3, 10, 0, 0, tzinfo=dt.UTC)),  # a leap day behind
    ],
)
def test_whatever_happens_the_days_are_those_of_a_simple_count(
    backup: Backup, zone: str, now: dt.datetime
) -> None:
    clocks, dice = ZoneInfo(zone), random.Random(zone)
    other = new_backup("Music")
    for each in (backup, other):
        move(each, zone)
    book = DayBook(clocks)
    expected: dict[int, dict[dt.date, Tone]] = {backup.id: {}, other.id: {}}
    for _ in range(8):
        for _ in range(30):
            which = dice.choice((backup, other))
            when = now - dice.random() * 34 * DAY
            tone = dice.choice(list(ENDS))
            asked(which, when, tone)
            date = when.astimezone(clocks).date()
            known = expected[which.id].get(date, Tone.NONE)
            expected[which.id][date] = min(known, tone, key=RANK.__getitem__)

        told = book.days(backups.backups(), now)

        today = now.astimezone(clocks).date()
        for backup_id, by_date in expected.items():
            assert told[backup_id].tones == tuple(
                by_date.get(today - back * DAY, Tone.NONE) for back in range(29, -1, -1)
            )


@contextmanager
def queries() -> Iterator[list[str]]:
    """Queries of the database meanwhile."""
    seen: list[str] = []
    database.connection().set_trace_callback(
        lambda statement: seen.append(statement) if statement.startswith("SELECT") else None
    )
    try:
        yield seen
    finally:
        database.connection().set_trace_callback(None)


@pytest.mark.slow  # takes seconds
def test_the_home_page_of_a_hundred_backups_with_30_days_needs_no_more_queries_than_of_one(
    backup: Backup, open_store: Path
) -> None:
    config = load_config({"BUCKETVAULT_DATA_DIR": str(open_store.parent)})

    def asked_for(engine: Engine) -> int:
        with writing():  # what did not change would not be asked for again
            Backup.update(updated_at=utcnow()).where(Backup.id == backup.id).execute()
        with database.connection_context(), queries() as seen:
            assert len(engine.home().rows) == Backup.select().count()
        return len(seen) - 1  # that of this test

    now = utcnow()
    asked(backup, now, Tone.OK)
    engine = Engine(config, "serve")
    first, again = asked_for(engine), asked_for(engine)
    with writing():
        for number in range(100):
            one = new_backup(f"Backup {number}")
            for back in range(30):
                asked(one, now - back * DAY, Tone.OK)
    anew = Engine(config, "serve")

    assert (asked_for(anew), asked_for(anew), asked_for(engine)) == (first, again, again)
    assert again <= 18


def planned(name: str, **changes: object) -> Backup:
    """A daily backup whose planned times have counted for long."""
    backup = new_backup(name)
    given = {"planned_since": NOW - 90 * DAY, **changes}
    with writing():
        Backup.update(**given).where(Backup.id == backup.id).execute()
    return backup


def test_a_planned_time_nothing_was_asked_for_on_is_missed() -> None:
    backup = planned("Photos", at="02:30", time_zone="Europe/Berlin")
    for back in (0, 1, 3):
        asked(backup, dt.datetime(2026, 11, 22 - back, 1, 30, tzinfo=dt.UTC), Tone.OK)

    days = days_of(backup)

    assert days[-4:] == (Tone.OK, Tone.MISS, Tone.OK, Tone.OK)
    assert set(days[:-4]) == {Tone.MISS}


def test_days_before_planned_times_counted_are_shown_without_a_run() -> None:
    since = dt.datetime(2026, 11, 19, 12, 0, tzinfo=dt.UTC)
    backup = planned("Photos", at="02:30", time_zone="UTC", planned_since=since)

    days = days_of(backup)

    assert days[-4:] == (Tone.NONE, Tone.MISS, Tone.MISS, Tone.MISS)
    assert set(days[:-4]) == {Tone.NONE}


def test_what_is_switched_off_misses_nothing() -> None:
    assert set(days_of(planned("Photos", enabled=False))) == {Tone.NONE}


def test_today_is_missed_only_once_the_backup_is_overdue() -> None:
    backup = planned("Photos", at="13:00", time_zone="UTC")
    asked(backup, NOW - DAY, Tone.OK)

    assert days_of(backup)[-2:] == (Tone.OK, Tone.NONE)
    assert days_of(backup, now=NOW + DAY / 4)[-2:] == (Tone.OK, Tone.MISS)


def test_a_weekly_backup_misses_its_weekday_only() -> None:
    backup = planned("Photos", schedule="weekly", weekday="monday", at="05:00", time_zone="UTC")

    days = days_of(backup)

    missed = [place for place, tone in enumerate(days) if tone == Tone.MISS]
    assert missed == [2, 9, 16, 23]  # 26 October and each seventh day


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "Pacific/Chatham"])
def test_nights_on_which_clocks_change_have_one_planned_time_each(zone: str) -> None:
    backup = planned("Photos", at="02:30", time_zone=zone)
    book = DayBook(ZoneInfo(zone))

    for now in (
        dt.datetime(2026, 4, 12, 20, 0, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 12, 20, 0, tzinfo=dt.UTC),
    ):
        with writing():
            Backup.update(planned_since=now - 90 * DAY).execute()
        days = book.days(backups.backups(), now)[backup.id].tones

        assert set(days[:-1]) == {Tone.MISS}
