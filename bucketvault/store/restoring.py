"""Put a copy of the database back: checked, the former one aside, and safe to go on with.

What happened after the copy was made is not in it, and did happen: mails went out, numbers were
given, folders of kept versions were made, retention was raised. `_make_safe` is about that.

Decisions: docs/decisions/store.md.
"""

import contextlib
import datetime as dt
import itertools
import json
import os
import shutil
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bucketvault.errors import BrokenDatabaseError
from bucketvault.store.copies import SelfBackup, read_only
from bucketvault.store.database import (
    HISTORY,
    close_database,
    connection,
    database,
    open_database,
    writing,
)
from bucketvault.store.models import (
    IS_ACTIVE,
    AlertTarget,
    Backup,
    BackupRun,
    Mail,
    Session,
    Setting,
    SignInLink,
    utcnow,
)
from bucketvault.vocabulary import Phase, Reason, RunStatus

Row = dict[str, Any]  # plain values of SQLite, by column
BESIDE = ("", "-wal", "-shm")  # SQLite's own files
ASIDE = "aside"  # a folder in the data folder, while the former database is moved
NUMBERS_LEFT_OUT = 1000  # where it is not known which were given since
KEEPS_ALL = dt.timedelta(days=7)  # after a restore: a retention that was raised since is not known
STAMP = "%Y%m%dT%H%M%SZ"
RESTORED = "restored"  # the setting
NOT_KNOWN = "It is not known whether it was sent: the database was restored from an older copy."
ENDED = (
    "The database was restored from a copy that was made before this run ended. How it ended is "
    "not known."
)
RUN_AGAIN = "Run the backup again: it completes the copy."


@dataclass(frozen=True, slots=True)
class Restored:
    """The last restore of this database."""

    at: dt.datetime
    day: str  # of the copy, in ISO form

    @property
    def keeps_all_until(self) -> dt.datetime:
        """Until then no kept version is deleted for its age."""
        return self.at + KEEPS_ALL


@dataclass(frozen=True, slots=True)
class PutBack:
    """A restore that was made, and what is known of the time since the copy."""

    aside: Path | None  # the folder with the former database; None: there was none
    backups: tuple[str, ...]  # names, of all that the copy has
    tells_all: bool  # the former database could be read: the rest is all there is to say
    runs: int  # that the copy did not have, and were taken over without their logs
    missing: tuple[str, ...]  # backups that the copy does not have
    changed: tuple[str, ...]  # backups whose settings are other ones in the copy
    not_known: int  # runs that had not ended in the copy, and nobody knows how they did
    mails: int  # that waited in the copy, and are not sent unless somebody asks for it


def last_restore() -> Restored | None:
    """Return the last restore of the open database; None: there was none."""
    with connection():
        row = Setting.get_or_none(Setting.key == RESTORED)
    if row is None:
        return None
    with contextlib.suppress(ValueError, KeyError, TypeError):
        told = json.loads(row.value)
        return Restored(dt.datetime.fromisoformat(told["at"]), str(told["day"]))
    return None


def lately_restored(now: dt.datetime) -> Restored | None:
    """Return the last restore while no kept version is deleted for its age; else None."""
    found = last_restore()
    return found if found is not None and now < found.keeps_all_until else None


def check(copy: Path) -> None:
    """Read all of a copy. Raises BrokenDatabaseError where it is damaged, or not ours."""
    try:
        with contextlib.closing(read_only(copy)) as plain:
            (found,) = plain.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise BrokenDatabaseError(f"The copy {copy} is damaged.", "", str(found))
            plain.execute(f"SELECT name FROM {HISTORY}").fetchall()  # noqa: S608 - ours
    except sqlite3.Error as error:
        raise BrokenDatabaseError(f"The copy {copy} is damaged.", "", str(error)) from error


