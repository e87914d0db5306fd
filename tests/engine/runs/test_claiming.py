"""Taking the next run out of the queue: what it begins with, and what a refused attempt leaves."""

import os
from pathlib import Path
from typing import Any

import pytest
from peewee import IntegrityError

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.rclone.log_lines import OBJECT_TYPE
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.engine.runs.follower import Follower
from bucketvault.sanitize import Redactor
from bucketvault.store import run_logs
from bucketvault.store.database import connection, database, writing
from bucketvault.store.models import Backup, BackupRun, Storage
from bucketvault.vocabulary import RunStatus, Trigger
from tests.store_fixtures import a_backup

LINES = (
    b'{"time":"x","level":"info","msg":"Copied (new)","object":"%d","objectType":"'
    + OBJECT_TYPE.encode()
    + b'"}\n'
)


@pytest.fixture
def backup(ends: tuple[Storage, Storage]) -> Backup:
    backup = a_backup("Photos", *ends)
    queue.enqueue(backup.id, Trigger.MANUAL)
    return backup


def taken(runs: Path) -> tuple[BackupRun, RunFolder]:
    """The next run, whose worker holds the lock no more."""
    claimed = queue.claim(runs, 1)
    assert claimed is not None
    run, folder, lock = claimed
    os.close(lock)
    return run, folder


def row() -> dict[str, Any]:
    with connection():
        return BackupRun.select().dicts().get()


def files_open_below(folder: Path) -> set[str]:
    """Files that this process has open there, also deleted ones."""
    return {to for to in map(_target, Path("/proc/self/fd").iterdir()) if str(folder) in to}


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # that of the listing itself, or another thread's
        return ""


def test_a_run_that_is_taken_again_begins_with_nothing_of_the_attempt_before(
    backup: Backup, tmp_path: Path
) -> None:
    run, folder = taken(tmp_path / "runs")
    begun = row()
    folder.append_to_spool(b"".join(LINES % n for n in range(2000)))
    Follower(run.id, folder.spool, Redactor(())).step(rclone_pid=17, final=True)
    assert row()["copied"] == row()["log_lines"] == 2000
    with writing():
        run.change(
            RunStatus.RUNNING,
            status=RunStatus.PENDING,
            phase=None,
            findings=Findings(removed=3).to_json(),
            source_objects=8,
            source_bytes=9,
            progress={"checks": 7},
            requeued=True,
        )

    taken(tmp_path / "runs")

    own = {"archive_stamp", "started_at", "spec", "requeued", "updated_at"}
    assert {name: value for name, value in row().items() if name not in own} == {
        name: value for name, value in begun.items() if name not in own
    }
    assert run_logs.size(run.id) == run_logs.LogSize(0, 0, 0)
    assert list(run_logs.raw(run.id)) == []


def test_a_claim_that_is_refused_as_it_is_committed_leaves_nothing_open_and_nothing_behind(
    backup: Backup, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    with writing():  # a full disk refuses at the commit; what SQLite checks only then does as well
        database.execute_sql(
            "CREATE TABLE late (id INTEGER REFERENCES backup (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        database.execute_sql(
            "CREATE TRIGGER refused AFTER UPDATE ON backup_run "
            "BEGIN INSERT INTO late VALUES (0); END"
        )

    with pytest.raises(IntegrityError):
        queue.claim(runs, 1)

    assert row()["status"] == RunStatus.PENDING
    assert not list(runs.iterdir()) and not files_open_below(runs)
    with writing():
        database.execute_sql("DROP TRIGGER refused")
    run, folder = taken(runs)
    assert run.backup_id == backup.id and folder.path.is_dir()
