"""`python -I -m bucketvault.engine.listing.reading`, a job on stdin: read bytes at both ends.

Goes through the ledger in key order, reads what has waited longest within its budget, a few
objects at a time, and writes the ledger anew. A process of its own, as a look is; `verify.py`
starts it. Asked to end (SIGTERM), it still writes down what was read until then.
"""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bucketvault.engine.domain.bandwidth import Bandwidth
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.listing import headers, ledger
from bucketvault.engine.listing.bucket import Bucket, ListingError, may_pass
from bucketvault.engine.listing.ledger import Ledger, LedgerError, Reading, Record
from bucketvault.engine.listing.reader import Digest, Reader
from bucketvault.engine.listing.throttle import Throttle
from bucketvault.vocabulary import Json

THREADS = 4
WINDOW = 10_000  # records in memory at most: they are written in order, and one may take long
TELL_EVERY_S = 0.5
REFUSALS = 20  # so many in a row: that is the key or the bucket, and not the object
ENDS = ("source", "copy")
# Codes of S3 about one object: who may read it, its storage class, its encryption.
_OF_ONE_OBJECT = ("AccessDenied", "InvalidObjectState", "InvalidRequest", "KMS.")


class Choice:
    """Chooses what is read, record by record in key order: what has waited longest comes first.

    Without a budget that is everything, or what was not read since the day `since`: a reading
    that was cut short goes on. With a budget it is as many bytes, but at least one object; what was
    read today or could not be read last time is left out then.
    """

    def __init__(self, known: Reading, budget: int | None, today: str, since: str = "") -> None:
        self._budget, self._since = budget, since
        self._whole: set[str] = set()  # days of which everything is read
        self._part: str | None = None  # the day after them, of which only a part is
        self.bytes = known.refused[1] if budget is None else 0  # to be read, at most
        self._left = budget or 0
        for day, (_, size) in sorted(known.days.items()):
            if day == today if budget is not None else self._is_since(day):
                continue
            if budget is not None and size > self._left:
                self._part = self._part or day
                break
            self._whole.add(day)
            self._left -= size
            self.bytes += size
        if self._part is not None:
            self.bytes = max(self.bytes, budget or 0)
        self._has_room = True

    def takes(self, record: Record) -> bool:
        """True if this one is read."""
        if record.mark == ledger.CANNOT or self._budget is None:
            return record.mark != ledger.CANNOT and not self._is_since(record.read_on)
        if record.mark == ledger.UNREADABLE:
            return False
        if record.read_on in self._whole:
            return True
        if record.read_on != self._part or not self._has_room:
            return False
        is_first = not self._whole and self._left == self._budget
        self._has_room = record.size <= self._left or is_first
        if self._has_room:
            self._left -= record.size
            self.bytes = max(self.bytes, record.size)
        return self._has_room

    def _is_since(self, day: str) -> bool:
        return bool(self._since) and day >= self._since


class Outcome(NamedTuple):
    """The result of one object: its record from now on, and its kind for the counts."""

    record: Record
    kind: str  # equal, changed, refused, unread, or a mark of a finding
    told: Json | None = None  # the line that is said about it


class _EndedError(Exception):
    """The reading ends; this object was not read to its end."""


