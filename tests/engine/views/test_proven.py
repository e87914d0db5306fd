"""Runs of a backup tell when it was proven, and since when its copy is partly updated."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bucketvault.cli import status
from bucketvault.cli.watching import failed_in_words
from bucketvault.engine.domain.copy_state import CopyKind
from bucketvault.engine.views import backups
from bucketvault.engine.views.answer import answer_of
from bucketvault.engine.views.situation import Tone, situation_of, tone_of
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import Phase, Reason, RunKind, RunStatus, Schedule
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

pytestmark = pytest.mark.usefixtures("open_store")

ZONE = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 13, 5, tzinfo=dt.UTC)
FIRST, SECOND, THIRD = (dt.datetime(2026, 11, 1, hour, tzinfo=dt.UTC) for hour in (2, 3, 4))


@pytest.fixture
def photos() -> Backup:
    there = a_provider("There")
    return a_backup("Photos", a_storage(there, "photos"), a_storage(there, "copies"))


def proof(moment: dt.datetime, present: int = 9) -> dict[str, Any]:
    numbers = {"source_objects": 9, "present": present, "same_hash": present}
    return {"at": moment.isoformat(), "missing": 9 - present} | numbers


def good(backup: Backup, **columns: Any) -> BackupRun:
    given = {"phase": Phase.TIDYING, "started_at": FIRST, "finished_at": FIRST}
    return a_run(backup, **given | columns)


def bad(backup: Backup, **columns: Any) -> BackupRun:
    given = {
        "reason": Reason.RCLONE_ERROR,
        "phase": Phase.COPYING,
        "started_at": SECOND,
        "finished_at": SECOND,
        "copied": 3,
        "exit_code": 1,
    }
    return a_run(backup, RunStatus.FAILED, **given | columns)


def refused(backup: Backup, **columns: Any) -> BackupRun:
    """A run that ended at the key."""
    given = {"reason": Reason.CREDENTIALS, "phase": Phase.CHECKING, "copied": 0}
    return bad(backup, **{"started_at": THIRD, "finished_at": THIRD} | given | columns)


# ---- the state of the copy, over runs


@pytest.mark.parametrize("phase", [Phase.COPYING, Phase.PROVING])
def test_a_run_that_changed_nothing_tells_since_when_the_copy_is_partly_updated(
    photos: Backup, phase: Phase
) -> None:
    good(photos)
    bad(photos, phase=phase)
    bad(photos, phase=phase, started_at=THIRD)
    later = refused(photos)

    (row,) = backups.backups()
    page = backups.run_page(later.id)

    assert row.last_run is not None
    for view in (row.last_run, page.run):
        assert view.copy_state is not None
        assert (view.copy_state.kind, view.copy_state.since) == (CopyKind.PARTLY, SECOND)
    told = next(iter(failed_in_words(page, NOW)))
    assert (
        "This run changed nothing; the copy has been partly updated since Sun 1 Nov, 03:00." in told
    )
    assert "was not changed" not in told
    (entry,) = status.status([row], ())["backups"]
    assert entry["last_run"]["copy_code"] == "partly"
    assert entry["last_run"]["copy_partly_since"] == "2026-11-01T03:00:00Z"
    assert "partly updated since" in answer_of(row, ZONE, NOW).detail


def test_what_was_left_at_another_destination_is_not_said_of_this_one(photos: Backup) -> None:
    def to(bucket: str) -> dict[str, Any]:
        end = {"provider_type": "minio", "endpoint": "https://x", "region": "", "path": ""}
        return {"spec": {"destination": end | {"bucket": bucket, "display_name": bucket.title()}}}

    bad(photos, **to("old"))
    elsewhere = refused(photos, **to("new"))
    bad(photos, **to("new"), started_at=THIRD)
    good(photos, **to("old"))
    back = refused(photos, **to("new"))

    since = [BackupRun.partly_since(photos.id, run.id) for run in (elsewhere, back)]
    (row,) = backups.backups()

    assert since == [None, THIRD]
    assert row.last_run is not None and row.last_run.copy_state is not None
    assert row.last_run.copy_state.since == THIRD


def test_a_held_run_tells_the_same(photos: Backup) -> None:
    good(photos)
    bad(photos)
    found = {"removed": 6, "destination_objects": 9}
    held = refused(
        photos, reason=Reason.BRAKE, findings=found, explanation="6 of 9.", untouched=True
    )

    (row,) = backups.backups()

    told = next(iter(failed_in_words(backups.run_page(held.id), NOW)))
    assert "This run changed nothing; the copy has been partly updated since" in told
    assert "the copy is as it was" not in told
    assert "as it was" not in answer_of(row, ZONE, NOW).detail
    (issue,) = situation_of([row], ()).backup_issues
    assert "partly updated since" in issue.copy_words(ZONE, NOW)


@pytest.mark.parametrize(
    "between",
    [
        {"phase": Phase.CHECKING},
        {"reason": Reason.RCLONE_MISSING},
        {"kind": RunKind.PREVIEW},
        {"kind": RunKind.VERIFY},
        {"phase": Phase.TIDYING, "reason": Reason.STOPPED},
    ],
)
def test_a_copy_that_nothing_changed_since_the_last_good_run_was_not_touched(
    photos: Backup, between: dict[str, Any]
) -> None:
    bad(photos)  # the good run completed what this one began
    good(photos)
    bad(photos, **between)
    later = refused(photos)

    (row,) = backups.backups()

    for view in (row.last_run, backups.run_page(later.id).run):
        assert view is not None and view.copy_state is not None
        assert view.copy_state.kind == CopyKind.UNTOUCHED


def test_another_backup_has_no_part_in_it(photos: Backup) -> None:
    other = a_backup("Mail", photos.source_storage, photos.destination_storage)
    bad(other)
    refused(photos)

    row = next(row for row in backups.backups() if row.name == "Photos")

    assert row.last_run is not None and row.last_run.copy_state is not None
    assert row.last_run.copy_state.kind == CopyKind.UNTOUCHED


# ---- the proof of a backup


def test_the_newest_proof_may_come_from_a_run_that_failed(photos: Backup) -> None:
    good(photos, proof=proof(FIRST))
    bad(photos, phase=Phase.PROVING, proof=proof(SECOND, present=7))
    refused(photos)

    (row,) = backups.backups()

    assert row.proof is not None
    assert (row.proof.present, row.proof.missing, row.proof.when) == (7, 2, SECOND)
    assert "Last proven: Sun 1 Nov, 04:00, 7 of 9 objects" in answer_of(row, ZONE, NOW).detail


def test_a_proof_from_before_the_last_good_run_is_nobodys(photos: Backup) -> None:
    bad(photos, phase=Phase.PROVING, proof=proof(FIRST, present=7))
    good(photos)
    a_run(photos, kind=RunKind.PREVIEW, proof=proof(THIRD))

    (row,) = backups.backups()

    assert row.proof is None and row.proof_is_old is False


@pytest.mark.parametrize(
    ("schedule", "days", "tone"),
    [
        (Schedule.DAILY, 1.9, Tone.OK),
        (Schedule.DAILY, 2.1, Tone.OLD),
        (Schedule.WEEKLY, 13.9, Tone.OK),
        (Schedule.WEEKLY, 14.1, Tone.OLD),
    ],
)
def test_a_proof_of_two_periods_ago_is_a_warning_everywhere(
    photos: Backup, schedule: Schedule, days: float, tone: Tone
) -> None:
    moment = utcnow() - dt.timedelta(days=days)
    Backup.update(schedule=schedule, weekday="sunday", planned_since=utcnow()).execute()
    good(photos, proof=proof(moment), started_at=moment, finished_at=moment)

    (row,) = backups.backups()

    told, is_old = status.status([row], ()), tone == Tone.OLD
    assert tone_of(row) == tone
    assert answer_of(row, ZONE, utcnow()).tone == tone
    assert situation_of([row], ()).tone == tone
    assert told["backups"][0]["proof_is_old"] == is_old
    assert status.status_exit_code(told) == (3 if is_old else 0)


def test_words_say_how_old_a_proof_may_be(photos: Backup) -> None:
    moment = utcnow() - dt.timedelta(days=3)
    Backup.update(planned_since=utcnow()).execute()
    good(photos, proof=proof(moment), started_at=moment, finished_at=moment)

    (row,) = backups.backups()

    assert answer_of(row, ZONE, utcnow()).sentence == (
        "The copy has not been proven for more than 2 days."
    )
    assert situation_of([row], ()).sentence == "Photos has not been proven for more than 2 days."


def test_a_run_that_was_stopped_leaves_an_old_proof_amber(photos: Backup) -> None:
    moment = utcnow() - dt.timedelta(days=3)
    Backup.update(planned_since=utcnow()).execute()
    good(photos, proof=proof(moment), started_at=moment, finished_at=moment)
    bad(photos, reason=Reason.STOPPED, phase=None, copied=0)

    (row,) = backups.backups()

    assert tone_of(row) == Tone.OLD