def put_back(path: Path, copy: SelfBackup, under_way: Collection[str]) -> PutBack:
    """Put `copy` in the place of the database `path`, while nobody works on it; checked before.

    `under_way`: the UUIDs of runs that still copy. Whenever the machine stops, no file of the
    former database is lost, and the next call finds it whole. Raises BrokenDatabaseError, OSError.
    """
    check(copy.path)
    _settle_aside(path)
    new = path.with_name(f"{path.name}.new")
    for suffix in (*BESIDE, "-journal"):
        new.with_name(new.name + suffix).unlink(missing_ok=True)
    try:
        shutil.copyfile(copy.path, new)
        new.chmod(0o600)
        made = _made_safe(new, path, copy, under_way)
        _sync(new)
    except BaseException:
        close_database()
        for suffix in BESIDE:
            new.with_name(new.name + suffix).unlink(missing_ok=True)
        raise
    _put_aside(path)
    new.replace(path)
    _sync(path.parent)
    return replace(made, aside=_settle_aside(path))


def _made_safe(new: Path, former: Path, copy: SelfBackup, under_way: Collection[str]) -> PutBack:
    """Bring the copy up to date, and leave nothing in it that would be wrong by now."""
    open_database(new, keep_old=False)  # the copy itself stays
    with contextlib.ExitStack() as open_:
        open_.callback(close_database)
        old = _Former(former)
        open_.callback(old.close)
        with writing():
            now = utcnow()
            missing, changed = old.backups()
            not_known = _end_runs(old, under_way, now)
            runs = _take_over_runs(old, under_way, now)
            mails = _hold_mails(old, now)
            _skip_numbers(old)
            _set_backups(old, now)
            # who was signed out since, or whose link was replaced, must not be let in again
            Session.delete().execute()
            SignInLink.delete().execute()
            note = {"at": now.isoformat(), "day": copy.day.isoformat()}
            Setting.insert(key=RESTORED, value=json.dumps(note)).on_conflict_replace().execute()
        with connection():
            backups = Backup.select(Backup.name).order_by(Backup.name)
            names = tuple(backup.name for backup in backups)
            database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            database.execute_sql("PRAGMA journal_mode = delete").fetchall()  # one file to move
        return PutBack(None, names, old.tells_all, runs, missing, changed, not_known, mails)


def _ended(now: dt.datetime) -> dict[str, object]:
    return {
        "status": RunStatus.FAILED,
        "reason": Reason.INTERRUPTED,
        "explanation": ENDED,
        "hint": RUN_AGAIN,
        "finished_at": now,
    }


def _end_runs(old: "_Former", under_way: Collection[str], now: dt.datetime) -> int:
    """End what had not ended in the copy; return of how many it is not known how.

    A run that still copies is looked after later.
    """
    known = {row["uuid"] for _, row in old.runs()}
    lost = 0
    for run in list(BackupRun.select().where(IS_ACTIVE)):
        if run.uuid in known:
            run.delete_instance()  # the former database knows more of it, and it is taken over
        elif run.uuid not in under_way:
            lost += 1
            # the copy may have been changed since, also by a run that only waited then
            BackupRun.update(phase=Phase.COPYING, **_ended(now)).where(
                BackupRun.id == run.id
            ).execute()
    return lost


def _take_over_runs(old: "_Former", under_way: Collection[str], now: dt.datetime) -> int:
    """Add the runs that the copy does not have, without their logs; return how many those are."""
    known = {run.uuid for run in BackupRun.select(BackupRun.uuid)}
    numbers = {run.id for run in BackupRun.select(BackupRun.id)}
    keys = {backup.archive_key: backup.id for backup in Backup.select()}
    newer = 0
    for key, row in old.runs():
        if row["uuid"] in known or row["id"] in numbers or key not in keys:
            continue
        row |= {"backup_id": keys[key], "log_lines": 0, "log_bytes": 0}
        if row["status"] in (RunStatus.PENDING, RunStatus.RUNNING) and row["uuid"] not in under_way:
            row |= {**_ended(now), "finished_at": row["updated_at"], "phase": Phase.COPYING}
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        query = f"INSERT OR IGNORE INTO backup_run ({names}) VALUES ({marks})"  # noqa: S608 - ours
        database.execute_sql(query, tuple(row.values()))
        newer += row["uuid"] not in under_way  # its log is read again
    return newer


