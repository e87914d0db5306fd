"""A run's log as compressed chunks: appended while it grows, read at any line, searched whole.

Raw bytes go in and the same bytes come out (`raw`). For people the log is rows: `shown` leaves out
the lines in which rclone tells its progress once a second.
"""

import itertools
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from bucketvault.store.database import connection, writing
from bucketvault.store.log_index import forget, index_of
from bucketvault.store.models import BackupRun, RunLogChunk
from bucketvault.vocabulary import (
    ALL_LINES,
    SHOWN_LINES,
    Kinds,
    LineKind,
    LogRow,
    Topic,
    log_topic,
    run_topic,
)

CHUNK_BYTES = 64 * 1024
MOST_AT_ONCE = 32  # chunks in memory while many are read
LONGEST_LINE_BYTES = 1024 * 1024  # a longer one continues in the next row


def is_progress(line: bytes) -> bool:
    """True if `line` is one of rclone's once-a-second stats lines.

    A quote inside a JSON string is escaped, so no object name can look like the `stats` key.
    """
    return line.startswith(b'{"time"') and b'"stats":{' in line


@dataclass(frozen=True, slots=True)
class LogSize:
    """How long a log is: all lines, those shown when progress is hidden, and raw bytes."""

    lines: int
    shown: int
    bytes: int


