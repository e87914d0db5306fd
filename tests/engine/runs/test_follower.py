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
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import BackupRun, Storage
from bucketvault.vocabulary import Json, Phase, RunStatus
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


def step(name: str, number: int = 1) -> Json:
    return {"level": "info", "msg": name, "bucketvault": "step", "step": name, "pass": number}


def said(message: str, key: str, level: str = "info") -> Json:
    return {"level": level, "msg": message, "object": key, "objectType": OBJECT_TYPE}


def append(spool: Path, *lines: Json) -> None:
    with spool.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"time": "now", **line}) + "\n" for line in lines)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A log of that many replaced objects."""
    names = [f"photos/{n:05}.jpg" for n in range(OBJECTS)]
    found = tmp_path / "rclone.log"
    append(found, step("keep"), *(said("Copied (server-side copy)", name) for name in names))
    append(found, step("copy"), *(said("Copied (replaced existing)", name) for name in names))
    append(found, *(said("Compared both", name) for name in names))
    return found


@pytest.fixture
def follower(run: BackupRun, spool: Path) -> Follower:
    return Follower(run.id, spool, Redactor(()))


def refused(follower: Follower, *, final: bool = False) -> None:
    with pytest.raises(BusyError):
        follower.step(final=final)


@pytest.mark.parametrize("final", [False, True], ids=["as it copied", "at its end"])
def test_a_log_that_had_to_wait_for_the_database_is_read_to_its_end_all_the_same(
    run: BackupRun, held: sqlite3.Connection, follower: Follower, final: bool, spool: Path
) -> None:
    for _ in range(20):
        refused(follower, final=final)
    assert follower.lines < 3 * OBJECTS
    held.execute("ROLLBACK")

    follower.step(final=True)

    with connection():
        row = BackupRun.get_by_id(run.id)
    assert (row.replaced, row.archived, row.purged) == (OBJECTS, OBJECTS, 0)
    assert b"".join(run_logs.raw(run.id)) == spool.read_bytes()


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


@pytest.mark.parametrize("adopted", [False, True], ids=["by one program", "by the next one"])
def test_a_run_is_followed_over_all_its_passes_and_what_comes_after(
    open_store: Path, ends: tuple[Storage, Storage], tmp_path: Path, adopted: bool
) -> None:
    run = a_run(a_backup("Photos", *ends), RunStatus.RUNNING, phase=Phase.COPYING)
    spool = tmp_path / "rclone.log"
    follower = Follower(run.id, spool, Redactor(()))
    parts: list[list[Json]] = [
        [step("keep"), said("Copied (server-side copy)", "a"), step("copy")],
        [said("Failed to copy: no", "a", "error"), said("Copied (new)", "b")],
        [{"level": "error", "msg": "no", "object": "a", "bucketvault": "proof", "what": "missing"}],
        [step("keep", 2), said("Copied (server-side copy)", "a")],
        [step("copy", 2), said("Copied (replaced existing)", "a")],
        [step("remove", 2), said("Deleted", "c"), said("Moved into backup dir", "c")],
        [step("tidy"), said("Deleted", "old"), said("Couldn't delete: no", "older", "error")],
    ]
    for part in parts:
        append(spool, *part)
        follower.step(final=True)
    if adopted:
        follower = Follower(run.id, spool, Redactor(()))
        follower.start_over()
        follower.step(final=True)

    with connection():
        row = BackupRun.get_by_id(run.id)
    counts = {name: getattr(row, name) for name in follower.counts()}
    assert counts == follower.counts()
    assert counts == {
        "copied": 1,
        "replaced": 1,
        "archived": 3,
        "deleted": 1,
        "errors": 0,
        "bytes": 0,
        "purged": 1,
        "requests": {
            "source": {"reads": 4},
            "destination": {"writes": 4, "reads": 10, "deletes": 2},
        },
    }
    assert follower.transcript.tally.errored == {"a"}
    assert b"".join(run_logs.raw(run.id)) == spool.read_bytes()


def test_progress_that_somebody_else_shows_is_not_overwritten_by_an_older_one(
    run: BackupRun, follower: Follower, spool: Path
) -> None:
    follower.step(final=True)
    with writing():
        run.change(RunStatus.RUNNING, progress={"step": "prove"})

    append(spool, {"level": "error", "msg": "no", "bucketvault": "proof", "what": "missing"})
    follower.step(final=True)

    with connection():
        assert BackupRun.get_by_id(run.id).progress == {"step": "prove"}
