"""All of a run's spool is read, however long another program holds the database."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault.engine.rclone.log_lines import OBJECT_TYPE
from bucketvault.engine.runs import follower as follower_module
from bucketvault.engine.runs.follower import Follower
from bucketvault.sanitize import Redactor
from bucketvault.store import database, run_logs
from bucketvault.store.database import BusyError, connection
from bucketvault.store.models import BackupRun, Storage
from bucketvault.vocabulary import Phase, RunStatus
from tests.store_fixtures import a_backup, a_run

OBJECTS = 600


@pytest.fixture
def run(
    open_store: Path, ends: tuple[Storage, Storage], monkeypatch: pytest.MonkeyPatch
) -> BackupRun:
    """A run that copies, in a database that does not wait for others."""
    hasty = dict(database.OF_A_CONNECTION) | {"busy_timeout": 0}
    monkeypatch.setattr(database, "OF_A_CONNECTION", tuple(hasty.items()))
    monkeypatch.setattr(follower_module, "READ_BYTES", 20_001)  # never at the end of a line
    monkeypatch.setattr(follower_module, "MOST_WAITING_BYTES", run_logs.CHUNK_BYTES)
    database.open_database(open_store)
    return a_run(a_backup("Photos", *ends), RunStatus.RUNNING, phase=Phase.COPYING)


@pytest.fixture
def held(open_store: Path, run: BackupRun) -> Iterator[sqlite3.Connection]:
    """The database while another program writes."""
    other = sqlite3.connect(open_store, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


@pytest.fixture
def follower(run: BackupRun, tmp_path: Path) -> Follower:
    """Follows what rclone has said of that many replaced objects."""
    lines = [
        {"level": "info", "msg": message, "object": f"photos/{n:05}.jpg", "objectType": OBJECT_TYPE}
        for n in range(OBJECTS)
        for message in ("Copied (server-side copy)", "Deleted", "Copied (new)")
    ]
    spool = tmp_path / "rclone.log"
    spool.write_text("".join(json.dumps({"time": "now", **line}) + "\n" for line in lines), "utf-8")
    found = Follower(run.id, spool, Redactor(()))
    found.ends_at(spool.stat().st_size)
    return found


def refused(follower: Follower, *, final: bool = False) -> None:
    with pytest.raises(BusyError):
        follower.step(final=final)


@pytest.mark.parametrize("final", [False, True], ids=["as it copied", "at its end"])
def test_a_log_that_had_to_wait_for_the_database_is_read_to_its_end_all_the_same(
    run: BackupRun, held: sqlite3.Connection, follower: Follower, final: bool, tmp_path: Path
) -> None:
    for _ in range(20):
        refused(follower, final=final)
    assert follower.lines < 3 * OBJECTS
    held.execute("ROLLBACK")

    follower.step(final=True)
    follower.begin_tidying()
    follower.step(final=True)

    with connection():
        row = BackupRun.get_by_id(run.id)
    assert (row.replaced, row.archived, row.purged) == (OBJECTS, OBJECTS, 0)
    assert b"".join(run_logs.raw(run.id)) == (tmp_path / "rclone.log").read_bytes()


def test_a_follower_says_that_it_does_not_read_while_too_much_waits(
    held: sqlite3.Connection, follower: Follower
) -> None:
    assert not follower.is_behind

    for _ in range(20):
        refused(follower)

    assert follower.is_behind
    held.execute("ROLLBACK")
    follower.step()
    assert not follower.is_behind
