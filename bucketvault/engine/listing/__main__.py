"""`python -I -m bucketvault.engine.listing`, a job as JSON on stdin: look, and write a plan.

A process of its own, because reading a million keys takes a core for ten seconds. It says how far
it is, and in the end what came of it, in lines of JSON on stdout; `look.py` starts it and reads it.
"""

import contextlib
import email.utils
import http.client
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.listing import ledger, order, ranges, tried
from bucketvault.engine.listing.bucket import Bucket, Lister, ListingError, may_pass
from bucketvault.engine.listing.ledger import Ledger, LedgerError, Record, unquoted
from bucketvault.engine.listing.merge import LONGEST_KEY, Difference, Merge, Stand, Tries
from bucketvault.engine.listing.page import Entry, NoListingError
from bucketvault.engine.listing.plan import Plan, PlanWriter
from bucketvault.engine.listing.reader import Digest, Reader
from bucketvault.vocabulary import ComparisonMode, Json

AHEAD = 4  # pages that one end may be ahead of the other
TELL_EVERY_S = 0.5
ENDS = ("source", "copy")
UNANSWERED = 100  # so many names unknown, and no more are asked for: they are lost


def main() -> int:
    """Do the job on stdin. What goes wrong is told in the last line, with exit code 1.

    Asked to end (SIGTERM), it says how much it has asked until then.
    """
    job = json.load(sys.stdin)
    look = Look(job)

    def stop(*_: object) -> None:
        with contextlib.suppress(RuntimeError):  # in the middle of another line
            tell({"requests": look.use.to_json()})
        os._exit(1)  # without waiting for a thread that a service holds

    signal.signal(signal.SIGTERM, stop)
    try:
        whole = look.run()
        told: Json = {"seen": look.seen, "read": look.read, "ledger": look.ledger_state}
        told["time"] = look.time
        tell({"done": True, "whole": whole, **told, "requests": look.use.to_json()})
    except EndError as error:
        cause = error.cause
        parts = {"status": 0, "code": "", "said": str(cause)}
        if isinstance(cause, ListingError):
            parts = cause.parts
        tell({"failed": error.end, **parts, "requests": look.use.to_json()})
        return 1
    except OSError as error:
        parts = {"status": 0, "code": "", "said": str(error), "errno": error.errno}
        tell({"failed": "", **parts, "requests": look.use.to_json()})
        return 1
    return 0


