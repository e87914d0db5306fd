"""List one bucket by several ranges of its keys at a time, where each page is long waited for.

A million keys are a thousand pages, each of which names the next: with 50 ms a page they take a
minute, whatever the machine. `start-after` lets a listing begin further on, at a key that is
guessed from those seen so far; who has nothing to do takes half of what seems to be the longest
range.

What such a listing says is not believed for that: some services ignore `start-after`, SeaweedFS
4.48 skips the folder `b/` when asked for what comes after `b`. The first range is the plain
listing. It goes on until it has come to the next range's first keys itself; only where they are
the same ones, the next range goes on from there, else it goes on through all of that one's keys.
"""

import marshal
import operator
import os
import tempfile
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from math import inf
from pathlib import Path

from bucketvault.engine.listing.bucket import PAGE_KEYS, Lister, ListingError
from bucketvault.engine.listing.guesses import Guesses
from bucketvault.engine.listing.order import OrderError
from bucketvault.engine.listing.page import Entry, Page

AT_A_TIME = 4  # ranges, and connections; each takes 1.5 MB
FEW = 5  # pages after which it is known whether that pays
SLOW_S = 0.015  # quicker answers keep a core busy as it is
HEAD_KEYS = 100  # what two ranges must have in common
WORTH_PAGES = 4.0  # a rest that is worth a range of its own
ON_DISK_BYTES = 256 * 1024 * 1024  # what waits to be read, of all ranges but the first

_by_key = operator.itemgetter(0)


def entries(
    lister: Lister, prefix: str, folder: Path, on_page: Callable[[int], None]
) -> Generator[Entry, None, None]:
    """Yield every object below `prefix`, as `Lister.entries` does; `folder` takes what waits.

    Raises OrderError where keys do not rise, and ListingError.
    """
    with lister:
        pages = lister.pages(prefix)
        keys: list[bytes] = []
        quickest_s = inf
        for page in islice(pages, FEW):
            on_page(len(page.entries))
            yield from page.entries
            keys += (entry.key for entry in page.entries)
            quickest_s = min(quickest_s, lister.answered_in_s)
            if page.token is None:
                return
        if quickest_s < SLOW_S or not keys:
            for page in pages:
                on_page(len(page.entries))
                yield from page.entries
            return
        with closing(_Ranges(lister, prefix, folder, on_page, keys).entries(pages)) as rest:
            yield from rest


