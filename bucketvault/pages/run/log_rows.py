"""Rows of a log: which lines they are, read once for all who look at the same run."""

import functools
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bucketvault.engine.views.log_text import SHOWN_CHARACTERS, WHOLE_CHARACTERS, describe_log_line
from bucketvault.pages.parts.table import Row
from bucketvault.vocabulary import ALL_LINES, SHOWN_LINES, Kinds, LineKind, LogRow, log_topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

MOST_ROWS_PUSHED = 60  # with one message to a follower
REMEMBERED_BYTES = 2000  # of a longer line nothing is kept: it may have a megabyte


class Filter(StrEnum):
    """A choice of lines of a log that are rows."""

    ALL = ""
    CHANGES = "changes"
    WARNINGS = "warnings"
    ERRORS = "errors"
    NEW = "new"
    REPLACED = "replaced"
    KEPT = "kept"
    REMOVED = "removed"
    MOVED = "moved"  # what brought bytes over
    STEPS = "steps"  # the log folded: where each pass or step begins


_COPIED = frozenset({LineKind.NEW, LineKind.REPLACED})
_CHANGED = _COPIED | {LineKind.KEPT, LineKind.REMOVED, LineKind.PURGED}
FILTERS: dict[Filter, Kinds] = {
    Filter.ALL: SHOWN_LINES,
    Filter.CHANGES: _CHANGED,
    # what is no line of rclone's log is worth a look: a panic is such a thing
    Filter.WARNINGS: frozenset({LineKind.WARNING, LineKind.PLAIN}),
    Filter.ERRORS: frozenset({LineKind.ERROR}),
    Filter.NEW: frozenset({LineKind.NEW}),
    Filter.REPLACED: frozenset({LineKind.REPLACED}),
    Filter.KEPT: frozenset({LineKind.KEPT}),
    Filter.REMOVED: frozenset({LineKind.REMOVED}),
    Filter.MOVED: _COPIED,
    Filter.STEPS: frozenset({LineKind.STEP}),
}


def wanted_lines(only: Filter, progress: bool) -> Kinds:
    """Return the lines that are rows. Progress belongs to no filter."""
    return ALL_LINES if progress and only is Filter.ALL else FILTERS[only]


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Length of a log, and how many rows each filter leaves."""

    lines: int = 0
    bytes: int = 0
    totals: Mapping[Filter, int] = field(default_factory=lambda: dict.fromkeys(Filter, 0))

    def rows(self, only: Filter, progress: bool) -> int:
        """Return how many rows there are."""
        return self.lines if progress and only is Filter.ALL else self.totals[only]


def read_size(engine: "Engine", run_id: int) -> RowCounts:
    """Return how long a log is now. Blocks."""
    found = engine.log_size(run_id)
    if not found.lines:
        return RowCounts()
    counts = engine.log_counts(run_id)
    totals = {only: sum(counts[kind] for kind in kinds) for only, kinds in FILTERS.items()}
    return RowCounts(sum(counts), found.bytes, totals)


# several viewers of one run read the same lines
_remembered = functools.lru_cache(maxsize=4096)(describe_log_line)


def row_of_line(engine: "Engine", run_id: int, number: int, wanted: Kinds) -> int | None:
    """Return the row of a line, counted as `viewer_row` does, or of the next line that is a row.

    None: the log has no line of that number, or no row after it. Blocks.
    """
    found = engine.log_rows(run_id, number, 1, SHOWN_LINES)
    if not found or wanted == SHOWN_LINES:
        return number if found else None
    if LineKind.PROGRESS in wanted:
        return found[0].line_number
    counts = engine.log_counts(run_id)
    total = sum(counts[kind] for kind in wanted)

    def line_of(row: int) -> int:
        there = engine.log_rows(run_id, row, 1, wanted)
        return there[0].shown_number if there else number  # it was dropped meanwhile

    row = bisect_left(range(total), number, key=line_of)
    return row if row < total else None


def viewer_row(row: LogRow, zone: ZoneInfo, *, whole: bool = False) -> Row:
    """Return a row for the viewer.

    A line has one number, from 0, whatever else is shown; a line of progress has none.
    """
    limit = WHOLE_CHARACTERS if whole else SHOWN_CHARACTERS
    describe = _remembered if len(row.line) < REMEMBERED_BYTES else describe_log_line
    line = describe(row.line, zone, row.kind, limit=limit)
    return {
        "number": None if row.kind is LineKind.PROGRESS else row.shown_number,
        "time": line.time,
        "kind": line.kind.word,
        "object": line.object,
        "text": line.text,
    }


class Tail:
    """The end of a run's log, read once a turn for all pages that follow it."""

    def __init__(self, engine: "Engine", run_id: int) -> None:
        self._engine = engine
        self._run_id = run_id
        self._lock = threading.Lock()
        self._stale = True
        self._size = RowCounts()
        self._rows: dict[Kinds, tuple[int, list[Row]]] = {}  # how many there were then
        self._users = 0
        self._unsubscribe: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, engine: "Engine", run_id: int) -> "Tail":
        """Return the one of this run; `leave` it when the page closes. Called in the event loop."""
        key = (id(engine.live), run_id)
        tail = _tails.get(key)
        if tail is None:
            tail = _tails[key] = cls(engine, run_id)
            tail._unsubscribe = engine.live.subscribe(log_topic(run_id), tail._changed)
        tail._users += 1
        return tail

    def leave(self) -> None:
        """Tell that one page less follows it."""
        self._users -= 1
        if not self._users:
            self._unsubscribe()
            _tails.pop((id(self._engine.live), self._run_id), None)

    def _changed(self) -> None:
        self._stale = True  # pages are told after us: what they read now is read again

    def size(self) -> RowCounts:
        """Return how long it is. Blocks."""
        with self._lock:
            if self._stale:
                self._stale = False
                try:
                    found = read_size(self._engine, self._run_id)
                except BaseException:
                    self._stale = True
                    raise
                if found.lines < self._size.lines:  # it was dropped, and is read again
                    self._rows.clear()
                self._size = found
            return self._size

    def rows(self, start: int, total: int, wanted: Kinds) -> list[Row]:
        """Return the rows from `start` on, of the last few before `total`. Blocks."""
        with self._lock:
            known, rows = self._rows.get(wanted, (-1, []))
            if known != total:
                first = max(0, total - MOST_ROWS_PUSHED)
                read = self._engine.log_rows(self._run_id, first, total - first, wanted)
                zone = self._engine.zone_of_run(self._run_id)
                rows = [viewer_row(row, zone) for row in read]
                self._rows[wanted] = (total, rows)
            return rows[max(0, start - max(0, total - MOST_ROWS_PUSHED)) :]


_tails: dict[tuple[int, int], Tail] = {}
