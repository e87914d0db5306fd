"""When things are planned: every zone, every kind of day, both changes of the clocks."""

import datetime as dt
import itertools
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bucketvault.engine.domain import times as timetable
from bucketvault.engine.domain.rules import time_zone_names
from bucketvault.errors import TimingError
from bucketvault.vocabulary import Schedule, Weekday

ZONES = sorted(time_zone_names())
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Timing:
    at: str = "02:30"
    time_zone: str = "Europe/Berlin"
    schedule: Schedule = Schedule.DAILY
    weekday: Weekday | None = None


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type,misc]


def following(timing: Timing, after: dt.datetime, count: int) -> list[dt.datetime]:
    found = [after]
    for _ in range(count):
        found.append(timetable.next_due(timing, found[-1]))
    return found[1:]


def year(timing: Timing) -> list[dt.datetime]:
    """Every planned time of 2026 and a little around it."""
    found = [utc(2025, 12, 30)]
    while found[-1] < utc(2027, 1, 3):
        found.append(timetable.next_due(timing, found[-1]))
    return found[1:]


# ---- known values


def test_where_the_clocks_skip_the_time_it_moves_on_and_is_back_the_next_day() -> None:
    planned = following(Timing(), utc(2026, 3, 27, 12), 4)

    assert planned == [
        utc(2026, 3, 28, 1, 30),
        utc(2026, 3, 29, 1, 30),  # 03:30 in Berlin: there is no 02:30
        utc(2026, 3, 30, 0, 30),
        utc(2026, 3, 31, 0, 30),
    ]


def test_where_the_clocks_show_the_time_twice_it_is_the_first() -> None:
    planned = following(Timing(), utc(2026, 10, 23, 12), 4)

    assert planned == [
        utc(2026, 10, 24, 0, 30),
        utc(2026, 10, 25, 0, 30),
        utc(2026, 10, 26, 1, 30),
        utc(2026, 10, 27, 1, 30),
    ]


def test_between_the_first_and_the_second_the_next_is_tomorrow() -> None:
    assert timetable.next_due(Timing(), utc(2026, 10, 25, 0, 30)) == utc(2026, 10, 26, 1, 30)
    assert timetable.next_due(Timing(), utc(2026, 10, 25, 1, 29)) == utc(2026, 10, 26, 1, 30)
    assert timetable.latest_due(Timing(), utc(2026, 10, 25, 1, 30)) == utc(2026, 10, 25, 0, 30)


def test_where_the_clocks_go_back_over_midnight_the_second_time_is_left_out_too() -> None:
    newfoundland = Timing("00:00", "America/St_Johns")  # until 2011 clocks changed at 00:01

    after_the_first = timetable.next_due(newfoundland, utc(2010, 11, 7, 3))  # 23:30 once more

    assert timetable.next_due(newfoundland, utc(2010, 11, 7, 2)) == utc(2010, 11, 7, 2, 30)
    assert after_the_first == utc(2010, 11, 8, 3, 30)


def test_a_weekly_one_keeps_its_day_over_both_changes() -> None:
    sundays = Timing(schedule=Schedule.WEEKLY, weekday=Weekday.SUNDAY)

    spring = following(sundays, utc(2026, 3, 20), 3)
    autumn = following(sundays, utc(2026, 10, 17), 3)

    assert spring == [utc(2026, 3, 22, 1, 30), utc(2026, 3, 29, 1, 30), utc(2026, 4, 5, 0, 30)]
    assert autumn == [utc(2026, 10, 18, 0, 30), utc(2026, 10, 25, 0, 30), utc(2026, 11, 1, 1, 30)]


# ---- every zone


@pytest.mark.slow  # takes seconds
@pytest.mark.parametrize("at", ["02:30", "23:59"])
def test_in_every_zone_each_date_of_a_year_has_its_one_planned_time(at: str) -> None:
    for zone in ZONES:
        planned = year(Timing(at, zone))
        gaps = {later - earlier for earlier, later in itertools.pairwise(planned)}

        assert len(planned) in (369, 370), zone
        assert min(gaps) >= dt.timedelta(hours=22), zone
        assert max(gaps) <= dt.timedelta(hours=26), zone