class _Store:
    """Blocks of entries on the disk, in the order in which they came; first in, first out."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with the object
        self._blocks: deque[tuple[int, int]] = deque()
        self._end = 0
        self.waiting_bytes = 0

    def close(self) -> None:
        """Let go of what waits, and of the place it takes."""
        self._file.close()
        self.waiting_bytes = 0

    def put(self, block: list[Entry]) -> None:
        """Append a block."""
        # read by this process alone: marshal is the quickest, and safe with our own
        data = marshal.dumps([tuple(entry) for entry in block])
        if not self._blocks:
            self._end = 0  # all was read: begin anew
        os.pwrite(self._file.fileno(), data, self._end)
        self._blocks.append((self._end, len(data)))
        self._end += len(data)
        self.waiting_bytes += len(data)

    def take(self) -> list[Entry]:
        """Return the next block; empty if there is none."""
        if not self._blocks:
            return []
        begin, size = self._blocks.popleft()
        self.waiting_bytes -= size
        data = os.pread(self._file.fileno(), size, begin)
        return [Entry._make(entry) for entry in marshal.loads(data)]  # noqa: S302  our own


@dataclass(eq=False, slots=True)
class _Range:
    """Keys from `first` up to the first one of the range `after`, or to the end."""

    first: bytes
    last: bytes  # how far it has come
    count: int  # keys between them
    store: _Store
    head: list[bytes] = field(default_factory=list)  # its first keys
    after: "_Range | None" = None
    top: bytes | None = None  # a guess: nothing is between that and its end; None: not known yet
    expected: float = inf  # pages, as far as can be told at its beginning
    probed: bool = False  # somebody tries to begin a range in it
    whole: bool = False
    dropped: bool = False  # it was not what comes after the one before


class _Ranges:
    """The ranges of one listing, and who lists them."""

    def __init__(
        self,
        lister: Lister,
        prefix: str,
        folder: Path,
        on_page: Callable[[int], None],
        keys: list[bytes],
    ) -> None:
        self._lister, self._prefix, self._folder, self._on_page = lister, prefix, folder, on_page
        self._lock = threading.RLock()
        self._came = threading.Condition(self._lock)  # a block, an end, an error
        self._changed = threading.Condition(self._lock)  # which ranges there are
        self._first = _Range(keys[0], keys[-1], len(keys), _Store(folder))
        self._guesses = Guesses(keys)
        self._probes, self._pages = 0, FEW
        self._may_probe = True
        self._over = False
        self._error: Exception | None = None

    def entries(self, pages: Iterator[Page]) -> Generator[Entry, None, None]:
        """Yield the entries of all ranges in turn; `pages` are those of the first one."""
        listers = [self._lister, *(self._lister.another() for _ in range(AT_A_TIME - 1))]
        threads = [
            threading.Thread(
                target=self._work,
                args=(lister, None if number else (self._first, pages)),
                daemon=True,
            )
            for number, lister in enumerate(listers)
        ]
        for thread in threads:
            thread.start()
        try:
            while block := self._next_block():
                yield from block
        finally:
            with self._lock:
                self._over = True
                for one in self._all():
                    one.store.close()
                self._came.notify_all()
                self._changed.notify_all()

    def _next_block(self) -> list[Entry]:
        """Wait for what comes next; empty at the end."""
        with self._lock:
            while True:
                if self._error is not None:
                    raise self._error
                if block := self._first.store.take():
                    self._came.notify_all()
                    return block
                if not self._first.whole:
                    self._came.wait()
                elif self._first.after is None:
                    return []
                else:
                    self._first.store.close()
                    self._first = self._first.after
                    self._came.notify_all()

    def _all(self) -> list[_Range]:
        """Return the ranges that are not read to their end yet, in turn."""
        found: list[_Range] = []
        at: _Range | None = self._first
        while at is not None:
            found.append(at)
            at = at.after
        return found

    # ---- one thread a lister

    def _work(self, lister: Lister, mine: tuple[_Range, Iterator[Page]] | None) -> None:
        try:
            with lister:
                while mine := mine or self._another(lister):
                    self._list(*mine)
                    mine = None
        except Exception as error:
            with self._lock:
                self._error = self._error or error
                self._came.notify_all()
                self._changed.notify_all()

    def _list(self, mine: _Range, pages: Iterator[Page]) -> None:
        last = b"" if mine.head else mine.last
        waiting: list[Entry] = []
        try:
            for page in pages:
                keys = [entry.key for entry in page.entries]
                if keys and ((last and keys[0] <= last) or keys != sorted(keys)):
                    raise OrderError("The service does not list in the order of the keys.")
                waiting += page.entries
                with self._lock:
                    if self._is_done(mine):
                        return
                    self._pages += 1
                    last = mine.last = max([mine.last, *keys[-1:]])
                    waiting = self._settle(mine, waiting, whole=page.token is None)
                    del page, keys  # not kept while the next one is waited for
                    while not self._is_done(mine) and self._is_far_ahead(mine):
                        self._came.wait()
                    if self._is_done(mine):
                        return
        except (ListingError, OrderError):
            if not mine.dropped:
                raise

    def _is_done(self, mine: _Range) -> bool:
        return self._over or mine.whole or mine.dropped or self._error is not None

    def _is_far_ahead(self, mine: _Range) -> bool:
        waiting_bytes = sum(one.store.waiting_bytes for one in self._all())
        return mine is not self._first and waiting_bytes > ON_DISK_BYTES

    def _settle(self, mine: _Range, waiting: list[Entry], *, whole: bool) -> list[Entry]:
        """Keep what is this range's own; return what belongs to the next, if it is that one.

        `whole`: the listing ends here.
        """
        while True:
            after = mine.after
            at = len(waiting) if after is None else bisect_left(waiting, after.first, key=_by_key)
            if own := waiting[:at]:
                mine.store.put(own)
                mine.count += len(own)
                self._on_page(len(own))
                waiting = waiting[at:]
            if after is None:
                mine.whole = whole
                break
            seen = [entry.key for entry in waiting[: len(after.head)]]
            if seen == after.head:
                mine.whole = True
                break
            if not whole and seen == after.head[: len(seen)]:
                break  # as far as can be seen; the next page tells more
            after.dropped = True
            after.store.close()
            self._on_page(-after.count)
            mine.after, mine.top = after.after, after.top
            self._probes += AT_A_TIME  # it may be a service that is not to be trusted with this
        self._came.notify_all()
        if mine.whole:
            self._changed.notify_all()
        return waiting

    # ---- where another range may begin

    def _another(self, lister: Lister) -> tuple[_Range, Iterator[Page]] | None:
        """Begin a range where most seems to be left; None: there is nothing to be gained."""
        while (place := self._place()) is not None:
            inside, guess = place
            pages = lister.pages(self._prefix, guess.decode(), HEAD_KEYS)
            try:
                page = next(pages)
            except ListingError:  # what the plain listing says is what counts
                page = None
            with self._lock:
                inside.probed = False
                begun = self._begun(inside, guess, page)
                self._changed.notify_all()
            if begun is not None and page is not None:
                return begun, chain([page], pages)
        return None

    def _place(self) -> tuple[_Range, bytes] | None:
        """Wait for a range to begin another one in, and return it with a guess."""
        with self._lock:
            while not self._over and self._may_probe and self._error is None:
                if self._probes > 2 * AT_A_TIME + self._pages // 25:
                    return None
                known = self._all()
                free = [one for one in known if not (one.whole or one.probed)]
                best = max(free, key=self._pages_left, default=None)
                if best is not None and self._pages_left(best) >= WORTH_PAGES:
                    guess = self._guesses.inside(best)
                    if guess is None:
                        best.top, best.expected = best.last, 0.0  # nothing is known between
                        continue
                    best.probed = True
                    self._probes += 1
                    return best, guess
                if not any(one.probed for one in known):
                    return None
                self._changed.wait()
        return None

    def _pages_left(self, one: _Range) -> float:
        if one.top is None:
            return inf
        if one.count <= HEAD_KEYS:
            return one.expected
        share = self._guesses.share(one.first, one.last, one.top)
        return one.count / PAGE_KEYS * (1 - share) / share if share > 0 else inf

    def _begun(self, inside: _Range, guess: bytes, page: Page | None) -> _Range | None:
        """Put a range in that begins with `page`, the keys behind `guess`; None if it is none."""
        keys = [entry.key for entry in page.entries] if page is not None else []
        if page is None or (keys and keys[0] <= guess):  # a service that ignores `start-after`
            self._may_probe = False
            return None
        if self._is_done(inside):
            return None
        end = inside.after.first if inside.after is not None else None
        nothing = not keys or (end is not None and keys[0] >= end)
        if inside.top is None:
            self._guesses.tell(nothing=nothing)
        if nothing:
            if inside.top is not None:
                inside.top = guess
            return None
        if keys[0] <= inside.last:
            return None
        expected = self._pages_left(inside) / 2
        begun = _Range(
            *(keys[0], keys[-1], 0, _Store(self._folder), keys),
            after=inside.after,
            top=inside.top,
            expected=expected,
        )
        inside.after, inside.top = begun, guess
        self._guesses.learn(keys)
        return begun
