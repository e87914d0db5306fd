"""The one SQLite file: opening it, its settings, its migrations.

Every thread works inside `connection()`; every write inside `writing()`. A plain `atomic()` begins
deferred, and a deferred transaction that reads first and then writes fails at once with "database
is locked" when another connection wrote in between, whatever the busy timeout.
"""

import contextlib
import itertools
import logging
import os
import shutil
import sqlite3
import threading
import urllib.parse
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import peewee as pw
from playhouse import migrations

from bucketvault.errors import BrokenDatabaseError, DatabaseError, DatabaseHeldError
from bucketvault.sanitize import clean
from bucketvault.store.private_files import alone_in

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
HISTORY = "schema_migration"  # the table of applied migrations
ROOM_BYTES = 64 * 1024  # what SQLite's index of its log takes, and some

# Kept in the file: set once, in this order. After the switch to WAL, auto_vacuum stays off, and
# setting them again on each connection would write, which a full disk refuses.
OF_THE_FILE = (("auto_vacuum", "incremental"), ("journal_mode", "wal"))
OF_A_CONNECTION = (("synchronous", "full"), ("foreign_keys", "on"), ("busy_timeout", 10_000))

GONE = "it is missing"  # not a word of SQLite's
RESTORE = "bucketvault restore-database"
# Whatever SQLite refuses, see `describe_sqlite_error`. Peewee (4.5) passes on as it is what comes
# while rows are fetched, such as a damaged page.
SqliteError = (pw.DatabaseError, sqlite3.DatabaseError)
# The database cannot take something right now: another program holds it, or the disk is full.
BusyError = pw.OperationalError


def _never_made(path: Path) -> str:
    """Return the address of a database that SQLite opens, and never makes if it is gone."""
    return f"file://{urllib.parse.quote(os.fsencode(path.absolute()))}?mode=rw"


class _Database(pw.SqliteDatabase):
    def _connect(self) -> object:
        """Open the file; never make it: an empty one would be taken for a first start."""
        if self.connect_params.get("uri"):
            return super()._connect()  # type: ignore[misc]  # peewee has no types for it
        path = Path(self.database)
        try:
            opened = sqlite3.connect(_never_made(path), uri=True, isolation_level=None)
        except sqlite3.OperationalError as error:
            if path.exists():
                raise
            raise pw.OperationalError(f"unable to open database file, {GONE}") from error
        try:
            self._add_conn_hooks(opened)  # type: ignore[attr-defined]  # peewee has no types
        except BaseException:
            opened.close()
            raise
        return opened

    def rollback(self) -> None:
        """Undo what was written. On a full disk SQLite has done so: its word must not be lost."""
        if pw.SqliteDatabase.connection(self).in_transaction:
            super().rollback()


database: pw.SqliteDatabase = _Database(None)


_listener: Callable[[Collection[str]], None] | None = None


class _News(threading.local):
    def __init__(self) -> None:
        self.topics: set[str] = set()  # of this thread's transaction


_news = _News()


def connection() -> contextlib.AbstractContextManager[object]:
    """This thread's connection, opened and closed around a piece of work; nests."""
    if database.is_closed():
        return database.connection_context()
    return contextlib.nullcontext()


@contextlib.contextmanager
def writing(*topics: str) -> Iterator[None]:
    """One write transaction, begun IMMEDIATE, in this thread's connection.

    Keep it short: nothing waits for rclone or the network inside. Nested calls join the outer one.
    What `on_written` set is called with the topics of all of them once it is committed.
    """
    with connection():
        if database.in_transaction():
            _news.topics.update(topics)
            yield
            return
        _news.topics = told = set(topics)
        with database.atomic("IMMEDIATE"):
            yield
    if told and _listener is not None:
        _listener(told)


def on_written(listener: Callable[[Collection[str]], None] | None) -> None:
    """Call `listener` after each commit with its topics, in the thread that wrote; None: nobody."""
    global _listener
    _listener = listener


def open_database(path: Path, *, check: bool = False, keep_old: bool = True) -> None:
    """Make `path` the database of this process and bring its schema up to date.

    With `check`, SQLite looks through the whole file first, which takes a second a gigabyte. With
    `keep_old`, it is copied before its schema changes.
    A file that is not there yet is made. Raises DatabaseError, and BrokenDatabaseError when the
    file is damaged, is not ours, or is newer than this program.
    """
    close_database()
    database.init(str(path), uri=False, pragmas=OF_A_CONNECTION)  # peewee keeps what it had
    try:
        _refuse_foreign(path)
        _make(path)
        with connection(), alone_in(path.parent):
            if check and (found := quick_check()):
                raise _damaged(path, found)
            if database.execute_sql("PRAGMA journal_mode").fetchone()[0] != "wal":
                for name, value in OF_THE_FILE:
                    database.execute_sql(f"PRAGMA {name} = {value}")
            _migrate(path, keep_old=keep_old)
    except (pw.DatabaseError, sqlite3.DatabaseError) as error:
        raise describe_sqlite_error(error, path, "opened") from error


