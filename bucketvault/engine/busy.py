"""What a person is told when the database cannot take something right now."""

import contextlib
from collections.abc import Iterator

from bucketvault.errors import DatabaseError
from bucketvault.store.database import BusyError


@contextlib.contextmanager
def busy_in_words() -> Iterator[None]:
    """Around what somebody asked for: a BusyError leaves it as a DatabaseError with a next step.

    The engine's own threads go without: what they try again by themselves must not be taken for
    something that a person has to mend.
    """
    try:
        yield
    except BusyError as error:
        said = str(error)
        if "locked" in said:
            summary, hint = "The database is busy: another program holds it.", "Press again."
        elif "full" in said:
            summary, hint = "The disk of the data folder is full.", "Make room, then press again."
        else:
            summary = "The database cannot be written."
            hint = "See what is wrong with its disk: `bucketvault doctor`."
        raise DatabaseError(summary, f"Nothing was changed. {hint}", said) from error
