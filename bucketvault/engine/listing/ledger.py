"""The ledger of a backup: what a proven look found at both ends, one line a key, in key order.

It is knowledge, never truth: lost or damaged, the next proven run makes it anew. Compressed text,
because 1,000,000 keys are 50 MB so, and anybody can read it with `zcat`.
"""

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from bucketvault.errors import BucketvaultError

FORMAT = 1
NAMES_TOLD = 5
_SAME = "="  # the copy's ETag is the source's
_CHUNK = 1024 * 1024
BLOCK = 64 * 1024  # lines go to the compression so many bytes at a time, which is twice as quick


class Record(NamedTuple):
    """One key that was proven at both ends, or has a mark. Dates as the services wrote them."""

    key: bytes
    size: int
    source_etag: str
    source_modified: str
    copy_etag: str
    copy_modified: str
    read_on: str = ""  # the day (ISO 8601) on which its bytes were last read at both ends
    mark: str = ""  # one of the marks below


# Nothing can copy or remove it. What is not at an end has no ETag and no date there.
CANNOT = "cannot"
# What reading its bytes found. All but the last were read.
DAMAGED = "damaged"  # the copy has other bytes than it should
SOURCE_DAMAGED = "source_damaged"  # so has the source
DIFFERS = "differs"  # both ends differ, and nothing tells which of them is right
UNREADABLE = "unreadable"  # one end refused to give the object, on the day `read_on`


@dataclass(slots=True)
class Reading:
    """Knowledge of which bytes were read, of a whole ledger; its last line has it as JSON."""

    days: dict[str, list[int]] = field(default_factory=dict)  # objects, bytes; "": never read
    refused: list[int] = field(default_factory=lambda: [0, 0])  # the same of unreadable ones
    marks: dict[str, int] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)  # the first few of each mark

    def add(self, record: Record) -> None:
        """Count one record."""
        day = self.days.get(record[6])
        if day is None or record[7]:
            day = self._place(record)
        day[0] += 1
        day[1] += record[1]

    def _place(self, record: Record) -> list[int]:
        """Return where a record counts that has a mark, or is the first of its day."""
        if record.mark:
            self.marks[record.mark] = self.marks.get(record.mark, 0) + 1
            names = self.names.setdefault(record.mark, [])
            if len(names) < NAMES_TOLD:
                names.append(record.key.decode("utf-8", "replace"))
        if record.mark == CANNOT:
            return [0, 0]  # nothing of it is at the copy
        if record.mark == UNREADABLE:
            return self.refused
        return self.days.setdefault(record.read_on, [0, 0])


class LedgerError(BucketvaultError):
    """The ledger is damaged, or of another format: go on without it, and write a new one."""


class Ledger:
    """Reads a ledger that was found whole; `count` keys, proven at `at` (ISO 8601, UTC)."""

    def __init__(self, path: Path) -> None:
        """Read it through once. Raises LedgerError; FileNotFoundError where there is none."""
        self._path = path
        try:
            with gzip.open(path) as file:
                first = json.loads(file.readline())
                if not isinstance(first, dict) or first.get("format") != FORMAT:
                    raise LedgerError("The ledger has a different format.")
                lines, last = 0, b""
                while chunk := file.read(_CHUNK):
                    lines += chunk.count(b"\n")
                    last = (last + chunk)[-_CHUNK:]
            end = json.loads(last.rpartition(b"\n")[0].rpartition(b"\n")[2])
            self.at, self.count = str(first["at"]), int(end["keys"])
            self.reading = Reading(**end["reading"])
        except (EOFError, zlib.error, gzip.BadGzipFile, ValueError, KeyError, TypeError) as error:
            raise LedgerError("The ledger is damaged.") from error
        if self.count != lines - 1:
            raise LedgerError("The ledger is damaged.")

    def __iter__(self) -> Iterator[Record]:
        """Yield every record in key order."""
        return map(_record, self._lines())

    def of(self, keys: Iterable[bytes]) -> list[Record]:
        """Return the records of these keys, in key order."""
        wanted = set(map(quoted, keys))
        lines = self._lines()
        return [_record(line) for line in lines if line.partition(b"\t")[0] in wanted]

    def at_the_copy(self, named: bytes = b"") -> Iterator[tuple[bytes, int]]:
        """Yield key and size of what the copy has, in key order; a fifth of the time of the whole.

        `named`: of those whose key has it, small and capital letters a-z alike; of some others too.
        """
        wanted, cannot = quoted(named).lower(), f"\t{CANNOT}\n".encode()
        for line in self._lines():
            if (not wanted or wanted in line.lower()) and not line.endswith(cannot):
                key, size, _ = line.split(b"\t", 2)
                yield unquoted(key), int(size)

    def _lines(self) -> Iterator[bytes]:
        with gzip.open(self._path) as file:
            file.readline()
            yield from islice(file, self.count)


def _record(line: bytes) -> Record:
    key, rest = line.split(b"\t", 1)
    fields = rest[:-1].decode().split("\t")
    size, etag, modified, copy_etag, copy_modified, read_on, mark = fields
    copy_etag = etag if copy_etag == _SAME else copy_etag
    key = unquoted(key)
    return Record(key, int(size), etag, modified, copy_etag, copy_modified, read_on, mark)


class LedgerWriter:
    """Takes records in key order; a part of `writing`."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self.count = 0
        self.reading = Reading()

    def add(self, record: Record) -> None:
        """Append one record, whose key is above the one before."""
        _, size, etag, modified, copy_etag, copy_modified, read_on, mark = record
        if copy_etag == etag:
            copy_etag = _SAME
        rest = f"\t{size}\t{etag}\t{modified}\t{copy_etag}\t{copy_modified}\t{read_on}\t{mark}\n"
        self._file.write(quoted(record.key) + rest.encode())
        self.count += 1
        self.reading.add(record)


@contextmanager
def writing(path: Path, at: str) -> Iterator[LedgerWriter]:
    """Write a ledger beside `path` and put it in its place at the end: whole, or the former one."""
    beside = path.with_name(f"{path.name}.new")
    try:
        with beside.open("wb") as plain:
            os.fchmod(plain.fileno(), 0o600)
            packed = gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=1, mtime=0)
            with packed, io.BufferedWriter(packed, BLOCK) as file:
                file.write(json.dumps({"format": FORMAT, "at": at}).encode() + b"\n")
                writer = LedgerWriter(file)
                yield writer
                end = {"keys": writer.count, "reading": asdict(writer.reading)}
                file.write(json.dumps(end).encode() + b"\n")
            plain.flush()
            os.fsync(plain.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


# A key may hold any byte; a line may not. `%` first, so that nothing is undone twice.
_MARKS = ((b"%", b"%25"), (b"\t", b"%09"), (b"\n", b"%0A"))


def quoted(key: bytes) -> bytes:
    """Return a key without tabs and line breaks, for a line; `unquoted` gives it back."""
    for mark, quoted in _MARKS:
        if mark in key:
            key = key.replace(mark, quoted)
    return key


def unquoted(key: bytes) -> bytes:
    """Return the key that `quoted` was given."""
    if b"%" in key:
        for mark, quoted in reversed(_MARKS):
            key = key.replace(quoted, mark)
    return key
