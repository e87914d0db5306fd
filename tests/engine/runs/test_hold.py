"""Limits of a run while it copies, beside what its checks had found."""

import datetime as dt

import pytest

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.runs import hold, queue
from bucketvault.store.models import BackupRun, Storage, utcnow
from bucketvault.vocabulary import RunStatus, Trigger
from tests.store_fixtures import a_backup, a_run

FOUND = Findings(removed=990, replaced=40, destination_objects=1500)
APPROVED = {"removed": 1000, "replaced": 50}


@pytest.fixture
def approved(ends: tuple[Storage, Storage]) -> BackupRun:
    """A run that copies, approved for a little more than its checks then found."""
    backup = a_backup("Photos", *ends)
    spec = queue.freeze(backup, "20261101T120000Z")
    a_run(backup, RunStatus.SUCCESS, spec=spec.to_json())
    until = utcnow() + dt.timedelta(minutes=1)
    return a_run(
        backup,
        RunStatus.RUNNING,
        trigger=Trigger.APPROVED,
        spec=spec.to_json(),
        findings=FOUND.to_json(),
        approved_limits={**APPROVED, "until": until.isoformat(), "ends": queue.ends_of(spec)},
        started_at=utcnow(),
    )


def test_a_run_may_take_all_that_was_approved_and_nothing_more(approved: BackupRun) -> None:
    assert hold.hold_reason(approved, Findings(**APPROVED)) is None
    assert not hold.oversteps(approved, **APPROVED)
    assert hold.oversteps(approved, removed=1001)
    assert hold.oversteps(approved, removed=1000, replaced=1051)


def test_what_was_approved_of_a_run_that_has_begun_holds_to_its_end(
    approved: BackupRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow = utcnow() + dt.timedelta(days=1)
    monkeypatch.setattr(hold, "utcnow", lambda: tomorrow)

    assert not hold.oversteps(approved, **APPROVED)

    approved.started_at = tomorrow
    assert hold.oversteps(approved, removed=1000)
    assert hold.hold_reason(approved, FOUND) is not None


def test_what_was_approved_between_other_places_covers_nothing(approved: BackupRun) -> None:
    approved.approved_limits["ends"][0][1] = "another-bucket"

    assert hold.oversteps(approved, removed=1000)
