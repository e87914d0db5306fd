"""The files beside the database: each belongs to one backup and its ends, and goes with them."""

import datetime as dt
from pathlib import Path

import pytest

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.engine import Backups
from bucketvault.engine.runs import ledgers, queue
from bucketvault.store.models import Backup, BackupRun, Storage, utcnow
from bucketvault.vocabulary import Reason, RunKind, RunStatus, Trigger
from tests.engine.runs.plans import a_plan
from tests.store_fixtures import a_backup, a_run, a_storage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledgers"


@pytest.fixture
def photos(ends: tuple[Storage, Storage]) -> Backup:
    return a_backup("Photos", *ends)


def spec_of(backup: Backup) -> RunSpec:
    return queue.freeze(backup)


def held_run(backup: Backup, **more: object) -> BackupRun:
    return a_run(
        backup,
        RunStatus.FAILED,
        **{
            "reason": Reason.BRAKE,
            "spec": spec_of(backup).to_json(),
            "findings": Findings(removed=12, destination_objects=20).to_json(),
            **more,
        },
    )


def new_ledger(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ledger.gz"
    path.write_text(text)
    return path


def hold_plan(folder: Path, run: BackupRun, tmp_path: Path, *removed: str) -> None:
    ledgers.hold_plan(folder, run, a_plan(tmp_path / run.uuid / "look-0", removed=removed))


def approved_run(held: BackupRun) -> BackupRun:
    """The run that `held` was approved for, claimed."""
    run = BackupRun.get(BackupRun.id == queue.approve(held.id))
    run.spec = held.spec
    return run


# ---- ledgers


def test_a_backup_has_another_ledger_after_an_end_was_changed(
    photos: Backup, folder: Path, tmp_path: Path
) -> None:
    before = spec_of(photos)
    ledgers.take_ledger(folder, before, new_ledger(tmp_path, "before"))
    photos.destination_path = "elsewhere"
    after = spec_of(photos)

    assert not ledgers.ledger_of(folder, after).exists()

    ledgers.take_ledger(folder, after, new_ledger(tmp_path, "after"))

    assert [path.read_text() for path in folder.iterdir()] == ["after"]
    assert ledgers.ledger_of(folder, after).read_text() == "after"


def test_another_name_or_mode_of_a_backup_keeps_its_ledger(photos: Backup, folder: Path) -> None:
    before = ledgers.ledger_of(folder, spec_of(photos))
    photos.name, photos.retention_days = "Pictures", 1
    photos.source_storage.display_name = "the good ones"

    assert ledgers.ledger_of(folder, spec_of(photos)) == before


def test_the_ledger_of_another_backup_stays(
    photos: Backup, ends: tuple[Storage, Storage], folder: Path, tmp_path: Path
) -> None:
    similar = a_backup("Music", *ends, archive_key=f"{photos.archive_key}-2")
    ledgers.take_ledger(folder, spec_of(similar), new_ledger(tmp_path, "similar"))

    ledgers.take_ledger(folder, spec_of(photos), new_ledger(tmp_path, "photos"))

    assert ledgers.ledger_of(folder, spec_of(similar)).read_text() == "similar"


# ---- held plans


def test_an_approved_run_finds_the_plan_that_was_shown(
    photos: Backup, folder: Path, tmp_path: Path
) -> None:
    held = held_run(photos)
    hold_plan(folder, held, tmp_path, "a", "b")

    plan = ledgers.approved_plan(folder, approved_run(held))

    assert plan is not None and [each.key for each in plan.differences()] == [b"a", b"b"]
    assert plan.folder.stat().st_mode & 0o077 == 0


def test_a_run_that_nobody_approved_finds_none(
    photos: Backup, folder: Path, tmp_path: Path
) -> None:
    held = held_run(photos)
    hold_plan(folder, held, tmp_path, "a")

    assert ledgers.approved_plan(folder, held) is None


def test_only_the_newest_held_plan_is_kept(photos: Backup, folder: Path, tmp_path: Path) -> None:
    older = held_run(photos)
    hold_plan(folder, older, tmp_path, "a")
    of_older = approved_run(older)
    BackupRun.delete().where(BackupRun.id == of_older.id).execute()
    newer = held_run(photos)
    hold_plan(folder, newer, tmp_path, "b")

    assert ledgers.approved_plan(folder, of_older) is None
    plan = ledgers.approved_plan(folder, approved_run(newer))
    assert plan is not None and [each.key for each in plan.differences()] == [b"b"]
    assert len(list(folder.iterdir())) == 1


def test_a_good_run_leaves_nothing_to_approve(photos: Backup, folder: Path, tmp_path: Path) -> None:
    held = held_run(photos)
    hold_plan(folder, held, tmp_path, "a")
    run = approved_run(held)

    ledgers.forget_plan(folder, run)

    assert ledgers.approved_plan(folder, run) is None and list(folder.iterdir()) == []


# ---- what nobody needs any more


def test_what_belongs_to_a_deleted_backup_goes(
    photos: Backup, ends: tuple[Storage, Storage], folder: Path, tmp_path: Path
) -> None:
    music = a_backup("Music", *ends)
    for backup in (photos, music):
        ledgers.take_ledger(folder, spec_of(backup), new_ledger(tmp_path, backup.name))
        hold_plan(folder, held_run(backup), tmp_path, "a")
    (folder / f"{photos.archive_key}.0.gz.new").write_text("half")

    photos.delete_instance()
    ledgers.sweep(folder)

    left = {path.name for path in folder.iterdir()}
    assert left == {"music-key.held", ledgers.ledger_of(folder, spec_of(music)).name}


def test_a_held_plan_stays_as_long_as_it_can_be_approved(
    photos: Backup, folder: Path, tmp_path: Path
) -> None:
    held = held_run(photos, finished_at=utcnow() - dt.timedelta(days=6))
    hold_plan(folder, held, tmp_path, "a")
    a_run(photos, kind=RunKind.PREVIEW)

    ledgers.sweep(folder)

    assert ledgers.approved_plan(folder, approved_run(held)) is not None


def test_a_held_plan_stays_while_its_approved_run_waits(
    photos: Backup, folder: Path, tmp_path: Path
) -> None:
    held = held_run(photos)
    hold_plan(folder, held, tmp_path, "a")
    run = approved_run(held)

    ledgers.sweep(folder)
    assert ledgers.approved_plan(folder, run) is not None

    BackupRun.update(
        status=RunStatus.FAILED, reason=Reason.UNREACHABLE, finished_at=utcnow()
    ).where(BackupRun.id == run.id).execute()
    ledgers.sweep(folder)
    assert ledgers.approved_plan(folder, run) is None


def test_a_held_plan_goes_once_a_newer_run_has_ended(
    photos: Backup, folder: Path, tmp_path: Path
) -> None:
    hold_plan(folder, held_run(photos), tmp_path, "a")
    a_run(photos, RunStatus.FAILED, trigger=Trigger.SCHEDULE)

    ledgers.sweep(folder)

    assert list(folder.iterdir()) == []


def test_a_plan_of_a_run_that_has_not_ended_yet_stays(
    photos: Backup, folder: Path, tmp_path: Path
) -> None:
    run = a_run(photos, RunStatus.RUNNING, spec=spec_of(photos).to_json())
    hold_plan(folder, run, tmp_path, "a")

    ledgers.sweep(folder)

    assert len(list(folder.iterdir())) == 1


def test_without_a_folder_there_is_nothing_to_sweep(open_store: Path, tmp_path: Path) -> None:
    ledgers.sweep(tmp_path / "none")


def test_an_end_of_the_same_name_elsewhere_is_another(
    photos: Backup, ends: tuple[Storage, Storage], folder: Path
) -> None:
    before = ledgers.ledger_of(folder, spec_of(photos))
    photos.source_storage = a_storage(ends[1].provider, ends[0].bucket_name)

    assert ledgers.ledger_of(folder, spec_of(photos)) != before


def test_with_a_backup_goes_what_is_known_of_its_objects(
    photos: Backup, folder: Path, tmp_path: Path
) -> None:
    ledgers.take_ledger(folder, spec_of(photos), new_ledger(tmp_path, "photos"))

    Backups(folder).delete(photos.id)

    assert list(folder.iterdir()) == []
