"""The tables' own rules, for every writer, and the changes a run may go through."""

import datetime as dt
import threading
import zoneinfo
from typing import Any

import peewee as pw
import pytest

from bucketvault.store import models
from bucketvault.store.database import connection, database, writing
from bucketvault.store.models import Backup, BackupRun, RunLogChunk
from bucketvault.vocabulary import Reason, RunStatus, Schedule, Trigger
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage, at

pytestmark = pytest.mark.usefixtures("open_store")

MODELS = [
    model
    for model in vars(models).values()
    if isinstance(model, type) and issubclass(model, pw.Model) and model is not models.BaseModel
]


@pytest.fixture
def backup() -> Backup:
    provider = a_provider()
    return a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copies"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_class_has_the_columns_of_its_table(model: Any) -> None:
    with connection():
        columns = {column.name: column for column in database.get_columns(model._meta.table_name)}

    fields = {field.column_name: field for field in model._meta.sorted_fields}

    assert set(fields) == set(columns)
    assert {name for name, field in fields.items() if field.null} == {
        name for name, column in columns.items() if column.null and not column.primary_key
    }


def test_there_is_a_class_for_every_table() -> None:
    with connection():
        tables = set(database.get_tables()) - {"schema_migration", "sqlite_sequence"}

    assert tables == {model._meta.table_name for model in MODELS}


@pytest.mark.parametrize("first", [RunStatus.PENDING, RunStatus.RUNNING])
@pytest.mark.parametrize("second", [RunStatus.PENDING, RunStatus.RUNNING])
def test_a_backup_has_one_run_under_way(
    first: RunStatus, second: RunStatus, backup: Backup
) -> None:
    a_run(backup)
    a_run(backup, first)

    with pytest.raises(pw.IntegrityError):
        a_run(backup, second)


def test_two_backups_may_run_at_once(backup: Backup) -> None:
    other = a_backup("Other", backup.source_storage, backup.destination_storage)

    a_run(backup, RunStatus.RUNNING)

    assert a_run(other, RunStatus.RUNNING).id


def test_a_slot_fires_once_however_its_run_ended(backup: Backup) -> None:
    a_run(backup, RunStatus.FAILED, scheduled_for=at(2))

    with pytest.raises(pw.IntegrityError):
        a_run(backup, scheduled_for=at(2).astimezone(zoneinfo.ZoneInfo("Asia/Tokyo")))
    assert a_run(backup, scheduled_for=at(3)).id
    assert a_run(backup).id
    assert a_run(backup).id  # without a slot there may be many