def _make(path: Path) -> None:
    try:
        path.touch(mode=0o600)
    except OSError as error:
        hint = "Check its folder: owner, mode and disk."
        summary = f"The database {path} cannot be opened: {error.strerror}."
        raise DatabaseError(summary, hint) from error


def describe_sqlite_error(
    error: pw.DatabaseError | sqlite3.DatabaseError, path: Path, what: str = "used now"
) -> DatabaseError:
    """Say what SQLite refused with the database `path`, and what to do."""
    said = clean(str(error))
    # before it writes anything it needs a small file beside the database: without room for that
    # it speaks of an error of the disk
    if "disk is full" in said or (
        "disk I/O error" in said and shutil.disk_usage(path.parent).free <= ROOM_BYTES
    ):
        return DatabaseError(
            f"The disk of {path.parent} is full.",
            "Free some space there, then try again: bucketvault needs it to record its runs.",
        )
    if "unable to open" in said and GONE not in said and _has_no_room_for_files(path.parent):
        return DatabaseError(
            f"The disk of {path.parent} cannot store more files.",
            "Delete small files there, even if space is free: df -i shows how many there are.",
        )
    if "readonly database" in said or "read-only" in said:
        return DatabaseError(
            f"The database {path} is read-only.",
            "Check the owner and mode of its folder, and the disk: after errors a system mounts "
            f"it read-only. See: findmnt -T {path.parent}; dmesg",
        )
    if "malformed" in said or "not a database" in said:
        return _damaged(path, said)
    if GONE in said:
        return BrokenDatabaseError(f"The database {path} is missing.", way_back(path))
    if "locked" in said:
        hint = "Another program is using it. Try again when it has finished."
        return DatabaseHeldError(f"The database {path} cannot be {what}: {said}.", hint)
    hint = "Check the file, its folder, their owner and the free space."
    return DatabaseError(f"The database {path} cannot be {what}: {said}.", hint)


def _has_no_room_for_files(folder: Path) -> bool:
    disk = os.statvfs(folder)
    return disk.f_files > 0 and disk.f_favail == 0


def _damaged(path: Path, found: str) -> BrokenDatabaseError:
    return BrokenDatabaseError(f"The database {path} is damaged.", way_back(path), clean(found))


def way_back(path: Path) -> str:
    """Say what to do if the database `path` is damaged or gone."""
    return (
        f"Stop bucketvault, then restore the newest copy from {path.parent / 'backups'}: {RESTORE}"
    )


def is_blank(path: Path) -> bool:
    """True if there is no database at `path`, or one without any table of ours.

    A file that is something else, or cannot be read, is not blank.
    """
    if not path.exists() or not path.stat().st_size:
        return True
    try:
        return not _tables(path) - {HISTORY}
    except sqlite3.Error:
        return False


def _tables(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(_never_made(path), uri=True)) as plain:
        return {name for (name,) in plain.execute("SELECT name FROM sqlite_master")}


def _refuse_foreign(path: Path) -> None:
    """Refuse another program's database before settings, WAL above all, are written into it."""
    if not path.exists():
        return
    tables = _tables(path)
    # a first start that was cut short leaves the history of migrations behind, and it alone
    if tables and HISTORY not in tables:
        raise BrokenDatabaseError(
            f"The file {path} is a database, but not one of bucketvault.",
            "Choose another data folder; this file was not changed.",
        )


def open_to_look(path: Path, *, busy_ms: int = 10_000) -> None:
    """Make `path` the database of this process, for reading: nothing is migrated, nothing written.

    Raises nothing; what is wrong with the file shows when it is read.
    """
    close_database()
    # without a log beside it no process works on it, and no file needs to be made to read it
    log_file = path.with_name(path.name + "-wal")
    how = "mode=ro" if log_file.exists() else "mode=ro&immutable=1"
    address = f"file:{urllib.parse.quote(str(path))}?{how}"
    database.init(address, uri=True, pragmas=(("busy_timeout", busy_ms),))


def quick_check() -> str:
    """Return what SQLite finds wrong with the file; empty: nothing. Reads all of it."""
    with connection():
        found = database.execute_sql("PRAGMA quick_check(1)").fetchone()
    said = str(found[0]) if found else "no answer"
    return "" if said == "ok" else said


