"""Views of backups and runs for pages and the command line."""

import json
from typing import Any

import pytest

from bucketvault.cli import status
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.runs import queue
from bucketvault.engine.views import backups
from bucketvault.engine.views.backups import Watched
from bucketvault.errors import NotFoundError
from bucketvault.store.database import database
from bucketvault.store.models import COUNT_NAMES, Backup, BackupRun, Storage
from bucketvault.vocabulary import (
    ComparisonMode,
    Phase,
    ProviderType,
    Reason,
    RunStatus,
    Side,
    Trigger,
    UsageType,
    WarningCode,
)
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage, at
from tests.support.program import STATUS

pytestmark = pytest.mark.usefixtures("open_store")

SPEC = {
    "source": {
        "provider_id": 1,
        "provider": "Here",
        "provider_type": "cloudflare_r2",
        "endpoint": "https://here.example",
        "region": "auto",
        "bucket": "photos",
        "display_name": "",
        "path": "2026",
    },
    "destination": {
        "provider_id": 2,
        "provider": "There",
        "provider_type": "backblaze_b2",
        "endpoint": "",
        "region": "us-west-004",
        "bucket": "copies",
        "display_name": "The copies",
        "path": "",
    },
    "comparison_mode": "checksum",
    "retention_days": 14,
    "shrink_limit_percent": 20,
    "archive_key": "photos-abc123",
    "rclone_version": "1.75.2",
}


PROOF: dict[str, Any] = {
    "at": "2020-11-01T02:00:00+00:00",
    "source_objects": 9,
    "present": 9,
    "same_hash": 9,
}


@pytest.fixture
def ends() -> tuple[Storage, Storage]:
    here = a_provider("Here", provider_type=ProviderType.CLOUDFLARE_R2)
    source = a_storage(here, "photos", usage_type=UsageType.SOURCE_ONLY)
    return source, a_storage(a_provider("There"), "copies", display_name="The copies")


@pytest.fixture
def photos(ends: tuple[Storage, Storage]) -> Backup:
    return a_backup("Photos", *ends, source_path="2026", next_due_at=at(2, day=5))


