"""A planned run that ended well is followed by one that reads, where there is a budget for it."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from bucketvault.engine.schedule.scheduler import Scheduler
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun
from bucketvault.vocabulary import RunKind, RunStatus, Trigger
from tests import store_fixtures as make

pytestmark = pytest.mark.usefixtures("open_store")

NIGHT = dt.datetime(2026, 11, 2, 2, 30, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def photos() -> Backup:
    ends = make.a_storage(make.a_provider("A"), "photos"), make.a_storage(make.a_provider("B"), "c")
    backup = make.a_backup("Photos", *ends, verify_gb_per_night=5, planned_since=NIGHT)
    with writing():
        Backup.update(next_due_at=NIGHT + dt.timedelta(days=1)).execute()
    return backup


@pytest.fixture
def ended(photos: Backup) -> Callable[..., BackupRun]:
    def make_one(status: RunStatus = RunStatus.SUCCESS, **given: Any) -> BackupRun:
        columns = {"scheduled_for": NIGHT, "finished_at": NIGHT + 5 * MINUTE, **given}
        return make.a_run(photos, status, **columns)

    return make_one


def beat(now: dt.datetime = NIGHT + 6 * MINUTE) -> None:
    with time_machine.travel(now.timestamp(), tick=False):
        Scheduler().beat()


def reads() -> list[tuple[RunStatus, Trigger]]:
    with connection():
        found = BackupRun.select().where(BackupRun.kind == RunKind.VERIFY)
        return [(run.status, run.trigger) for run in found]


def test_it_follows_a_planned_run_once(ended: Callable[..., BackupRun]) -> None:
    ended()

    beat()
    beat()
    with writing():
        BackupRun.update(status=RunStatus.SUCCESS, finished_at=NIGHT + 9 * MINUTE).where(
            BackupRun.kind == RunKind.VERIFY
        ).execute()
    beat(NIGHT + 10 * MINUTE)

    assert reads() == [(RunStatus.SUCCESS, Trigger.SCHEDULE)]


@pytest.mark.parametrize(
    "given",
    [
        {"status": RunStatus.FAILED},
        {"scheduled_for": None},
        {"kind": RunKind.PREVIEW},
        {"finished_at": NIGHT - dt.timedelta(hours=2)},
    ],
    ids=["failed", "not planned", "a preview", "long ago"],
)
def test_no_other_run_is_followed(ended: Callable[..., BackupRun], given: dict[str, Any]) -> None:
    ended(**given)

    beat()

    assert reads() == []


@pytest.mark.parametrize("given", [{"verify_gb_per_night": 0}, {"enabled": False}])
def test_without_a_budget_or_switched_off_nothing_is_read(
    ended: Callable[..., BackupRun], given: dict[str, Any]
) -> None:
    ended()
    with writing():
        Backup.update(**given).execute()

    beat()

    assert reads() == []


def test_a_planned_run_that_is_due_comes_first(ended: Callable[..., BackupRun]) -> None:
    ended()
    with writing():
        Backup.update(next_due_at=NIGHT + 6 * MINUTE, at="02:36").execute()

    beat()

    assert reads() == []
