"""Tell what a copy was after each of its runs: by the ledger, and what runs have done to it since.

Three things together tell the state after a run exactly: the ledger (what the copy has now), the
kept versions (what a later run replaced or removed) and the names that later runs made anew
(`ledgers.note_pass`). The order is that of the runs, never of clocks. Where one of the three is
missing, that day and those before it are not offered: docs/decisions/restore.md.
"""

import datetime as dt
import gzip
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import IO, NamedTuple

from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.listing.ledger import CANNOT, Ledger, quoted, unquoted
from bucketvault.errors import BucketvaultError

MATCHES_SHOWN = 50  # folders, and as many objects
ABSENT, COPY = -1, -2  # where an object of a day is, besides the numbers of passes


class Cut(StrEnum):
    """Why no earlier day is offered."""

    FIRST = "first"  # there is none: the copy was empty before
    MOVED = "moved"  # an end of the backup was another one
    NAMES = "names"  # what this run made anew is not known (any more)
    VERSIONS = "versions"  # old versions that this run kept are gone
    STRANGE = "strange"  # kept versions of a run that this database does not know
    MANY = "many"


class Day(NamedTuple):
    """A good run, and so a state that can be restored; `after`: the first pass since."""

    run_id: int
    at: dt.datetime  # UTC; when the run ended
    after: int


class Reach(NamedTuple):
    """How far back days are complete: by which run that ends, when it was, and how much is gone."""

    cut: Cut
    run_id: int = 0
    at: dt.datetime | None = None
    missing: int = 0


class Pass(NamedTuple):
    """A pass of a run that may have changed the copy."""

    run_id: int
    stamp: str
    at: dt.datetime  # UTC; when it set old versions aside


class Event(NamedTuple):
    """Something a pass did to one object."""

    number: int  # of the pass
    kind: str  # one of the signs below
    size: int


MENDED, KEPT, MADE = "a", "k", "n"  # in this order where one pass did two of them


class Placed(NamedTuple):
    """An object as it was on a day, and where it is now: a pass that kept it, or COPY."""

    key: bytes
    size: int
    place: int


class Version(NamedTuple):
    """An old version of an object, by the pass that kept it."""

    number: int
    size: int
    removed: bool  # the pass removed the object; else it replaced it


@dataclass(frozen=True, slots=True)
class Match:
    """Something found by a part of its name: an object, or a folder with what is in it."""

    key: bytes  # a folder's ends with a slash
    is_folder: bool
    size: int | None  # of what is in the copy now; None: it is not there now
    objects: int = 0  # of a folder: now in the copy
    old_versions: int = 0
    events: tuple[Event, ...] = ()  # of an object: all that runs did to it, oldest first

    def on(self, day: Day) -> Placed | None:
        """Return this object as it was on a day; None: there was none."""
        place, size = state(self.events, day.after)
        if place == COPY:
            return Placed(self.key, self.size, COPY) if self.size is not None else None
        return Placed(self.key, size, place) if place >= 0 else None

    @property
    def versions(self) -> list[Version]:
        """The old versions of an object, oldest first."""
        versions = []
        for place, event in enumerate(self.events):
            if event.kind == KEPT:
                rest = [each.kind for each in self.events[place + 1 :]]
                removed = rest[:1] == [MADE] or (not rest and self.size is None)
                versions.append(Version(event.number, event.size, removed))
        return versions


@dataclass(slots=True)
class Found:
    """Result of a search; the numbers are of all of it, also of what is not listed."""

    matches: list[Match] = field(default_factory=list)
    folders: int = 0
    objects: int = 0


class RestoreError(BucketvaultError):
    """Earlier states of the copy cannot be told."""


