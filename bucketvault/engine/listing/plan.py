"""The plan of a look on disk: one file of keys for each stand and kind, and their totals.

Keys stand in byte order. Compressed lines, written and read as they stream, in constant memory.
"""

import gzip
import heapq
import io
import json
import operator
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Self

from bucketvault.engine.listing.ledger import BLOCK, quoted, unquoted
from bucketvault.engine.listing.merge import Difference, Stand, Totals, What, Why
from bucketvault.engine.listing.page import Entry

TOTALS = "totals.json"
_ABSENT = "-\t\t\t"  # the fields of an object that is not at that end

_by_key = operator.itemgetter(0)


class Plan:
    """A plan in a folder. `PlanWriter` makes it, once; `differences` reads what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def totals(self) -> Totals:
        """Return what the look found. Raises FileNotFoundError where it did not come to its end."""
        told = json.loads((self.folder / TOTALS).read_text("utf-8"))
        counts = Counter({(Stand(stand), What(what)): n for stand, what, n in told.pop("counts")})
        cannot = Counter({Why(why): n for why, n in told.pop("cannot", {}).items()})
        return Totals(**told, counts=counts, cannot=cannot)

    def differences(self, *whats: What, stand: Stand = Stand.TO_DO) -> Iterator[Difference]:
        """Yield the differences of these kinds, or of every kind, by key; without `before`."""
        return heapq.merge(*(self._of(stand, what) for what in whats or What), key=_by_key)

    def file(self, what: What) -> Path:
        """Return the file of what is to do of one kind: a line a key, or absent."""
        return _path(self.folder, Stand.TO_DO, what)

    def _of(self, stand: Stand, what: What) -> Iterator[Difference]:
        path = _path(self.folder, stand, what)
        if not path.exists():
            return
        with gzip.open(path) as file:
            for line in file:
                quoted_key, why, *ends = line[:-1].split(b"\t")
                key = unquoted(quoted_key)
                source, copy = _entry(key, ends[:4]), _entry(key, ends[4:])
                yield Difference(key, what, Why(why.decode()), source, copy, stand=stand)


class PlanWriter:
    """Takes differences in key order; use as a context, then `finish` makes the plan whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[tuple[Stand, What], io.BufferedIOBase] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Remove what an earlier look left there: a plan is one look's alone."""
        (self._folder / TOTALS).unlink(missing_ok=True)
        for stand, what in product(Stand, What):
            _path(self._folder, stand, what).unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, found: Difference) -> None:
        """Append one difference."""
        file = self._files.get((found.stand, found.what))
        if file is None:
            path = _path(self._folder, found.stand, found.what)
            packed = self._open.enter_context(gzip.GzipFile(path, "wb", compresslevel=1, mtime=0))
            file = self._open.enter_context(io.BufferedWriter(packed, BLOCK))
            self._files[found.stand, found.what] = file
        rest = f"\t{found.why}\t{_fields(found.source)}\t{_fields(found.copy)}\n"
        file.write(quoted(found.key) + rest.encode())

    def finish(self, totals: Totals) -> None:
        """Close the files and write the totals: without them there is no plan."""
        self._open.close()
        for kind in self._files:  # a power cut must not leave totals without what they count
            with _path(self._folder, *kind).open("rb") as written:
                os.fsync(written.fileno())
        told = {name: getattr(totals, name) for name in totals.__slots__}
        told["counts"] = [[*kind, count] for kind, count in sorted(totals.counts.items())]
        beside = self._folder / f"{TOTALS}.new"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(told, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / TOTALS)


def _path(folder: Path, stand: Stand, what: What) -> Path:
    return folder / f"{stand}-{what}.gz"


def _fields(end: Entry | None) -> str:
    if end is None:
        return _ABSENT
    return f"{end.size}\t{end.etag}\t{end.modified}\t{end.storage_class}"


def _entry(key: bytes, fields: list[bytes]) -> Entry | None:
    size, etag, modified, storage_class = (field.decode() for field in fields)
    return None if size == "-" else Entry(key, int(size), etag, modified, storage_class)