def migrations_applied() -> list[str]:
    """The migrations this database has been through, in their order."""
    with connection():
        rows = database.execute_sql(f"SELECT name FROM {HISTORY} ORDER BY name").fetchall()  # noqa: S608
    return [str(name) for (name,) in rows]


def migrations_known() -> list[str]:
    """The migrations this program has, in their order."""
    return sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))


def close_database() -> None:
    """Close this thread's connection."""
    if not database.is_closed():
        database.close()


def data_version() -> int:
    """A number that changes whenever another connection has written; cheap enough to ask often.

    It only means something when asked again over the same connection.
    """
    return int(database.execute_sql("PRAGMA data_version").fetchone()[0])


class Writes:
    """Notices what is written into a database, by any connection of any process.

    It has a connection of its own, which writes nothing: `data_version` tells of all others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def seen(self) -> int:
        """A number that changes with every transaction that is committed. Any thread may ask."""
        with self._lock:
            if self._connection is None:
                where = _never_made(self._path)
                self._connection = sqlite3.connect(where, uri=True, check_same_thread=False)
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close the connection; the next question opens another one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def text_that_begins(beginning: str) -> str | None:
    """Where in the database a text begins so, as `table.column`; None: nowhere."""
    with connection():
        tables = database.execute_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            columns = database.execute_sql("SELECT name FROM pragma_table_info(?)", (table,))
            for (column,) in columns.fetchall():
                query = f'SELECT 1 FROM "{table}" WHERE substr("{column}", 1, ?) = ? LIMIT 1'  # noqa: S608 - names from the schema
                if database.execute_sql(query, (len(beginning), beginning)).fetchone():
                    return f"{table}.{column}"
    return None


def backup_database(target: Path) -> None:
    """Write a consistent, checked copy of the database to `target`; replaced only when whole.

    Raises DatabaseError when the copy does not pass SQLite's integrity check.
    """
    unfinished = target.with_name(target.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with connection(), contextlib.closing(sqlite3.connect(unfinished)) as copy:
            unfinished.chmod(0o600)
            database.connection().backup(copy)
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            copy.execute("PRAGMA journal_mode=delete")
        if found != "ok":
            raise DatabaseError(
                "A copy of the database did not pass its check.",
                "The database itself may be damaged: run `bucketvault doctor`.",
                str(found),
            )
        unfinished.replace(target)
    except (sqlite3.DatabaseError, pw.DatabaseError) as error:
        raise DatabaseError(
            f"The database could not be copied: {error}.",
            "Check whether its disk is full or damaged: `bucketvault doctor`.",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def database_bytes() -> int:
    """Return the size of the database, its write-ahead log included."""
    with connection():
        pages, size, free = (
            int(database.execute_sql(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "page_size", "freelist_count")
        )
    return (pages - free) * size


def give_back_space(pages: int) -> bool:
    """Return up to `pages` free pages of the file to the disk; False when there are no more.

    A short write transaction of its own. The file shrinks when SQLite next writes its log back.
    """
    with connection():
        # each step of this statement frees one page, and sqlite3's `execute` takes one step only
        try:
            database.connection().executescript(f"PRAGMA incremental_vacuum({pages:d})")
        except sqlite3.OperationalError as error:
            raise BusyError(str(error)) from error
        return int(database.execute_sql("PRAGMA freelist_count").fetchone()[0]) > 0


def write_log_back() -> None:
    """Write SQLite's log back into the file as far as no reader is in the way; returns at once."""
    with connection():
        database.execute_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _migrate(path: Path, *, keep_old: bool) -> None:
    """Apply what is new, each migration in its own transaction, after a copy of the old file."""
    runner = migrations.Runner(database, str(MIGRATIONS), table_name=HISTORY)
    unknown = [row.name for row in runner.status() if row.path is None]
    if unknown:
        raise BrokenDatabaseError(
            f"The database {path} was written by a newer bucketvault ({unknown[-1]}).",
            "Install that version again, or newer; this one leaves the file alone.",
        )
    pending = [row.name for row in runner.status() if not row.applied]
    if not pending:
        return
    kept = _keep_old(path, pending[0]) if keep_old and runner.applied() else None
    try:
        runner.up()
    except BaseException:
        if kept is not None and pending[0] not in migrations_applied():
            kept.unlink()  # nothing changed: the next try makes another one
        raise
    log.info("database migrated", extra={"applied": ", ".join(pending)})


def _keep_old(path: Path, migration: str) -> Path:
    """Copy the database under a free name: earlier copies stay."""
    folder = path.parent / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    names = (f"-{number}" if number else "" for number in itertools.count())
    every = (folder / f"before-{migration}{name}.sqlite3" for name in names)
    kept = next(each for each in every if not each.exists())
    backup_database(kept)
    return kept
