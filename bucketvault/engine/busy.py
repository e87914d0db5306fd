"""Turns "database is locked" and "disk full" into errors for the user."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bucketvault.errors import DatabaseError
from bucketvault.store.database import BusyError, SqliteError, database, describe_sqlite_error

NOTHING = "Nothing was changed."


@contextlib.contextmanager
def busy_in_words() -> Iterator[None]:
    """Around a user's request: what the database refuses becomes a DatabaseError.

    The engine's own threads go without: what they try again by themselves must not be taken for
    something that a person has to mend.
    """
    try:
        yield
    except SqliteError as error:
        said = str(error)
        if "locked" in said:
            summary = "The database is busy: another program is using it."
            raise DatabaseError(summary, f"{NOTHING} Try again.", said) from error
        if not isinstance(error, BusyError) and "malformed" not in said:
            raise  # a bug
        told = describe_sqlite_error(error, Path(database.database))
        raise DatabaseError(told.summary, f"{NOTHING} {told.hint}", said) from error
