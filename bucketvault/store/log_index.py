"""Index of a log's lines by kind: how many of each kind every chunk holds.

A few bytes a chunk, made from the kinds that are stored beside the lines, never from the lines:
a filter over a million lines costs no more memory than that, and knows any of its rows at once.

Decisions: docs/decisions/logs.md.
"""

import threading
import zlib
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator

from bucketvault.store.database import connection, database
from bucketvault.store.models import RunLogChunk
from bucketvault.vocabulary import Kinds, LineKind

MOST_INDEXES = 8  # logs that are open in a browser, or were just now


class LogIndex:
    """Of one log. Many threads may use it; `refresh` first, to see what came since."""

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id
        self._lock = threading.Lock()
        self._counts: list[tuple[int, ...]] = []  # a chunk each, by LineKind; the last may grow
        self._before: dict[Kinds, array[int]] = {}  # wanted lines in all chunks before each

    def refresh(self) -> None:
        """Take in what was stored since; reads what is new only."""
        with self._lock:
            last = max(0, len(self._counts) - 1)
            found = self._read(last)
            if self._counts and (not found or sum(found[0]) < sum(self._counts[last])):
                self._before.clear()  # it was dropped, and perhaps written again
                last, found = 0, self._read(0)
            self._counts[last:] = found

    def _read(self, seq: int) -> list[tuple[int, ...]]:
        with connection():
            chunks = (
                RunLogChunk.select(RunLogChunk.kinds)
                .where(RunLogChunk.run_id == self._run_id, RunLogChunk.seq >= seq)
                .order_by(RunLogChunk.seq)
            )
            found = [zlib.decompress(chunk.kinds) for chunk in chunks]
        return [tuple(kinds.count(kind) for kind in LineKind) for kinds in found]

    def totals(self) -> tuple[int, ...]:
        """How many lines there are of each kind."""
        with self._lock:
            return tuple(map(sum, zip(*self._counts, strict=True))) or (0,) * len(LineKind)

    def holding(self, wanted: Kinds, start: int) -> Iterator[tuple[int, int]]:
        """The chunks that hold wanted rows from row `start` on, and each one's first such row."""
        with self._lock:
            before = self._before.setdefault(wanted, array("Q", (0,)))
            for counts in self._counts[len(before) - 1 : -1]:
                before.append(before[-1] + _wanted_in(counts, wanted))
            first = max(0, bisect_right(before, start) - 1)
            known = list(zip(self._counts[first:], before[first:], strict=False))
        for seq, (counts, row) in enumerate(known, first):
            if _wanted_in(counts, wanted):
                yield seq, row


def _wanted_in(counts: tuple[int, ...], wanted: Kinds) -> int:
    return sum(counts[kind] for kind in wanted)


_indexes: OrderedDict[tuple[str, int], LogIndex] = OrderedDict()
_indexes_lock = threading.Lock()


def index_of(run_id: int) -> LogIndex:
    """The index of a run's log as it is now."""
    key = (str(database.database), run_id)
    with _indexes_lock:
        index = _indexes.setdefault(key, LogIndex(run_id))
        _indexes.move_to_end(key)
        if len(_indexes) > MOST_INDEXES:
            _indexes.popitem(last=False)
    index.refresh()
    return index


def forget(run_id: int) -> None:
    """Drop what is known of a log that is dropped."""
    with _indexes_lock:
        _indexes.pop((str(database.database), run_id), None)