def test_only_one_of_those_who_end_a_run_does(backup: Backup) -> None:
    run_id = a_run(backup, RunStatus.RUNNING, rclone_pid=1).id
    start = threading.Barrier(8)
    wins: list[str] = []

    def finish(name: str) -> None:
        with connection():
            run = BackupRun.get_by_id(run_id)
        start.wait()
        with writing():
            if run.finish(RunStatus.FAILED, reason=Reason.KILLED, explanation=name):
                wins.append(name)

    threads = [threading.Thread(target=finish, args=(f"thread {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with connection():
        run = BackupRun.get_by_id(run_id)
    assert len(wins) == 1
    assert run.explanation == wins[0]
    assert (run.status, run.reason, run.rclone_pid) == ("failed", "killed", None)
    assert run.finished_at is not None


def test_who_comes_second_changes_neither_row_nor_instance(backup: Backup) -> None:
    run = a_run(backup, RunStatus.RUNNING)
    with writing():
        stale = BackupRun.get_by_id(run.id)
        assert run.finish(RunStatus.SUCCESS)

        assert not stale.finish(RunStatus.FAILED, reason=Reason.INTERRUPTED)
        assert not stale.change(RunStatus.PENDING, explanation="x")

    assert stale.status == RunStatus.RUNNING
    assert stale.explanation == ""
    with connection():
        assert BackupRun.get_by_id(run.id).status == RunStatus.SUCCESS


BAD_RUNS: list[tuple[RunStatus, dict[str, Any]]] = [
    (RunStatus.FAILED, {"reason": None}),
    (RunStatus.FAILED, {"finished_at": None}),
    (RunStatus.SUCCESS, {"finished_at": None}),
]


@pytest.mark.parametrize(("status", "given"), BAD_RUNS)
def test_an_ended_run_says_when_and_a_failed_one_why(
    status: RunStatus, given: dict[str, Any], backup: Backup
) -> None:
    with pytest.raises(pw.IntegrityError):
        a_run(backup, status, **given)


BAD_BACKUPS: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "Photos"},
    {"archive_key": "photos-key"},
    {"at": "2:30"},
    {"at": "12:60"},
    {"schedule": Schedule.WEEKLY},
    {"retention_days": 0},
    {"retention_days": 3651},
    {"shrink_limit_percent": 101},
    {"source_storage": 99},
]


@pytest.mark.parametrize("given", BAD_BACKUPS, ids=str)
def test_the_database_itself_refuses_a_bad_backup(given: dict[str, Any], backup: Backup) -> None:
    fields = {
        "name": "Other",
        "source_storage": backup.source_storage,
        "destination_storage": backup.destination_storage,
        "at": "02:30",
        "time_zone": "UTC",
        "archive_key": "other-key",
        **given,
    }

    with pytest.raises(pw.IntegrityError), writing():
        Backup.create(**fields)


def test_the_database_itself_refuses_a_word_it_does_not_know(backup: Backup) -> None:
    with pytest.raises(pw.IntegrityError), writing():
        database.execute_sql("UPDATE backup SET schedule = 'hourly'")
    with pytest.raises(pw.IntegrityError), writing():
        database.execute_sql("UPDATE provider SET provider_type = 'dropbox'")
    with pytest.raises(ValueError, match="hourly"), writing():
        Backup.update(schedule="hourly").execute()


def test_what_is_in_use_is_not_deleted_even_without_being_asked(backup: Backup) -> None:
    for row in (backup.source_storage.provider, backup.source_storage, backup.destination_storage):
        with pytest.raises(pw.IntegrityError), writing():
            row.delete_instance()


def test_a_deleted_backup_takes_its_runs_and_their_logs(backup: Backup) -> None:
    run = a_run(backup)
    with writing():
        RunLogChunk.insert(
            run_id=run.id,
            seq=0,
            first_line=0,
            line_count=1,
            first_shown=0,
            shown_count=1,
            raw_bytes=1,
            data=b"x",
            kinds=b"x",
        ).execute()

    with writing():
        backup.delete_instance()

    with connection():
        assert BackupRun.select().count() == RunLogChunk.select().count() == 0


def test_a_number_of_a_run_is_never_given_again(backup: Backup) -> None:
    first = a_run(backup)
    with writing():
        first.delete_instance()

    assert a_run(backup).id > first.id


# ---- values


def test_times_come_back_in_utc_to_the_microsecond(backup: Backup) -> None:
    moment = dt.datetime(2026, 10, 25, 2, 30, 0, 7, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))

    run = a_run(backup, started_at=moment)

    with connection():
        stored = BackupRun.get_by_id(run.id).started_at
    assert stored == dt.datetime(2026, 10, 25, 0, 30, 0, 7, tzinfo=dt.UTC)
    assert stored.tzinfo is dt.UTC


def test_times_sort_as_text_as_they_do_in_time(backup: Backup) -> None:
    moments = [at(2), at(2) + dt.timedelta(microseconds=1), at(3), at(2, day=10), at(1, day=30)]
    for moment in reversed(moments):
        a_run(backup, started_at=moment)

    with connection():
        stored = [run.started_at for run in BackupRun.select().order_by(BackupRun.started_at)]
        late = BackupRun.select().where(BackupRun.started_at > at(3)).count()

    assert stored == moments
    assert late == 2


def test_a_time_without_a_zone_is_refused(backup: Backup) -> None:
    with pytest.raises(ValueError, match="zone"):
        a_run(backup, started_at=dt.datetime(2026, 1, 1))  # noqa: DTZ001


def test_words_and_json_come_back_as_what_they_are(backup: Backup) -> None:
    run = a_run(
        backup,
        RunStatus.FAILED,
        reason=Reason.BRAKE,
        trigger=Trigger.CATCH_UP,
        spec={"a": ["ü", 1]},
        warnings=["x"],
    )

    with connection():
        stored = BackupRun.get_by_id(run.id)

    assert stored.reason is Reason.BRAKE
    assert stored.trigger is Trigger.CATCH_UP
    assert (stored.spec, stored.warnings, stored.progress) == ({"a": ["ü", 1]}, ["x"], {})


def test_a_change_is_dated(backup: Backup) -> None:
    before = backup.updated_at

    with writing():
        Backup.update(at="05:00").execute()
        updated = Backup.get_by_id(backup.id).updated_at
        backup.save()

    assert before < updated < backup.updated_at
    assert backup.created_at == Backup.get_by_id(backup.id).created_at