def _hold_mails(old: "_Former", now: dt.datetime) -> int:
    """Take over which mails there were, and send none that may have been sent; how many wait."""
    of_targets = {target.uuid: target.id for target in AlertTarget.select()}
    for key, run, target, row in old.mails():
        if target is not None and target not in of_targets:
            continue  # it was made after the copy: nobody can send there
        state = {name: row[name] for name in ("sent_at", "next_attempt_at", "dead_at")}
        same = Mail.message_id == row["message_id"]
        if not Mail.select().where(same).exists():
            row["run_id"] = BackupRun.select(BackupRun.id).where(BackupRun.uuid == run).scalar()
            row["backup_id"] = Backup.select(Backup.id).where(Backup.archive_key == key).scalar()
            row["target_id"] = of_targets[target] if target is not None else None
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            query = f"INSERT OR IGNORE INTO mail ({names}) VALUES ({marks})"  # noqa: S608 - ours
            database.execute_sql(query, tuple(row.values()))
        else:
            query = "UPDATE mail SET sent_at = ?, next_attempt_at = ?, dead_at = ? "
            values = (*state.values(), row["message_id"])
            database.execute_sql(f"{query} WHERE message_id = ?", values)
    if old.tells_all:
        return 0
    waiting = Mail.next_attempt_at.is_null(False)
    held = Mail.update(next_attempt_at=None, dead_at=now, last_error=NOT_KNOWN).where(waiting)
    return int(held.execute())


