"""A run's log as compressed chunks: appended while it grows, read at any line, searched whole.

Raw bytes go in and the same bytes come out (`raw`). For people the log is rows: `shown` leaves out
the lines in which rclone tells its progress once a second.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bucketvault.store.database import connection
from bucketvault.store.models import BackupRun, RunLogChunk

CHUNK_BYTES = 64 * 1024
LONGEST_LINE_BYTES = 1024 * 1024  # a longer one goes on in the next row


def is_progress(line: bytes) -> bool:
    """Whether `line` is one of rclone's once-a-second stats lines.

    A quote inside a JSON string is escaped, so no object name can look like the `stats` key.
    """
    return line.startswith(b'{"time"') and b'"stats":{' in line


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of a log: its number among the rows asked for (from 0), its bytes, no newline."""

    number: int
    line: bytes


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
        self._open_first = (0, 0)  # first line, first shown line of the open chunk
        self._closed: list[tuple[int, int, int, int, int, bytes]] = []
        self._changed = False

    @property
    def waiting_bytes(self) -> int:
        """How much is in memory only, because no flush was committed since."""
        return len(self._closed) * CHUNK_BYTES

    def add(self, line: bytes) -> None:
        """Append one line with its newline, or the last half line without one."""
        self._open += line
        self.lines += 1
        if not is_progress(line):
            self.shown += 1
        self.bytes += len(line)
        self._changed = True
        if len(self._open) >= CHUNK_BYTES:
            self._close()

    def _row(self) -> tuple[int, int, int, int, int, bytes]:
        first, first_shown = self._open_first
        return (
            self._seq,
            first,
            self.lines - first,
            first_shown,
            self.shown - first_shown,
            bytes(self._open),
        )

    def _close(self) -> None:
        self._closed.append(self._row())
        self._seq += 1
        self._open = bytearray()
        self._open_first = (self.lines, self.shown)

    def flush(self) -> bool:
        """Write what came since `stored` to the database; False when nothing did.

        Call inside `writing()`, and `stored` after the commit: what a failed commit lost is
        written again by the next call.
        """
        if not self._changed:
            return False
        rows = self._closed + ([self._row()] if self._open else [])
        for seq, first, count, first_shown, shown, raw in rows:
            RunLogChunk.insert(
                run_id=self.run_id,
                seq=seq,
                first_line=first,
                line_count=count,
                first_shown=first_shown,
                shown_count=shown,
                raw_bytes=len(raw),
                data=zlib.compress(raw, 1),
            ).on_conflict_replace().execute()
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


def rows(run_id: int, start: int, count: int, *, progress: bool = False) -> list[LogRow]:
    """Up to `count` rows from row `start` on; with `progress`, stats lines are rows too.

    Reads only the chunks these rows lie in.
    """
    found: list[LogRow] = []
    if count <= 0:
        return found
    for number, line in _walk(run_id, max(start, 0), progress=progress):
        found.append(LogRow(number, line))
        if len(found) == count:  # now: the next row may lie behind hours of hidden progress
            break
    return found


def find(
    run_id: int, needle: str, start: int, *, backwards: bool = False, progress: bool = False
) -> int | None:
    """The number of the next row from `start` on (or before it) that holds `needle`; None: none.

    Upper and lower case are the same; the text sought is what rclone wrote, not how it is shown.
    """
    sought = needle.encode().lower()
    if not sought:
        return None
    if backwards:
        return _find_before(run_id, sought, start, progress=progress)
    for chunk in _chunks_from(run_id, max(start, 0), progress=progress):
        raw = zlib.decompress(chunk.data)
        if sought not in raw.lower():
            continue
        for number, line in _numbered(chunk, raw, progress=progress):
            if number >= start and sought in line.lower():
                return number
    return None


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
    """The whole log, byte for byte as stored, chunk by chunk, each in its own connection."""
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
        yield zlib.decompress(chunk.data)


def lines(run_id: int) -> Iterator[bytes]:
    """Every line of the log in turn, without its newline."""
    for data in raw(run_id):
        yield from _split(data)


def _find_before(run_id: int, sought: bytes, start: int, *, progress: bool) -> int | None:
    first = RunLogChunk.first_line if progress else RunLogChunk.first_shown
    with connection():
        query = (
            RunLogChunk.select()
            .where(RunLogChunk.run_id == run_id, first < start)
            .order_by(RunLogChunk.seq.desc())
        )
        for chunk in query.iterator():
            data = zlib.decompress(chunk.data)
            if sought not in data.lower():
                continue
            hits = [
                number
                for number, line in _numbered(chunk, data, progress=progress)
                if number < start and sought in line.lower()
            ]
            if hits:
                return hits[-1]
    return None


def _chunks_from(run_id: int, start: int, *, progress: bool) -> Iterator[RunLogChunk]:
    first = RunLogChunk.first_line if progress else RunLogChunk.first_shown
    with connection():
        holder = (
            RunLogChunk.select(RunLogChunk.seq)
            .where(RunLogChunk.run_id == run_id, first <= start)
            .order_by(RunLogChunk.seq.desc())
            .first()
        )
        query = (
            RunLogChunk.select()
            .where(RunLogChunk.run_id == run_id, RunLogChunk.seq >= (holder.seq if holder else 0))
            .order_by(RunLogChunk.seq)
        )
        yield from query.iterator()


def _walk(run_id: int, start: int, *, progress: bool) -> Iterator[tuple[int, bytes]]:
    for chunk in _chunks_from(run_id, start, progress=progress):
        for number, line in _numbered(chunk, zlib.decompress(chunk.data), progress=progress):
            if number >= start:
                yield number, line


def _numbered(chunk: RunLogChunk, data: bytes, *, progress: bool) -> Iterator[tuple[int, bytes]]:
    if progress:
        yield from enumerate(_split(data), chunk.first_line)
        return
    shown: Iterable[bytes] = (line for line in _split(data) if not is_progress(line))
    yield from enumerate(shown, chunk.first_shown)


def _split(data: bytes) -> list[bytes]:
    found = data.split(b"\n")
    if not found[-1]:
        found.pop()
    return found
