"""The plan of a pass on disk: one file of keys for each kind of difference, and their totals.

Keys stand in byte order. Compressed lines, written and read as they stream, in constant memory.
"""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bucketvault.engine.listing.ledger import quoted, unquoted
from bucketvault.engine.listing.merge import Difference, Totals, What, Why

_NONE = b"-"  # no size: the object is not at that end
TOTALS = "totals.json"


class Plan:
    """A plan in a folder. `write` makes it, once; `differences` reads one kind of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def totals(self) -> Totals:
        """Return what the look found. Raises FileNotFoundError where it did not come to its end."""
        told = json.loads((self._folder / TOTALS).read_text("utf-8"))
        by_kind = Counter({What(kind): count for kind, count in told.pop("by_kind").items()})
        return Totals(**told, by_kind=by_kind)

    def differences(self, what: What) -> Iterator[Difference]:
        """Yield the differences of one kind, by key."""
        path = self._path(what)
        if not path.exists():
            return
        with gzip.open(path) as file:
            for line in file:
                why, source_size, copy_size, key = line[:-1].split(b"\t")
                sizes = [None if size == _NONE else int(size) for size in (source_size, copy_size)]
                yield Difference(unquoted(key), what, Why(why.decode()), sizes[0], sizes[1])

    def _path(self, what: What) -> Path:
        return self._folder / f"{what}.gz"


class PlanWriter:
    """Takes differences in key order; use as a context, then `finish` makes the plan whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[What, gzip.GzipFile] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Remove what an earlier look left there: a plan is one look's alone."""
        for name in (TOTALS, *(f"{what}.gz" for what in What)):
            (self._folder / name).unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, found: Difference) -> None:
        """Append one difference."""
        file = self._files.get(found.what)
        if file is None:
            path = self._folder / f"{found.what}.gz"
            file = self._files[found.what] = self._open.enter_context(
                gzip.GzipFile(path, "wb", compresslevel=1, mtime=0)
            )
        sizes = (_NONE if size is None else b"%d" % size for size in found[3:5])
        file.write(b"\t".join((found.why.encode(), *sizes, quoted(found.key))) + b"\n")

    def finish(self, totals: Totals) -> None:
        """Close the files and write the totals: without them there is no plan."""
        self._open.close()
        told = {name: getattr(totals, name) for name in totals.__slots__}
        beside = self._folder / f"{TOTALS}.new"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(told, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / TOTALS)