class Reads:
    """One reading; `job` is what `verify.ReadJob` writes."""

    def __init__(self, job: Json) -> None:  # JSON of our own making
        self._job = job
        self._today = str(job["today"])
        self._mine = threading.local()  # readers: a connection for each thread and end
        self._lock = threading.Lock()
        self._readers: list[tuple[int, Reader]] = []  # all of them, with the number of their end
        self._bytes = [0, 0]  # read at each end
        self._told_at = 0.0
        self._refused_in_a_row = 0
        self.ending = threading.Event()
        self._throttle = Throttle(Bandwidth.from_json(job["limit"]), self.ending.wait)
        self.failed: tuple[str, ListingError] | None = None
        self.counts: Counter[str] = Counter()

    @property
    def use(self) -> Use:
        """The requests so far."""
        use = Use(EndUse(bytes_out=self._bytes[0]), EndUse(bytes_out=self._bytes[1]))
        for number, reader in self._readers:
            (use.source, use.destination)[number].reads += reader.requests
        return use

    def run(self) -> None:
        """Read, and write the new ledger. Raises LedgerError, FileNotFoundError, OSError."""
        known = Ledger(Path(self._job["ledger"]))
        choice = self._choice = Choice(
            known.reading, self._job["budget"], self._today, self._job["since"]
        )
        with ledger.writing(Path(self._job["new_ledger"]), known.at) as new:
            for outcome in self._outcomes(known, choice):
                new.add(outcome.record)
                self._count(outcome)
        self._tell_progress()

    def _outcomes(self, known: Ledger, choice: Choice) -> Iterator[Outcome]:
        """Yield what came of each record of the ledger, in its order."""
        pool = ThreadPoolExecutor(THREADS)
        waiting: deque[tuple[Record, Future[Outcome] | None]] = deque()
        for record in known:
            wanted = choice.takes(record) and not self.ending.is_set()
            waiting.append((record, pool.submit(self._read, record) if wanted else None))
            while waiting and (len(waiting) == WINDOW or _is_done(waiting[0][1])):
                yield self._awaited(*waiting.popleft())
        while waiting:
            yield self._awaited(*waiting.popleft())

    def _awaited(self, record: Record, reading: Future[Outcome] | None) -> Outcome:
        if reading is None:
            return Outcome(record, "unread")
        while True:
            if time.monotonic() > self._told_at:
                self._tell_progress()
            try:
                return reading.result(TELL_EVERY_S)
            except TimeoutError:
                if self.ending.is_set():  # a stream may hang: nobody waits for it then
                    return Outcome(record, "unread")

    def _count(self, outcome: Outcome) -> None:
        if outcome.kind != "unread":
            self.counts[outcome.kind] += 1
        if outcome.kind not in ("unread", "changed", "refused"):
            self.counts["objects"] += 1
            self.counts["bytes"] += outcome.record.size
        if outcome.told is not None:
            self.counts["headers"] += "headers" in outcome.told
            tell(outcome.told)

    def _tell_progress(self) -> None:
        self._told_at = time.monotonic() + TELL_EVERY_S
        total = self._choice.bytes
        done = min(sum(self._bytes) // 2, total)
        tell({"read": {"objects": self.counts["objects"], "bytes": done, "total": total}})

    # in the threads

    def _read(self, record: Record) -> Outcome:
        """Read one object at both ends; a difference counts once it was seen twice."""
        for is_second in (False, True):
            try:
                both = self._digests(record, thorough=is_second)
            except _EndedError:
                return Outcome(record, "unread")
            except _OddError as odd:
                return self._not_read(record, odd.end, odd.cause)
            self._refused_in_a_row = 0
            if both is None:
                return Outcome(record, "changed")
            theirs, ours = both
            if theirs.sha256 == ours.sha256:
                told: Json | None = {"passing": _name(record)} if is_second else None
                if lost := headers.lost(theirs.stored, ours.stored):
                    told = {"headers": {"key": _name(record), "lost": lost}}
                return Outcome(record._replace(read_on=self._today, mark=""), "equal", told)
        mark = judge(theirs, ours)
        found = {
            "key": _name(record),
            "mark": mark,
            "is_new": mark != record.mark,
            "source": _told(theirs),
            "copy": _told(ours),
        }
        return Outcome(record._replace(read_on=self._today, mark=mark), mark, {"finding": found})

    def _digests(self, record: Record, *, thorough: bool) -> tuple[Digest, Digest] | None:
        """Return both ends as they were read; None: one is not the object that was proven."""
        theirs = self._digest(0, record, thorough=thorough)
        if theirs is None or _is_other(theirs, record.source_etag, record.source_modified):
            return None
        ours = self._digest(1, record, thorough=thorough)
        if ours is None or _is_other(ours, record.copy_etag, record.copy_modified):
            return None
        return theirs, ours

    def _digest(self, number: int, record: Record, *, thorough: bool) -> Digest | None:
        """Return one end; None where it is gone. Raises _EndedError, _OddError."""
        end = self._job[ENDS[number]]
        key = end["prefix"].encode() + record.key
        try:
            return self._reader(number).digest(
                key, partial(self._on_bytes, number), size=record.size, thorough=thorough
            )
        except ListingError as error:
            if error.status == 404 and error.code != "NoSuchBucket":
                return None
            raise _OddError(ENDS[number], error) from error

    def _reader(self, number: int) -> Reader:
        if not hasattr(self._mine, "readers"):
            self._mine.readers = [
                Reader(Bucket(**self._job[end]["bucket"]), patience_s=self._job["patience_s"])
                for end in ENDS
            ]
            self._readers += enumerate(self._mine.readers)
        reader: Reader = self._mine.readers[number]
        return reader

    def _on_bytes(self, number: int, count: int) -> None:
        with self._lock:
            self._bytes[number] += count
        self._throttle.take(count)
        if self.ending.is_set():
            raise _EndedError

    def _not_read(self, record: Record, end: str, error: ListingError) -> Outcome:
        """Leave one object out, or end the reading where it is not about this object alone."""
        is_refused = error.status == 200 or error.code.startswith(_OF_ONE_OBJECT)
        with self._lock:
            self._refused_in_a_row += error.code != "InvalidObjectState"
            if may_pass(error) or not is_refused or self._refused_in_a_row >= REFUSALS:
                self.failed = self.failed or (end, error)
                self.ending.set()
                return Outcome(record, "unread")
        told = {"refused": {"key": _name(record), "end": end, "said": error.summary}}
        marked = record._replace(read_on=self._today, mark=ledger.UNREADABLE)
        return Outcome(marked, "refused", told)


class _OddError(Exception):
    """One end did not give the object."""

    def __init__(self, end: str, cause: ListingError) -> None:
        super().__init__(end)
        self.end, self.cause = end, cause


def judge(theirs: Digest, ours: Digest) -> str:
    """Return which end is wrong, as a mark; both were read, and differ.

    The source is right unless its own ETag says otherwise, so the copy is wrong where that ETag
    fits, or where the copy's own does not. Without any ETag that tells, nobody knows.
    """
    if theirs.is_intact is False:
        return ledger.SOURCE_DAMAGED
    if theirs.is_intact or ours.is_intact is False:
        return ledger.DAMAGED
    return ledger.DIFFERS


def _is_other(found: Digest, etag: str, modified: str) -> bool:
    """True if an object is not the one that the ledger means: it was written since."""
    if found.etag and etag:
        return found.etag != etag
    return bool(found.modified) and found.modified[:19] != modified[:19]


def _told(found: Digest) -> Json:
    """Return what is told of an end that differs: no metadata, which may be private."""
    return {name: value for name, value in found._asdict().items() if name != "stored"}


def _is_done(reading: Future[Outcome] | None) -> bool:
    return reading is None or reading.done()


def _name(record: Record) -> str:
    return record.key.decode("utf-8", "replace")


def tell(what: Json) -> None:
    """Write one line to whoever started this process."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Do the job on stdin; what came of it is the last line."""
    reads = Reads(json.load(sys.stdin))
    signal.signal(signal.SIGTERM, lambda *_: reads.ending.set())
    try:
        reads.run()
    except (LedgerError, FileNotFoundError):
        tell({"failed": "ledger", "status": 0, "code": "", "said": "There is no ledger."})
        return 1
    except OSError as fault:
        tell({"failed": "", "status": 0, "code": "", "said": str(fault), "errno": fault.errno})
        return 1
    if reads.failed is not None:
        end, error = reads.failed
        told = {"counts": reads.counts, "requests": reads.use.to_json()}
        tell({"failed": end, **error.parts, **told})
        return 1
    use = reads.use.to_json()
    tell({"done": reads.counts, "stopped": reads.ending.is_set(), "requests": use})
    return 0


if __name__ == "__main__":
    code = main()
    os._exit(code)  # without waiting for a thread that a stream holds