@pytest.fixture
def selects(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Every statement that reads, as it is executed, with its values."""
    found: list[tuple[str, Any]] = []
    execute = database.execute_sql

    def counted(sql: str, values: Any = None) -> Any:
        if sql.startswith("SELECT"):
            found.append((sql, values))
        return execute(sql, values)

    monkeypatch.setattr(database, "execute_sql", counted)
    return found


# ---- backups


def test_a_backup_that_never_ran_has_no_runs(photos: Backup) -> None:
    (row,) = backups.backups()

    assert (row.name, row.enabled, row.at, row.next_due_at) == ("Photos", True, "02:30", at(2, 5))
    assert row.source == EndSpec(
        "Here", ProviderType.CLOUDFLARE_R2, "photos", "", "2026", photos.source_storage.provider_id
    )
    assert row.source.place == "photos/2026"
    assert row.destination.place == "copies"
    assert row.destination.display_name == "The copies"
    assert row.active_run is row.last_run is row.last_good_at is row.size_bytes is None
    assert row.overdue is False


def test_the_last_run_is_the_newest_that_ended_and_the_active_one_stands_apart(
    photos: Backup,
) -> None:
    a_run(photos, finished_at=at(3), source_bytes=100)
    a_run(photos, finished_at=at(4), source_bytes=200)
    failed = a_run(photos, RunStatus.FAILED, finished_at=at(5))
    active = a_run(photos, RunStatus.RUNNING, started_at=at(6), phase=Phase.COPYING)

    (row,) = backups.backups()

    assert row.last_run is not None
    assert row.active_run is not None
    assert row.last_run.id == failed.id
    assert row.last_run.reason is Reason.RCLONE_ERROR
    assert row.active_run.id == active.id
    assert row.active_run.backup_name == "Photos"
    assert row.last_good_at == at(4)
    assert row.size_bytes == 200


def test_backups_come_by_name_whatever_the_case(ends: tuple[Storage, Storage]) -> None:
    for name in ("b", "C", "a", "Ä", "B2"):
        a_backup(name, *ends)

    assert [row.name for row in backups.backups()] == ["a", "b", "B2", "C", "Ä"]


def test_each_backup_has_its_own_runs(ends: tuple[Storage, Storage]) -> None:
    rows = [a_backup(name, *ends) for name in ("a", "b", "c")]
    runs = [a_run(row) for row in rows for _ in range(3)]

    found = backups.backups()

    assert [row.last_run and row.last_run.id for row in found] == [r.id for r in runs[2::3]]
    assert [row.last_run and row.last_run.backup_name for row in found] == ["a", "b", "c"]


def test_a_hundred_backups_take_as_many_queries_as_one(
    ends: tuple[Storage, Storage], selects: list[tuple[str, Any]]
) -> None:
    a_run(a_backup("first", *ends), RunStatus.PENDING)
    backups.backups()
    for_one = len(selects)
    for number in range(20):
        backup = a_backup(f"backup {number}", *ends)
        a_run(backup)
        a_run(backup, RunStatus.RUNNING)
    selects.clear()

    rows = backups.backups()

    assert len(rows) == 21
    assert len(selects) == for_one


def test_the_newest_run_is_found_without_reading_the_older_ones(
    photos: Backup, selects: list[tuple[str, Any]]
) -> None:
    a_run(photos)
    backups.backups()
    ((query, values),) = (found for found in selects if "last_id" in found[0])

    with database.connection_context():
        plan = database.execute_sql(f"EXPLAIN QUERY PLAN {query}", values).fetchall()

    steps = [step for *_, step in plan]
    assert sum("backup_run_backup (backup_id=?" in step for step in steps) == 10
    assert not any("TEMP B-TREE" in step for step in steps)


@pytest.mark.parametrize("name", ["Photos", "photos", " PHOTOS "])
def test_a_backup_is_found_by_its_name_in_any_case(name: str, photos: Backup) -> None:
    run = a_run(photos)

    row = backups.backup_by_name(name)

    assert row.id == photos.id
    assert row.last_run is not None
    assert row.last_run.id == run.id


def test_a_backup_that_is_not_there_is_answered_with_one_that_is(photos: Backup) -> None:
    with pytest.raises(NotFoundError) as caught:
        backups.backup_by_name("Fotos")

    assert '"Fotos"' in caught.value.summary
    assert '"Photos"' in caught.value.hint


def test_a_backup_unlike_any_other_is_answered_with_where_to_look(photos: Backup) -> None:
    with pytest.raises(NotFoundError) as caught:
        backups.backup_by_name("xyz")

    assert "bucketvault status" in caught.value.hint


# ---- runs


def test_a_run_is_told_as_it_stands(photos: Backup) -> None:
    progress = Progress(bytes_done=5, bytes_total=10, movement=(1, 2))
    warnings = (
        RunWarning(WarningCode.LOST, {"n": 2}),
        RunWarning(WarningCode.TIDYING_FAULT, names=("OSError",)),
    )
    row = a_run(
        photos,
        RunStatus.RUNNING,
        trigger=Trigger.CATCH_UP,
        phase=Phase.COPYING,
        scheduled_for=at(2),
        skipped_slots=3,
        started_at=at(3),
        stop_requested_at=at(4),
        progress=progress.to_json(),
        copied=7,
        bytes=99,
        source_objects=11,
        source_bytes=1100,
        warnings=[each.to_json() for each in warnings],
        explanation="why",
        hint="what next",
        detail="rclone's words",
        log_lines=5,
        log_bytes=500,
    )

    run = backups.run(row.id)

    assert run.progress == progress
    assert (run.backup_id, run.backup_name) == (photos.id, "Photos")
    assert (run.status, run.trigger, run.phase) == ("running", "catch_up", "copying")
    assert (run.scheduled_for, run.skipped_slots) == (at(2), 3)
    assert (run.queued_at, run.started_at, run.finished_at) == (row.created_at, at(3), None)
    assert run.stop_requested_at == at(4)
    assert (run.explanation, run.hint, run.detail) == ("why", "what next", "rclone's words")
    assert run.warnings == warnings
    assert tuple(run.counts) == COUNT_NAMES
    assert (run.counts["copied"], run.counts["bytes"], run.counts["errors"]) == (7, 99, 0)
    assert (run.source_objects, run.source_bytes) == (11, 1100)
    assert (run.log_lines, run.log_bytes) == (5, 500)


def test_a_run_without_a_stats_line_has_no_progress(photos: Backup) -> None:
    assert backups.run(a_run(photos, RunStatus.RUNNING).id).progress is None


@pytest.mark.parametrize(
    ("status", "supervision", "alone"),
    [
        (RunStatus.RUNNING, Watched.ON_ITS_OWN, True),
        (RunStatus.RUNNING, Watched.YES, False),
        (RunStatus.RUNNING, Watched.OVER, False),
        (RunStatus.PENDING, Watched.ON_ITS_OWN, False),
        (RunStatus.SUCCESS, Watched.ON_ITS_OWN, False),
    ],
)
def test_only_a_running_run_goes_on_on_its_own(
    status: RunStatus, supervision: Watched, alone: bool, photos: Backup
) -> None:
    row = a_run(photos, status)

    def answer(run: BackupRun) -> Watched:
        assert run.uuid == row.uuid
        return supervision

    assert backups.run(row.id, answer).on_its_own is alone
    (backup,) = backups.backups(answer)
    found = backup.active_run or backup.last_run
    assert found is not None
    assert found.on_its_own is alone
    over = status is RunStatus.RUNNING and supervision is Watched.OVER
    assert found.ended_unseen is over


def test_a_run_that_is_not_there_is_not_found() -> None:
    for ask in (backups.run, backups.run_page):
        with pytest.raises(NotFoundError, match="run 99"):
            ask(99)


def test_a_runs_page_shows_the_settings_frozen_at_claim(photos: Backup) -> None:
    row = a_run(photos, spec=SPEC)

    settings = backups.run_page(row.id).settings

    assert settings == RunSpec(
        source=EndSpec(
            provider="Here",
            provider_type=ProviderType.CLOUDFLARE_R2,
            bucket="photos",
            path="2026",
            provider_id=1,
            endpoint="https://here.example",
            region="auto",
        ),
        destination=EndSpec(
            provider="There",
            provider_type=ProviderType.BACKBLAZE_B2,
            bucket="copies",
            display_name="The copies",
            provider_id=2,
            region="us-west-004",
        ),
        comparison_mode=ComparisonMode.CHECKSUM,
        retention_days=14,
        shrink_limit_percent=20,
        archive_key="photos-abc123",
        rclone_version="1.75.2",
    )


def test_a_run_that_waits_has_no_settings_yet(photos: Backup) -> None:
    assert backups.run_page(a_run(photos, RunStatus.PENDING).id).settings is None


def test_a_runs_page_leads_to_its_neighbours_of_the_same_backup(
    photos: Backup, ends: tuple[Storage, Storage]
) -> None:
    other = a_backup("Other", *ends)
    first = a_run(photos, finished_at=at(1))
    a_run(other, finished_at=at(2))
    second = a_run(photos, RunStatus.FAILED, finished_at=at(3))
    a_run(other)
    third = a_run(photos, finished_at=at(4))

    pages = [backups.run_page(run.id) for run in (first, second, third)]

    assert [(page.previous_id, page.next_id) for page in pages] == [
        (None, second.id),
        (first.id, third.id),
        (second.id, None),
    ]
    assert [page.last_good_at for page in pages] == [None, at(1), at(1)]


@pytest.mark.parametrize(
    ("between", "elsewhere", "is_that"),
    [
        (None, False, True),
        (Phase.CHECKING, False, True),
        (Phase.COPYING, False, False),  # it failed in the middle
        (None, True, False),  # the last good run was to another place
    ],
)
def test_the_copy_is_that_of_the_last_good_run_only_where_nothing_came_between(
    photos: Backup,
    ends: tuple[Storage, Storage],
    between: Phase | None,
    elsewhere: bool,
    is_that: bool,
) -> None:
    spec = queue.freeze(photos).to_json()
    there = spec | {"destination": spec["destination"] | {"path": "elsewhere"}}
    a_run(photos, phase=Phase.TIDYING, spec=there if elsewhere else spec, finished_at=at(1))
    if between is not None:
        a_run(photos, RunStatus.FAILED, phase=between, spec=spec)
    held = a_run(photos, RunStatus.FAILED, reason=Reason.BRAKE, phase=Phase.CHECKING, spec=spec)

    assert backups.run_page(held.id).untouched is is_that


# ---- status


def test_status_is_exactly_what_the_manual_says(photos: Backup) -> None:
    done = a_run(
        photos,
        scheduled_for=at(2),
        started_at=at(2),
        finished_at=at(3),
        exit_code=0,
        explanation="Copied 7 objects.",
        warnings=[RunWarning(WarningCode.ALTERED, {"n": 3}).to_json()],
        copied=7,
        trigger=Trigger.SCHEDULE,
        proof=PROOF,
    )
    waiting = a_run(photos, RunStatus.PENDING, trigger=Trigger.MANUAL, created_at=at(4))

    told = status.status(backups.backups(), ())

    assert told == {
        "backups": [
            {
                "name": "Photos",
                "enabled": True,
                "overdue": False,
                "moved": False,
                "next_due_at": "2026-11-05T02:00:00Z",
                "last_good_at": "2026-11-01T03:00:00Z",
                "proof": Proof(**PROOF).to_json(),
                "proof_is_old": True,
                "damage": None,
                "last_run": {
                    "id": done.id,
                    "status": "success",
                    "reason": None,
                    "trigger": "schedule",
                    "scheduled_for": "2026-11-01T02:00:00Z",
                    "started_at": "2026-11-01T02:00:00Z",
                    "finished_at": "2026-11-01T03:00:00Z",
                    "exit_code": 0,
                    "explanation": "Copied 7 objects.",
                    "copy_state": "The copy is complete.",
                    "copy_code": "complete",
                    "copy_partly_since": None,
                    "proof": Proof(**PROOF).to_json(),
                    "warnings": ["Changed in the copy by another program and replaced: 3."],
                    "counts": dict.fromkeys(COUNT_NAMES, 0) | {"copied": 7},
                    "requests": {},
                    "cost_usd": None,
                    "counts_at_least": False,
                    "log_is_cut": False,
                    "uploads_ended": 0,
                },
                "active_run": {
                    "id": waiting.id,
                    "status": "pending",
                    "phase": None,
                    "trigger": "manual",
                    "queued_at": "2026-11-01T04:00:00Z",
                    "started_at": None,
                    "stop_requested_at": None,
                    "on_its_own": False,
                    "ended_unseen": False,
                    "waits_for": "",
                },
            }
        ],
        "running": 0,
        "pending": 1,
        "program": [],
    }
    STATUS.validate(told)
    assert json.loads(json.dumps(told)) == told


def test_status_counts_what_runs_and_what_waits(ends: tuple[Storage, Storage]) -> None:
    for number, state in enumerate([RunStatus.RUNNING, RunStatus.RUNNING, RunStatus.PENDING]):
        a_run(a_backup(f"b{number}", *ends), state)

    told = status.status(backups.backups(lambda run: Watched.ON_ITS_OWN), ())

    assert (told["running"], told["pending"]) == (2, 1)
    assert [backup["active_run"]["on_its_own"] for backup in told["backups"]] == [True, True, False]


def test_status_without_a_backup_is_empty() -> None:
    assert status.status(backups.backups(), ()) == {
        "backups": [],
        "running": 0,
        "pending": 0,
        "program": [],
    }
    assert status.status_exit_code(status.status(backups.backups(), ())) == 0


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([None], 0),
        (["success"], 0),
        (["success", None], 0),
        (["warned"], 3),
        (["success", "warned"], 3),
        (["failed"], 1),
        (["held", "success"], 1),
        (["failed", "warned"], 1),
        (["failed and off"], 0),
        (["warned and off", "success"], 0),
    ],
)
def test_status_ends_with_the_worst_of_the_backups_that_are_on(
    runs: list[str | None], code: int, ends: tuple[Storage, Storage]
) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "success": {},
        "warned": {"warnings": [RunWarning(WarningCode.LOG_CUT).to_json()]},
        "failed": {"status": RunStatus.FAILED},
        "held": {"status": RunStatus.FAILED, "reason": Reason.BRAKE},
    }
    for number, run in enumerate(runs):
        off = run is not None and run.endswith(" and off")
        backup = a_backup(f"b{number}", *ends, enabled=not off)
        if run is not None:
            a_run(backup, **kinds[run.removesuffix(" and off")])

    assert status.status_exit_code(status.status(backups.backups(), ())) == code


def test_status_ends_with_one_when_a_backup_is_overdue(photos: Backup) -> None:
    told = status.status(backups.backups(), ())
    told["backups"][0]["overdue"] = True

    assert status.status_exit_code(told) == 1


def test_a_copy_between_other_places_is_known_to_be_elsewhere() -> None:
    at_one = a_provider("At one", endpoint="https://one.example")
    photos = a_backup("Photos", a_storage(at_one, "photos"), a_storage(at_one, "copies"))
    a_run(photos, spec=queue.freeze(photos).to_json())
    assert not backups.backup_page(photos.id).row.moved

    photos.destination_path = "deeper"
    photos.save()

    assert backups.backup_page(photos.id).row.moved


def test_a_run_leads_to_the_providers_it_began_with_as_they_are_called_now() -> None:
    b2, archive = a_provider("B2"), a_provider("B2 archive")
    photos = a_backup("Photos", a_storage(b2, "photos"), a_storage(archive, "copies"))
    run = a_run(photos, spec=queue.freeze(photos).to_json())
    photos.destination_storage = a_storage(b2, "elsewhere")
    photos.save()
    archive.name = "Cold"
    archive.save()

    ends = {Side.SOURCE: (b2.id, "B2"), Side.DESTINATION: (archive.id, "Cold")}
    assert backups.run_page(run.id).providers == ends