def tell(what: Json) -> None:
    """Write one line to whoever started this process."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class EndError(Exception):
    """One end, `source` or `copy`, could not be looked at."""

    def __init__(self, end: str, cause: Exception) -> None:
        super().__init__(end)
        self.end, self.cause = end, cause


class Look:
    """One look at both ends; `job` is what `look.Job` writes."""

    def __init__(self, job: Json) -> None:  # parsed JSON, of our own making
        self._job = job
        self._folder = Path(job["folder"])
        self._sorts = dict.fromkeys(ENDS, False)
        self._told_at = 0.0
        self._listers: list[tuple[int, Lister]] = []  # of both ends, by number
        self._readers: dict[str, Reader] = {}
        self._bytes = [0, 0]  # that were read at each end
        self._verdicts: dict[bytes, bool | None] = {}
        self._lengths: dict[bytes, int] = {}  # of objects of the source, as they were read
        self._unanswered = 0  # names that the copy does not know
        self.seen = [0, 0]  # objects, at each end
        self.read = [0, 0]  # objects whose bytes were read at both ends, and bytes
        self.ledger_state = "none"
        self._clock: tuple[float, float] | None = None  # the copy's, and ours since when

    @property
    def time(self) -> float | None:
        """Now, by the clock of the copy's service; None: it told no time."""
        if self._clock is None:
            return None
        then, began = self._clock
        return then + time.monotonic() - began

    @property
    def use(self) -> Use:
        """The requests it made."""
        use = Use(EndUse(bytes_out=self._bytes[0]), EndUse(bytes_out=self._bytes[1]))
        for number, lister in self._listers:
            (use.source, use.destination)[number].lists += lister.all_requests
        for number, end in enumerate(ENDS):
            if end in self._readers:
                (use.source, use.destination)[number].reads = self._readers[end].requests
        return use

    def run(self) -> bool:
        """Write plan and ledger. False: not all was looked at; raises EndError, OSError."""
        if self._job["only_tried"] and self._tried_are_right():
            return False
        while True:
            try:
                self._once()
            except EndError as error:
                if not isinstance(error.cause, order.OrderError):
                    raise
                self._sorts[error.end] = True  # and from the beginning: what was merged is wrong
            else:
                return True

    def _merge(self) -> Merge:
        job = self._job
        return Merge(
            ComparisonMode(job["mode"]),
            hashes=job["hashes"],
            longest=(self._longest(job["copy"]["prefix"]), self._longest(job["kept_below"])),
            below_path=job["below_path"],
            tries=self._tries(),
            read=self._are_same,
            otherwise=self._comes_otherwise,
            answers=self._is_stored,
            today=job["at"][:10],
        )

    def _tried_are_right(self) -> bool:
        """Look at the tried keys alone. True: each of them is right, plan and ledger are written.

        Whatever else there is to say, a whole look says.
        """
        job, first = self._job, Plan(Path(self._job["tried"]))
        to_do, merge = list(first.differences()), self._merge()
        keys = [one.key for one in to_do]
        try:
            known = Ledger(Path(job["ledger"]))
            theirs, ours = (
                tried.asked(self._lister(number), job[end]["prefix"], keys)
                for number, end in enumerate(ENDS)
            )
            found = list(merge.of(theirs, ours, known.of(keys)))
            now = [one for one in found if isinstance(one, Record)]
            if len(now) < len(found):
                return False
            writing = ledger.writing(Path(job["new_ledger"]), known.at)
            with PlanWriter(self._folder) as plan, writing as new:
                for record in tried.records(known, to_do, now):
                    new.add(record)
                for one in first.differences(stand=Stand.CANNOT):
                    plan.add(one)
                plan.finish(tried.totals(first.totals(), to_do, merge.totals))
        except (EndError, FileNotFoundError, LedgerError, ListingError, tried.UnclearError):
            return False
        self.ledger_state = "used"
        return True

    def _once(self) -> None:
        self.seen = [0, 0]
        job, merge = self._job, self._merge()
        writing = ledger.writing(Path(job["new_ledger"]), job["at"])
        with PlanWriter(self._folder) as plan, writing as new:
            for one in merge.of(self._end(0), self._end(1), self._known()):
                if isinstance(one, Difference):
                    plan.add(one)
                record = one.before if isinstance(one, Difference) else one
                if record is not None:  # without it, an object in parts would be taken for right
                    new.add(record)
            plan.finish(merge.totals)

    def _longest(self, prefix: str) -> int:
        """Return how many bytes of a key there is room for below a prefix."""
        return LONGEST_KEY - len(prefix.encode())

    def _tries(self) -> Tries | None:
        if not self._job["tried"]:
            return None
        plan = Plan(Path(self._job["tried"]))
        plan.totals()  # raises where that look did not come to its end
        failed, errored = (_keys(self._job[name]) for name in ("failed", "errored"))
        named = None if self._job["all_errored"] else errored
        odd, again = self._job["odd_tried"], self._job["again"]
        return Tries(plan.differences(), failed, named, odd, again)

    def _known(self) -> Iterator[Record]:
        if not self._job["ledger"]:
            return iter(())
        try:
            known = Ledger(Path(self._job["ledger"]))
        except FileNotFoundError:
            return iter(())
        except LedgerError:
            self.ledger_state = "damaged"
            return iter(())
        self.ledger_state = "used"
        return iter(known)

    def _end(self, number: int) -> Iterator[Entry]:
        end = ENDS[number]
        entries = _ahead(lambda: self._listed(number))
        try:
            if self._sorts[end]:
                yield from order.sorted_on_disk(entries, self._folder)
            else:
                yield from order.in_order(entries)
        except (ListingError, NoListingError) as error:
            raise EndError(end, error) from error

    def _lister(self, number: int) -> Lister:
        bucket = Bucket(**self._job[ENDS[number]]["bucket"])
        lister = Lister(bucket, patience_s=self._job["patience_s"])
        self._listers.append((number, lister))
        return lister

    def _listed(self, number: int) -> Iterator[Entry]:
        described = self._job[ENDS[number]]
        lister = self._lister(number)
        left_out = described["leave_out"].encode()

        def on_page(count: int) -> None:
            self.seen[number] += count
            if number:
                self._note_time(lister.date)
            self._tell_now_and_then()

        prefix = described["prefix"]
        entries = (
            lister.entries(prefix, on_page)
            if self._sorts[ENDS[number]]
            else ranges.entries(lister, prefix, self._folder, on_page)
        )
        for entry in entries:
            is_own_marker = not (entry.key or entry.size)  # of the folder that is looked at
            if is_own_marker or (left_out and entry.key.startswith(left_out)):
                self.seen[number] -= 1
            else:
                yield entry

    def _note_time(self, date: str) -> None:
        with contextlib.suppress(TypeError, ValueError, OverflowError):  # it is no date
            told = email.utils.parsedate_to_datetime(date).timestamp()
            self._clock = told, time.monotonic()

    def _are_same(self, theirs: Entry, ours: Entry) -> bool | None:
        """Read both ends: True if their bytes are the same, None if the source changed meanwhile.

        Raises EndError where a service is away; what it refuses to give is not the same.
        """
        key = theirs.key
        if key not in self._verdicts:  # a listing may begin again
            self._verdicts[key] = self._compared(theirs, ours)
            self.read[0] += 1
        return self._verdicts[key]

    def _compared(self, theirs: Entry, ours: Entry) -> bool | None:
        try:
            source, copy = self._digest("source", theirs), self._digest("copy", ours)
            self._lengths[theirs.key] = source.size
        except EndError as error:
            if isinstance(error.cause, ListingError) and 0 < error.cause.status < 500:
                gone = error.end == "source" and error.cause.status == http.client.NOT_FOUND
                return None if gone else False
            raise
        if source.etag != theirs.etag and source.modified[:19] != theirs.modified[:19]:
            return None
        return (source.size, source.sha256) == (copy.size, copy.sha256)

    def _comes_otherwise(self, theirs: Entry) -> bool:
        """Read an object of the source: True if it is not as long as it is listed."""
        key = theirs.key
        if key not in self._lengths:
            try:
                self._lengths[key] = self._digest("source", theirs).size
            except EndError:  # nobody knows
                self._lengths[key] = theirs.size
        return self._lengths[key] != theirs.size

    def _is_stored(self, theirs: Entry) -> bool:
        """True if the copy has an object of that name and size, although no listing says so.

        Raises EndError where the service is away.
        """
        if self._unanswered >= UNANSWERED:
            return False
        try:
            key = self._job["copy"]["prefix"].encode() + theirs.key
            if self._reader("copy").size_of(key) == theirs.size:
                return True
        except ListingError as error:
            if may_pass(error):
                raise EndError("copy", error) from error
        self._unanswered += 1
        return False

    def _reader(self, end: str) -> Reader:
        if end not in self._readers:
            bucket = Bucket(**self._job[end]["bucket"])
            self._readers[end] = Reader(bucket, patience_s=self._job["patience_s"])
        return self._readers[end]

    def _digest(self, end: str, entry: Entry) -> Digest:
        def on_bytes(count: int) -> None:
            self.read[1] += count
            self._bytes[ENDS.index(end)] += count
            self._tell_now_and_then()

        try:
            key = self._job[end]["prefix"].encode() + entry.key
            return self._reader(end).digest(key, on_bytes, size=entry.size)
        except ListingError as error:
            raise EndError(end, error) from error

    def _tell_now_and_then(self) -> None:
        if time.monotonic() > self._told_at:
            self._told_at = time.monotonic() + TELL_EVERY_S
            tell({"seen": self.seen, "read": self.read})


def _keys(path: str | None) -> frozenset[bytes]:
    """Return the keys that a file names, a line each; there are few."""
    lines = Path(path).read_bytes().splitlines() if path else ()
    return frozenset(map(unquoted, lines))


def _ahead(entries: Callable[[], Iterator[Entry]]) -> Iterator[Entry]:
    """Yield `entries()`, read in a thread: the next page is under way while this one is merged."""
    ready: queue.Queue[list[Entry] | Exception | None] = queue.Queue(AHEAD)

    def read() -> None:
        block: list[Entry] = []
        try:
            for entry in entries():
                block.append(entry)
                if len(block) == 1000:
                    ready.put(block)
                    block = []
            ready.put(block)
            ready.put(None)
        except Exception as error:  # handed to the thread that merges
            ready.put(error)

    threading.Thread(target=read, daemon=True).start()
    while (got := ready.get()) is not None:
        if isinstance(got, Exception):
            raise got
        yield from got


if __name__ == "__main__":
    sys.exit(main())