class History:
    """States of the copy after each run, as far as they are known; `close` it.

    One thread at a time: its events are one file on disk, without a name.
    """

    def __init__(self, spec: RunSpec, ledger: Path, passes: list[Pass], events: IO[bytes]) -> None:
        self.spec = spec
        self.passes = passes
        self.days: list[Day] = []  # newest first; all of them are complete
        self.reach = Reach(Cut.FIRST)
        self.folders: frozenset[str] = frozenset()  # of kept versions, all there were
        self._path, self._number = ledger, ledger.stat().st_ino  # a new one is a new file
        self._ledger, self._events = Ledger(ledger), events
        # objects that cannot be copied: of these there is nothing to restore
        self.cannot = self._ledger.reading.marks.get(CANNOT, 0)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give the disk back."""
        with self._lock:
            self._events.close()

    def goes_at(self, number: int) -> dt.datetime:
        """Return from when on the next good run deletes what a pass kept (UTC)."""
        return self.passes[number].at + dt.timedelta(days=self.spec.retention_days)

    def at(self, day: Day, under: bytes = b"") -> Iterator[Placed]:
        """Yield every object of a day, or those below a folder, by key. Raises RestoreError."""
        for key, now, events in self._all():
            if not key.startswith(under):
                continue
            place, size = state(events, day.after)
            if place == COPY and now is not None:
                yield Placed(key, now, COPY)
            elif place >= 0:
                yield Placed(key, size, place)

    def search(self, words: str) -> Found:
        """Return what has `words` in its name; small and capital letters a-z are alike.

        `words` up to the next slash is a folder, else an object. Raises RestoreError.
        """
        sought = words.encode().lower()
        found = Found()
        folder: _Folder | None = None
        for key, now, events in self._all(sought):
            begin = key.lower().find(sought)
            if begin < 0 or (now is None and not any(each.kind == KEPT for each in events)):
                continue
            end = key.find(b"/", max(begin, begin + len(sought) - 1))
            # an object may be named as a folder is
            name = key[: end + 1] if 0 <= end < len(key) - 1 else b""
            if folder is not None and folder.name != name:
                found.folders += folder.tell(found.matches, found.folders)
                folder = None
            if not name:
                if found.objects < MATCHES_SHOWN:
                    found.matches.append(_object(key, now, events))
                found.objects += 1
                continue
            folder = folder or _Folder(name)
            folder.add(now, events)
        if folder is not None:
            found.folders += folder.tell(found.matches, found.folders)
        return found

    def _all(self, named: bytes = b"") -> Iterator[tuple[bytes, int | None, list[Event]]]:
        """Yield each key with its size in the copy now (None: not there) and what was done to it.

        `named`: at least those with this in their name. Raises RestoreError where a run has gone on
        from here.
        """
        with self._lock:
            try:
                self._refuse_newer()
                self._events.seek(0)
                with gzip.open(self._events) as lines:
                    wanted = quoted(named).lower()
                    events = _grouped(line for line in lines if wanted in line.lower())
                    yield from _merged(self._ledger.at_the_copy(named), events)
                self._refuse_newer()
            except (OSError, ValueError, EOFError, zlib.error) as error:
                raise unproven() from error

    def _refuse_newer(self) -> None:
        if self._path.stat().st_ino != self._number:
            raise RestoreError("A run has ended since.", "Search again.")


class _Folder:
    """Objects below one folder, as they come."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.objects, self.size, self.versions = 0, 0, 0

    def add(self, now: int | None, events: list[Event]) -> None:
        if now is not None:
            self.objects += 1
            self.size += now
        self.versions += sum(each.kind == KEPT for each in events)

    def tell(self, matches: list[Match], before: int) -> int:
        """Append it, unless enough are there; return 1, as it counts."""
        if before < MATCHES_SHOWN:
            now = self.size if self.objects else None
            matches.append(Match(self.name, True, now, self.objects, old_versions=self.versions))
        return 1


def state(events: Iterable[Event], after: int) -> tuple[int, int]:
    """Return where the object is that was there before the pass `after`, and its size if kept.

    The first thing that a pass did to it since tells: kept is what was there, made anew means that
    nothing was. What a pass only mended was put right by the source's bytes, which are those.
    """
    mended = -1
    for number, kind, size in events:
        if number < after or number == mended:
            continue
        if kind == MENDED:
            mended = number
        elif kind == MADE:
            return ABSENT, 0
        else:
            return number, size
    return COPY, 0


def _object(key: bytes, now: int | None, events: list[Event]) -> Match:
    kept = sum(each.kind == KEPT for each in events)
    return Match(key, False, now, old_versions=kept, events=tuple(events))


def _grouped(lines: Iterable[bytes]) -> Iterator[tuple[bytes, list[Event]]]:
    split = (line.rstrip(b"\n").split(b"\t") for line in lines)
    for key, rows in groupby(split, lambda row: row[0]):
        yield unquoted(key), [Event(int(n), kind.decode(), int(size)) for _, n, kind, size in rows]


def _merged(
    now: Iterator[tuple[bytes, int]], done: Iterator[tuple[bytes, list[Event]]]
) -> Iterator[tuple[bytes, int | None, list[Event]]]:
    events = next(done, None)
    for key, size in now:
        while events is not None and events[0] < key:
            yield events[0], None, events[1]
            events = next(done, None)
        if events is not None and events[0] == key:
            yield key, size, events[1]
            events = next(done, None)
        else:
            yield key, size, []
    if events is not None:
        yield events[0], None, events[1]
    for key, rest in done:
        yield key, None, rest


def unproven() -> RestoreError:
    """Return the error of a copy whose objects are not known."""
    return RestoreError(
        "There is no list of the objects in this copy.",
        "The next successful run makes one. Until then, restore as RESTORE.txt below says.",
    )
