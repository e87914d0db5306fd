"""Opening the one file: its settings, its migrations, and what is refused and left alone."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path

import peewee as pw
import pytest

from bucketvault.config import DATABASE_NAME
from bucketvault.errors import DatabaseError
from bucketvault.store import database as store
from bucketvault.store.database import (
    BusyError,
    backup_database,
    close_database,
    connection,
    data_version,
    describe_sqlite_error,
    on_written,
    open_database,
    writing,
)
from bucketvault.store.models import Provider, Setting
from tests.store_fixtures import a_provider

Migrate = Callable[[str], None]


@pytest.fixture
def path(data_folder: Path) -> Path:
    """Where the database will be."""
    return data_folder / DATABASE_NAME


@pytest.fixture(autouse=True)
def closed() -> object:
    yield
    close_database()


@pytest.fixture
def add_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migrate:
    """Makes this program a newer one, with one more migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(store.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    last = max(int(file.name[:4]) for file in folder.glob("[0-9]*.py"))

    def add(body: str) -> None:
        (folder / f"{last + 1:04}_test.py").write_text(f"def up(migrator, db):\n    {body}\n")
        monkeypatch.setattr(store, "MIGRATIONS", folder)

    return add


def tables(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as plain:
        return {name for (name,) in plain.execute("SELECT name FROM sqlite_master")}


def pragma(name: str) -> object:
    with connection():
        return store.database.execute_sql(f"PRAGMA {name}").fetchone()[0]


# ---- settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auto_vacuum", 2),
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", 10_000),
    ],
)
def test_the_settings_are_in_force_in_every_connection(
    name: str, value: object, path: Path
) -> None:
    open_database(path)
    found = []

    def ask() -> None:
        found.append(pragma(name))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    ask()
    close_database()
    open_database(path)
    ask()

    assert found == [value] * 3


def test_a_connection_is_closed_after_the_piece_of_work_and_nests(open_store: Path) -> None:
    with connection():
        with connection():
            assert not store.database.is_closed()
        assert not store.database.is_closed()

    assert store.database.is_closed()


def test_a_write_that_fails_leaves_nothing_behind(open_store: Path) -> None:
    with pytest.raises(ZeroDivisionError), writing():
        a_provider("first")
        with writing():
            a_provider("second")
        raise ZeroDivisionError

    with connection():
        assert Provider.select().count() == 0


