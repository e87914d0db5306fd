"""Bring a listing into the byte order of its keys: as it streams, or on disk where it is not.

S3 promises UTF-8 byte order. SeaweedFS 4.48 lists by path segment: `a`, `a/x`, `a!`.
"""

import heapq
import marshal
import operator
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO

from bucketvault.engine.listing.page import Entry, NoListingError

IN_MEMORY = 20_000  # entries sorted at a time, about 10 MB
BLOCK = 200  # entries read back at a time, from each sorted file

_by_key = operator.itemgetter(0)


class OrderError(NoListingError):
    """The service lists in another order: list again, through `sorted_on_disk`."""


def in_order(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield `entries` while their keys rise. Raises OrderError at the first that does not."""
    last: bytes | None = None
    for entry in entries:
        if last is not None and entry.key <= last:
            raise OrderError("The service does not list in the order of the keys.")
        last = entry.key
        yield entry


def sorted_on_disk(entries: Iterable[Entry], folder: Path) -> Iterator[Entry]:
    """Yield `entries` by key, in bounded memory; `folder` takes the temporary files.

    Raises NoListingError where a key comes twice, and OSError where the disk is full.
    """
    with ExitStack() as files:
        runs = [
            _read(files.enter_context(file)) for file in _written(iter(entries), folder, IN_MEMORY)
        ]
        last: bytes | None = None
        for entry in heapq.merge(*runs, key=_by_key):
            if entry.key == last:
                raise NoListingError("The service lists one object twice.")
            last = entry.key
            yield entry


def _written(entries: Iterator[Entry], folder: Path, at_once: int) -> Iterator[IO[bytes]]:
    """Yield a file for each `at_once` entries, sorted."""
    while some := sorted(islice(entries, at_once), key=_by_key):
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  the caller closes it
        for begin in range(0, len(some), BLOCK):
            # made and read by this process alone: marshal is the quickest, and safe with our own
            marshal.dump([tuple(entry) for entry in some[begin : begin + BLOCK]], file)
        file.seek(0)
        yield file


def _read(file: IO[bytes]) -> Iterator[Entry]:
    while True:
        try:
            block = marshal.load(file)  # noqa: S302  an unnamed file of this process
        except EOFError:
            return
        yield from map(Entry._make, block)


def paired(
    source: Iterator[Entry], copy: Iterator[Entry]
) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
    """Yield each key with what is there of two streams in key order; None: not in that one."""
    theirs, ours = next(source, None), next(copy, None)
    while theirs is not None or ours is not None:
        if ours is None or (theirs is not None and theirs.key < ours.key):
            assert theirs is not None  # noqa: S101  the loop's condition
            yield theirs.key, theirs, None
            theirs = next(source, None)
        elif theirs is None or ours.key < theirs.key:
            yield ours.key, None, ours
            ours = next(copy, None)
        else:
            yield theirs.key, theirs, ours
            theirs, ours = next(source, None), next(copy, None)