@pytest.mark.slow  # takes seconds
@given(
    zone=st.sampled_from(ZONES),
    at=st.times().map(lambda time: f"{time:%H:%M}"),
    weekday=st.none() | st.sampled_from(Weekday),
    minute=st.integers(0, 365 * 24 * 60),
)
@settings(max_examples=800, deadline=None, database=None)
def test_what_holds_for_every_timing_at_every_moment(
    zone: str, at: str, weekday: Weekday | None, minute: int
) -> None:
    schedule = Schedule.DAILY if weekday is None else Schedule.WEEKLY
    timing, now = Timing(at, zone, schedule, weekday), utc(2026, 1, 1)
    now += dt.timedelta(minutes=minute)

    due, latest = timetable.next_due(timing, now), timetable.latest_due(timing, now)

    # the next and the latest are neighbours, around this moment
    assert latest <= now < due
    assert timetable.next_due(timing, latest) == due
    assert timetable.latest_due(timing, due) == due
    assert timetable.planned_times(timing, latest, due) == 1
    month = now + 30 * DAY
    counted = sum(planned <= month for planned in following(timing, now, 32))
    assert timetable.planned_times(timing, now, month) == counted
    # the clocks there show the time that was asked for, or skipped it
    local = due.astimezone(zoneinfo.ZoneInfo(zone))
    shown = f"{local:%H:%M}" == at
    before = due - 3 * dt.timedelta(hours=1)
    changed = before.astimezone(local.tzinfo).utcoffset() != local.utcoffset()
    assert shown or changed
    if shown:
        assert local.fold == 0
        assert weekday is None or list(Weekday)[local.weekday()] == weekday


# ---- what cannot be scheduled


@pytest.mark.parametrize(
    "timing",
    [
        Timing(time_zone="Mars/Olympus"),
        Timing(time_zone=""),
        Timing(time_zone="../../etc/passwd"),
        Timing(at="29:30"),
        Timing(schedule=Schedule.WEEKLY),
    ],
    ids=["unknown zone", "no zone", "a path", "no time of day", "no weekday"],
)
def test_an_impossible_timing_says_so(timing: Timing) -> None:
    with pytest.raises(TimingError, match="cannot be calculated"):
        timetable.next_due(timing, utc(2026, 11, 22))


# ---- overdue


SUMMER = Timing("03:15", "UTC")


def missed(now: dt.datetime, answered_at: dt.datetime | None = None) -> dt.datetime | None:
    since = utc(2026, 7, 1, 12)
    return timetable.overdue(SUMMER, now, planned_since=since, answered_at=answered_at)


def test_a_new_backup_is_overdue_only_after_its_first_planned_time_and_its_grace() -> None:
    assert missed(utc(2026, 7, 1, 23)) is None
    assert missed(utc(2026, 7, 2, 9, 14)) is None
    assert missed(utc(2026, 7, 2, 9, 15)) == utc(2026, 7, 2, 3, 15)


def test_a_missed_time_stays_missed_while_the_next_has_its_grace() -> None:
    assert missed(utc(2026, 7, 3, 4)) == utc(2026, 7, 2, 3, 15)
    assert missed(utc(2026, 7, 3, 9, 15)) == utc(2026, 7, 3, 3, 15)


def test_a_run_after_the_planned_time_answers_it_and_one_before_does_not() -> None:
    now = utc(2026, 7, 3, 10)

    assert missed(now, answered_at=utc(2026, 7, 3, 3, 20)) is None
    assert missed(now, answered_at=utc(2026, 7, 3, 3, 14)) == utc(2026, 7, 3, 3, 15)
    assert missed(now, answered_at=utc(2026, 8, 12)) == utc(2026, 7, 3, 3, 15)


def test_the_grace_is_a_quarter_of_the_time_between_two_runs() -> None:
    assert timetable.grace(Schedule.DAILY) == dt.timedelta(hours=6)
    assert timetable.grace(Schedule.WEEKLY) == dt.timedelta(hours=42)


# ---- the server's time zone


@pytest.mark.parametrize(
    ("environ", "link", "text", "zone"),
    [
        ({"TZ": "Europe/Berlin"}, "Asia/Tokyo", "America/Lima", "Europe/Berlin"),
        ({"TZ": ":Europe/Berlin"}, "Asia/Tokyo", "America/Lima", "Europe/Berlin"),
        ({"TZ": "CET-1CEST"}, "Asia/Tokyo", "America/Lima", "Asia/Tokyo"),
        ({"TZ": ""}, "Asia/Tokyo", "America/Lima", "Asia/Tokyo"),
        ({}, "Asia/Tokyo", None, "Asia/Tokyo"),
        ({}, "posix/Asia/Tokyo", None, "Asia/Tokyo"),
        ({}, "America/Argentina/Salta", None, "America/Argentina/Salta"),
        ({}, None, "America/Lima", "America/Lima"),
        ({}, "no/such", "America/Lima", "America/Lima"),
        ({}, None, "nowhere", "UTC"),
        ({}, None, None, "UTC"),
        ({}, "Etc/UTC", None, "UTC"),
        ({"TZ": "Zulu"}, None, None, "UTC"),
    ],
)
def test_the_servers_time_zone_is_found(
    environ: dict[str, str], link: str | None, text: str | None, zone: str, tmp_path: Path
) -> None:
    if link is not None:
        (tmp_path / "localtime").symlink_to(f"/usr/share/zoneinfo/{link}")
    if text is not None:
        (tmp_path / "timezone").write_text(f"{text}\n")

    assert timetable.server_time_zone(environ, tmp_path) == zone