@pytest.mark.mounts
def test_a_full_disk_is_said_as_that_and_leaves_nothing_behind(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", small], check=True)
    try:
        open_database(small / DATABASE_NAME)
        with connection():  # the files beside it are there
            fill(small / "filler")

            with pytest.raises(BusyError, match="disk is full") as refused, writing():
                a_provider("Cloudflare")

            assert not Provider.select().exists()
            (small / "filler").unlink()
            with writing():
                a_provider("Backblaze")
            assert Provider.select().count() == 1
    finally:
        close_database()
        subprocess.run(["umount", small], check=True)
    told = describe_sqlite_error(refused.value, small / DATABASE_NAME)
    assert told.summary == f"The disk of {small} is full." and "Free some space" in told.hint


@pytest.mark.mounts
def test_a_database_without_room_for_the_files_beside_it_says_that_the_disk_is_full(
    tmp_path: Path,
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", small], check=True)
    try:
        open_database(small / DATABASE_NAME)
        close_database()
        fill(small / "filler")

        with pytest.raises(DatabaseError, match=f"The disk of {small} is full"):
            open_database(small / DATABASE_NAME)
    finally:
        close_database()
        subprocess.run(["umount", small], check=True)


def fill(file: Path) -> None:
    """Leave no room on the disk of `file`."""
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(b"\0" * 4096)


def test_writers_wait_for_each_other_also_when_they_read_first(open_store: Path) -> None:
    provider = a_provider("0")

    def count() -> None:
        for _ in range(10):
            with writing():
                row = Provider.get_by_id(provider.id)
                row.name = str(int(row.name) + 1)
                row.save()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with connection():
        assert Provider.get_by_id(provider.id).name == "40"


def test_data_version_moves_when_somebody_else_writes(open_store: Path) -> None:
    with connection():
        before = data_version()
        assert data_version() == before

        thread = threading.Thread(target=a_provider)
        thread.start()
        thread.join()

        assert data_version() != before


# ---- opening


def test_opening_again_changes_nothing(path: Path) -> None:
    open_database(path)
    a_provider()
    close_database()
    before = path.read_bytes()

    open_database(path)
    close_database()

    assert path.read_bytes() == before
    assert not (path.parent / "backups").exists()


@pytest.mark.slow
def test_two_programs_that_start_at_once_both_find_the_tables(path: Path) -> None:
    command = (
        "import sys; from pathlib import Path; from bucketvault.store.database import *;"
        "open_database(Path(sys.argv[1]))"
    )

    programs = [subprocess.Popen([sys.executable, "-c", command, str(path)]) for _ in range(3)]
    codes = [program.wait(60) for program in programs]

    assert codes == [0, 0, 0]
    assert {"provider", "backup_run"} <= tables(path)


def test_a_newer_database_is_refused_and_left_alone(path: Path, add_migration: Migrate) -> None:
    with pytest.MonkeyPatch.context() as newer:
        newer.setattr(store, "MIGRATIONS", store.MIGRATIONS)
        add_migration("db.execute_sql('CREATE TABLE later (id INTEGER PRIMARY KEY)')")
        open_database(path)
        close_database()
    older = Path(store.__file__).parent / "migrations"
    before = path.read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "MIGRATIONS", older)
        with pytest.raises(DatabaseError, match=r"newer bucketvault .*_test"):
            open_database(path)
    close_database()

    assert path.read_bytes() == before


def test_a_database_of_somebody_else_is_refused_and_left_alone(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as plain:
        plain.execute("CREATE TABLE recipes (name TEXT)")
        plain.commit()
    before = path.read_bytes()

    with pytest.raises(DatabaseError, match="not one of bucketvault"):
        open_database(path)
    close_database()

    assert path.read_bytes() == before


@pytest.mark.parametrize("contents", [b"this is a text file, " * 100, b"\x00" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(contents: bytes, path: Path) -> None:
    path.write_bytes(contents)

    with pytest.raises(DatabaseError, match=str(path)):
        open_database(path)
    close_database()

    assert path.read_bytes() == contents


def test_a_damaged_database_is_refused(path: Path) -> None:
    open_database(path)
    with writing():
        for number in range(200):
            a_provider(f"provider {number}", endpoint="x" * 200)
    with connection():
        store.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    close_database()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 3000)

    with pytest.raises(DatabaseError, match=str(path)):
        open_database(path, check=True)


def test_a_path_that_cannot_be_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="cannot be opened"):
        open_database(tmp_path)


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.touch()

    open_database(path)

    assert a_provider().id


def test_a_database_that_goes_as_it_is_opened_is_not_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may be between its look whether it is there and its opening."""
    open_database(path)
    close_database()
    path.unlink()

    with monkeypatch.context() as patch, pytest.raises(BusyError, match="unable to open"):
        patch.setattr(Path, "exists", lambda _: True)
        store.database.connect()

    assert not path.exists()


# ---- migrations


def test_the_old_file_is_kept_before_a_migration(path: Path, add_migration: Migrate) -> None:
    open_database(path)
    a_provider("before")
    close_database()

    add_migration("db.execute_sql('CREATE TABLE later (id INTEGER PRIMARY KEY)')")
    open_database(path)

    (copy,) = (path.parent / "backups").iterdir()
    assert copy.name.startswith("before-")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "later" in tables(path)
    assert "later" not in tables(copy)
    with contextlib.closing(sqlite3.connect(copy)) as plain:
        assert plain.execute("SELECT name FROM provider").fetchall() == [("before",)]


def test_a_copy_of_an_earlier_upgrade_is_never_replaced(path: Path, add_migration: Migrate) -> None:
    open_database(path)
    close_database()
    earlier = path.parent / "backups" / "before-0002_test.sqlite3"
    earlier.parent.mkdir()
    earlier.write_bytes(b"of an earlier upgrade")

    add_migration("db.execute_sql('ALTER TABLE nothing ADD COLUMN x')")
    with pytest.raises(DatabaseError):
        open_database(path)
    assert list(earlier.parent.iterdir()) == [earlier]  # it would be another one a start
    add_migration("db.execute_sql('CREATE TABLE later (id INTEGER PRIMARY KEY)')")
    open_database(path)

    assert {each.name for each in earlier.parent.iterdir()} == {
        earlier.name,
        "before-0002_test-1.sqlite3",
    }
    assert earlier.read_bytes() == b"of an earlier upgrade"


def test_a_migration_that_fails_half_way_leaves_the_old_schema(
    path: Path, add_migration: Migrate
) -> None:
    open_database(path)
    a_provider("before")
    close_database()
    add_migration(
        "db.execute_sql('CREATE TABLE later (id INTEGER PRIMARY KEY)');"
        "db.execute_sql('DROP TABLE run_log_chunk');"
        "db.execute_sql('ALTER TABLE nothing ADD COLUMN x')"
    )

    with pytest.raises(DatabaseError, match="nothing"):
        open_database(path)
    close_database()

    assert "later" not in tables(path)
    assert "run_log_chunk" in tables(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "MIGRATIONS", Path(store.__file__).parent / "migrations")
        open_database(path)
    with connection():
        assert Provider.get().name == "before"


def test_a_first_start_that_was_cut_short_is_made_up_for(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as plain:
        plain.execute(
            "CREATE TABLE schema_migration (id INTEGER NOT NULL PRIMARY KEY, "
            "name VARCHAR(255) NOT NULL, applied DATETIME NOT NULL)"
        )
        plain.commit()

    open_database(path)

    assert a_provider().id


# ---- copies


def test_a_copy_is_whole_while_others_write(open_store: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            a_provider(f"provider {number}")

    thread = threading.Thread(target=write)
    thread.start()
    target = open_store.parent / "copy.sqlite3"
    for _ in range(5):
        backup_database(target)
    stop.set()
    thread.join()

    assert target.stat().st_mode & 0o777 == 0o600
    assert not target.with_name("copy.sqlite3.unfinished").exists()
    with contextlib.closing(sqlite3.connect(target)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_copy_that_fails_leaves_the_last_good_one(
    open_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = open_store.parent / "copy.sqlite3"
    backup_database(target)
    before = target.read_bytes()
    target.with_name("copy.sqlite3.unfinished").mkdir()

    with pytest.raises((OSError, pw.DatabaseError, sqlite3.DatabaseError)):
        backup_database(target)

    assert target.read_bytes() == before


def test_topics_of_nested_writes_are_told_once_after_the_commit(told: list[str]) -> None:
    with writing("one"):
        with writing("two"):
            Setting.create(key="first", value="")
        assert told == []

    assert sorted(told) == ["one", "two"]


def test_others_see_what_was_written_by_the_time_it_is_told(open_store: Path) -> None:
    seen: list[int] = []

    def look(topics: Collection[str]) -> None:
        with contextlib.closing(sqlite3.connect(open_store)) as other:
            seen.append(*other.execute("SELECT count(*) FROM setting").fetchone())

    on_written(look)
    with writing("one"):
        Setting.create(key="first", value="")
    on_written(None)

    assert seen == [1]


def test_what_is_rolled_back_is_not_told(told: list[str]) -> None:
    with pytest.raises(ValueError, match="no"), writing("one"), writing("two"):
        raise ValueError("no")
    with writing():
        Setting.create(key="first", value="")

    assert told == []