class LogWriter:
    """Appends to one run's log. One thread uses it; `flush` runs in the caller's transaction."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.lines = 0
        self.shown = 0
        self.bytes = 0
        self._seq = 0
        self._open = bytearray()
        self._open_kinds = bytearray()
        self._open_first = (0, 0)  # first line, first shown line of the open chunk
        self._closed: list[dict[str, object]] = []  # rows of the table
        self._changed = False

    @property
    def waiting_bytes(self) -> int:
        """How much is in memory only, because no flush was committed since."""
        return len(self._closed) * CHUNK_BYTES

    def add(self, line: bytes, kind: LineKind = LineKind.PLAIN) -> None:
        """Append one line with its newline, or the last half line without one."""
        if self._open and not self._open.endswith(b"\n"):
            self._close()  # after half a line: what follows is a line of its own
        self._open += line
        self.lines += 1
        if is_progress(line):
            kind = LineKind.PROGRESS
        else:
            self.shown += 1
            kind = LineKind.INFO if kind is LineKind.PROGRESS else kind
        self._open_kinds.append(kind)
        self.bytes += len(line)
        self._changed = True
        if len(self._open) >= CHUNK_BYTES:
            self._close()

    def _row(self) -> dict[str, object]:
        first, first_shown = self._open_first
        return {
            "run_id": self.run_id,
            "seq": self._seq,
            "first_line": first,
            "line_count": self.lines - first,
            "first_shown": first_shown,
            "shown_count": self.shown - first_shown,
            "raw_bytes": len(self._open),
            "data": zlib.compress(self._open, 1),
            "kinds": zlib.compress(self._open_kinds, 1),
        }

    def _close(self) -> None:
        self._closed.append(self._row())
        self._seq += 1
        self._open, self._open_kinds = bytearray(), bytearray()
        self._open_first = (self.lines, self.shown)

    def flush(self) -> bool:
        """Write what came since `stored` to the database; False when nothing did.

        Call inside `writing()`, and `stored` after the commit: what a failed commit lost is
        written again by the next call.
        """
        if not self._changed:
            return False
        rows = self._closed + ([self._row()] if self._open else [])
        with writing(log_topic(self.run_id), run_topic(self.run_id), Topic.BACKUPS):
            for row in rows:
                RunLogChunk.insert(row).on_conflict_replace().execute()
            BackupRun.update(log_lines=self.lines, log_bytes=self.bytes).where(
                BackupRun.id == self.run_id
            ).execute()
        return True

    def stored(self) -> None:
        """Forget what the last `flush` wrote: its transaction is committed."""
        self._closed, self._changed = [], False


def clear(run_id: int) -> None:
    """Drop what is stored of a log, before its spool is read again. Call inside `writing()`."""
    RunLogChunk.delete().where(RunLogChunk.run_id == run_id).execute()
    forget(run_id)


def size(run_id: int) -> LogSize:
    """How long the stored log is now; reads one row."""
    with connection():
        last = (
            RunLogChunk.select()
            .where(RunLogChunk.run_id == run_id)
            .order_by(RunLogChunk.seq.desc())
            .first()
        )
        if last is None:
            return LogSize(0, 0, 0)
        run = BackupRun.select(BackupRun.log_bytes).where(BackupRun.id == run_id).first()
    return LogSize(
        last.first_line + last.line_count,
        last.first_shown + last.shown_count,
        run.log_bytes if run else 0,
    )


def counts(run_id: int) -> tuple[int, ...]:
    """How many lines of each kind the stored log has, by LineKind."""
    return index_of(run_id).totals()


def rows(run_id: int, start: int, count: int, wanted: Kinds = SHOWN_LINES) -> list[LogRow]:
    """Up to `count` rows from row `start` on, counting only lines of the wanted kinds.

    Reads only the chunks with these rows.
    """
    found: list[LogRow] = []
    if count <= 0:
        return found
    for chunk, first in _chunks(run_id, max(start, 0), wanted):
        for row in _numbered(chunk, first, wanted):
            if row.number >= start:
                found.append(row)
            if len(found) == count:  # now: the next row may be behind hours of hidden progress
                return found
    return found


class Sought(Protocol):
    """A search in a log."""

    def may_hold(self, data: bytes, kinds: bytes) -> bool:
        """True if a line among all these may match."""

    def holds(self, line: bytes, kind: LineKind) -> bool:
        """True if this line matches."""


def find(
    run_id: int, sought: Sought, start: int, backwards: bool = False, wanted: Kinds = SHOWN_LINES
) -> int | None:
    """The number of the next row from `start` on (or before it) that holds `sought`; None: none."""
    start = max(start, 0)
    for chunk, first in _chunks(run_id, start, wanted, backwards):
        hits = [
            row
            for row in _holding(chunk, first, wanted, sought)
            if (row < start if backwards else row >= start)
        ]
        if hits:
            return hits[-1] if backwards else hits[0]
    return None


@dataclass(frozen=True, slots=True)
class Matches:
    """Rows that hold what is sought, in a part of a log."""

    rows: list[int]
    next: int  # the first row that was not looked at
    done: bool  # the log has no more rows


def matches(
    run_id: int, sought: Sought, start: int, wanted: Kinds, *, most: int, within_s: float
) -> Matches:
    """Return the rows from `start` on that hold `sought`: about `within_s` seconds of looking.

    At most `most` of them; at least one chunk is looked at. Call again from `next` until `done`.
    """
    until = time.monotonic() + within_s
    found: list[int] = []
    after = -1
    for chunk, first in _chunks(run_id, start, wanted):
        if after >= start and time.monotonic() > until:
            return Matches(found, after, done=False)
        found += [row for row in _holding(chunk, first, wanted, sought) if row >= start]
        if len(found) > most:
            return Matches(found[:most], found[most - 1] + 1, done=False)
        kinds = zlib.decompress(chunk.kinds)
        after = first + sum(map(kinds.count, wanted))
    return Matches(found, max(start, after), done=True)


def _holding(chunk: RunLogChunk, first: int, wanted: Kinds, sought: Sought) -> list[int]:
    if not sought.may_hold(zlib.decompress(chunk.data), zlib.decompress(chunk.kinds)):
        return []
    rows = _numbered(chunk, first, wanted)
    return [row.number for row in rows if sought.holds(row.line, row.kind)]


def rows_at(run_id: int, numbers: Iterable[int], wanted: Kinds = SHOWN_LINES) -> list[LogRow]:
    """Return the rows of these numbers, in their order; those beyond the log's end are left out.

    Reads only the chunks that hold them.
    """
    found: list[LogRow] = []
    left = sorted(set(numbers), reverse=True)
    while left:
        before = len(left)
        for chunk, first in _chunks(run_id, left[-1], wanted):
            for row in _numbered(chunk, first, wanted):
                if left and row.number == left[-1]:
                    found.append(row)
                    left.pop()
            break  # the next number may be many chunks away
        if len(left) == before:
            break
    return found


def raw_from(run_id: int, start: int) -> Iterator[bytes]:
    """The log from byte `start` on; reads only the chunks that hold it."""
    with connection():
        sizes: list[tuple[int, int]] = [
            (chunk.seq, chunk.raw_bytes)
            for chunk in RunLogChunk.select(RunLogChunk.seq, RunLogChunk.raw_bytes)
            .where(RunLogChunk.run_id == run_id)
            .order_by(RunLogChunk.seq)
        ]
    begin = 0
    for seq, length in sizes:
        if begin + length > start:
            with connection():
                chunk = RunLogChunk.get((RunLogChunk.run_id == run_id) & (RunLogChunk.seq == seq))
            # the last chunk may have grown since: never more than was counted
            yield zlib.decompress(chunk.data)[max(0, start - begin) : length]
        begin += length


def raw(run_id: int) -> Iterator[bytes]:
    """The whole log, byte for byte as stored, chunk by chunk."""
    return (zlib.decompress(chunk.data) for chunk in _in_turn(run_id))


def _in_turn(run_id: int) -> Iterator[RunLogChunk]:
    """Each chunk in its own connection."""
    seq = -1
    while True:
        with connection():
            chunk = (
                RunLogChunk.select()
                .where(RunLogChunk.run_id == run_id, RunLogChunk.seq > seq)
                .order_by(RunLogChunk.seq)
                .first()
            )
        if chunk is None:
            return
        seq = chunk.seq
        yield chunk


def lines_and_kinds(run_id: int) -> Iterator[tuple[bytes, LineKind]]:
    """Every line in turn with what it tells, chunk by chunk."""
    for chunk in _in_turn(run_id):
        yield from ((row.line, row.kind) for row in _numbered(chunk, 0, ALL_LINES))


def _chunks(
    run_id: int, start: int, wanted: Kinds, backwards: bool = False
) -> Iterator[tuple[RunLogChunk, int]]:
    """The chunks with rows from `start` on (or before it, the last first), each with its first."""
    column = _NUMBERED_BY.get(wanted)
    if column is None:
        found = index_of(run_id).holding(wanted, 0 if backwards else start)
        before = [(seq, first) for seq, first in found if first < start] if backwards else []
        yield from _some(run_id, reversed(before) if backwards else found)
        return
    newest_first = RunLogChunk.seq.desc()
    with connection():
        query = RunLogChunk.select().where(RunLogChunk.run_id == run_id)
        if backwards:
            query = query.where(column < start).order_by(newest_first)
        else:
            numbers = RunLogChunk.select(RunLogChunk.seq).where(RunLogChunk.run_id == run_id)
            holder = numbers.where(column <= start).order_by(newest_first).first()
            query = query.where(RunLogChunk.seq >= (holder.seq if holder else 0))
            query = query.order_by(RunLogChunk.seq)
        for chunk in query.iterator():
            yield chunk, getattr(chunk, column.name)


# Numbers that every chunk carries; those of other choices are the index's.
_NUMBERED_BY = {ALL_LINES: RunLogChunk.first_line, SHOWN_LINES: RunLogChunk.first_shown}
_KINDS = tuple(LineKind)


def _some(run_id: int, wanted: Iterable[tuple[int, int]]) -> Iterator[tuple[RunLogChunk, int]]:
    """These chunks in this order: the first ones alone, for a page; then more at a time."""
    left = iter(wanted)
    many = 1
    while batch := list(itertools.islice(left, many)):
        with connection():
            query = RunLogChunk.select().where(
                RunLogChunk.run_id == run_id, RunLogChunk.seq.in_([seq for seq, _ in batch])
            )
            chunks = {chunk.seq: chunk for chunk in query}
        yield from ((chunks[seq], first) for seq, first in batch if seq in chunks)
        many = min(2 * many, MOST_AT_ONCE)


def _numbered(chunk: RunLogChunk, number: int, wanted: Kinds) -> Iterator[LogRow]:
    shown = chunk.first_shown
    kinds = map(_KINDS.__getitem__, zlib.decompress(chunk.kinds))
    lines = zlib.decompress(chunk.data).removesuffix(b"\n").split(b"\n")
    for place, (line, kind) in enumerate(zip(lines, kinds, strict=True)):
        if kind in wanted:
            yield LogRow(number, line, kind, chunk.first_line + place, shown)
            number += 1
        shown += kind is not LineKind.PROGRESS