def _skip_numbers(old: "_Former") -> None:
    """Give no number again that a row had which is lost: links in mails name rows by it."""
    given = old.numbers()
    # a table that never had a row has none in sqlite_sequence
    query = (
        "SELECT name, coalesce((SELECT seq FROM sqlite_sequence AS s WHERE s.name = t.name), 0) "
        "FROM sqlite_master AS t WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
    )
    for name, last in database.execute_sql(query).fetchall():
        next_one = max(last, given.get(name, last if given else last + NUMBERS_LEFT_OUT))
        database.execute_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        database.execute_sql("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, next_one))


def _set_backups(old: "_Former", now: dt.datetime) -> None:
    """Let planned times count from now, and names of kept versions be later than any used."""
    used = old.stamps()
    for backup in Backup.select(Backup.id, Backup.archive_key):
        mine = BackupRun.select().where(BackupRun.backup == backup.id).order_by(BackupRun.id.desc())
        own = max((run.archive_stamp or "" for run in mine.limit(100)), default="")
        last = max(own, used.get(backup.archive_key, ""), now.strftime(STAMP))
        if last > now.strftime(STAMP) and not used:  # a clock was ahead: who knows how many came
            ahead = dt.datetime.strptime(last, STAMP).replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
            last = ahead.strftime(STAMP)
        Backup.update(
            stamp_floor=last,
            planned_since=now,  # before, nobody knows what was done
            next_due_at=None,
            restore_text_hash="",  # the text in the bucket may be of other settings
        ).where(Backup.id == backup.id).execute()


def _put_aside(path: Path) -> None:
    """Move the former database, with its own files, into the folder ASIDE.

    The database first: while some of it is aside, nothing is in its place before all of it is.
    """
    there = [path.with_name(path.name + suffix) for suffix in BESIDE]
    there = [each for each in there if each.exists()]
    if not there:
        return
    aside = path.with_name(ASIDE)
    aside.mkdir(mode=0o700)
    for each in there:
        each.rename(aside / each.name)
        _sync(aside)
        _sync(path.parent)


def _settle_aside(path: Path) -> Path | None:
    """Name the folder ASIDE for good if a database is in its place again; else move all back.

    Return the folder with the former database; None: there is none.
    """
    aside = path.with_name(ASIDE)
    if not aside.is_dir():
        return None
    if not path.exists():  # it was not the database's turn: the log first, so that it never is
        for suffix in reversed(BESIDE):
            if (former := aside / (path.name + suffix)).exists():
                former.rename(path.with_name(former.name))
                _sync(path.parent)
                _sync(aside)
    if not any(aside.iterdir()):
        aside.rmdir()
        return None
    stamp = f"aside-{utcnow():{STAMP}}"
    names = (f"{stamp}-{number}" if number else stamp for number in itertools.count())
    free = next(name for name in names if not path.with_name(name).exists())
    named = aside.rename(path.with_name(free))
    _sync(path.parent)
    return named


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Former:
    """Reads the former database, as far as it can be read; else every answer is empty."""

    def __init__(self, path: Path) -> None:
        self._plain: sqlite3.Connection | None = None
        self._whole = True
        if path.exists() and path.stat().st_size:
            with contextlib.suppress(sqlite3.Error):
                self._plain = read_only(path)

    def close(self) -> None:
        if self._plain is not None:
            self._plain.close()

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        if self._plain is None:
            return []
        try:
            return self._plain.execute(query).fetchall()
        except sqlite3.Error:  # damaged, or without that table
            self._whole = False
            return []

    @property
    def tells_all(self) -> bool:
        """True if it could be read as far as we ask."""
        return self._plain is not None and self._whole

    def backups(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of those that the copy, which is open, lacks, and has otherwise."""
        settings = ("retention_days", "enabled", "at", "schedule", "time_zone", "source_path")
        columns = ", ".join(("archive_key", "name", *settings, "destination_path"))
        query = f"SELECT {columns} FROM backup"  # noqa: S608 - names of our own
        theirs = self._rows(query)
        mine = {row[0]: row for row in database.execute_sql(query).fetchall()}
        return (
            tuple(sorted(row[1] for row in theirs if row[0] not in mine)),
            tuple(sorted(row[1] for row in theirs if row[0] in mine and row != mine[row[0]])),
        )

    def runs(self) -> list[tuple[str, Row]]:
        """Return the backup's key and the columns of every run, oldest first."""
        columns = self._columns("backup_run")
        query = (
            f"SELECT archive_key, {columns} FROM backup_run "  # noqa: S608 - names of our own
            "JOIN backup ON backup.id = backup_id ORDER BY backup_run.id"
        )
        return [(key, _row("backup_run", rest)) for key, *rest in self._rows(query)]

    def mails(self) -> list[tuple[str, str, str | None, Row]]:
        """Return the backup's key, the UUIDs of run and target, and the columns of every mail."""
        query = (
            "SELECT archive_key, backup_run.uuid, alert_target.uuid, "  # noqa: S608
            f"{self._columns('mail')} FROM mail "
            "LEFT JOIN alert_target ON alert_target.id = mail.target_id "
            "LEFT JOIN backup ON backup.id = mail.backup_id "
            "LEFT JOIN backup_run ON backup_run.id = mail.run_id"
        )
        rows = self._rows(query)
        found = [(key, run, to, _row("mail", rest)) for key, run, to, *rest in rows]
        for *_, row in found:
            del row["id"]
        return found

    def _columns(self, table: str) -> str:
        return ", ".join(f'{table}."{name}"' for name in _names(table))

    def numbers(self) -> dict[str, int]:
        """Return the last number that was given in each table."""
        found = self._rows("SELECT name, seq FROM sqlite_sequence")
        return {name: int(seq) for name, seq in found}

    def stamps(self) -> dict[str, str]:
        """Return the last name of kept versions of each backup, by its key."""
        found = self._rows(
            "SELECT archive_key, max(archive_stamp) FROM backup_run "
            "JOIN backup ON backup.id = backup_id WHERE archive_stamp IS NOT NULL GROUP BY 1"
        )
        return dict(found)


def _names(table: str) -> list[str]:
    """Return the columns of a table of the open database."""
    found = database.execute_sql("SELECT name FROM pragma_table_info(?)", (table,))
    return [name for (name,) in found.fetchall()]


def _row(table: str, values: list[Any]) -> Row:
    return dict(zip(_names(table), values, strict=True))
