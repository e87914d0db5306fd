"""Why no file can be made in a folder, whatever room its disk has."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from bucketvault.engine.health import writable
from bucketvault.engine.health.writable import FEW_FILES, unwritable
from bucketvault.store import database
from bucketvault.store.database import describe_sqlite_error


def disk(files: int, left: int) -> SimpleNamespace:
    return SimpleNamespace(f_files=files, f_favail=left)


@pytest.mark.parametrize(
    ("found", "title"),
    [
        (disk(10_000, FEW_FILES - 1), "The disk cannot store more files"),
        (disk(10_000, FEW_FILES), ""),
        (disk(0, 0), ""),  # Btrfs: any number
    ],
)
def test_a_disk_without_room_for_files_is_told_apart_from_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: SimpleNamespace, title: str
) -> None:
    monkeypatch.setattr(writable.os, "statvfs", lambda folder: found)

    told = unwritable(tmp_path)

    assert (told.title if told else "") == title


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writable.os, "access", lambda folder, how: how != os.W_OK)

    told = unwritable(tmp_path)

    assert told is not None and "read-only" in told.title and str(tmp_path) in told.todo


def test_what_sqlite_says_of_both_is_put_into_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bucketvault.sqlite3"
    read_only = database.BusyError("attempt to write a readonly database")
    monkeypatch.setattr(database.os, "statvfs", lambda folder: disk(10_000, 0))
    no_room = database.BusyError("unable to open database file")

    assert "is read-only" in describe_sqlite_error(read_only, path).summary
    assert "cannot store more files" in describe_sqlite_error(no_room, path).summary
