"""`restore-database`: put a copy of the database back, and say what it does not know."""

import argparse
import sys
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from bucketvault.config import Config
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.folder_lock import FolderHold
from bucketvault.engine.runs.folder import run_folders
from bucketvault.errors import BrokenDatabaseError, DatabaseError, NotFoundError
from bucketvault.humanize import many, moment
from bucketvault.store import restoring
from bucketvault.store.copies import SelfBackup, newest_first
from bucketvault.store.database import RESTORE, close_database, is_blank, open_to_look, quick_check
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store
from bucketvault.store.restoring import KEEPS_ALL, PutBack

ROLE = "restore-database"


def restore(given: argparse.Namespace, config: Config) -> int:
    """Put the copy of `given.day` back, or the newest whole one; returns the exit code."""
    copies = newest_first(config.backups, utcnow().date())
    wanted = [copy for copy in copies if given.day in (None, copy.day)]
    if not wanted:
        days = ", ".join(dict.fromkeys(str(copy.day) for copy in copies))
        raise NotFoundError(
            f"There is no copy of {given.day} in {config.backups}."
            if copies
            else f"There is no copy of the database in {config.backups}.",
            f"There are copies of: {days}." if copies else "",
        )
    config.refuse_another_users()  # before anything is written there, also by root
    hold = FolderHold(config.lock, ROLE)
    hold.take()
    try:
        if given.day is None:
            _refuse_a_good_one(config, copies)
        under_way = {each.uuid for each in run_folders(config.runs) if not each.is_free()}
        copy, made = _put_back_first_whole(config, wanted, under_way)
        open_store(config)  # as the next start does
        for line in _in_words(copy, made, ZoneInfo(timetable.server_time_zone())):
            print(line)
    finally:
        hold.release()
    print("Check everything: bucketvault doctor")
    print("Then start it: systemctl start bucketvault, or bucketvault serve")
    return 0


def _refuse_a_good_one(config: Config, copies: list[SelfBackup]) -> None:
    """Raise DatabaseError where the database is in order: an older one is asked for by its day."""
    if is_blank(config.database):
        return
    open_to_look(config.database)
    try:
        is_whole = not quick_check()
    except Exception:  # sqlite3 and peewee have a dozen ways to say that it is damaged
        is_whole = False
    finally:
        close_database()
    if is_whole:
        raise DatabaseError(
            f"The database {config.database} is intact, so nothing was restored.",
            f"To go back to an older copy anyway, name its day: {RESTORE} {copies[0].day}",
        )


def _put_back_first_whole(
    config: Config, copies: list[SelfBackup], under_way: set[str]
) -> tuple[SelfBackup, PutBack]:
    broken: list[BrokenDatabaseError] = []
    for copy in copies:
        try:
            return copy, restoring.put_back(config.database, copy, under_way)
        except BrokenDatabaseError as error:
            print(error.summary, file=sys.stderr)
            broken.append(error)
    raise BrokenDatabaseError(
        "No copy could be restored; nothing was changed.", broken[0].hint, broken[0].detail
    )


def _in_words(copy: SelfBackup, made: PutBack, zone: ZoneInfo) -> Iterator[str]:
    yield (
        f"The database was restored from the copy of {moment(copy.made_at, zone)} {zone.key}: "
        f"{copy.path.name}, "
        f"{many(len(made.backups), 'backup')}."
    )
    if made.aside is not None:
        yield f"The previous database is in {made.aside}. Delete it when nothing is missing."
    yield from _newer(made)
    if made.not_known:
        yield f"The result of {many(made.not_known, 'run')} is unknown. Run their backups again."
    if made.mails:
        yield (
            f"{many(made.mails, 'email')} may have been sent already and will not be sent again. "
            "Settings lists them."
        )
    until = moment(utcnow() + KEEPS_ALL, zone)
    yield f"No kept version is deleted before {until}: check each backup's retention until then."
    yield "Every session has ended. For a new link, once it runs: bucketvault url"


def _newer(made: PutBack) -> Iterator[str]:
    if not made.tells_all:
        yield "Everything newer than the copy is lost: settings, backups and runs."
        yield "Copies and kept versions in the buckets are not affected."
        return
    if made.runs:
        yield f"{many(made.runs, 'newer run')} could be read and kept, without their logs."
    for name in made.missing:
        yield f"{name} is newer than the copy. Set it up again; its buckets are not affected."
    for name in made.changed:
        yield f"{name} was changed after the copy was made. Check its settings."
