"""Names of folders of kept versions, under clocks that are right and wrong."""

import datetime as dt
from pathlib import Path

import pytest

from bucketvault.engine.rclone.commands import STAMP_FORMAT
from bucketvault.engine.runs import stamps
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import Phase
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

RIGHT, UNKNOWN = dt.timedelta(seconds=2), None


@pytest.fixture
def backup(open_store: Path) -> Backup:
    provider = a_provider("Photos")
    return a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copies"))


def name(**later: float) -> str:
    return (utcnow() + dt.timedelta(**later)).strftime(STAMP_FORMAT)


def used(backup: Backup, stamp: str, phase: Phase = Phase.TIDYING) -> BackupRun:
    return a_run(backup, archive_stamp=stamp, phase=phase)


def begun(backup: Backup) -> BackupRun:
    return used(backup, stamps.next_stamp(backup.id), Phase.CHECKING)


def test_a_name_is_later_than_each_before_until_a_service_says_otherwise(backup: Backup) -> None:
    ahead = name(days=40)
    used(backup, ahead)

    run = begun(backup)

    assert str(run.archive_stamp) > ahead
    for clock in (UNKNOWN, dt.timedelta(days=40), dt.timedelta(days=-40)):  # ours may be wrong
        assert stamps.settled(run, clock) == run.archive_stamp


def test_after_one_run_by_a_clock_ahead_names_are_real_time_again(backup: Backup) -> None:
    used(backup, name(days=40))

    first = stamps.settled(begun(backup), RIGHT)
    used(backup, first)
    second = stamps.settled(begun(backup), RIGHT)

    assert name(seconds=-5) <= first < second <= name(seconds=20)
    taken = stamps.read_stamp(first), stamps.read_stamp(second)
    assert taken[0] and taken[1] and (taken[1] - taken[0]).total_seconds() >= 3  # a folder a pass


def test_a_clock_that_was_a_little_ahead_costs_no_order(backup: Backup) -> None:
    near = name(minutes=20)
    used(backup, near)

    assert stamps.settled(begun(backup), RIGHT) > near


def test_names_of_a_lost_database_are_not_used_again(backup: Backup) -> None:
    floor = name(minutes=30)
    with connection():
        Backup.update(stamp_floor=floor).execute()

    assert stamps.next_stamp(backup.id) > floor


def test_folders_are_misplaced_in_the_future_and_before_a_later_run(backup: Backup) -> None:
    ahead, passed, right, later = (name(days=days) for days in (40, -1, -9, -2))
    for stamp in (right, passed, later, name(days=-1, hours=1)):  # `passed` was ahead once
        used(backup, stamp)
    folders = [ahead, passed, right, later, "notes", "20251301T000000Z"]

    assert stamps.misplaced(backup.id, folders, RIGHT) == [passed, ahead]
    # where this machine's clock is behind, names of a right one are not in the future
    assert ahead not in stamps.misplaced(backup.id, folders, dt.timedelta(days=-50))


def test_the_time_of_a_folder_is_asked_once_and_forgotten_with_it(backup: Backup) -> None:
    stamp, asked = name(days=40), []
    used(backup, stamp)
    real = utcnow().replace(microsecond=0)

    def ask(folder: str) -> dt.datetime:
        asked.append(folder)
        return real

    for _ in range(2):
        assert stamps.made_at(backup.id, [stamp], ask) == {stamp: real}
    assert asked == [stamp] and stamps.noted(backup.id) == {stamp: real}
    stamps.forget(backup.id, stamp)
    assert not stamps.noted(backup.id)
