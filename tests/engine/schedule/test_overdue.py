"""Overdue: a backup of which nothing came, said once, and once when it is over."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import time_machine

from bucketvault.cli import status
from bucketvault.engine import settings
from bucketvault.engine.catalogue import backups as catalogue
from bucketvault.engine.schedule.scheduler import Scheduler
from bucketvault.engine.views import backups
from bucketvault.engine.views.situation import Tone, tone_of
from bucketvault.store.database import writing
from bucketvault.store.models import Backup, BackupRun, Mail
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import (
    MailKind,
    Phase,
    Reason,
    RunKind,
    RunStatus,
    Schedule,
    Trigger,
    Weekday,
)
from tests import store_fixtures as make

pytestmark = pytest.mark.usefixtures("open_store")

MADE = make.at(12)  # 1 November; planned each day at 02:30 UTC, with a grace of six hours
HOUR = dt.timedelta(hours=1)


MAILED = {
    "smtp_host": "localhost",
    "smtp_security": "none",
    "mail_from": "bucketvault@example.com",
    "mail_to": "you@example.com",
}


@pytest.fixture
def photos() -> Backup:
    source = make.a_storage(make.a_provider("Here"), "photos")
    destination = make.a_storage(make.a_provider("There"), "copies")
    return make.a_backup("Photos", source, destination, planned_since=MADE)


def at_time(moment: dt.datetime, look: Callable[[], Any]) -> Any:
    # seconds since 1970: an aware datetime would also move the local time zone to UTC
    with time_machine.travel(moment.timestamp(), tick=False):
        return look()


def shown(moment: dt.datetime) -> backups.BackupRow:
    row: backups.BackupRow = at_time(moment, lambda: backups.backups()[0])
    return row


def beat(moment: dt.datetime) -> dt.datetime | None:
    """The planned time of the episode that is open after a beat."""
    at_time(moment, Scheduler().beat)
    since: dt.datetime | None = Backup.get().overdue_since
    return since


def leave_the_queue() -> None:
    """Delete what the scheduler queued, as if no server ran."""
    with writing():
        BackupRun.delete().where(BackupRun.status == RunStatus.PENDING).execute()


# ---- what is shown


def test_a_backup_without_a_copy_is_overdue_after_its_planned_time_and_grace(
    photos: Backup,
) -> None:
    assert not shown(make.at(23)).overdue
    assert not shown(make.at(8, day=2)).overdue

    row = shown(make.at(9, day=2))

    assert (row.overdue, row.missed_at) == (
        True,
        photos.planned_since.replace(day=2, hour=2, minute=30),
    )
    assert tone_of(row) == Tone.MISS
    told = at_time(make.at(9, day=2), lambda: status.status(backups.backups(), ()))
    assert told["backups"][0]["overdue"] is True
    assert status.status_exit_code(told) == 1


def test_a_good_run_after_the_planned_time_is_in_time(photos: Backup) -> None:
    make.a_run(photos, finished_at=make.at(3, day=2))

    assert not shown(make.at(9, day=2)).overdue
    assert shown(make.at(9, day=3)).overdue


@pytest.mark.parametrize(
    ("reason", "overdue"),
    [(Reason.RCLONE_ERROR, False), (Reason.BRAKE, False), (Reason.STOPPED, True)],
)
def test_what_failed_or_is_held_says_so_itself_and_what_you_stopped_does_not(
    photos: Backup, reason: Reason, overdue: bool
) -> None:
    make.a_run(photos, finished_at=make.at(3))
    make.a_run(photos, RunStatus.FAILED, reason=reason, finished_at=make.at(3, day=2))

    assert shown(make.at(9, day=2)).overdue is overdue


def test_a_failed_run_answers_its_own_planned_time_only(photos: Backup) -> None:
    make.a_run(photos, RunStatus.FAILED, finished_at=make.at(3, day=2))

    row = shown(make.at(9, day=3))

    assert row.overdue
    assert tone_of(row) == Tone.BAD  # the worse of the two


def test_a_held_one_waits_for_its_person_and_for_nothing_else(photos: Backup) -> None:
    make.a_run(photos, RunStatus.FAILED, reason=Reason.BRAKE, finished_at=make.at(3, day=2))

    assert not shown(make.at(9, day=20)).overdue


def test_while_a_run_is_under_way_nothing_is_missed(photos: Backup) -> None:
    make.a_run(
        photos, RunStatus.RUNNING, phase=Phase.COPYING, started_at=make.at(3), created_at=make.at(3)
    )

    assert not shown(make.at(9, day=5)).overdue


@pytest.mark.parametrize(("minutes", "overdue"), [(59, False), (61, True)])
def test_a_run_that_waits_has_an_hour(photos: Backup, minutes: int, overdue: bool) -> None:
    now = make.at(12, day=5)
    since = now - dt.timedelta(minutes=minutes)
    make.a_run(photos, RunStatus.PENDING, trigger=Trigger.CATCH_UP, created_at=since)

    assert shown(now).overdue is overdue


def test_a_preview_is_no_run(photos: Backup) -> None:
    make.a_run(photos, RunStatus.RUNNING, kind=RunKind.PREVIEW, phase=Phase.CHECKING)

    assert shown(make.at(9, day=2)).overdue


def test_what_is_switched_off_is_never_overdue(photos: Backup) -> None:
    with writing():
        Backup.update(enabled=False).execute()

    assert not shown(make.at(9, day=20)).overdue


def test_a_weekly_one_has_the_grace_of_a_week(photos: Backup) -> None:
    with writing():
        Backup.update(schedule=Schedule.WEEKLY, weekday=Weekday.TUESDAY).execute()

    assert not shown(make.at(20, day=4)).overdue  # 42 hours after Tuesday 02:30 is 20:30
    assert shown(make.at(21, day=4)).overdue


def test_one_that_cannot_be_planned_says_why(photos: Backup) -> None:
    with writing():
        Backup.update(time_zone="Mars/Olympus", next_due_at=make.at(2, day=9)).execute()

    row = shown(make.at(12))

    assert (row.unplannable, row.overdue, row.missed_at, row.next_due_at) == (
        True,
        True,
        None,
        None,
    )


# ---- episodes


def test_an_episode_begins_once_and_ends_with_the_next_good_copy(photos: Backup) -> None:
    planned = make.at(2, day=2) + HOUR / 2
    make.a_run(photos, finished_at=make.at(13))
    begun = [beat(make.at(8, day=2)), beat(make.at(9, day=2)), beat(make.at(12, day=3))]
    leave_the_queue()
    make.a_run(photos, RunStatus.FAILED, finished_at=make.at(13, day=5))
    failed = beat(make.at(14, day=5))
    make.a_run(photos, finished_at=make.at(15, day=5))

    over = beat(make.at(16, day=5))

    assert begun == [None, planned, planned]
    assert failed == planned  # there is still no good copy
    assert over is None


def test_after_days_off_the_late_run_has_its_turn_before_anybody_is_told(photos: Backup) -> None:
    make.a_run(photos, finished_at=make.at(13))
    with writing():
        Backup.update(next_due_at=make.at(2, day=2) + HOUR / 2).execute()

    told = beat(make.at(12, day=6))
    with writing():
        BackupRun.update(status=RunStatus.SUCCESS, finished_at=make.at(12, day=6)).where(
            BackupRun.status == RunStatus.PENDING
        ).execute()

    assert told is None
    assert beat(make.at(14, day=6)) is None


def test_one_whose_time_zone_is_gone_is_told_once_its_planned_time_has_passed(
    photos: Backup,
) -> None:
    planned = make.at(2, day=2) + HOUR / 2
    make.a_run(photos, finished_at=make.at(13))
    with writing():
        Backup.update(time_zone="Mars/Olympus", next_due_at=planned).execute()
    settings.change(MAILED, Vault(Path("none")))

    told = [beat(make.at(8, day=2)), beat(make.at(9, day=2)), beat(make.at(9, day=5))]
    make.a_run(photos, finished_at=make.at(10, day=5))  # by hand
    over = [beat(make.at(11, day=5)), beat(make.at(12, day=5)), beat(make.at(12, day=9))]

    assert told == [None, planned, planned]
    assert over == [None, None, None]
    (mail,) = Mail.select().where(Mail.kind == MailKind.OVERDUE)
    assert "time zone is no longer known" in " ".join(mail.body.split())
    assert Mail.select().count() == 2  # and one that it is over


def test_a_new_time_of_day_or_a_pause_ends_the_episode_quietly(photos: Backup) -> None:
    with writing():
        Backup.update(overdue_since=make.at(2, day=2)).execute()

    at_time(make.at(12, day=3), lambda: catalogue.change(1, make.backup_input(1, 2, at="05:00")))

    assert Backup.get().overdue_since is None
    assert beat(make.at(14, day=3)) is None
    assert not shown(make.at(23, day=3)).overdue


def test_after_a_clock_that_was_ahead_nothing_is_overdue_for_it(photos: Backup) -> None:
    make.a_run(photos, finished_at=make.at(3, day=2))
    ahead = make.at(12, day=2) + dt.timedelta(days=40)
    beat(make.at(12, day=2))
    beat(ahead)
    with writing():
        BackupRun.update(status=RunStatus.SUCCESS, finished_at=ahead).where(
            BackupRun.status == RunStatus.PENDING
        ).execute()

    assert beat(make.at(13, day=2)) is None
    assert not shown(make.at(13, day=2)).overdue
