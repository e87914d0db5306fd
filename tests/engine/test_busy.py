"""Errors for the user when the database cannot take a request."""

import sqlite3
from pathlib import Path

import peewee as pw
import pytest

from bucketvault.engine.busy import busy_in_words
from bucketvault.engine.runs import queue
from bucketvault.errors import DatabaseError
from bucketvault.store import database
from bucketvault.store.models import Setting, Storage
from bucketvault.vocabulary import Trigger
from tests import store_fixtures as make


@pytest.fixture
def hasty_store(open_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The open database, which does not wait for others."""
    hasty = dict(database.OF_A_CONNECTION) | {"busy_timeout": 0}
    monkeypatch.setattr(database, "OF_A_CONNECTION", tuple(hasty.items()))
    database.open_database(open_store)
    return open_store


def test_a_database_that_another_program_holds_is_said_to_be_busy(
    hasty_store: Path, ends: tuple[Storage, Storage]
) -> None:
    photos = make.a_backup("Photos", *ends)
    other = sqlite3.connect(hasty_store, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseError) as told, busy_in_words():
        queue.enqueue(photos.id, Trigger.MANUAL)

    other.close()
    assert told.value.summary == "The database is busy: another program is using it."
    assert told.value.hint == "Nothing was changed. Try again."
    assert queue.run_under_way(photos.id) is None


def test_a_full_disk_is_not_called_busy(hasty_store: Path) -> None:
    with database.connection():
        database.database.execute_sql("PRAGMA max_page_count = 1")  # no larger than it is

        with pytest.raises(DatabaseError) as told, busy_in_words(), database.writing():
            Setting.create(key="long", value="x" * 1_000_000)

    assert told.value.summary == f"The disk of {hasty_store.parent} is full."
    assert told.value.hint.startswith("Nothing was changed. Free some space there, then try again")


def test_a_damaged_database_is_said_to_be_and_a_fault_of_ours_is_not_dressed_up() -> None:
    with pytest.raises(DatabaseError, match="is damaged"), busy_in_words():
        raise pw.DatabaseError("database disk image is malformed")

    with pytest.raises(pw.IntegrityError), busy_in_words():
        raise pw.IntegrityError("UNIQUE constraint failed")
